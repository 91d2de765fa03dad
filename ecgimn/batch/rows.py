"""Turns what the library found in one window into rows of the tables."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ecgimn.batch.output import BEAT_MS, Rows
from ecgimn.explain.case import Case
from ecgimn.explain.explanation import LeadEvidence
from ecgimn.explain.sentences import evidence_over_beats
from ecgimn.leads import STANDARD_LEADS
from ecgimn.recording import Recording
from ecgimn.signal.quality import Quality
from ecgimn.signal.reading import SignalReading
from ecgimn.signal.waves.find import WAVE_NAMES

ALL_WAVES = "all"  # of a ledger whose waves were not looked for


def add_quality(
    rows: Rows, record: str, start_s: float, recording: Recording, quality: Quality, *, public: bool
) -> None:
    """Add what the quality check found; a digest only of a public record, because it would identify a patient's."""
    rows.add(
        "quality",
        record=record,
        start_s=start_s,
        duration_s=recording.duration_s,
        fs=recording.fs,
        usable=quality.usable,
        refusals=" ".join(quality.refusals),
        warnings=" ".join(quality.warnings),
        einthoven_residual_mv=quality.einthoven_residual_mv,
        gap_share=quality.gap_share,
        wander_mv=quality.wander_mv,
        hum_mv=quality.hum_mv,
        muscle_mv=quality.muscle_mv,
        digest=recording.digest if public else None,
    )


def add_reading(rows: Rows, record: str, start_s: float, reading: SignalReading) -> None:
    """Add intervals, ST and T, or the reason why there are none."""
    measured = reading.measurements
    if measured is None:
        rows.add("intervals", record=record, start_s=start_s, reason=reading.reason)
        return
    intervals = measured.intervals
    rows.add(
        "intervals",
        record=record,
        start_s=start_s,
        heart_rate=intervals.heart_rate.value,
        rr_ms=intervals.rr.value,
        pr_ms=intervals.pr.value,
        qrs_ms=intervals.qrs.value,
        qt_ms=intervals.qt.value,
        axis_deg=intervals.axis.value,
        beats=measured.n_beats_found,
        beats_used=measured.n_beats,
        st_elevation_leads=" ".join(reading.st_elevation_leads),
        waves=reading.waves.method if reading.waves is not None else None,
        reason=measured.reason,
        **{f"qtc_{formula.lower()}_ms": value.value for formula, value in intervals.qtc.items()},
    )
    for st, t in zip(measured.st, measured.t_waves, strict=True):
        rows.add(
            "st",
            record=record,
            start_s=start_s,
            lead=st.lead,
            j_mv=st.j_mv,
            j60_mv=st.j60_mv,
            j80_mv=st.j80_mv,
            slope_mv_per_s=st.slope_mv_per_s,
            shape=st.shape,
            t_mv=t.amplitude_mv,
            t_grade=t.grade,
        )


def add_lead_evidence(
    rows: Rows, record: str, start_s: float, classes: tuple[str, ...], evidence: LeadEvidence, place: int
) -> None:
    """Add predictions and the sum of each lead."""
    error = float(evidence.completeness_error[place])
    _add_predictions(rows, record, start_s, classes, evidence.logit[place], evidence.bias[place], error)
    _add_ledger(rows, record, start_s, classes, evidence.leads[place][:, :, None], (ALL_WAVES,))


def add_explanation(rows: Rows, record: str, start_s: float, case: Case) -> None:
    """Add predictions and the ledger of lead by wave."""
    explanation, ledger = case.explanation, case.ledger
    error = max(explanation.completeness_error, ledger.residual)
    bias = ledger.bias + ledger.baseline  # so that a row's bias and the record's ledger add up to its logit
    _add_predictions(rows, record, start_s, explanation.classes, explanation.logit, bias, error)
    _add_ledger(rows, record, start_s, explanation.classes, ledger.cells, WAVE_NAMES)


def _add_predictions(
    rows: Rows,
    record: str,
    start_s: float,
    classes: tuple[str, ...],
    logit: NDArray[np.float64],
    bias: NDArray[np.float64],
    error: float,
) -> None:
    n = len(classes)
    rows.extend(
        "predictions",
        {
            "record": [record] * n,
            "start_s": [start_s] * n,
            "class": classes,
            "logit": logit,
            "probability": expit(logit),
            "bias": bias,
            "completeness_error": [error] * n,
        },
    )


def _add_ledger(
    rows: Rows,
    record: str,
    start_s: float,
    classes: tuple[str, ...],
    cells: NDArray[np.float64],
    waves: tuple[str, ...],
) -> None:
    """Add cells of shape (K, 12, n_waves) in long form."""
    per_class = [(lead, wave) for lead in STANDARD_LEADS for wave in waves]
    rows.extend(
        "ledger",
        {
            "record": [record] * cells.size,
            "start_s": [start_s] * cells.size,
            "class": [name for name in classes for _ in per_class],
            "lead": [lead for lead, _ in per_class] * len(classes),
            "wave": [wave for _, wave in per_class] * len(classes),
            "logit": cells.ravel(),
        },
    )


def add_beats(rows: Rows, case: Case, said: NDArray[np.bool_]) -> None:
    """Add the mean beat of a recording and its evidence, for the classes that the model says, on a common grid.

    Evidence is summed over 10 ms and voltage, about the isoelectric level, averaged, so that rates can be mixed.
    Only sums over the recordings of a chunk are kept.
    """
    reading = case.reading
    if reading.measurements is None:
        return
    beat, fs = reading.measurements.beat, case.recording.fs
    if beat.signal is None:
        return
    place = ((np.arange(beat.windows.length) - beat.windows.r_index) / fs * 1000.0 - BEAT_MS[0]) // 10.0
    inside = (place >= 0) & (place < len(BEAT_MS)) & np.isfinite(beat.signal).all(axis=0)
    bins = place[inside].astype(int)
    covered = np.bincount(bins, minlength=len(BEAT_MS))  # a beat's window ends with its T wave
    counts = np.maximum(covered, 1)
    volts = (beat.signal - reading.levels[:, None])[:, inside]
    mv = np.stack([np.bincount(bins, row, len(BEAT_MS)) / counts for row in volts])
    for name in (name for name, is_said in zip(case.classes, said, strict=True) if is_said):
        evidence = evidence_over_beats(case.of(name))
        if evidence is not None:
            logit = np.stack([np.bincount(bins, row, len(BEAT_MS)).astype(float) for row in evidence.mean[:, inside]])
            rows.sum_beat(name, mv, logit, covered > 0)
