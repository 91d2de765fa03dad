"""Train the published ECG-IMN as published, on the proper folds: 1-8 to learn from, 9 to stop by, 10 left alone.

Thambawita et al., arXiv:2602.09566: cross-entropy weighted by class, 1e-4 times the mean absolute weight, AdamW,
steps of the learning rate, early stopping on AUROC. Optionally with local-fidelity regularisation as published for
interpretable mesomorphic networks (Hammer et al., arXiv:2606.29951): gamma times the mean of
`(<W(z), z'> + b(z) - f(z'))^2` over neighbours z' of the input. The result is exported
calibrated and measured on fold 9.
"""

from __future__ import annotations

import time
import tomllib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ecgimn.errors import SourceError
from ecgimn.evaluate.metrics import auroc, bias_share, calibrate, discrimination, macro, plain, rounded
from ecgimn.model.card import ModelCard
from ecgimn.model.model import MODELS_FOLDER, Model, mixed_precision, save_model
from ecgimn.model.published import PaperConfig, PaperImn, PaperOutput, read_maps, z_score
from ecgimn.signal.preprocess import MODEL_FS, preprocessing
from ecgimn.sources.ptbxl import PtbXl
from ecgimn.sources.ptbxl_arrays import CHOICE_FOLD, SUPERCLASSES, TRAINING_FOLDS
from ecgimn.train.export import BEST, LOG, STATE, Part, append_row, read_state, take_up, write_state
from ecgimn.train.recipe import refuse_few, refuse_one_sided

KIND = "paper"  # of a TOML file: says which training it is for
CHUNK = 512


@dataclass(frozen=True)
class PublishedRecipe:
    """Everything that decides a training of the published network; one TOML file each.

    Attributes
    ----------
    name : str
        Of the run and of the model that it writes.
    classes : tuple of str
        The five superclasses, or two of them: then records with exactly one of the two are used, as published.
    share : float
        Share of the records seen per epoch, drawn again each time; 1 as published.
    step_epochs, step_factor : int, float
        The learning rate is multiplied by the factor after so many epochs.
    l1 : float
        Weight of the mean absolute weight.
    gamma, neighbour_sd : float
        Local-fidelity regularisation: its weight (0 leaves it out) and the Gaussian noise, on z-scored inputs, that
        makes a neighbour.
    """

    name: str
    classes: tuple[str, ...] = SUPERCLASSES
    seed: int = 42
    epochs: int = 100
    patience: int = 10
    share: float = 1.0
    batch: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    step_epochs: int = 10
    step_factor: float = 0.1
    l1: float = 1e-4
    gamma: float = 0.0
    neighbour_sd: float = 0.1
    limit: int | None = None
    network: PaperConfig = field(default_factory=PaperConfig)


def is_published_recipe(path: Path) -> bool:
    """Whether a TOML file is a recipe of the published network; files that do not parse are not judged."""
    try:
        return tomllib.loads(path.read_text()).get("kind") == KIND
    except (OSError, tomllib.TOMLDecodeError):
        return False


def read_published_recipe(path: Path) -> PublishedRecipe:
    """Read a TOML file; its keys are those of `PublishedRecipe` and `kind`, with a table [network].

    Raises
    ------
    SourceError
        The file does not parse, or a key or value does not fit.
    """
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text())
        if content.pop("kind") != KIND:
            raise ValueError(f"kind is not {KIND!r}")
        classes = tuple(content.pop("classes", SUPERCLASSES))
        network = PaperConfig(**{"n_classes": len(classes), **content.pop("network", {})})
        if not set(classes) <= set(SUPERCLASSES) or len(classes) not in (2, len(SUPERCLASSES)):
            raise ValueError(f"classes are {', '.join(classes)}; two or all of {', '.join(SUPERCLASSES)} are needed")
        return PublishedRecipe(classes=classes, network=network, **content)
    except (OSError, ValueError, TypeError, KeyError) as exc:
        raise SourceError(
            f"The recipe {path.name} cannot be used: {exc}. Compare it with models/recipes/paper-*.toml."
        ) from exc


@dataclass(frozen=True, eq=False)
class PaperData:
    """Unfiltered inputs (n, 12, 982) in mV with labels (n, K) and patients (n,)."""

    x: NDArray[np.float32]
    labels: NDArray[np.uint8]
    patients: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.x)


def load_paper_data(
    ptbxl: PtbXl, folds: tuple[int, ...], classes: tuple[str, ...], limit: int | None = None
) -> PaperData:
    """Read the records of some folds that a task uses: with two classes, those that carry exactly one of them."""
    ids = ptbxl.ids(folds, fs=100)
    columns = [SUPERCLASSES.index(name) for name in classes]
    labels = ptbxl.labels(ids)[:, columns]
    if len(classes) == 2:
        ids, labels = ids[labels.sum(1) == 1], labels[labels.sum(1) == 1]
    ids, labels = ids[:limit], labels[:limit]
    prepare = preprocessing(MODEL_FS, 1000, high_pass=False)
    x = np.empty((len(ids), 12, prepare.n_out), dtype=np.float32)
    for start in range(0, len(ids), CHUNK):
        x[start : start + CHUNK] = prepare.forward(ptbxl.signals(ids[start : start + CHUNK], 100) / 1000.0)
    return PaperData(x, labels, ptbxl.table.loc[ids, "patient_id"].to_numpy(dtype=np.int64))


def task_loss(out: PaperOutput, targets: Tensor, odds: Tensor, output: str) -> Tensor:
    """Return the weighted cross-entropy; `odds` is negatives over positives per class, (K,).

    A softmax weighs each class by the other's frequency, a single logit its positives (the second class) by the odds.
    """
    if output == "softmax":
        weight = odds / (1.0 + odds)  # the share of the other class
        return F.cross_entropy(out.logit, targets.argmax(1), weight=weight)
    if output == "logit":
        return F.binary_cross_entropy_with_logits(out.logit, targets[:, -1:], pos_weight=odds[-1:])
    return F.binary_cross_entropy_with_logits(out.logit, targets, pos_weight=odds)


def published_objective(
    network: PaperImn, x: Tensor, targets: Tensor, odds: Tensor, recipe: PublishedRecipe, rng: torch.Generator
) -> Tensor:
    """Return the loss of one batch of inputs in mV, (B, 12, L)."""
    z = z_score(x)[0]
    out: PaperOutput = network(z)
    loss: Tensor = task_loss(out, targets, odds, recipe.network.output) + recipe.l1 * out.maps.abs().mean()
    if recipe.gamma > 0.0:
        neighbour = z + recipe.neighbour_sd * torch.randn(z.shape, generator=rng)
        actual = network(neighbour).logit
        loss = loss + recipe.gamma * (read_maps(out.maps, out.bias, neighbour) - actual).square().mean()
    return loss


def predict(network: PaperImn, x: NDArray[np.float32], batch: int = 64) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return logits (n, K), as `PaperImn.linear` reads them, and generated biases (n, K)."""
    network.eval()
    logits, biases = [], []
    with torch.inference_mode():
        for start in range(0, len(x), batch):
            out = network.linear(torch.from_numpy(x[start : start + batch]))
            logits.append(out.logit.double().numpy())
            biases.append(out.bias.double().numpy())
    return np.concatenate(logits), np.concatenate(biases)


def train_published(
    ptbxl: PtbXl,
    recipe: PublishedRecipe,
    folder: Path,
    *,
    resume: bool = False,
    report: Callable[[dict[str, float]], None] = lambda row: None,
) -> None:
    """Train until fold 9 stops improving; `folder` gets the state to go on from, the best network and log.csv.

    Raises
    ------
    CheckpointError
        The state in `folder` belongs to another recipe.
    SourceError
        There are fewer records than a step takes, or a class has none with it or none without it.
    """
    torch.manual_seed(recipe.seed)
    network = PaperImn(recipe.network)
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    epoch, best_epoch, best = 0, 0, -np.inf
    if resume:
        parts: dict[str, Part] = {"network": network, "optimizer": optimizer}
        epoch, best_epoch, best = take_up(folder, recipe.name, parts, ("epoch", "best_epoch", "best"))
    learn = load_paper_data(ptbxl, TRAINING_FOLDS, recipe.classes, recipe.limit)
    choose = load_paper_data(ptbxl, (CHOICE_FOLD,), recipe.classes, recipe.limit)
    refuse_few(round(recipe.share * len(learn)), recipe.batch)
    for where, data in (("Folds 1 to 8", learn), (f"Fold {CHOICE_FOLD}", choose)):
        refuse_one_sided(where, recipe.classes, data.labels, np.ones(data.labels.shape, dtype=bool))
    positives = learn.labels.sum(0)
    odds = torch.tensor((len(learn) - positives) / np.maximum(positives, 1), dtype=torch.float32)
    targets = torch.from_numpy(learn.labels.astype(np.float32))
    while epoch < recipe.epochs and epoch - best_epoch < recipe.patience:
        started = time.monotonic()
        rng = np.random.default_rng([recipe.seed, epoch])
        torch_rng = torch.Generator().manual_seed(recipe.seed * 1000 + epoch)
        torch.manual_seed(recipe.seed * 1000 + epoch)
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * recipe.step_factor ** (epoch // recipe.step_epochs)
        network.train()
        order = rng.permutation(len(learn))[: round(recipe.share * len(learn))]
        losses = []
        for start in range(0, len(order) - recipe.batch + 1, recipe.batch):
            chosen = order[start : start + recipe.batch]
            x, wanted = torch.from_numpy(learn.x[chosen]), targets[torch.from_numpy(chosen)]
            with mixed_precision(torch.device("cpu")):
                loss = published_objective(network, x, wanted, odds, recipe, torch_rng)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
        epoch += 1
        logits, biases = predict(network, choose.x)
        row = {
            "epoch": epoch,
            "loss": round(float(np.mean(losses)), 5),
            "auroc": round(float(macro(choose.labels[:, -logits.shape[1] :], logits)[0]), 5),
            "auroc_of_bias_alone": round(float(macro(choose.labels[:, -logits.shape[1] :], biases)[0]), 5),
            "bias_share": round(float(bias_share(biases, logits).mean()), 5),
            "seconds": round(time.monotonic() - started, 1),
        }
        if row["auroc"] > best:
            best, best_epoch = row["auroc"], epoch
            write_state(folder / BEST, {"network": network.state_dict(), "epoch": epoch})
        write_state(
            folder / STATE,
            {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch,
             "best_epoch": best_epoch, "best": best},
        )  # fmt: skip
        append_row(folder / LOG, row)
        report(row)


def describe_recipe(recipe: PublishedRecipe) -> dict[str, Any]:
    """Return the recipe as plain values, for the model card."""
    return asdict(recipe)


REFERENCE = "Thambawita et al., arXiv:2602.09566, trained again here; weights of its authors are not used"


def export_published(ptbxl: PtbXl, recipe: PublishedRecipe, run: Path, *, folder: Path = MODELS_FOLDER) -> Model:
    """Write the model of a run from its best epoch.

    Raises
    ------
    SourceError
        The run has no checkpoint.
    """
    if not (run / BEST).is_file():
        raise SourceError(f"The run {recipe.name!r} has no checkpoint. Train it first.")
    state = read_state(run / BEST)
    network = PaperImn(recipe.network)
    network.load_state_dict(state["network"])
    network.eval().requires_grad_(False)
    choose = load_paper_data(ptbxl, (CHOICE_FOLD,), recipe.classes, recipe.limit)
    logits, biases = predict(network, choose.x)
    n = logits.shape[1]
    classes, targets = recipe.classes[-n:], choose.labels[:, -n:]
    # The published logit is a bare sum of 12,000 products, at first of the order of hundreds: fitted in its own spread.
    calibration = calibrate(targets, logits, np.maximum(logits.std(axis=0), 1e-9))
    records = "records with exactly one of them" if len(recipe.classes) == 2 else "labels, not exclusive"
    command = f"python -m ecgimn train --ptbxl DIR --recipe {recipe.name}"
    card = ModelCard(
        name=recipe.name,
        task=f"the published ECG-IMN, {' and '.join(recipe.classes) if n < 3 else 'five superclasses'}: {records}",
        classes=classes,
        members=1,
        network=replace(recipe.network, dropout=0.0),
        kind="paper",
        scale=calibration.scale,
        offset=calibration.offset,
        sha256="",
        known_answer=(0.0,) * n,
        thresholds=calibration.thresholds,
        training={
            "data": "PTB-XL 1.0.3, folds 1-8, 100 Hz; best epoch, calibration and thresholds chosen on fold 9",
            "command": command,
            "best_epoch": int(state["epoch"]),
            **describe_recipe(recipe),
        },
        metrics={"command": command, **measure(choose, logits, biases, classes)},
        reference=REFERENCE,
    )
    return save_model(card, [network], folder)


def measure(
    data: PaperData, logits: NDArray[np.float64], biases: NDArray[np.float64], classes: tuple[str, ...]
) -> dict[str, Any]:
    """Return discrimination with patient-bootstrap intervals, and how much of the decision the generated bias takes."""
    targets = data.labels[:, -len(classes) :]
    return {
        "fold": CHOICE_FOLD,
        "n_records": len(data),
        "n_labelled": len(data),
        "classes": list(classes),
        "discrimination": discrimination(targets, logits, data.patients, classes),
        "bias": {
            "variance_share": rounded(bias_share(biases, logits)[0], 5),
            "auroc_of_bias_alone": [plain(auroc(targets[:, k], biases[:, k])[0]) for k in range(len(classes))],
            "why": "the published network computes its bias from each recording, so that it can rank recordings",
        },
    }
