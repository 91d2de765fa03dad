"""Does the evidence in ST and T lie where ST and T are measured to be abnormal? On delineated recordings."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgimn.explain.explanation import explain
from ecgimn.explain.ledger import Ledger, make_ledger
from ecgimn.explain.narrative import ST_AND_T
from ecgimn.leads import STANDARD_LEADS
from ecgimn.model.checkpoint import Model
from ecgimn.signal.reading import SignalReading, read_signal
from ecgimn.signal.waves import WAVE_NAMES
from ecgimn.sources.ptbxl import PtbXl
from ecgimn.training.metrics import auroc

ST_MV = 0.1  # an ST level beyond this, up or down, counts as abnormal here; one small square
CLASSES = ("MI", "STTC")


def abnormal_leads(reading: SignalReading) -> NDArray[np.bool_]:
    """Return which leads show ST beyond 0.1 mV at J+60 or meet the T-inversion threshold, shape (12,)."""
    inverted = reading.findings.t_inversion_leads if reading.findings else ()
    level = reading.j60_mv
    return np.array([abs(level.get(lead, 0.0)) >= ST_MV or lead in inverted for lead in STANDARD_LEADS])


def case_concordance(reading: SignalReading, ledger: Ledger, class_name: str) -> dict[str, float] | None:
    """Return how one case's ST and T evidence for a class agrees with its measured ST and T.

    Returns
    -------
    dict or None
        `share`: positive ST and T evidence on abnormal leads over all of it; `expected`: the share of abnormal leads;
        `auroc`: how well the evidence ranks abnormal leads before the others. None when no lead, or every lead, is
        abnormal or nothing is measured.
    """
    abnormal = abnormal_leads(reading)
    if not reading.j60_mv or not 0 < abnormal.sum() < len(abnormal):
        return None
    evidence = ledger.of(class_name)[:, [WAVE_NAMES.index(wave) for wave in ST_AND_T]].sum(axis=1)
    positive = np.clip(evidence, 0.0, None)
    if positive.sum() <= 0:
        return None
    return {
        "share": float(positive[abnormal].sum() / positive.sum()),
        "expected": float(abnormal.mean()),
        "auroc": float(auroc(abnormal.astype(np.uint8), evidence)[0]),
    }


def concordance(model: Model, ptbxl: PtbXl, ids: NDArray[np.int64], labels: NDArray[np.uint8]) -> dict[str, Any]:
    """Measure concordance and wave shares over records that carry MI or STTC.

    Parameters
    ----------
    model : Model
        Of the superclasses.
    ids : ndarray of shape (n,)
    labels : ndarray of shape (n, 5)
        Superclasses of the records.
    """
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in CLASSES}
    shares: dict[str, list[NDArray[np.float64]]] = {name: [] for name in CLASSES}
    for ecg_id, label in zip(ids, labels, strict=True):
        recording = ptbxl.recording(int(ecg_id), 100)
        reading = read_signal(recording)
        if reading.waves is None:
            continue
        ledger = make_ledger(explain(recording, model), recording, reading.waves, reading.levels)
        for name in CLASSES:
            if not label[model.classes.index(name)]:
                continue
            size = np.abs(ledger.of(name)).sum(axis=0)
            shares[name].append(size / size.sum())
            case = case_concordance(reading, ledger, name)
            if case is not None:
                rows[name].append(case)
    return {name: _summary(rows[name], shares[name]) for name in CLASSES}


def _summary(rows: list[dict[str, float]], shares: list[NDArray[np.float64]]) -> dict[str, Any]:
    summary: dict[str, Any] = {"n": len(rows), "n_waves": len(shares)}
    for key in ("share", "expected", "auroc"):
        summary[key] = round(float(np.mean([row[key] for row in rows])), 4) if rows else None
    if shares:
        mean = np.mean(shares, axis=0)
        summary["wave_shares"] = {wave: round(float(v), 4) for wave, v in zip(WAVE_NAMES, mean, strict=True)}
    return summary
