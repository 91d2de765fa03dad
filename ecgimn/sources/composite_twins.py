"""Teaching twins: the normal composite with one known change, planted in known leads and waves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ecgimn.leads import INDEPENDENT_LEADS, LIMB_FROM_I_II, STANDARD_LEADS
from ecgimn.sources.composite_beats import BEAT_FS
from ecgimn.sources.composite_strip import Template
from ecgimn.sources.composites import Planted

Float = NDArray[np.float64]
Change = Callable[[Template], tuple[Template, Planted]]

TWIN_OF = "norm"
RISE_S = 0.02  # an ST change sets in around the J point, over the last and first 10 ms
LOW_VOLTAGE = 0.3  # gain; brings every limb lead below 0.5 mV from peak to peak, the usual limit of low voltage


def _st_shape(beat: Template) -> Float:
    """1 from just after J to the top of T, then down to 0 where T ends; in between half cosines."""
    n = beat.beat.shape[1]
    top, stop = _t_top(beat), n - round(0.06 * BEAT_FS)
    half = round(RISE_S * BEAT_FS / 2.0)
    return np.interp(np.arange(n), [beat.end - half, beat.end + half, top, stop], [-1.0, 1.0, 1.0, -1.0],
                     left=-1.0, right=-1.0)  # fmt: skip


def _smooth(shape: Float) -> Float:
    return np.asarray((1.0 + np.sin(np.pi * np.clip(shape, -1.0, 1.0) / 2.0)) / 2.0)


def _t_top(beat: Template) -> int:
    start = beat.end + round(0.08 * BEAT_FS)
    return start + int(np.abs(beat.beat[:, start:]).sum(axis=0).argmax())


def _all_leads(per_independent: dict[str, float]) -> dict[str, float]:
    """Return the change in all twelve leads that follows from one in independent leads; zeros left out."""
    i, ii = per_independent.get("I", 0.0), per_independent.get("II", 0.0)
    values = dict(zip(STANDARD_LEADS, LIMB_FROM_I_II @ np.array([i, ii]), strict=False))
    values |= {lead: value for lead, value in per_independent.items() if lead not in ("I", "II")}
    return {lead: round(float(value), 3) for lead, value in values.items() if abs(value) >= 0.0005}


def _st_change(leads: tuple[str, ...], per_independent: dict[str, float]) -> Change:
    amount = next(iter(per_independent.values()))

    def change(beat: Template) -> tuple[Template, Planted]:
        planted = beat.beat.copy()
        shape = _smooth(_st_shape(beat))
        for lead, mv in per_independent.items():
            planted[INDEPENDENT_LEADS.index(lead)] += mv * shape
        what = f"ST {amount:+.2f} mV in {', '.join(leads)}, from J to the top of T, running out with T"
        return replace(beat, beat=planted), Planted(what, leads, ("ST", "T"), _all_leads(per_independent), TWIN_OF)

    return change


def _t_inversion(leads: tuple[str, ...], peak_mv: float) -> Change:
    def change(beat: Template) -> tuple[Template, Planted]:
        planted = beat.beat.copy()
        n, top = planted.shape[1], _t_top(beat)
        first = beat.end + round(0.04 * BEAT_FS)
        window = _smooth(np.interp(np.arange(n), [first, first + (top - first) // 2], [-1.0, 1.0]))
        amounts = {}
        for lead in leads:
            row = INDEPENDENT_LEADS.index(lead)
            height = planted[row, top] - planted[row, -1]
            moved = planted[row, -1] + (planted[row] - planted[row, -1]) * (peak_mv / height)
            planted[row] = planted[row] * (1.0 - window) + moved * window
            amounts[lead] = round(float(peak_mv - height), 3)
        what = f"T of {', '.join(leads)} turned over to a peak of {peak_mv:+.2f} mV"
        return replace(beat, beat=planted), Planted(what, leads, ("ST", "T"), amounts, TWIN_OF)

    return change


def _low_voltage(beat: Template) -> tuple[Template, Planted]:
    scaled = beat.beat * LOW_VOLTAGE
    loss = np.abs(scaled - beat.beat)
    peaks = loss.argmax(axis=1)
    amounts = {
        lead: round(float(scaled[row, peaks[row]] - beat.beat[row, peaks[row]]), 3)
        for row, lead in enumerate(INDEPENDENT_LEADS)
    }
    what = f"every lead times {LOW_VOLTAGE:g}, noise unchanged; amounts at the highest peak of each independent lead"
    return replace(beat, beat=scaled), Planted(what, STANDARD_LEADS, ("P", "PR", "QRS", "ST", "T"), amounts, TWIN_OF)


def _arms_exchanged(beat: Template) -> tuple[Template, Planted]:
    """RA and LA exchanged: I turns over, II becomes III, aVR becomes aVL (doi:10.5195/ijms.2014.95)."""
    swapped = beat.beat.copy()
    swapped[0], swapped[1] = -beat.beat[0], beat.beat[1] - beat.beat[0]
    what = "cables of both arms exchanged: I turned over, II and III exchanged, aVR and aVL exchanged"
    leads = ("I", "II", "III", "aVR", "aVL")
    return replace(beat, beat=swapped), Planted(what, leads, ("P", "PR", "QRS", "ST", "T"), {}, TWIN_OF)


#: Name, title, what to see, change.
TWINS: tuple[tuple[str, str, str, Change], ...] = (
    ("twin-ste-v2-v4", "ST elevation V2 to V4, +0.2 mV", "Raised ST in V2 to V4 and nowhere else.",
     _st_change(("V2", "V3", "V4"), {"V2": 0.2, "V3": 0.2, "V4": 0.2})),
    ("twin-ste-inferior", "ST elevation II, III, aVF, +0.2 mV",
     "Raised ST in II, III, aVF; lowered in aVL and aVR, as it must be.",
     _st_change(("II", "III", "aVF"), {"II": 0.2})),
    ("twin-std-v4-v6", "ST depression V4 to V6, -0.15 mV", "Lowered ST in V4 to V6 and nowhere else.",
     _st_change(("V4", "V5", "V6"), {"V4": -0.15, "V5": -0.15, "V6": -0.15})),
    ("twin-tinv-v4-v6", "T inversion V4 to V6, to -0.3 mV", "T turned over in V4 to V6; T of I stays upright.",
     _t_inversion(("V4", "V5", "V6"), -0.3)),
    ("twin-low-voltage", "low voltage, all leads times 0.3", "Small P, QRS and T everywhere, of normal shape.",
     _low_voltage),
    ("twin-arms-exchanged", "cables of both arms exchanged", "P, QRS and T of I turned over, aVR upright.",
     _arms_exchanged),
)  # fmt: skip
