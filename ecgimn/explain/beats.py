"""The evidence beat by beat: which beat says how much, and which ones the median beat leaves out.

A beat reaches from its P wave (QRS where there is none) to the next beat's, so the beats do not overlap; what lies
before the first and behind the last is the remainder, and beats and remainder add up to logit - bias.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ecgimn.explain.ledger import isoelectric_attribution

if TYPE_CHECKING:
    from ecgimn.explain.explanation import Explanation
    from ecgimn.explain.ledger import Ledger
    from ecgimn.signal.reading import SignalReading
    from ecgimn.signal.waves import Waves

SCALE_PERCENTILE = 99.0  # of |contribution| over the recording: one scale for all of its beats
MARKS = {"qrs_onset": "QRS onset", "qrs_offset": "J", "t_offset": "T end"}


@dataclass(frozen=True)
class Beat:
    """One beat of a recording.

    Attributes
    ----------
    number : int
        From 1, as printed.
    start, stop : int
        Its samples; `stop` is the first sample of the next beat, or of the stretch after the last one.
    r_s : float
        Time of its R in seconds from the beginning of the recording.
    rr_before_s : float or None
        Interval from the R before; None for the first beat.
    used : bool
        Whether it is in the median beat.
    left_out : str
        Why it is not; empty when it is.
    correlation : float or None
        Of its QRS with the median beat's; None where beats were not compared.
    logit : float
        Evidence of the class on this beat.
    """

    number: int
    start: int
    stop: int
    r_s: float
    rr_before_s: float | None
    used: bool
    left_out: str
    correlation: float | None
    logit: float


@dataclass(frozen=True)
class BeatByBeat:
    """Evidence of one class over the beats of a recording.

    Attributes
    ----------
    class_name : str
    beats : tuple of Beat
    remainder : float
        Evidence before the first and behind the last beat, and the ledger's baseline term. Logit.
    evidence : float
        `logit - bias`: the sum of beats and remainder.
    """

    class_name: str
    beats: tuple[Beat, ...]
    remainder: float
    evidence: float


@dataclass(frozen=True, eq=False)
class BeatTrace:
    """Signal and evidence of one beat, as they are drawn.

    Attributes
    ----------
    fs : float
        Hz.
    signal : ndarray of shape (12, length)
        mV, as in the recording; NaN in gaps.
    contribution : ndarray of shape (12, length)
        Isoelectric contribution, logit per sample; its sum is the beat's logit.
    limit : float
        Contribution per sample at the end of a scale that is the same for all beats of the recording.
    landmarks_s : dict of str to float
        "QRS onset", "J", "T end", in seconds from the first sample; only those that were found.
    """

    fs: float
    signal: NDArray[np.float64]
    contribution: NDArray[np.float64]
    limit: float
    landmarks_s: dict[str, float]


def beat_by_beat(reading: SignalReading, ledger: Ledger, class_name: str) -> BeatByBeat | None:
    """Return the evidence of a class beat by beat; None where no beat was found.

    Parameters
    ----------
    reading : SignalReading
    ledger : Ledger
        Of the same recording.
    class_name : str
    """
    waves = reading.waves
    if waves is None:
        return None
    k = ledger.classes.index(class_name)
    logits = ledger.beats[k].sum(axis=0)  # (n_beats + 1,)
    windows = reading.measurements.beat.windows if reading.measurements else None
    starts = _starts(waves)
    beats = tuple(
        Beat(
            number=place + 1,
            start=start,
            stop=stop,
            r_s=float(waves.r_samples[place] / waves.fs),
            rr_before_s=float(waves.rr_s[place - 1]) if place else None,
            used=windows is not None and bool(windows.used[place]),
            left_out=windows.left_out[place] if windows is not None else "beats were not compared",
            correlation=float(windows.correlation[place]) if windows is not None else None,
            logit=float(logits[place]),
        )
        for place, (start, stop) in enumerate(starts)
    )
    remainder = float(logits[-1] + ledger.baseline[k])
    return BeatByBeat(class_name, beats, remainder, float(ledger.logit[k] - ledger.bias[k]))


def beat_trace(beat: Beat, reading: SignalReading, explanation: Explanation, class_name: str) -> BeatTrace:
    """Return signal and contributions of one beat.

    Parameters
    ----------
    beat : Beat
    reading : SignalReading
    explanation : Explanation
        Of the same recording.
    class_name : str
    """
    recording, waves = reading.recording, reading.waves
    k = explanation.index(class_name)
    evidence = isoelectric_attribution(explanation, recording, reading.levels)[k]
    marks = {}
    for name, words in MARKS.items():
        at = float(getattr(waves, f"global_{name}")[beat.number - 1]) - beat.start
        if np.isfinite(at) and 0 <= at <= beat.stop - beat.start:
            marks[words] = at / recording.fs
    span = slice(beat.start, beat.stop)
    limit = float(np.percentile(np.abs(evidence), SCALE_PERCENTILE)) or float(np.abs(evidence).max()) or 1.0
    return BeatTrace(recording.fs, recording.signal[:, span].astype(np.float64), evidence[:, span], limit, marks)


def _starts(waves: Waves) -> list[tuple[int, int]]:
    """Return the samples of each beat; none for one whose place another took."""
    spans = []
    for place in range(waves.n_beats):
        inside = np.flatnonzero(waves.beat == place)
        spans.append((int(inside[0]), int(inside[-1]) + 1) if inside.size else (int(waves.r_samples[place]),) * 2)
    return spans
