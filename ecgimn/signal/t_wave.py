"""T wave of one lead: its lobes against the reference level and its grade.

Grades follow the AHA/ACCF/HRS 2009 recommendations, part IV (doi:10.1016/j.jacc.2008.12.014); a value on a limit
belongs to the milder grade. Compared in whole microvolts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgimn.signal.qrs_shape import QrsShape

FLAT_UV = 100  # within +/-0.1 mV
INVERTED_UV = -100  # below: inverted
DEEP_UV = -500  # below: deep inverted
GIANT_UV = -1000  # below: giant inverted
LOW_SHARE_OF_R = 0.1  # a positive T below 10 % of R is low, where R dominates
FLAT_LEADS = ("I", "II", "aVL", "V4", "V5", "V6")  # in the others a small T is "near zero" and has no grade
ALWAYS_NEGATIVE = ("aVR",)
MAY_BE_NEGATIVE = ("III", "aVL", "V1")
V2_NEGATIVE_UNTIL_AGE = 20


def negative_is_usual(lead: str, age: int | None) -> bool:
    """Whether a negative T wave is a normal exception in this lead (V2 only up to about age 20)."""
    young = age is not None and age <= V2_NEGATIVE_UNTIL_AGE
    return lead in ALWAYS_NEGATIVE + MAY_BE_NEGATIVE or (lead == "V2" and young)


def grade_t(
    lead: str, positive_mv: float, negative_mv: float, *, positive_first: bool, shape: QrsShape | None, age: int | None
) -> str:
    """Grade a T wave.

    Parameters
    ----------
    lead : str
    positive_mv, negative_mv : float
        Highest and lowest level of the T wave against the reference, in mV; 0 where there is no such lobe.
    positive_first : bool
        Order of the lobes.
    shape : QrsShape or None
        Of the same lead, for the share of R.
    age : int or None

    Returns
    -------
    grade : str
        "positive", "low", "flat", "near zero", "inverted", "deep inverted", "giant inverted", "biphasic +/-",
        "biphasic -/+", or "negative, usual in this lead".
    """
    up, down = round(max(positive_mv, 0.0) * 1000), round(min(negative_mv, 0.0) * 1000)
    if up > FLAT_UV and down < INVERTED_UV:
        return "biphasic +/-" if positive_first else "biphasic -/+"
    if up >= -down:
        if up <= FLAT_UV:
            return "flat" if lead in FLAT_LEADS else "near zero"
        dominant_r = shape is not None and shape.r_mv > abs(shape.s_mv) and shape.r_mv > abs(shape.q_mv)
        if dominant_r and shape is not None and up < round(LOW_SHARE_OF_R * shape.r_mv * 1000):
            return "low"
        return "positive"
    if down >= INVERTED_UV:
        return "flat" if lead in FLAT_LEADS else "near zero"
    if negative_is_usual(lead, age):
        return "negative, usual in this lead"
    if down >= DEEP_UV:
        return "inverted"
    return "deep inverted" if down >= GIANT_UV else "giant inverted"


@dataclass(frozen=True)
class TWave:
    """T wave of one lead on the median beat.

    Attributes
    ----------
    lead : str
    amplitude_mv : float or None
        The larger lobe against the reference level, with its sign; None when no T wave was found.
    positive_mv, negative_mv : float
        Highest and lowest level, 0 where there is no such lobe.
    grade : str
        As from `grade_t`; empty when no T wave was found.
    reason : str
        Why there is no value.
    """

    lead: str
    amplitude_mv: float | None
    positive_mv: float
    negative_mv: float
    grade: str
    reason: str = ""


def t_wave(
    lead: str, trace: NDArray[np.float64], onset: float, offset: float, shape: QrsShape | None, age: int | None
) -> TWave:
    """Measure and grade the T wave of one lead.

    Parameters
    ----------
    lead : str
    trace : ndarray of shape (length,)
        Median beat of the lead against the reference level, in mV.
    onset, offset : float
        Borders of T in samples; NaN when not found.
    shape : QrsShape or None
    age : int or None
    """
    if not np.isfinite(onset + offset) or offset - onset < 2 or offset > len(trace):
        return TWave(lead, None, 0.0, 0.0, "", "no T wave was found")
    span = trace[int(onset) : int(offset)]
    if not np.isfinite(span).all():
        return TWave(lead, None, 0.0, 0.0, "", "the T wave lies in a gap")
    high, low = max(float(span.max()), 0.0), min(float(span.min()), 0.0)
    grade = grade_t(
        lead, high, low, positive_first=bool(span.argmax() < span.argmin()), shape=shape, age=age
    )  # fmt: skip
    return TWave(lead, high if high >= -low else low, high, low, grade)
