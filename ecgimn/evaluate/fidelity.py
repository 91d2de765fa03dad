"""Does the map predict what happens when the ECG changes? Every edit is run through the network again.

Predicted change: `<W(x), P d>`, read off the map of the unedited ECG; where a model has a term of the amplitude, its
change is added. Actual change: `f(x + d) - f(x)`. Per family and class: R2 = 1 - SSE / SST, the slope of actual on
predicted change, and their root mean squares. Signs of disease that can be planted in a normal ECG name the class whose
logit should rise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgimn.evaluate.metrics import rounded
from ecgimn.explain.case import case_of
from ecgimn.explain.checks import Changes, fit_changes
from ecgimn.explain.edits import FAMILIES, LEAD_GROUPS, WaveMasks, intervention, masks_from_landmarks
from ecgimn.explain.explanation import explain
from ecgimn.explain.measured import AGREEMENTS, LEAST_CLAIM, agreements, logits_without
from ecgimn.model.model import Model
from ecgimn.signal.preprocess import input_change
from ecgimn.signal.reading import SignalReading, read_signal
from ecgimn.signal.waves.find import WAVE_NAMES
from ecgimn.sources.ptbxl import SUPERCLASSES, PtbXl
from ecgimn.sources.ptbxl_arrays import Dataset

#: In training a sign is planted at this range of its size.
TRAINING_SIZES = (0.6, 1.2)


@dataclass(frozen=True)
class Sign:
    """One change that a cardiologist reads as a sign of disease.

    Attributes
    ----------
    family, amount
        As `intervention` takes them.
    groups : tuple of str
        Groups of leads that it is planted in, one at a time.
    reacting : str
        The superclass whose logit should rise.
    waves : tuple of str
        Waves of `QUICK_WAVES` that the change reaches.
    """

    family: str
    amount: float
    groups: tuple[str, ...]
    reacting: str
    waves: tuple[str, ...]


SIGNS: dict[str, Sign] = {
    "ST elevation +0.2 mV": Sign("st_shift", 0.2, ("anteroseptal", "inferior", "lateral"), "MI", ("st", "t", "qrs")),
    "T inversion": Sign("t_scale", -1.0, ("anterolateral", "inferior"), "STTC", ("t", "st")),
    "Q wave -0.5 mV": Sign("q_wave", -0.5, ("anteroseptal", "inferior"), "MI", ("qrs",)),
    "wide QRS": Sign("wide_qrs", 1.0, ("all",), "CD", ("qrs",)),
}


def random_sign(
    x: NDArray[np.floating], masks: WaveMasks, rng: np.random.Generator
) -> tuple[int, NDArray[np.float64], int]:
    """Plant one of `SIGNS`, at a size of `TRAINING_SIZES`; returns its family, the change and the reacting superclass.

    Family and class are indices into `FAMILIES` and `SUPERCLASSES`.
    """
    names = list(SIGNS)
    sign = SIGNS[names[rng.integers(len(names))]]
    leads = LEAD_GROUPS[sign.groups[rng.integers(len(sign.groups))]]
    change = intervention(sign.family, x, masks, leads=leads, amount=sign.amount * float(rng.uniform(*TRAINING_SIZES)))
    return FAMILIES.index(sign.family), change, SUPERCLASSES.index(sign.reacting)


BATCH = 32
TERRITORY_GROUPS = ("inferior", "lateral", "septal", "anterior")


@dataclass(frozen=True)
class Trial:
    """One family of edits as it is measured: what is done, where and how much."""

    family: str
    groups: tuple[str, ...]
    amount: float
    nuisance: bool = False


#: Families that no shipped model is trained on; they say how far a map's truth reaches beyond its training.
KEPT_OUT = ("raised_t", "raised_p")

TRIALS: dict[str, Trial] = {
    "ST +0.2 mV in a territory": Trial("st_shift", TERRITORY_GROUPS, 0.2),
    "ST -0.2 mV in a territory": Trial("st_shift", TERRITORY_GROUPS, -0.2),
    "T inverted": Trial("t_scale", (*TERRITORY_GROUPS, "all"), -1.0),
    "T flattened": Trial("t_scale", (*TERRITORY_GROUPS, "all"), 0.0),
    "ST-T flattened": Trial("stt_scale", (*TERRITORY_GROUPS, "all"), 0.0),
    "QRS halved": Trial("qrs_scale", (*TERRITORY_GROUPS, "all"), 0.5),
    "Q wave -0.3 mV": Trial("q_wave", TERRITORY_GROUPS, -0.3),
    "QRS widened": Trial("wide_qrs", ("all",), 1.0),
    "lead group removed": Trial("lead_scale", TERRITORY_GROUPS, 0.0),
    "amplitude +20 %": Trial("gain", ("all",), 1.2),
    "late R +0.3 mV": Trial("late_r", ("septal", "lateral"), 0.3),
    "P removed": Trial("p_scale", ("all",), 0.0),
    "T +0.2 mV in a territory": Trial("raised_t", TERRITORY_GROUPS, 0.2),
    "P +0.1 mV": Trial("raised_p", ("all",), 0.1),
    "smooth bumps 0.1 mV": Trial("bumps", ("all",), 0.1),
    "white noise 0.05 mV": Trial("noise", ("all",), 0.05, nuisance=True),
    "drift 0.2 mV": Trial("drift", ("all",), 0.2, nuisance=True),
}


def edited_copy(data: Dataset, index: int, trial: Trial, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return what an edit changes in a record's network input, shape (12, 982)."""
    x = data.x[index].astype(np.float64)
    masks = masks_from_landmarks(data.landmarks[index], x.shape[1])
    group = trial.groups[int(rng.integers(len(trial.groups)))]
    return intervention(trial.family, x, masks, leads=LEAD_GROUPS[group], amount=trial.amount, rng=rng)


def measure_changes(model: Model, data: Dataset, trial: Trial, *, seed: int = 0) -> Changes:
    """Return predicted and actual changes of every record under one family of edits."""
    rng = np.random.default_rng(seed)
    predicted, actual = [], []
    for start in range(0, len(data), BATCH):
        chosen = range(start, min(start + BATCH, len(data)))
        x = data.x[start : start + BATCH].astype(np.float64)
        change = input_change(np.stack([edited_copy(data, i, trial, rng) for i in chosen]))
        maps, before = model.weight_maps(x)
        constant = model.constant(x + change) - model.constant(x)  # 0 but for a term of the amplitude
        predicted.append(np.einsum("nklt,nlt->nk", maps, change) + constant)
        actual.append(model.logits(x + change) - before)
    return Changes(np.concatenate(predicted), np.concatenate(actual))


def fidelity(model: Model, data: Dataset, *, points: int = 0) -> dict[str, Any]:
    """Measure every trial; returns plain values for JSON, with some points per family and class for a scatter plot."""
    seen = model.card.training.get("objective", {}).get("edits", {})
    result: dict[str, Any] = {}
    for name, trial in TRIALS.items():
        changes = measure_changes(model, data, trial)
        row: dict[str, Any] = {
            "in_training": trial.family in seen,
            "nuisance": trial.nuisance,
            "rms_actual": rounded(np.sqrt((changes.actual**2).mean(axis=0))),
            "rms_predicted": rounded(np.sqrt((changes.predicted**2).mean(axis=0))),
        }
        if not trial.nuisance:
            fit = fit_changes(changes)
            row["r2"], row["slope"] = rounded(fit.r2[0]), rounded(fit.slope[0])
        if points and not trial.nuisance:
            row["points"] = [
                [rounded(changes.predicted[:points, k]), rounded(changes.actual[:points, k])]
                for k in range(changes.actual.shape[1])
            ]
        result[name] = row
    return result


# What the map books for a lead and wave against what is lost when the network is re-run without it.

BOUND_FOLD = 9  # choose on it, report on fold 10
N_TAKEN_OUT = 512
LEADS_TAKEN_OUT = 6  # of each record, drawn at random: cells of one record tell less than another record
COVERS = 0.9
BOUND_FLOOR = 0.1  # logit; what is added to the size of a cell to which its error is held


@dataclass(frozen=True, eq=False)
class TakenOut:
    """Booked and measured cells of some records.

    Attributes
    ----------
    patients : ndarray of shape (n,)
    booked, measured : ndarray of shape (n, K, 12, n_waves)
        In logit; NaN where a cell holds no sample or its lead was not drawn.
    """

    patients: NDArray[np.int64]
    booked: NDArray[np.float64]
    measured: NDArray[np.float64]


def take_out(reading: SignalReading, model: Model, leads: Sequence[int]) -> tuple[NDArray[np.float64], ...]:
    """Take every wave of some leads out of a recording; return booked and measured, each (K, 12, n_waves), else NaN.

    Raises
    ------
    ValueError
        No beat was found.
    """
    if reading.waves is None:
        raise ValueError("no beat was found, so no wave can be taken out")
    case = case_of(reading, explain(reading.recording, model), model.card)
    labels = reading.waves.labels
    cells = [(lead, wave) for lead in leads for wave in range(len(WAVE_NAMES)) if (labels[lead] == wave).any()]
    masks = []
    for lead, wave in cells:
        inside = np.zeros(labels.shape, dtype=bool)
        inside[lead] = labels[lead] == wave
        masks.append(inside)
    with_it, without = logits_without(case, model, masks)
    booked, measured = (np.full(case.ledger.cells.shape, np.nan) for _ in range(2))
    for place, (lead, wave) in enumerate(cells):
        booked[:, lead, wave] = case.ledger.cells[:, lead, wave]
        measured[:, lead, wave] = with_it - without[place]
    return booked, measured


def usable_readings(ptbxl: PtbXl, n: int) -> Iterator[tuple[int, SignalReading]]:
    """Yield patient and reading of records of `BOUND_FOLD` at 100 Hz, in an order drawn with a fixed seed.

    Records that the quality check refuses, or in which no beat is found, are passed over: no reader sees their ledger.
    """
    ids = ptbxl.ids([BOUND_FOLD], fs=100)
    found = 0
    for ecg_id in np.random.default_rng(0).permutation(ids).tolist():
        if found == n:
            return
        reading = read_signal(ptbxl.recording(ecg_id, 100))
        if reading.quality.usable and reading.waves is not None:
            found += 1
            yield int(ptbxl.table.loc[ecg_id, "patient_id"]), reading


def drawn_leads(number: int) -> list[int]:
    """Return the leads that are taken out of the record of this number, the same for every model."""
    return sorted(np.random.default_rng(number).permutation(12)[:LEADS_TAKEN_OUT].tolist())


def booked_against_measured(taken: TakenOut, classes: Sequence[str]) -> dict[str, Any]:
    """Return how often booking is confirmed per class and wave, and the bound of split-conformal prediction.

    The patients are halved at random. One half gives the bound: with scores |measured - booked| / (0.1 + |booked|),
    since a large cell is off by more than a small one, the k-th smallest of n with k = ceil(0.9 (n + 1)). The other
    half says how many of its cells lie within. (Papadopoulos et al. 2002, doi:10.1007/3-540-36755-1_29; the normalised
    score: Lei et al. 2018, doi:10.1080/01621459.2017.1307116.)

    Parameters
    ----------
    taken : TakenOut
    classes : sequence of str
    """
    patients = np.random.default_rng(0).permutation(np.unique(taken.patients))
    first = np.isin(taken.patients, patients[: len(patients) // 2])
    off, size = np.abs(taken.measured - taken.booked), np.abs(taken.booked)
    score = off / (BOUND_FLOOR + size)
    there = np.isfinite(score)
    sure = there & (agreements(taken.booked, taken.measured) == AGREEMENTS.index("confirmed"))
    strong = there & (size >= LEAST_CLAIM)
    bound = np.full((len(classes), len(WAVE_NAMES)), np.nan)
    for k in range(len(classes)):
        for wave in range(len(WAVE_NAMES)):
            found = np.sort(score[first, k, :, wave][there[first, k, :, wave]])
            rank = math.ceil(COVERS * (len(found) + 1))
            if rank <= len(found):
                bound[k, wave] = float(f"{found[rank - 1]:.3g}")
    checked = there & ~first[:, None, None, None] & np.isfinite(bound)[None, :, None, :]
    within = checked & (score <= bound[None, :, None, :])

    def shares(inside: NDArray[np.bool_], of: NDArray[np.bool_], k: int) -> dict[str, float | None]:
        hit, all_ = (each[:, k].sum(axis=(0, 1)).tolist() for each in (inside & of, of))
        return {name: _share(*pair) for name, pair in zip(WAVE_NAMES, zip(hit, all_, strict=True), strict=True)}

    return {
        "fold": BOUND_FOLD,
        "n": len(taken.patients),
        "n_bound": int(first.sum()),
        "n_checked": int((~first).sum()),
        "leads_per_record": LEADS_TAKEN_OUT,
        "covers": COVERS,
        "floor": BOUND_FLOOR,
        "strong_from": LEAST_CLAIM,
        "confirmed": _share(int(sure.sum()), int(there.sum())),
        "confirmed_strong": _share(int((sure & strong).sum()), int(strong.sum())),
        "covered": _share(int(within.sum()), int(checked.sum())),
        "covered_strong": _share(int((within & strong).sum()), int((checked & strong).sum())),
        "classes": {
            name: {
                "confirmed": shares(sure, there, k),
                "confirmed_strong": shares(sure, strong, k),
                "n_strong": dict(zip(WAVE_NAMES, strong[:, k].sum(axis=(0, 1)).tolist(), strict=True)),
                "bound": dict(zip(WAVE_NAMES, rounded(bound[k]), strict=True)),
                "covered": shares(within, checked, k),
            }
            for k, name in enumerate(classes)
        },
    }


def _share(hit: int, of: int) -> float | None:
    return round(hit / of, 4) if of else None


def measure_taken_out(model: Model, ptbxl: PtbXl, n: int = N_TAKEN_OUT) -> dict[str, Any] | None:
    """Take waves out of records of fold 9 and hold what is lost against what was booked; None without such records."""
    rows = [
        (patient, *take_out(reading, model, drawn_leads(number)))
        for number, (patient, reading) in enumerate(usable_readings(ptbxl, n))
    ]
    if not rows:
        return None
    patients, booked, measured = zip(*rows, strict=True)
    return booked_against_measured(
        TakenOut(np.array(patients), np.array(booked), np.array(measured)),
        model.classes,
    )
