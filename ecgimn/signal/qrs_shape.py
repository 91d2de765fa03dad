"""Deflections of the QRS of one lead: Q, R, S and a second R, with durations, for voltage and block criteria."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MIN_DEFLECTION_MV = 0.03  # smaller lobes are noise or a rounding of the border
MIN_SHARE = 0.04  # of the QRS peak-to-peak; lobes below count as noise too


@dataclass(frozen=True)
class QrsShape:
    """QRS of one lead against the reference level.

    Attributes
    ----------
    lead : str
    q_mv, r_mv, s_mv, r2_mv : float
        Negative lobe before the first R, first R, deepest negative lobe after it (all of it for QS, with r_mv 0), and a
        positive lobe after that S (R'); 0 where absent. q and s are negative or 0.
    q_ms, r_ms, s_ms, r2_ms : float
        Durations of those lobes between crossings of the reference level.
    last_is_positive : bool
        The last lobe of the QRS points up.
    """

    lead: str
    q_mv: float = 0.0
    r_mv: float = 0.0
    s_mv: float = 0.0
    r2_mv: float = 0.0
    q_ms: float = 0.0
    r_ms: float = 0.0
    s_ms: float = 0.0
    r2_ms: float = 0.0
    last_is_positive: bool = False

    @property
    def deepest_s_mv(self) -> float:
        """The deepest negative lobe, Q or S or QS."""
        return min(self.q_mv, self.s_mv)

    @property
    def highest_r_mv(self) -> float:
        """The taller of R and R'."""
        return max(self.r_mv, self.r2_mv)

    @property
    def widest_r_ms(self) -> float:
        """The wider of R and R'."""
        return max(self.r_ms, self.r2_ms)


@dataclass(frozen=True)
class _Lobe:
    peak_mv: float
    duration_ms: float


def _lobes(span: NDArray[np.float64], fs: float) -> list[_Lobe]:
    """Lobes of one sign in the order of time, noise left out, neighbours of the same sign joined.

    A last stretch that still grows where QRS ends is the beginning of a shifted ST segment, not a deflection.
    """
    floor = max(MIN_DEFLECTION_MV, MIN_SHARE * float(np.ptp(span)))
    sign = span > 0
    borders = np.flatnonzero(np.diff(sign.astype(np.int8))) + 1
    lobes: list[_Lobe] = []
    parts = np.split(span, borders)
    if len(parts) > 1 and np.argmax(np.abs(parts[-1])) == len(parts[-1]) - 1:
        parts = parts[:-1]
    for part in parts:
        peak = float(part[np.argmax(np.abs(part))])
        if abs(peak) < floor:
            continue
        lobe = _Lobe(peak, len(part) / fs * 1000.0)
        if lobes and (lobes[-1].peak_mv > 0) == (peak > 0):
            top = max(lobes[-1].peak_mv, peak, key=abs)
            lobes[-1] = _Lobe(top, lobes[-1].duration_ms + lobe.duration_ms)
        else:
            lobes.append(lobe)
    return lobes


def qrs_shape(lead: str, trace: NDArray[np.float64], onset: float, offset: float, fs: float) -> QrsShape:
    """Name the lobes of a QRS.

    Parameters
    ----------
    lead : str
    trace : ndarray of shape (length,)
        Median beat against the reference level, in mV.
    onset, offset : float
        QRS borders in samples.
    fs : float
    """
    lobes = _lobes(trace[int(onset) : int(offset) + 1], fs)
    positive = [k for k, lobe in enumerate(lobes) if lobe.peak_mv > 0]
    none = _Lobe(0.0, 0.0)
    if not positive:
        deepest = min(lobes, key=lambda lobe: lobe.peak_mv, default=none)
        return QrsShape(lead, s_mv=deepest.peak_mv, s_ms=deepest.duration_ms)
    first = positive[0]
    q = lobes[first - 1] if first > 0 else none
    after = lobes[first + 1 :]
    s = min((lobe for lobe in after if lobe.peak_mv < 0), key=lambda lobe: lobe.peak_mv, default=none)
    r2 = max((lobes[k] for k in positive[1:]), key=lambda lobe: lobe.peak_mv, default=none)
    return QrsShape(
        lead, q.peak_mv, lobes[first].peak_mv, s.peak_mv, r2.peak_mv,
        q.duration_ms, lobes[first].duration_ms, s.duration_ms, r2.duration_ms, lobes[-1].peak_mv > 0,
    )  # fmt: skip
