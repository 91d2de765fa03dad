"""Traces as a reader gives them, put together as a recording: units, leads by name, calibration pulses cut away.

Philips writes a second with a pulse of 1 mV and 200 ms after (or before) the ten seconds of an ECG, others print one at
the margin and export it too. No heartbeat steps by the same millivolt in I, II and V1 to V6 within a few milliseconds
and stays there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecgimn.errors import SignalError
from ecgimn.formats.limits import MAX_SIGNALS, check_length
from ecgimn.leads import INDEPENDENT_LEADS, canonical_lead_name, order_leads
from ecgimn.recording import MAX_FS, MIN_DURATION_S, MIN_FS, Recording, Sex, check_amplitude

PULSE_MV, TOLERANCE_MV = 1.0, 0.2
PULSE_S = (0.04, 1.0)  # recorders write 100 to 500 ms
_EDGE_S = 0.008  # a rectangle rises and falls within twice this time
_QUIET_MV = 0.15  # of the baseline around a pulse
_MARGIN_S = 0.5  # less than this between a pulse and the end of the recording belongs to the pulse


@dataclass(frozen=True)
class Stretch:
    """Samples from `start` up to and without `stop`."""

    start: int
    stop: int


def find_calibration(rows: NDArray[np.float64], fs: float) -> tuple[Stretch, ...]:
    """Find calibration pulses, each with the flat baseline around it.

    Parameters
    ----------
    rows : ndarray of shape (8, n_samples)
        I, II and V1 to V6 in mV, as stored.
    fs : float
        Hz.
    """
    reach = max(1, round(_EDGE_S * fs))
    n_samples = rows.shape[1]
    if n_samples < 4 * reach:
        return ()
    step = rows[:, 2 * reach :] - rows[:, : -2 * reach]
    near = np.abs(np.abs(step) - PULSE_MV) < TOLERANCE_MV
    rising = _middles(np.logical_and.reduce((step > 0) & near, axis=0)) + reach
    falling = _middles(np.logical_and.reduce((step < 0) & near, axis=0)) + reach
    found: list[Stretch] = []
    for up in rising:
        downs = falling[(falling > up + PULSE_S[0] * fs) & (falling < up + PULSE_S[1] * fs)]
        if not len(downs) or (found and up < found[-1].stop):
            continue
        level = np.median(rows[:, max(up - 4 * reach, 0) : max(up - reach, 1)], axis=1, keepdims=True)
        plateau = rows[:, up + reach : downs[0] - reach] - level
        if plateau.shape[1] and (np.abs(plateau - PULSE_MV) < TOLERANCE_MV).all():
            noise_mv = float(np.ptp(plateau, axis=0).max())
            found.append(_with_baseline(rows - level, up - reach, int(downs[0]) + reach, noise_mv))
    return tuple(found)


def without_calibration(
    rows: NDArray[np.float64], names: Sequence[str], fs: float
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Cut the calibration pulses at the ends of a recording, make those in between gaps, and say so.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_samples)
        mV, one row per name.
    names : sequence of str
        As the file spells them; without I, II and V1 to V6 nothing is looked for.
    fs : float
        Hz.

    Returns
    -------
    rows : ndarray
    notes : tuple of str
    """
    by_lead = {canonical_lead_name(name): row for name, row in zip(names, rows, strict=True)}
    if not all(lead in by_lead for lead in INDEPENDENT_LEADS):
        return rows, ()
    n_samples = rows.shape[1]
    pulses = find_calibration(np.array([by_lead[lead] for lead in INDEPENDENT_LEADS]), fs)
    if not pulses:
        return rows, ()
    margin, first, last = _MARGIN_S * fs, 0, n_samples
    rows = rows.copy()
    for pulse in pulses:
        if pulse.start - first < margin:
            first = pulse.stop
        elif n_samples - pulse.stop < margin or pulse.start >= last:
            last = min(last, pulse.start)
        else:
            rows[:, pulse.start : pulse.stop] = np.nan
    if last - first >= MIN_DURATION_S * fs:
        rows = rows[:, first:last]
    said = " and ".join(f"{pulse.start / fs:.1f} to {pulse.stop / fs:.1f} s" for pulse in pulses[:4])
    return rows, (f"Calibration pulse of 1 mV at {said} of the file left out.",)


def _middles(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the middle of each run of True."""
    edges = np.diff(np.concatenate([[0], mask.astype(np.int8), [0]]))
    return (np.flatnonzero(edges == 1) + np.flatnonzero(edges == -1) - 1) // 2


def _with_baseline(rows: NDArray[np.float64], start: int, stop: int, noise_mv: float) -> Stretch:
    """Widen a pulse by the baseline beside it: all leads quiet, and as alike as they are on the pulse."""
    alike = (np.ptp(rows, axis=0) <= 2 * noise_mv + 1e-9) & (np.abs(rows) < _QUIET_MV).all(axis=0)
    other = np.flatnonzero(~alike)
    before, after = other[other < start], other[other >= stop]
    return Stretch(int(before[-1]) + 1 if len(before) else 0, int(after[0]) if len(after) else rows.shape[1])


@dataclass(frozen=True, eq=False)
class Traces:
    """What a parser found in a file, before its rows are ordered.

    Attributes
    ----------
    rows : ndarray of shape (n_rows, n_samples), float64
        Millivolts, NaN for gaps, one row per entry of `names`.
    names : tuple of str
        Lead names as the file spells them; other signals may be among them.
    fs : float
        Hz.
    age, sex
        As the file states them; what the reader enters outranks them.
    notes : tuple of str
        What the reader must know about how the file was read.
    n_left_out : int
        Signals of the file that are not among the rows.
    """

    rows: NDArray[np.float64]
    names: tuple[str, ...]
    fs: float
    age: int | None = None
    sex: Sex | None = None
    notes: tuple[str, ...] = ()
    n_left_out: int = 0


def assemble(traces: Traces, *, age: int | None = None, sex: Sex | None = None, source: str = "file") -> Recording:
    """Return the recording, named "case-" and six digits of its digest: a file's name may identify a patient.

    Raises
    ------
    LeadError
        A standard lead is missing or doubled.
    SignalError
        The rate, the length or the amplitude is not that of a clinical ECG.
    """
    if not MIN_FS <= traces.fs <= MAX_FS:  # also for NaN
        raise SignalError(
            f"The sampling frequency is {traces.fs:g} Hz. {MIN_FS:g} to {MAX_FS:g} Hz is needed. "
            "Export the recording at its original rate."
        )
    check_length(traces.fs, traces.rows.shape[1])
    rows, calibration = without_calibration(traces.rows, traces.names, traces.fs)
    ordered, derived = order_leads(rows, traces.names)
    check_amplitude(ordered)
    notes = [*traces.notes, *calibration]
    n_extra = traces.n_left_out + sum(canonical_lead_name(name) is None for name in traces.names)
    if n_extra:
        notes.insert(0, f"{counted(n_extra, 'extra signal')} left out.")
    if derived:
        notes.append(f"Computed from I and II, as the file does not hold them: {', '.join(derived)}.")
    with np.errstate(over="ignore"):  # beyond float32 becomes infinite, which Recording refuses
        signal = ordered.astype(np.float32)
    recording = Recording(
        signal,
        traces.fs,
        source=source,
        age=traces.age if age is None else age,
        sex=traces.sex if sex is None else sex,
        derived_leads=derived,
        notes=tuple(notes),
    )
    return replace(recording, record_name=f"case-{recording.digest[:6]}")


def check_signal_count(found: int, what: str) -> None:
    """Refuse a file with more signals than any 12-lead recorder writes."""
    if not 1 <= found <= MAX_SIGNALS:
        raise SignalError(
            f"{what} holds {found:,} signals. 1 to {MAX_SIGNALS} are read. Export the 12 standard leads only."
        )


def counted(number: int, thing: str) -> str:
    """Return a number and its noun: "1 header comment", "3 header comments"."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
