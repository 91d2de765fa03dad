"""Does the evidence in ST and T lie where ST and T are measured to be abnormal? Over delineated records of PTB-XL."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgimn.explain.concordance import Concordance, case_concordance
from ecgimn.explain.explanation import explain
from ecgimn.explain.ledger import make_ledger
from ecgimn.model.checkpoint import Model
from ecgimn.signal.reading import read_signal
from ecgimn.signal.waves import WAVE_NAMES
from ecgimn.sources.ptbxl import PtbXl

CLASSES = ("MI", "STTC")


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
    rows: dict[str, list[Concordance]] = {name: [] for name in CLASSES}
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


def _summary(rows: list[Concordance], shares: list[NDArray[np.float64]]) -> dict[str, Any]:
    summary: dict[str, Any] = {"n": len(rows), "n_waves": len(shares)}
    for key in ("share", "expected", "auroc"):
        summary[key] = round(float(np.mean([getattr(row, key) for row in rows])), 4) if rows else None
    if shares:
        mean = np.mean(shares, axis=0)
        summary["wave_shares"] = {wave: round(float(v), 4) for wave, v in zip(WAVE_NAMES, mean, strict=True)}
    return summary
