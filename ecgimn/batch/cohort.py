"""What a batch run says about many recordings: mean beats, evidence, typical cases, drift, the model's view."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import ks_2samp

from ecgimn.batch.output import BEAT_MS, Settings, read_settings, read_table
from ecgimn.batch.work import ALL_WAVES
from ecgimn.errors import SourceError
from ecgimn.leads import STANDARD_LEADS
from ecgimn.signal.waves.find import WAVE_NAMES

FOLDERS_VARIABLE = "ECGIMN_BATCH"
UNCERTAIN_LOGIT = 0.5  # a logit this close to the operating point counts as uncertain (project choice)
VIEWS = ("right", "wrong", "uncertain")
_KEY = ["record", "start_s"]


@dataclass(frozen=True, eq=False)
class CohortEvidence:
    """The ledgers of one class over a run.

    Attributes
    ----------
    class_name : str
    records : ndarray of shape (n,), str
        Name of the recording of each row; a long recording has a row per window.
    logit : ndarray of shape (n,)
    said : ndarray of shape (n,), bool
        Whether the probability is at or above the operating point.
    cells : ndarray of shape (n, 12, n_waves)
        Logit.
    waves : tuple of str
        Columns; ("all",) when the run did not look for waves.
    """

    class_name: str
    records: NDArray[np.str_]
    logit: NDArray[np.float64]
    said: NDArray[np.bool_]
    cells: NDArray[np.float64]
    waves: tuple[str, ...]

    @property
    def said_cells(self) -> NDArray[np.float64]:
        """The ledgers of which the model says the class."""
        return np.asarray(self.cells[self.said])


@dataclass(frozen=True, eq=False)
class MeanBeat:
    """The mean beat of the recordings of which the model says a class, from R - 300 ms to R + 500 ms.

    Attributes
    ----------
    n_records : int
        Towards the ends, where some beats' windows are over, the means rest on fewer.
    mv : ndarray of shape (12, 80)
        About the isoelectric level.
    logit : ndarray of shape (12, 80)
        Mean evidence of one beat, logit per 10 ms.
    """

    n_records: int
    mv: NDArray[np.float64]
    logit: NDArray[np.float64]


def batch_folders() -> tuple[Path, ...]:
    """Return the output folders that ECGIMN_BATCH names, separated as the system separates paths; may be empty.

    Raises
    ------
    SourceError
        A folder is not that of a batch run, or two have the same name.
    """
    names = [name for name in os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep) if name.strip()]
    folders = tuple(Path(name.strip()).expanduser() for name in names)
    for folder in folders:
        read_settings(folder)
    if len({folder.name for folder in folders}) < len(folders):
        raise SourceError(
            f"Two folders of {FOLDERS_VARIABLE} have the same name. Rename one, so they can be told apart."
        )
    return folders


def run_words(folder: Path, *, hashes: bool = True) -> str:
    """Say what a run holds and what it was made with; `hashes` adds that of the weights."""
    settings, status = read_settings(folder), read_table(folder, "records", columns=["status"])["status"]
    counts = {item["values"]: item["counts"] for item in status.value_counts().to_pylist()}
    names = ("explained", "refused", "failed", *(("skipped",) if "skipped" in counts else ()))
    parts = ", ".join(f"{counts.get(name, 0):,} {name}" for name in names)
    weights = f" ({settings.sha256[:8]})" if hashes else ""
    return f"{parts}. Model {settings.model}{weights}, waves: {settings.waves}."


def class_evidence(folder: Path, class_name: str) -> CohortEvidence:
    """Read the ledgers of one class.

    Raises
    ------
    SourceError
        The run does not know the class, or holds no explanation yet.
    """
    settings = read_settings(folder)
    if class_name not in settings.classes:
        raise SourceError(f"The run {folder.name!r} has no class {class_name!r} ({', '.join(settings.classes)}).")
    waves = (ALL_WAVES,) if settings.waves == "not looked for" else WAVE_NAMES
    # A part holds the ledgers in the order of its predictions, each in the order of leads and waves: to read the names
    # of the recordings once a cell would take most of the time.
    columns = ["record", "logit", "probability"]
    for _ in range(3):
        said = read_table(folder, "predictions", columns=columns, class_name=class_name).to_pandas()
        cells = read_table(folder, "ledger", columns=["logit"], class_name=class_name)["logit"].to_numpy()
        if len(cells) == len(said) * len(STANDARD_LEADS) * len(waves):
            break  # else a run that is under way has added a part in between
    else:
        raise SourceError(f"The run {folder.name!r} is being written. Come back when it has ended.")
    if said.empty:
        raise SourceError(f"The run {folder.name!r} holds no explanation yet. Let it go on, then come back.")
    threshold = settings.thresholds[settings.classes.index(class_name)]
    return CohortEvidence(
        class_name,
        said["record"].to_numpy(dtype=str),
        said["logit"].to_numpy(dtype=np.float64),
        said["probability"].to_numpy() >= threshold,
        cells.astype(np.float64).reshape(-1, len(STANDARD_LEADS), len(waves)),
        waves,
    )


def mean_beat(folder: Path, class_name: str) -> MeanBeat | None:
    """Return the mean beat of a class over all parts; None where no recording was said to be of it."""
    rows = read_table(folder, "beats", class_name=class_name).to_pandas()
    if rows.empty:
        return None
    shape = (-1, len(STANDARD_LEADS), len(BEAT_MS))  # each part holds a whole beat, in the order of leads and time
    records, mv, logit = (
        rows[name].to_numpy(dtype=np.float64).reshape(shape).sum(axis=0) for name in ("records", "mv_sum", "logit_sum")
    )
    return MeanBeat(int(records.max()), mv / np.maximum(records, 1.0), logit / np.maximum(records, 1.0))


def reasons_words(folder: Path, class_name: str) -> str:
    """Say how often a class, where it was said, rested on a textbook criterion that is on the ECG; empty where unknown.

    As booked; criteria and limits are in docs/criteria.md.
    """
    settings = read_settings(folder)
    table = read_table(folder, "predictions", columns=["probability", "reasons"], class_name=class_name).to_pandas()
    said = table[table["probability"] >= settings.thresholds[settings.classes.index(class_name)]]
    counts = said["reasons"].astype(object).dropna().value_counts()
    if counts.empty:
        return ""
    right, other, none = (int(counts.get(name, 0)) for name in ("right reasons", "other reasons", "no criterion"))
    total = int(counts.sum())
    return (
        f"Of {total:,} windows called {class_name}, {right:,} ({100 * right / total:.0f} %) rest on a textbook "
        f"criterion that is on the ECG; in {other:,} ({100 * other / total:.0f} %) one is there and not used; in "
        f"{none:,} ({100 * none / total:.0f} %) none is met."
    )


def closeness(evidence: CohortEvidence) -> pd.DataFrame:
    """Rank the recordings of which the model says the class by how alike their evidence is to the group's mean.

    Returns
    -------
    DataFrame
        Columns record, logit, alike (cosine of the recording's ledger with the mean ledger, 1 for the same pattern),
        lead and wave of the strongest support; the most typical first.
    """
    cells, chosen = evidence.said_cells, evidence.records[evidence.said]
    flat = cells.reshape(len(cells), -1)
    mean = flat.mean(axis=0) if len(flat) else np.zeros(flat.shape[1])
    length = np.linalg.norm(flat, axis=1) * np.linalg.norm(mean)
    leads, waves = _strongest(cells, evidence.waves)
    ranked = pd.DataFrame(
        {
            "record": chosen,
            "logit": evidence.logit[evidence.said],
            "alike": flat @ mean / np.maximum(length, 1e-12),
            "lead": leads,
            "wave": waves,
        }
    )
    return ranked.sort_values("alike", ascending=False, ignore_index=True)


def drift(before: Path, after: Path) -> pd.DataFrame:
    """Compare two runs class by class.

    Returns
    -------
    DataFrame
        Indexed by class. Over recordings that both runs hold: their number, mean and standard deviation of the change
        of the logit, and the share whose decision changed; over all of each run: share said before and after, and the
        largest distance between the two distributions of probability (Kolmogorov-Smirnov).

    Raises
    ------
    SourceError
        The runs have no class in common.
    """
    first, second = read_settings(before), read_settings(after)
    classes = [name for name in first.classes if name in second.classes]
    if not classes:
        raise SourceError("The two runs have no class in common. Choose runs of the same task.")
    one, two = _predictions(before, first), _predictions(after, second)
    rows = []
    for name in classes:
        old, new = one[one["class"] == name], two[two["class"] == name]
        both = old.merge(new, on=_KEY, suffixes=("_old", "_new"))
        change = both["logit_new"] - both["logit_old"]
        rows.append(
            {
                "class": name,
                "in both": len(both),
                "mean change": change.mean(),
                "SD of change": change.std(),
                "decisions changed": (both["said_old"] != both["said_new"]).mean() if len(both) else np.nan,
                "said before": old["said"].mean(),
                "said after": new["said"].mean(),
                "distance": ks_2samp(old["probability"], new["probability"]).statistic
                if len(old) and len(new)
                else np.nan,
            }
        )
    return pd.DataFrame(rows).set_index("class")


def model_view(folder: Path, class_name: str, labels: pd.Series[bool]) -> pd.DataFrame:
    """Say of each PTB-XL record how the model's answer for a class stands to the label, and where its support lies.

    Parameters
    ----------
    folder : Path
        Of a run over PTB-XL.
    class_name : str
    labels : Series of bool, indexed by ecg_id
        Whether the record carries the class.

    Returns
    -------
    DataFrame
        Indexed by ecg_id: probability; view ("uncertain" when the logit lies within 0.5 of the operating point's, else
        "right" or "wrong"); lead and wave of the strongest support.
    """
    evidence, settings = class_evidence(folder, class_name), read_settings(folder)
    threshold = settings.thresholds[settings.classes.index(class_name)]
    leads, waves = _strongest(evidence.cells, evidence.waves)
    view = pd.DataFrame(
        {"probability": expit(evidence.logit), "logit": evidence.logit, "lead": leads, "wave": waves},
        index=pd.Index(evidence.records).str.extract(r"^ptbxl-(\d+)$", expand=False),
    )
    view = view[view.index.notna()]
    view.index = pd.Index(view.index.astype(np.int64), name="ecg_id")
    view = view[view.index.isin(labels.index)]
    limit = np.log(threshold / (1.0 - threshold))
    agrees = (view["logit"] >= limit) == labels.loc[view.index].astype(bool)
    near = (view["logit"] - limit).abs() < UNCERTAIN_LOGIT
    view["view"] = np.select([near, agrees], ["uncertain", "right"], "wrong")
    return view.drop(columns="logit").sort_index()


def _predictions(folder: Path, settings: Settings) -> pd.DataFrame:
    columns = [*_KEY, "class", "logit", "probability"]
    table = read_table(folder, "predictions", columns=columns).to_pandas().astype({"class": str})
    limits = dict(zip(settings.classes, settings.thresholds, strict=True))
    table["said"] = table["probability"] >= table["class"].map(limits)
    return table


def _strongest(cells: NDArray[np.float64], waves: tuple[str, ...]) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
    """Lead and wave whose sums raise the score most, per recording."""
    leads = np.array(STANDARD_LEADS)[cells.sum(axis=2).argmax(axis=1)]
    return leads, np.array(waves)[cells.sum(axis=1).argmax(axis=1)]
