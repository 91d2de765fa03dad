"""The kinds of composite case: which PTB-XL statements, what makes a case typical, and what a reader should see.

Averages over all patients with a statement wash its hallmark out, because statements are given for faint and for frank
findings alike. Each kind therefore names the size of its hallmark (`strength`), and only the patients in whom it is
strongest and whose beats resemble each other are averaged. A composite shows a textbook case of a statement, not its
average; its card says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ecgimn.sources.composites.beats import BEAT_FS, BeatGroup

Float = NDArray[np.float64]
Strength = Callable[[BeatGroup], Float]

SELECTION_BY_LIKENESS = "likeness to the mean beat alone"


@dataclass(frozen=True)
class Kind:
    """A kind of composite.

    Attributes
    ----------
    name : str
        File name of the case.
    title : str
        As shown: "inferior MI".
    codes : tuple of str
        SCP statements, any of which a record must have with at least `likelihood`.
    superclass : str
        Diagnostic superclass of these statements in PTB-XL.
    hallmark : str
        What a reader should see.
    strength : callable
        Size of the hallmark in each patient of an aligned group.
    selected_by : str
        The same in words.
    alone : bool
        The record has no other diagnostic superclass.
    without : tuple of str
        Statements that a record must not have.
    strongest, typical : float
        Shares of patients kept by strength and then by likeness.
    likelihood : float
        Per cent.
    pq_s : float
        Seconds before QRS in which P is found.
    subclass : str or None
        Diagnostic subclass that stands for the codes in records without stored codes.
    noisy : bool
        Records with an entry for noise are used too; for kinds with few patients.
    """

    name: str
    title: str
    codes: tuple[str, ...]
    superclass: str
    hallmark: str
    strength: Strength
    selected_by: str
    alone: bool = True
    without: tuple[str, ...] = field(default=())
    strongest: float = 0.5
    typical: float = 0.6
    likelihood: float = 100.0
    pq_s: float = 0.26
    subclass: str | None = None
    noisy: bool = False


def _q(*leads: str) -> Strength:
    """Mean depth of the first 50 ms of QRS below zero, mV."""
    return lambda group: np.mean([-_early(group, lead).min(axis=1) for lead in leads], axis=0)


def _no_r(*leads: str) -> Strength:
    """Mean depth of QS: depth less height of QRS, mV."""
    return lambda group: np.mean([-_qrs(group, lead).min(1) - 2.0 * _qrs(group, lead).max(1) for lead in leads], axis=0)


def _r(*leads: str) -> Strength:
    return lambda group: np.mean([_qrs(group, lead).max(axis=1) for lead in leads], axis=0)


def _s(*leads: str) -> Strength:
    return lambda group: np.mean([-_qrs(group, lead).min(axis=1) for lead in leads], axis=0)


def _st(*leads: str) -> Strength:
    """Mean voltage 60 ms after the J point, mV."""
    return lambda group: np.mean([np.nanmean(_span(group, lead, 0.05, 0.07), axis=1) for lead in leads], axis=0)


def _t(*leads: str) -> Strength:
    """Mean voltage from 120 to 320 ms after the J point, mV."""
    return lambda group: np.mean([np.nanmean(_span(group, lead, 0.12, 0.32), axis=1) for lead in leads], axis=0)


def _sum(*parts: tuple[float, Strength]) -> Strength:
    return lambda group: np.asarray(sum(factor * part(group) for factor, part in parts))


def _least(*parts: Strength) -> Strength:
    """Rank by the part in which a patient ranks lowest: every part must be there."""

    def strength(group: BeatGroup) -> Float:
        ranks = [np.argsort(np.argsort(part(group), kind="stable"), kind="stable") for part in parts]
        return np.array(np.min(ranks, axis=0), dtype=np.float64)

    return strength


def _none(group: BeatGroup) -> Float:
    return np.zeros(group.n_patients)


def _width(group: BeatGroup) -> Float:
    """Time from QRS onset until 95 % of the path of the beat's QRS is run, s."""
    beats = group.beats[:, :, group.onset : group.end + 20]
    path = np.cumsum(np.abs(np.diff(beats, axis=2)).sum(axis=1), axis=1)
    return np.asarray((path < 0.95 * path[:, -1:]).sum(axis=1) / BEAT_FS)


def _pr(group: BeatGroup) -> Float:
    """Length of PQ against the group's."""
    return group.pq_stretch


def _p(lead: str, start_s: float, stop_s: float) -> Strength:
    """Mean voltage of a stretch before QRS onset, mV."""
    return lambda group: _span_before(group, lead, start_s, stop_s).mean(axis=1)


def _p_top(lead: str) -> Strength:
    return lambda group: np.asarray(_span_before(group, lead, 0.20, 0.02).max(axis=1))


def _early(group: BeatGroup, lead: str) -> Float:
    return group.lead(lead)[:, group.onset : group.onset + round(0.05 * BEAT_FS)]


def _late(lead: str) -> Strength:
    """Highest point from 60 ms after QRS onset to its end, mV: R' of V1."""
    return lambda group: group.lead(lead)[:, group.onset + 30 : group.end].max(axis=1)


def _qrs(group: BeatGroup, lead: str) -> Float:
    return group.lead(lead)[:, group.onset : group.end]


def _span(group: BeatGroup, lead: str, start_s: float, stop_s: float) -> Float:
    return group.lead(lead)[:, group.end + round(start_s * BEAT_FS) : group.end + round(stop_s * BEAT_FS)]


def _span_before(group: BeatGroup, lead: str, start_s: float, stop_s: float) -> Float:
    return group.lead(lead)[:, group.onset - round(start_s * BEAT_FS) : group.onset - round(stop_s * BEAT_FS)]


def _delta(group: BeatGroup) -> Float:
    """Share of QRS reached slowly: mean voltage of its first 40 ms over its largest deflection, all leads."""
    early = np.abs(group.beats[:, :, group.onset : group.onset + 20]).mean(axis=(1, 2))
    return np.asarray(early / np.abs(group.beats[:, :, group.onset : group.end]).max(axis=(1, 2)))


def _net(lead: str) -> Strength:
    """Net area of QRS over its length, mV."""
    return lambda group: np.asarray(_qrs(group, lead).mean(axis=1))


def _qtc(group: BeatGroup) -> Float:
    """Length of ST-T against the group's, over the cube root of RR (Fridericia)."""
    return np.asarray(group.stt_stretch / np.cbrt(group.rr_s))


_BLOCKS = ("CLBBB", "CRBBB", "WPW", "IVCD", "PACE", "ILBBB")

KINDS: tuple[Kind, ...] = (
    Kind("norm", "normal ECG", ("NORM",), "NORM", "Upright P, R growing from V1 to V5, level ST, upright T.", _none,
         SELECTION_BY_LIKENESS, without=("ABQRS", "LOWT", "NT_", "NST_", "LVOLT", "HVOLT", "VCLVH", "LPR", "QWAVE"),
         strongest=1.0),
    Kind("asmi", "anteroseptal MI", ("ASMI", "AMI"), "MI", "QS or loss of R in V1 to V3.", _no_r("V1", "V2", "V3"),
         "depth of QS in V1 to V3", without=_BLOCKS, strongest=0.35),
    Kind("ami-st", "anterior MI with ST elevation", ("ASMI", "AMI"), "MI",
         "ST elevation with poor R progression in V1 to V4.",
         _sum((1.0, _st("V2", "V3", "V4")), (0.1, _no_r("V2", "V3"))),
         "ST at J+60 ms in V2 to V4, then depth of QS in V2 and V3", without=_BLOCKS, strongest=0.12, typical=0.75,
         likelihood=50.0),
    Kind("almi", "anterolateral MI", ("ALMI",), "MI", "Poor R in V2 to V5, Q or inverted T in I, aVL, V5, V6.",
         _sum((1.0, _no_r("V3", "V4")), (1.0, _q("V5", "I", "aVL")), (-1.0, _t("V5", "V6", "I"))),
         "depth of QS in V3 and V4, of Q in V5, I, aVL, and of T in V5, V6, I", without=_BLOCKS, strongest=0.5,
         typical=0.7, likelihood=50.0),
    Kind("lmi", "lateral MI", ("LMI",), "MI",
         "Small Q in I and aVL, low T in I, aVL, V5, V6.",
         _sum((1.0, _q("I", "aVL", "V5", "V6")), (-1.0, _t("I", "aVL", "V5", "V6"))),
         "depth of Q and of T in I, aVL, V5, V6", alone=False, without=("CLBBB", "CRBBB", "WPW", "PACE", "LVH", "ASMI"),
         strongest=0.75, typical=0.8, likelihood=0.0, noisy=True),
    Kind("imi", "inferior MI", ("IMI",), "MI", "Q in II, III and aVF.", _q("II", "III", "aVF"),
         "depth of Q in II, III, aVF", without=(*_BLOCKS, "LAFB"), strongest=0.4),
    Kind("imi-st", "inferior MI with slight ST elevation", ("IMI", "ILMI", "IPMI", "IPLMI"), "MI",
         "ST elevation with Q waves in II, III, aVF; ST depression in I and aVL.",
         _sum((1.0, _st("II", "III", "aVF")), (-0.5, _st("aVL"))), "ST at J+60 ms in II, III, aVF less that in aVL",
         without=_BLOCKS, strongest=0.06, typical=0.75, likelihood=0.0),
    Kind("ilmi", "inferolateral MI", ("ILMI",), "MI", "Q in II, III, aVF; Q or inverted T in V5 and V6.",
         _sum((1.0, _q("II", "III", "aVF")), (1.0, _q("V5", "V6")), (-1.0, _t("V5", "V6"))),
         "depth of Q in II, III, aVF, V5, V6 and of T in V5, V6", without=_BLOCKS, strongest=0.4, typical=0.7),
    Kind("injas", "subendocardial injury, anteroseptal", ("INJAS",), "MI",
         "ST depression in V2 to V5. PTB-XL counts it under MI, although there is no Q wave.",
         _sum((-1.0, _st("V2", "V3", "V4", "V5"))), "ST depression at J+60 ms in V2 to V5", alone=False,
         without=_BLOCKS, strongest=0.6, typical=0.75),
    Kind("isc", "ischaemia, no territory stated", ("ISC_",), "STTC",
         "ST depression and T-wave inversion in V4 to V6, I, aVL.",
         _least(_sum((-1.0, _st("V5", "V6"))), _sum((-1.0, _t("V4", "V5", "V6", "I"))),
                _sum((-1.0, _s("V1", "V2")), (-1.0, _r("V5", "V6")))),
         "ST depression in V5, V6, depth of T in V4 to V6 and I and smallness of S in V1, V2 with R in V5, V6, all "
         "three (nine in ten patients with this statement have LVH too; its voltage is not what this case is to show)",
         alone=False,
         without=(*_BLOCKS, "IMI", "AMI", "ASMI", "ALMI", "ILMI", "LMI"), strongest=0.35, typical=0.6),
    Kind("iscal", "ischaemia, anterolateral", ("ISCAL",), "STTC", "T-wave inversion in V3 to V6, I and aVL.",
         _sum((-1.0, _t("V4", "V5", "V6", "I"))), "depth of T in V4 to V6 and I", alone=False,
         without=(*_BLOCKS, "LVH", "IMI", "AMI", "ASMI", "ALMI", "ILMI", "LMI"), strongest=0.4, typical=0.7),
    Kind("iscin", "ischaemia, inferior", ("ISCIN", "ISCIL"), "STTC", "T-wave inversion in II, III and aVF.",
         _sum((-1.0, _t("II", "III", "aVF"))), "depth of T in II, III, aVF", alone=False,
         without=(*_BLOCKS, "LVH", "IMI", "ILMI"), strongest=0.5, typical=0.8),
    Kind("nst", "non-specific ST changes", ("NST_",), "STTC", "Slight ST depression, low T in I, II, V4 to V6.",
         _sum((-1.0, _st("II", "V4", "V5", "V6")), (-0.5, _t("II", "V4", "V5", "V6"))),
         "ST depression and low T in II, V4 to V6", without=_BLOCKS, strongest=0.5, typical=0.6),
    Kind("lngqt", "long QT", ("LNGQT",), "STTC", "T ends late: QT beyond half of RR.", _qtc,
         "length of ST-T over the cube root of RR", alone=False, without=_BLOCKS, strongest=0.65,
         typical=0.8),
    Kind("lvh", "left ventricular hypertrophy with strain", ("LVH",), "HYP",
         "Deep S in V1 to V3, tall R in V5 and V6; ST depression and T-wave inversion in I, aVL, V5, V6.",
         _least(_sum((1.0, _s("V1", "V2")), (1.0, _r("V5", "V6"))), _sum((-1.0, _t("V5", "V6", "I")))),
         "S in V1, V2 with R in V5, V6, and depth of T in V5, V6, I, both", alone=False,
         without=(*_BLOCKS, "IMI", "AMI", "ASMI", "ALMI", "ILMI", "LMI"), strongest=0.25, typical=0.7),
    Kind("lvh-volt", "left ventricular hypertrophy by voltage", ("LVH",), "HYP",
         "S in V1 to V3 and R in V5, V6 tall; ST and T little changed.",
         _sum((1.0, _s("V1", "V2")), (1.0, _r("V5", "V6"))), "S in V1, V2 with R in V5, V6", without=_BLOCKS,
         strongest=0.4, typical=0.7, likelihood=50.0),
    Kind("rvh", "right ventricular hypertrophy", ("RVH",), "HYP",
         "R or R' tall in V1, S deep in I, V5, V6, right axis.",
         _sum((1.0, _r("V1")), (-1.0, _s("V1")), (0.5, _s("V5", "V6")), (-2.0, _net("I"))),
         "R less S in V1, S in V5, V6, negative QRS in I", alone=False, without=("CRBBB", "CLBBB", "PACE"),
         strongest=0.5, typical=1.0, likelihood=0.0, subclass="RVH", noisy=True),
    Kind("lae", "left atrial enlargement", ("LAO/LAE",), "HYP", "P broad in II, its end deeply negative in V1.",
         _sum((-1.0, _p("V1", 0.12, 0.04)), (0.5, _p("II", 0.16, 0.04))),
         "negative end of P in V1, area of P in II", alone=False, without=("CLBBB", "CRBBB", "PACE", "WPW"),
         strongest=0.35, typical=0.7),
    Kind("rae", "right atrial enlargement", ("RAO/RAE",), "HYP", "P tall and pointed in II, III, aVF.",
         _sum((1.0, _p_top("II")), (1.0, _p_top("aVF"))), "height of P in II and aVF", alone=False,
         without=("CLBBB", "PACE", "WPW"), strongest=0.85, typical=0.8, likelihood=0.0, subclass="RAO/RAE"),
    Kind("clbbb", "complete left bundle branch block", ("CLBBB",), "CD",
         "QRS broad; R without q in I, aVL, V5, V6, its notch averaged to a shoulder; deep S in V1 to V3, ST-T "
         "opposite.",
         _sum((1.0, _width), (0.05, _r("I", "V6"))), "length of QRS, height of R in I and V6", without=("PACE",),
         strongest=0.6, typical=0.5),
    Kind("crbbb", "complete right bundle branch block", ("CRBBB",), "CD",
         "QRS broad, rsR' in V1, broad S in I, V5, V6.", _sum((1.0, _late("V1")), (1.0, _s("V6"))),
         "height of R' in V1, depth of S in V6", without=("PACE", "LAFB", "LPFB"), strongest=0.6, typical=0.6),
    Kind("irbbb", "incomplete right bundle branch block", ("IRBBB",), "CD", "rsr' in V1, QRS under 120 ms.",
         _late("V1"), "height of r' in V1", without=("PACE", "LAFB", "LPFB"), strongest=0.5, typical=0.6),
    Kind("lafb", "left anterior fascicular block", ("LAFB",), "CD",
         "Left axis: small q and R in I, aVL; r and deep S in II, III, aVF.",
         _sum((-1.0, _net("aVF")), (1.0, _net("aVL"))), "negative QRS in aVF, positive QRS in aVL",
         without=("CRBBB", "CLBBB", "PACE", "IVCD"), strongest=0.5, typical=0.6),
    Kind("avb1", "first degree AV block", ("1AVB",), "CD", "PR longer than 200 ms.", _pr,
         "length of PQ", without=("CRBBB", "CLBBB", "IVCD", "LAFB", "LPFB", "PACE"), strongest=0.6, typical=0.7,
         noisy=True, pq_s=0.40),
    Kind("wpw", "Wolff-Parkinson-White pattern", ("WPW",), "CD", "Short PR, delta wave at the foot of a broad QRS.",
         _delta, "mean voltage of the first 40 ms of QRS over its largest deflection", alone=False, without=("PACE",),
         strongest=0.8, typical=0.85, likelihood=0.0, pq_s=0.24, subclass="WPW",
         noisy=True),
)  # fmt: skip
