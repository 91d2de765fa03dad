"""Textbook criteria on one ECG, with the threshold tables by lead, sex and age and the rule of neighbouring leads.

ST elevation: Fourth Universal Definition of Myocardial Infarction 2018 (doi:10.1016/j.jacc.2018.08.1038), at J, in at
least two neighbouring leads, each against its own threshold. Where sex or age is unknown every group that could apply
is kept. Levels are compared in whole microvolts. Every criterion names its source; a limit that no source gives says
"project choice". Docs and limits of each against PTB-XL's statements: docs/criteria.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from ecgimn.leads import CHEST_LEADS, CONTIGUOUS_CHEST, CONTIGUOUS_LIMB, LIMB_LEADS, STANDARD_LEADS, TERRITORIES
from ecgimn.recording import Sex
from ecgimn.signal.measure import Measurements, QrsShape, StMeasurement, TWave, slow_start
from ecgimn.signal.quality import ADULT_AGE

AGE_LIMIT_MEN = 40
AGE_LIMIT_RIGHT_LEADS = 30
ST_DEPRESSION_UV = -50  # at J or lower
T_INVERSION_UV = -100  # deeper than this
SOKOLOW_LYON_UV = 3500  # SV1 + max(RV5, RV6), met at or above (part V, doi:10.1016/j.jacc.2008.12.015)
CORNELL_UV = {"male": 2800, "female": 2000}  # RaVL + SV3, met above
PEGUERO_UV = {"male": 2800, "female": 2300}  # deepest S in any lead + SV4, met at or above
PROMINENT_R_MV, TALL_T_MV, NARROW_T_MS = 0.5, 0.5, 110.0  # project choices
DIFFUSE_LEADS, WIDESPREAD_LEADS = 6, 7  # leads with ST depression of 0.1 mV; with elevation of 0.05 mV (project choice)
LONG_PR_MS = 200.0
WIDE_QRS_MS, BORDERLINE_QRS_MS = 120.0, 110.0
QTC_PROLONGED_MS = {"male": 450.0, "female": 460.0}  # met at or above
QTC_SHORT_MS = 360.0  # met at or below; part IV's 390 ms calls a third of normal records short
QTC_VERY_LONG_MS = 500.0  # named at or above, in both sexes
#: Of QRS, what a wide one adds to QT: Bogossian 2014, Heart Rhythm 11:2273. Part IV asks for such an adjustment.
QRS_IN_QT = 0.485
#: PR and QTc this close to a limit are called borderline: intervals are measured to this (project choice).
NEAR_MS = 10.0
T_END_SPREAD_MS = 30.0  # between the quarters of the leads; beyond, they disagree on the end of T (project choice)


@dataclass(frozen=True)
class SubjectGroup:
    """A group of readers' subjects that has thresholds of its own.

    Attributes
    ----------
    sex : {"male", "female"}
    age : int
        An age that stands for the group.
    label : str
        "woman", "man < 40", "man >= 40".
    """

    sex: Sex
    age: int
    label: str


WOMAN = SubjectGroup("female", 60, "woman")
YOUNG_MAN = SubjectGroup("male", 35, "man < 40")
OLDER_MAN = SubjectGroup("male", 60, "man >= 40")


def possible_groups(sex: Sex | None, age: int | None) -> tuple[SubjectGroup, ...]:
    """Return every group the subject may belong to; one when sex (and, for men, age) is known."""
    men: tuple[SubjectGroup, ...] = (YOUNG_MAN, OLDER_MAN)
    if age is not None:
        men = (YOUNG_MAN,) if age < AGE_LIMIT_MEN else (OLDER_MAN,)
    if sex == "female":
        return (WOMAN,)
    return men if sex == "male" else (WOMAN, *men)


def st_elevation_threshold_uv(lead: str, sex: Sex, age: int) -> int:
    """ST elevation at J from which a lead counts, in microvolts.

    Parameters
    ----------
    lead : str
        A standard lead, "-aVR", V7 to V9, V3R or V4R.
    sex : {"male", "female"}
    age : int
        Years.
    """
    if lead in ("V2", "V3"):
        if sex == "female":
            return 150
        return 250 if age < AGE_LIMIT_MEN else 200
    if lead in ("V7", "V8", "V9"):
        return 100 if sex == "male" and age < AGE_LIMIT_MEN else 50
    if lead in ("V3R", "V4R"):
        return 100 if sex == "male" and age < AGE_LIMIT_RIGHT_LEADS else 50
    return 100


def contiguous_runs(leads: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Runs of at least two neighbours among the given leads, along V1 to V6 and along aVL, I, -aVR, II, aVF, III."""
    present = set(leads)
    runs: list[tuple[str, ...]] = []
    for chain in (CONTIGUOUS_LIMB, CONTIGUOUS_CHEST):
        run: list[str] = []
        for lead in (*chain, None):
            if lead is not None and lead in present:
                run.append(lead)
                continue
            if len(run) >= 2:
                runs.append(tuple(run))
            run = []
    return tuple(runs)


def territories_of(leads: Iterable[str]) -> tuple[str, ...]:
    """Names of the territories that hold at least one of the leads, in the order of `TERRITORIES`."""
    present = {lead.removeprefix("-") for lead in leads}
    return tuple(name for name, members in TERRITORIES.items() if present & set(members))


def lead_list(runs: Iterable[tuple[str, ...]]) -> str:
    """Write runs of leads for a reader: chest runs as "V2-V4", limb leads in the order I, II, III, -aVR, aVL, aVF."""
    parts = []
    for run in runs:
        if run[0].startswith("V") and len(run) > 2:
            parts.append(f"{run[0]}-{run[-1]}")
        else:
            parts.append(", ".join(sorted(run, key=lambda lead: STANDARD_LEADS.index(lead.removeprefix("-")))))
    return ", ".join(parts)


def qtc_verdict(qtc_ms: float, sex: Sex | None) -> str:
    """Name QTc "prolonged", "short" or "within limits"; "depends on sex" where the two limits disagree."""
    if qtc_ms <= QTC_SHORT_MS:
        return f"short (<= {QTC_SHORT_MS:.0f} ms)"
    if qtc_ms >= QTC_VERY_LONG_MS:
        return f"prolonged, >= {QTC_VERY_LONG_MS:.0f} ms"
    limits = [QTC_PROLONGED_MS[sex]] if sex else list(QTC_PROLONGED_MS.values())
    reached = {qtc_ms >= limit for limit in limits}
    if len(reached) == 2:
        return "prolonged if man; within limits if woman"
    return "prolonged" if reached == {True} else "within limits"


def qrs_verdict(qrs_ms: float) -> str:
    """Name QRS duration: below 110 ms normal, 110-119 ms borderline, from 120 ms wide (rounded to whole ms)."""
    whole = round(qrs_ms)
    if whole >= WIDE_QRS_MS:
        return "wide"
    return "borderline" if whole >= BORDERLINE_QRS_MS else "normal"


BORDERLINE = f"Borderline: within {NEAR_MS:.0f} ms of the limit."
CriterionVerdict = Literal["met", "not met", "may be secondary", "depends", "not measurable", "not applicable"]
#: Verdicts under which the sign itself is on the ECG.
PRESENT: tuple[CriterionVerdict, ...] = ("met", "may be secondary", "depends")

UDMI = "Fourth Universal Definition of MI 2018, doi:10.1016/j.jacc.2018.08.1038"
PART_III = "AHA/ACCF/HRS 2009 part III, doi:10.1016/j.jacc.2008.12.013"
PART_IV = "AHA/ACCF/HRS 2009 part IV, doi:10.1016/j.jacc.2008.12.014"
PART_V = "AHA/ACCF/HRS 2009 part V, doi:10.1016/j.jacc.2008.12.015"
INFERIOR, LATERAL_LIMB = ("II", "III", "aVF"), ("I", "aVL")


@dataclass(frozen=True)
class Criterion:
    """One textbook criterion on one ECG.

    Attributes
    ----------
    name : str
        "ST elevation", "Q waves, inferior", "LBBB (Strauss)".
    source : str
        Where the criterion and its limits come from.
    numbers : str
        What was measured for it on this ECG, with units.
    verdict : CriterionVerdict
        "depends": on a sex or an age that is not known.
    reason : str
        What stands beside the verdict: why it may be secondary, cannot be measured or does not apply.
    leads : tuple of str
        Standard leads that it rests on where it is met, else those that it looks at.
    wave : str
        One of the ledger's waves: where evidence for it would lie.
    """

    name: str
    source: str
    numbers: str
    verdict: CriterionVerdict
    reason: str = ""
    leads: tuple[str, ...] = ()
    wave: str = "QRS"

    @property
    def present(self) -> bool:
        """Whether the sign is on the ECG, whatever its cause."""
        return self.verdict in PRESENT


@dataclass(frozen=True)
class Conditions:
    """What else is known of a recording when its criteria are judged.

    Attributes
    ----------
    sex, age : as in `Recording`
    block : {"", "LBBB", "RBBB"}
    paced, preexcited : bool
    high_voltage : bool
        Whether a voltage criterion for left ventricular hypertrophy is met for someone the subject may be.
    withheld : str
        Why nothing about ST, T and QRS amplitudes may be judged; empty where it may.
    """

    sex: Sex | None = None
    age: int | None = None
    block: str = ""
    paced: bool = False
    preexcited: bool = False
    high_voltage: bool = False
    withheld: str = ""

    def causes(self, qrs_ms: float | None, leads: Iterable[str]) -> tuple[str, ...]:
        """Return what may have changed ST and T in some leads by itself."""
        found = []
        if self.block == "LBBB":
            found.append("left bundle branch block")
        elif self.block == "RBBB" and set(leads) & {"V1", "V2", "V3"}:
            found.append("right bundle branch block")
        elif not self.block and qrs_ms is not None and qrs_verdict(qrs_ms) == "wide":
            found.append(f"wide QRS ({qrs_ms:.0f} ms)")
        return (*found, *(("pacing",) if self.paced else ()), *(("pre-excitation",) if self.preexcited else ()),
                *(("high voltage (LVH criteria)",) if self.high_voltage else ()))  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Tracing:
    """One recording as the criteria see it: levels in whole microvolts against the reference, by lead."""

    given: Conditions
    measured: Measurements
    shape: dict[str, QrsShape]
    st: dict[str, StMeasurement]
    t: dict[str, TWave]
    j_uv: dict[str, int]
    qrs_ms: float | None
    axis: float | None

    def j(self, leads: Iterable[str]) -> str:
        return levels_text({lead: self.j_uv[lead] for lead in leads})

    def secondary(self, name: str, source: str, numbers: str, leads: tuple[str, ...], wave: str, *,
                  met: bool, looked_at: tuple[str, ...], reason: str = "") -> Criterion:  # fmt: skip
        """Judge a sign of ST or T that conduction, pacing or voltage may have made."""
        causes = self.given.causes(self.qrs_ms, leads) if met else ()
        verdict: CriterionVerdict = "may be secondary" if causes else "met" if met else "not met"
        why = " ".join(filter(None, [reason, f"May be secondary to {' and '.join(causes)}." if causes else ""]))
        return Criterion(name, source, numbers, verdict, why, leads if met else looked_at, wave)

    def of_qrs(self, name: str, source: str, numbers: str, leads: tuple[str, ...], *, met: bool,
               not_with: tuple[str, ...] = ("LBBB", "paced", "preexcited")) -> Criterion:  # fmt: skip
        """Judge a sign of QRS that the conditions named in `not_with` may have made."""
        known = {"LBBB": (self.given.block == "LBBB", "left bundle branch block"),
                 "RBBB": (self.given.block == "RBBB", "right bundle branch block"),
                 "paced": (self.given.paced, "pacing"), "preexcited": (self.given.preexcited, "pre-excitation"),
                 "LVH": (self.given.high_voltage, "high voltage (LVH criteria)")}  # fmt: skip
        causes = [known[key][1] for key in not_with if known[key][0]] if met else []
        verdict: CriterionVerdict = "may be secondary" if causes else "met" if met else "not met"
        reason = f"May be secondary to {' and '.join(causes)}." if causes else ""
        return Criterion(name, source, numbers, verdict, reason, leads)

    def trace(self, lead: str) -> NDArray[np.float64]:
        """Return the median beat of a lead against the reference, in mV."""
        beat = cast("NDArray[np.float64]", self.measured.beat.signal)  # there is no ST without a median beat
        return np.asarray(beat[STANDARD_LEADS.index(lead)] - self.st[lead].reference_mv)

    def qrs_of(self, lead: str) -> NDArray[np.float64]:
        beat = self.measured.beat
        return self.trace(lead)[int(beat.common["qrs_onset"]) : int(beat.j) + 1]


def levels_text(levels_uv: dict[str, int]) -> str:
    """Write levels in microvolts for a reader: "V2 +0.21, V3 +0.25 mV"."""
    return ", ".join(f"{lead} {level / 1000:+.2f}".replace("-0.", "−0.").replace("-1.", "−1.") for lead, level
                     in levels_uv.items()) + " mV" if levels_uv else ""  # fmt: skip


def _uv(value_mv: float) -> int:
    return round(1000.0 * value_mv)


def find_criteria(
    measured: Measurements,
    given: Conditions,
    judged: Callable[[str], Criterion] | None = None,
) -> tuple[Criterion, ...]:
    """Judge every criterion on one recording.

    Parameters
    ----------
    measured : Measurements
    given : Conditions
    judged : callable, optional
        From the kind of a finding ("ST elevation", "ST depression", "T inversion") to its criterion, so that verdicts
        which are said elsewhere come from one place.

    Returns
    -------
    tuple of Criterion
        In the order of `CRITERIA`. Limits are those of adults; under 18 nothing is judged.
    """
    why = given.withheld or measured.reason
    if given.age is not None and given.age < ADULT_AGE:
        why = f"Not assessed under {ADULT_AGE}: the limits are those of adults."
    if why or not measured.st:
        return tuple(Criterion(name, source, "", "not measurable", why, (), wave) for name, source, wave in CRITERIA)
    ecg = _Tracing(
        given,
        measured,
        {shape.lead: shape for shape in measured.qrs_shapes},
        {st.lead: st for st in measured.st},
        {t.lead: t for t in measured.t_waves},
        {st.lead: _uv(st.j_mv) for st in measured.st},
        measured.intervals.qrs.value,
        measured.intervals.axis.value,
    )
    found = [judged(kind) for kind in ("ST elevation", "ST depression", "T inversion")] if judged else []
    for part in (_of_st, _of_bundle_and_pacing, _of_t, _of_q, _of_voltage, _of_conduction, _of_p, _of_intervals):
        found.extend(part(ecg, {item.name: item for item in found}))
    order = [name for name, _, _ in CRITERIA]
    return tuple(sorted(found, key=lambda item: order.index(item.name)))


_OPPOSITE = {"inferior": ("I", "aVL"), "lateral": ("III", "aVF"), "anterior": ("II", "III", "aVF")}


def _of_st(ecg: _Tracing, found: dict[str, Criterion]) -> list[Criterion]:
    """Reciprocal change, posterior, de Winter, aVR, Brugada, early repolarisation and pericarditis-like ST."""
    j, st, t = ecg.j_uv, ecg.st, ecg.t
    items = []
    raised = found.get("ST elevation")
    if raised is not None:
        where = {
            "inferior": set(raised.leads) & set(INFERIOR), "lateral": set(raised.leads) & set(LATERAL_LIMB),
            "anterior": set(raised.leads) & set(CHEST_LEADS),
        } if raised.present else {}  # fmt: skip
        over = tuple(dict.fromkeys(lead for name, some in where.items() if some for lead in _OPPOSITE[name]))
        over = tuple(lead for lead in over if lead not in raised.leads)
        low = tuple(lead for lead in over if j[lead] <= ST_DEPRESSION_UV)
        name, source = "Reciprocal ST depression", "AHA/ACCF/HRS 2009 part VI, doi:10.1016/j.jacc.2008.12.016"
        if not raised.present:
            items.append(Criterion(name, source, "", "not applicable", "No ST elevation.", (), "ST"))
        else:
            items.append(Criterion(name, source, ecg.j(over), "met" if low else "not met", "", low or over, "ST"))
    septal = ("V1", "V2", "V3")
    low = tuple(lead for lead in septal if j[lead] <= ST_DEPRESSION_UV and st[lead].shape != "rapid up-sloping"
                and t[lead].positive_mv >= 0.1)  # fmt: skip
    run = next((run for run in contiguous_runs(low)), ())
    items.append(ecg.secondary(
        "ST depression V1-V3 (posterior)", UDMI, ecg.j(septal), run, "ST", met=bool(run), looked_at=septal,
        reason="At least 0.05 mV in two neighbours with an upright T; V7-V9 decide." if run else "",
    ))  # fmt: skip
    steep = tuple(lead for lead in CHEST_LEADS if j[lead] <= -100 and "up-sloping" in st[lead].shape
                  and t[lead].positive_mv >= TALL_T_MV)  # fmt: skip
    run = next((run for run in contiguous_runs(steep)), ())
    items.append(ecg.secondary(
        "de Winter", "de Winter 2008, N Engl J Med 359:2071, doi:10.1056/NEJMc0804737; T of 0.5 mV: project choice",
        ecg.j(run or CHEST_LEADS), run, "ST", met=bool(run), looked_at=CHEST_LEADS,
    ))  # fmt: skip
    deep = tuple(lead for lead in STANDARD_LEADS if j[lead] <= -100)
    up = tuple(lead for lead in ("aVR", "V1") if j[lead] >= 100)
    met = len(deep) >= DIFFUSE_LEADS and bool(up)
    items.append(ecg.secondary(
        "aVR or V1 elevation with diffuse ST depression", f"{UDMI}; 0.1 mV in aVR or V1: project choice",
        f"{ecg.j(('aVR', 'V1'))}; {len(deep)} leads at −0.1 mV or lower", (*deep, *up), "ST", met=met,
        looked_at=("aVR", "V1"),
    ))  # fmt: skip
    coved = tuple(lead for lead in ("V1", "V2") if j[lead] >= 200 and st[lead].slope_mv_per_s < 0
                  and st[lead].j80_mv > 0 and t[lead].negative_mv <= -0.05)  # fmt: skip
    items.append(ecg.secondary(
        "Brugada type 1", "HRS/EHRA/APHRS 2013, doi:10.1016/j.hrthm.2013.05.014", ecg.j(("V1", "V2")), coved, "ST",
        met=bool(coved), looked_at=("V1", "V2"),
    ))  # fmt: skip
    usual = ("I", "aVL", "II", "III", "aVF", "V4", "V5", "V6")
    early = [lead for lead in usual if j[lead] >= 100 and ecg.shape[lead].r_mv >= PROMINENT_R_MV
             and (t[lead].amplitude_mv or 0.0) > 0.1]  # fmt: skip
    runs = contiguous_runs(early)
    leads = tuple(lead for run in runs for lead in run)
    narrow = ecg.qrs_ms is not None and round(ecg.qrs_ms) < WIDE_QRS_MS
    items.append(ecg.secondary(
        "Early repolarisation", "Macfarlane 2015, doi:10.1016/j.jacc.2015.05.033; J for the peak of the notch",
        ecg.j(leads or usual), leads, "ST", met=bool(runs) and narrow, looked_at=usual,
        reason="J level and upright T only; end-QRS notch or slur to be seen on the trace." if runs else "",
    ))  # fmt: skip
    wide = ("I", "II", "III", "aVL", "aVF", "V2", "V3", "V4", "V5", "V6")
    high = tuple(lead for lead in wide if j[lead] >= 50)
    none_low = not [lead for lead in wide if j[lead] <= ST_DEPRESSION_UV and lead not in ("III", "aVL")]
    t_v6 = t["V6"].amplitude_mv or 0.0
    ratio = st["V6"].j_mv / t_v6 if t_v6 > 0 else 0.0
    met = len(high) >= WIDESPREAD_LEADS and none_low and ratio >= 0.25 and {"II", "V5"} <= set(high)
    items.append(ecg.secondary(
        "Pericarditis-like ST", "Ginzton and Laks 1982, Circulation 65:1004 (ST/T in V6 at least 0.25); "
        "0.05 mV in 7 of 10 leads: project choice",
        f"{len(high)} of {len(wide)} leads at +0.05 mV or higher; ST/T in V6 {ratio:.2f}", high, "ST", met=met,
        looked_at=wide,
    ))  # fmt: skip
    return items


def _net(shape: QrsShape) -> float:
    return shape.highest_r_mv + shape.deepest_s_mv


def _of_bundle_and_pacing(ecg: _Tracing, found: dict[str, Criterion]) -> list[Criterion]:
    """Sgarbossa and the modification by Smith, where left bundle branch block or pacing makes them apply."""
    names = ("Sgarbossa", "Sgarbossa, modified by Smith")
    sources = ("Sgarbossa 1996, N Engl J Med 334:481 (3 points or more)",
               "Smith 2012, Ann Emerg Med 60:766, doi:10.1016/j.annemergmed.2012.07.119")  # fmt: skip
    if not (ecg.given.block == "LBBB" or ecg.given.paced):
        why = "Only with left bundle branch block or ventricular pacing."
        return [Criterion(name, source, "", "not applicable", why, (), "ST")
                for name, source in zip(names, sources, strict=True)]  # fmt: skip
    j, shape = ecg.j_uv, ecg.shape
    leads = tuple(lead for lead in STANDARD_LEADS if lead != "aVR")
    up = tuple(lead for lead in leads if j[lead] >= 100 and _net(shape[lead]) > 0)
    down = tuple(lead for lead in ("V1", "V2", "V3") if j[lead] <= -100 and _net(shape[lead]) < 0)
    five = tuple(lead for lead in leads if j[lead] >= 500 and _net(shape[lead]) < 0)
    share = {lead: j[lead] / 1000 / -shape[lead].deepest_s_mv for lead in leads
             if j[lead] >= 100 and _net(shape[lead]) < 0 and shape[lead].deepest_s_mv < 0}  # fmt: skip
    excess = tuple(lead for lead, value in share.items() if value >= 0.25)
    points = 5 * bool(up) + 3 * bool(down) + 2 * bool(five)
    largest = max(share.items(), key=lambda item: item[1], default=("", 0.0))
    ratio = f"; largest ST/S {largest[1]:.2f} in {largest[0]}" if largest[0] else ""
    concordant = f"concordant elevation: {', '.join(up) or 'none'}, depression in V1-V3: {', '.join(down) or 'none'}"
    return [
        Criterion(names[0], sources[0], f"{points} points; {concordant}; 0.5 mV discordant: {', '.join(five) or '—'}",
                  "met" if points >= 3 else "not met", "", (*up, *down, *five) or leads, "ST"),
        Criterion(names[1], sources[1], concordant + ratio, "met" if up or down or excess else "not met", "",
                  tuple(dict.fromkeys((*up, *down, *excess))) or leads, "ST"),
    ]  # fmt: skip


def _t_width_ms(ecg: _Tracing, lead: str) -> float:
    """Width of an upright T wave at half its height, in ms; infinite where its ends are unknown."""
    beat, row = ecg.measured.beat, STANDARD_LEADS.index(lead)
    start, stop = beat.landmarks["t_onset"][row], beat.landmarks["t_offset"][row]
    if not np.isfinite(start + stop):
        return float("inf")
    span = ecg.trace(lead)[int(start) : int(stop)]
    return float((span >= 0.5 * np.nanmax(span)).sum() / beat.fs * 1000.0) if span.size else float("inf")


def _of_t(ecg: _Tracing, found: dict[str, Criterion]) -> list[Criterion]:
    """Wellens, T inversion as the Universal Definition asks for it, hyperkalaemia-like T."""
    t, shape, j = ecg.t, ecg.shape, ecg.j_uv
    septal = ("V2", "V3")
    biphasic = all(t[lead].grade == "biphasic +/-" for lead in septal)
    deep = all(t[lead].negative_mv <= -0.2 and t[lead].amplitude_mv is not None and (t[lead].amplitude_mv or 0) < 0
               for lead in septal)  # fmt: skip
    kept = all(shape[lead].r_mv >= 0.1 for lead in septal) and max(j[lead] for lead in septal) < 100
    lobes = ", ".join(f"{lead} {t[lead].positive_mv:+.2f} and {t[lead].negative_mv:+.2f}" for lead in septal)
    items = [ecg.secondary(
        "Wellens", "de Zwaan 1982, Am Heart J 103:730, doi:10.1016/0002-8703(82)90480-X; 0.2 mV deep and R of 0.1 mV: "
        "project choice", f"T {lobes} mV".replace("-", "−"), septal, "T", met=(biphasic or deep) and kept,
        looked_at=septal,
        reason="Needs a patient free of pain whose pain has passed." if (biphasic or deep) and kept else "",
    )]  # fmt: skip
    dominant = [
        lead for lead in STANDARD_LEADS
        if lead != "aVR" and (t[lead].amplitude_mv or 0.0) < 0 and _uv(t[lead].amplitude_mv or 0.0) < T_INVERSION_UV
        and (shape[lead].highest_r_mv > -shape[lead].deepest_s_mv or shape[lead].highest_r_mv >= PROMINENT_R_MV)
    ]  # fmt: skip
    runs = [run for run in contiguous_runs(dominant) if set(run) - {"III", "aVL", "V1"}]
    leads = tuple(lead for run in runs for lead in run)
    amplitudes = {lead: _uv(t[lead].amplitude_mv or 0.0) for lead in leads}
    items.append(ecg.secondary(
        "T inversion with prominent R", f"{UDMI}; R of 0.5 mV: project choice",
        levels_text(amplitudes) or "no two neighbours",
        leads, "T", met=bool(runs), looked_at=STANDARD_LEADS,
    ))  # fmt: skip
    tall = [lead for lead in STANDARD_LEADS if lead != "aVR"
            and t[lead].positive_mv >= (1.0 if lead in CHEST_LEADS else 0.5)
            and _t_width_ms(ecg, lead) <= NARROW_T_MS]  # fmt: skip
    runs = list(contiguous_runs(tall))
    leads = tuple(lead for run in runs for lead in run)
    highest = max(STANDARD_LEADS, key=lambda lead: t[lead].positive_mv)
    items.append(ecg.secondary(
        "Hyperkalaemia-like T", f"{PART_IV} (tall, peaked T); 1.0 mV in chest, 0.5 mV in limb leads as taught, at most "
        f"{NARROW_T_MS:.0f} ms wide at half height: project choice",
        f"tallest T {t[highest].positive_mv:+.2f} mV in {highest}", leads, "T", met=bool(runs), looked_at=CHEST_LEADS,
    ))  # fmt: skip
    return items


def is_qs(shape: QrsShape) -> bool:
    """Whether QRS of a lead is one negative deflection of more than 0.1 mV."""
    return shape.r_mv == 0.0 and shape.s_mv < -0.1


def has_q(shape: QrsShape) -> bool:
    """Whether a lead has a Q wave of the Fourth Universal Definition (doi:10.1016/j.jacc.2018.08.1038).

    QS, or 30 ms and 0.1 mV; in V2 and V3 QS, or more than 20 ms. Neighbours and the leads it is read in are the
    caller's.
    """
    if shape.lead in ("V2", "V3"):
        return is_qs(shape) or round(shape.q_ms) > 20
    return is_qs(shape) or (round(shape.q_ms) >= 30 and _uv(shape.q_mv) <= -100)


def _of_q(ecg: _Tracing, found: dict[str, Criterion]) -> list[Criterion]:
    """Q waves by territory, tall R in V1-V2 and poor R progression."""
    shape = ecg.shape

    def q_words(leads: Iterable[str]) -> str:
        return ", ".join(
            f"{lead} {'QS' if is_qs(shape[lead]) else f'{shape[lead].q_ms:.0f} ms −{-shape[lead].q_mv:.2f} mV'}"
            for lead in leads
            if is_qs(shape[lead]) or shape[lead].q_mv < 0
        ) or "none"  # fmt: skip

    items = []
    for name, leads, least in (("inferior", INFERIOR, 2), ("lateral", ("I", "aVL", "V5", "V6"), 2)):
        hit = tuple(lead for lead in leads if has_q(shape[lead]))
        together = contiguous_runs(hit)
        met = len(hit) >= least and bool(together)
        items.append(ecg.of_qrs(f"Q waves, {name}", UDMI, q_words(leads), hit if met else leads, met=met))
    septal = tuple(lead for lead in ("V2", "V3") if has_q(shape[lead]))
    lower = tuple(lead for lead in ("V4", "V5", "V6") if has_q(shape[lead]))
    met = bool(septal) or len(lower) >= 2
    items.append(ecg.of_qrs(
        "Q waves, anterior", UDMI, q_words(CHEST_LEADS[1:]), (*septal, *lower) if met else CHEST_LEADS[1:], met=met,
        not_with=("LBBB", "paced", "preexcited", "LVH"),
    ))  # fmt: skip
    tall = tuple(
        lead for lead in ("V1", "V2") if round(shape[lead].r_ms) >= 40 and shape[lead].r_mv > -shape[lead].deepest_s_mv
        and (ecg.t[lead].amplitude_mv or 0.0) > 0
    )  # fmt: skip
    ratio = ", ".join(f"{lead} R {shape[lead].r_mv:.2f} S {-shape[lead].deepest_s_mv:.2f} mV" for lead in ("V1", "V2"))
    items.append(ecg.of_qrs(
        "Tall R in V1-V2 (posterior)", UDMI, ratio, ("V1", "V2"), met=len(tall) == 2,
        not_with=("RBBB", "paced", "preexcited"),
    ))  # fmt: skip
    chest = {lead: shape[lead].r_mv for lead in ("V1", "V2", "V3", "V4")}
    poor = chest["V3"] <= 0.3
    items.append(ecg.of_qrs(
        "Poor R progression", "Zema and Kligfield 1982, Arch Intern Med 142:1145 (R in V3 at most 0.3 mV)",
        "R " + ", ".join(f"{lead} {value:.2f}" for lead, value in chest.items()) + " mV", ("V1", "V2", "V3", "V4"),
        met=poor, not_with=("LBBB", "paced", "preexcited", "LVH"),
    ))  # fmt: skip
    return items


def _by_sex(value_uv: int, limits: dict[str, int], sex: Sex | None, *, above: bool) -> CriterionVerdict:
    """Compare with a limit by sex: "depends" where sex is unknown and the two limits disagree."""
    reached = {
        (value_uv > limit if above else value_uv >= limit) for name, limit in limits.items() if sex in (None, name)
    }
    return "depends" if len(reached) == 2 else "met" if True in reached else "not met"


def _of_voltage(ecg: _Tracing, found: dict[str, Criterion]) -> list[Criterion]:
    """Left and right ventricular hypertrophy, low voltage."""
    shape, sex = ecg.shape, ecg.given.sex

    def s(lead: str) -> float:
        return -shape[lead].deepest_s_mv

    tallest = max(("V5", "V6"), key=lambda lead: shape[lead].highest_r_mv)
    deepest = max(STANDARD_LEADS, key=lambda lead: s(lead) if lead != "aVR" else 0.0)
    sums = (
        ("LVH, Sokolow-Lyon", "Sokolow and Lyon 1949, Am Heart J 37:161", s("V1") + shape[tallest].highest_r_mv,
         {"male": SOKOLOW_LYON_UV, "female": SOKOLOW_LYON_UV}, False, ("V1", tallest), f"SV1 + R{tallest}", ""),
        ("LVH, Cornell", "Casale 1987, Circulation 75:565", shape["aVL"].highest_r_mv + s("V3"), CORNELL_UV, True,
         ("aVL", "V3"), "RaVL + SV3", "2.8 mV in men, 2.0 mV in women"),
        ("LVH, Peguero-Lo Presti", "Peguero 2017, doi:10.1016/j.jacc.2017.01.037", s(deepest) + s("V4"), PEGUERO_UV,
         False, tuple(dict.fromkeys((deepest, "V4"))), f"S{deepest} + SV4", "2.8 mV in men, 2.3 mV in women"),
    )  # fmt: skip
    items = []
    for name, source, value, limits, above, leads, words, by_sex in sums:
        verdict = _by_sex(_uv(value), limits, sex, above=above)
        item = ecg.of_qrs(name, source, f"{words} {value:.2f} mV", leads, met=verdict in PRESENT)
        if verdict == "depends" and item.verdict == "met":
            item = replace(item, verdict="depends", reason=f"Sex is needed: {by_sex}.")
        items.append(item)
    r, r_s = shape["V1"].highest_r_mv, shape["V1"].highest_r_mv + max(s("V5"), s("V6"))
    right = ecg.axis is not None and ecg.axis > 90
    ratio = r / max(s("V1"), 1e-6)
    met = (r_s > 1.05 or r >= 0.7) and (right or (ratio > 1 and r >= 0.5))
    items.append(ecg.of_qrs(
        "RVH", f"Sokolow and Lyon 1949, Am Heart J 38:273; {PART_V}; with right axis or R/S above 1: project choice",
        f"RV1 {r:.2f} mV, RV1 + SV5/6 {r_s:.2f} mV, R/S in V1 {min(ratio, 99):.1f}", ("V1", "V5", "V6"), met=met,
        not_with=("RBBB", "paced", "preexcited"),
    ))  # fmt: skip
    swing = {lead: shape[lead].highest_r_mv - shape[lead].deepest_s_mv for lead in STANDARD_LEADS}
    limb, chest = max(swing[lead] for lead in LIMB_LEADS), max(swing[lead] for lead in CHEST_LEADS)
    low = (*(LIMB_LEADS if limb < 0.5 else ()), *(CHEST_LEADS if chest < 1.0 else ()))
    items.append(ecg.of_qrs(
        "Low voltage", "AHA/ACC/HRS 2007 part II, doi:10.1161/CIRCULATIONAHA.106.180201; below 0.5 mV in all limb or "
        "1.0 mV in all chest leads as taught", f"largest QRS {limb:.2f} mV in limb, {chest:.2f} mV in chest leads",
        low or STANDARD_LEADS, met=bool(low), not_with=(),
    ))  # fmt: skip
    return items


def _notched(ecg: _Tracing, lead: str) -> bool:
    """Whether QRS has a notch or a slurred top from 40 ms after its onset to two thirds of its length (project choice).

    A notch is a second extremum that stands 0.05 mV out; a slurred top stays for 40 ms within 15 % of the extremum.
    """
    fs, span = ecg.measured.beat.fs, ecg.qrs_of(lead)
    first, last = round(0.04 * fs), round(2 / 3 * len(span)) + 1
    if last - first < 4:
        return False
    swing = float(np.ptp(span))
    peak = span if span.max() >= -span.min() else -span
    middle = peak[first:last]
    turns = np.flatnonzero(np.diff(np.sign(np.diff(middle))) != 0) + 1
    steps = np.abs(np.diff(middle[turns])) if len(turns) >= 2 else np.array([])
    notch = bool((steps >= max(0.05, 0.02 * swing)).any())
    slurred = float((middle >= 0.85 * peak.max()).sum()) / fs >= 0.04
    return notch or slurred


def _r_peak_ms(ecg: _Tracing, lead: str) -> float:
    """Time from QRS onset to the top of R, in ms."""
    span = ecg.qrs_of(lead)
    return float(np.argmax(span)) / ecg.measured.beat.fs * 1000.0


def _of_conduction(ecg: _Tracing, found: dict[str, Criterion]) -> list[Criterion]:
    """Bundle branch and fascicular blocks, pre-excitation, axis."""
    shape, axis = ecg.shape, ecg.axis
    limb_axis = "axis —" if axis is None else f"axis {axis:.0f}°".replace("-", "−")
    if ecg.qrs_ms is None:
        names = [name for name, _, _ in CRITERIA if name in _CONDUCTION]
        return [Criterion(name, PART_III, limb_axis, "not measurable", "QRS borders are unsure.") for name in names]
    qrs = round(ecg.qrs_ms)
    words = f"QRS {qrs} ms"
    left_leads, right_leads = ("V1", "V2", "V5", "V6", "I", "aVL"), ("V1", "V2", "I", "V6")
    items = [
        ecg.of_qrs("LBBB", PART_III, words, left_leads, met=ecg.given.block == "LBBB", not_with=("paced",)),
        ecg.of_qrs("RBBB", PART_III, words, right_leads, met=ecg.given.block == "RBBB", not_with=("paced",)),
    ]
    falls = all(-shape[lead].deepest_s_mv > 2 * shape[lead].highest_r_mv for lead in ("V1", "V2"))
    notched = tuple(lead for lead in left_leads if _notched(ecg, lead))
    limit = {"male": 140, "female": 130}
    verdict: CriterionVerdict = "not met"
    if falls and len(notched) >= 2:
        verdict = _by_sex(qrs, limit, ecg.given.sex, above=False)
    item = ecg.of_qrs(
        "LBBB (Strauss)", "Strauss 2011, Am J Cardiol 107:927, doi:10.1016/j.amjcard.2010.11.010",
        f"{words}; notch or slur in {', '.join(notched) or 'no lead'}", left_leads, met=verdict in PRESENT,
        not_with=("paced",),
    )  # fmt: skip
    if verdict == "depends" and item.verdict == "met":
        item = replace(item, verdict="depends", reason="Sex is needed: 140 ms in men, 130 ms in women.")
    items.append(item)
    late_r = any(
        shape[lead].r2_mv > max(shape[lead].r_mv * 0.5, 0.05) and shape[lead].r_mv > 0 for lead in ("V1", "V2")
    )
    wide_s = all(shape[lead].s_mv < 0 and shape[lead].s_ms > min(40.0, shape[lead].widest_r_ms) for lead in ("I", "V6"))
    partly = BORDERLINE_QRS_MS <= qrs < WIDE_QRS_MS
    items.append(ecg.of_qrs("Incomplete RBBB", PART_III, f"{words}; R′ in V1 or V2: {'yes' if late_r else 'no'}",
                            right_leads, met=partly and late_r and wide_s, not_with=("paced",)))  # fmt: skip
    no_q = all(shape[lead].q_mv == 0.0 and shape[lead].r_mv > 0 for lead in ("I", "V5", "V6"))
    late = max(_r_peak_ms(ecg, lead) for lead in ("V4", "V5", "V6"))
    items.append(ecg.of_qrs("Incomplete LBBB", PART_III, f"{words}; R peak {late:.0f} ms in V4-V6", left_leads,
                            met=partly and no_q and late > 60, not_with=("paced", "preexcited")))  # fmt: skip
    narrow, peak = qrs < WIDE_QRS_MS or ecg.given.block == "RBBB", _r_peak_ms(ecg, "aVL")
    q_r = shape["aVL"].q_mv < 0 < shape["aVL"].r_mv or shape["I"].q_mv < 0 < shape["I"].r_mv
    met = axis is not None and -90 <= axis <= -45 and (q_r or peak >= 45) and narrow
    items.append(ecg.of_qrs(
        "LAFB", f"{PART_III}; qR or R peak at 45 ms in aVL; with RBBB too", f"{limb_axis}, R peak in aVL {peak:.0f} ms",
        ("I", "aVL", *INFERIOR), met=met, not_with=("paced", "preexcited"),
    ))  # fmt: skip
    met = (
        axis is not None and 90 < axis <= 180 and narrow
        and all(0 < shape[lead].r_mv < -shape[lead].s_mv for lead in ("I", "aVL"))
        and all(shape[lead].q_mv < 0 < shape[lead].r_mv for lead in ("III", "aVF"))
    )  # fmt: skip
    items.append(ecg.of_qrs("LPFB", f"{PART_III}; RVH and lateral infarction exclude it", limb_axis,
                            ("I", "aVL", "III", "aVF"), met=met, not_with=("paced", "preexcited")))  # fmt: skip
    pr = ecg.measured.intervals.pr
    given = "" if pr.value is None else f"PR {pr.value:.0f} ms, "
    start = slow_start(ecg.measured.beat)
    begins = "" if start is None else f"; QRS begins over {start.length_ms:.0f} ms"
    items.append(Criterion(
        "Pre-excitation", "Willems 1985 (WHO/ISFC), J Am Coll Cardiol 5:1261; delta wave from 40 ms, or short PR with "
        "QRS from 110 ms: project choice", given + words + begins, "met" if ecg.given.preexcited else
        "not met" if pr.value is not None else "not measurable", "" if pr.value is not None else f"PR: {pr.reason}.",
        STANDARD_LEADS, "QRS",
    ))  # fmt: skip
    for name, low, high in (("Left axis deviation", -90.0, -30.0), ("Right axis deviation", 90.0, 180.0)):
        if axis is None:
            items.append(
                Criterion(name, PART_III, "", "not measurable", ecg.measured.intervals.axis.reason, ("I", "aVF"))
            )
            continue
        met = (low <= axis < high) if high < 0 else low < axis <= high
        items.append(
            ecg.of_qrs(name, PART_III, limb_axis, ("I", "II", "aVF"), met=met, not_with=("paced", "preexcited"))
        )
    return items


def _of_p(ecg: _Tracing, found: dict[str, Criterion]) -> list[Criterion]:
    """Left and right atrial abnormality from P in II and V1, against the line between its ends."""
    left = "Morris 1964, Circulation 29:242 (terminal force in V1 4 mV·ms); P of 120 ms: " + PART_V
    beat = ecg.measured.beat
    first, last = beat.common["p_onset"], beat.common["p_offset"]
    if beat.signal is None or not np.isfinite(first + last) or last - first < 4 or not ecg.measured.intervals.pr.value:
        why = ecg.measured.intervals.pr.reason or "No P wave was found."
        return [Criterion("Left atrial enlargement", left, "", "not measurable", why, ("II", "V1"), "P"),
                Criterion("Right atrial enlargement", PART_V, "", "not measurable", why, INFERIOR, "P")]  # fmt: skip
    span = beat.signal[:, max(int(first), 0) : int(last)]
    away = span - np.linspace(span[:, 0], span[:, -1], span.shape[1], axis=1)
    height = {lead: float(row.max()) for lead, row in zip(STANDARD_LEADS, away, strict=True)}
    v1 = away[STANDARD_LEADS.index("V1")]
    late = v1[len(v1) // 3 :]
    below = late < 0
    force = float(-late.min() * below.sum() / beat.fs * 1000.0) if below.any() else 0.0  # mV·ms
    length = (last - first) / beat.fs * 1000.0
    inferior = max(INFERIOR, key=height.__getitem__)
    wide = round(length) >= 120
    return [
        Criterion("Left atrial enlargement", left, f"P {length:.0f} ms, terminal force in V1 {force:.1f} mV·ms",
                  "met" if force >= 4.0 else "not met", "P is 120 ms or longer." if wide else "", ("II", "V1"), "P"),
        Criterion("Right atrial enlargement", PART_V,
                  f"P {height[inferior]:.2f} mV in {inferior}, {height['V1']:.2f} mV in V1",
                  "met" if height[inferior] > 0.25 or height["V1"] > 0.15 else "not met", "", (inferior, "V1"), "P"),
    ]  # fmt: skip


def _of_intervals(ecg: _Tracing, found: dict[str, Criterion]) -> list[Criterion]:
    """PR and QTc."""
    pr = ecg.measured.intervals.pr
    if pr.value is None:
        item = Criterion("PR above 200 ms", PART_III, "", "not measurable", f"PR: {pr.reason}.", (), "PR")
    else:
        verdict: CriterionVerdict = "met" if round(pr.value) > LONG_PR_MS else "not met"
        near = BORDERLINE if abs(pr.value - LONG_PR_MS) <= NEAR_MS else ""
        item = Criterion("PR above 200 ms", PART_III, f"PR {pr.value:.0f} ms", verdict, near, ("II", "V1"), "PR")
    return [item, *qtc_criteria(ecg.measured, ecg.given.sex)]


def qtc_criteria(measured: Measurements, sex: Sex | None) -> tuple[Criterion, Criterion]:
    """Judge prolonged and short QTc, by Fridericia at every rate.

    Part IV asks for another formula than Bazett's, and says that QT in a ventricular conduction defect is longer for
    QRS alone and must be adjusted for it. Bazett's is the most variable (doi:10.1038/s41598-021-93774-9), and is too
    long from some 70/min on. Where the leads disagree on the end of T, only a QTc of 500 ms or more is said.

    Parameters
    ----------
    measured : Measurements
    sex : {"male", "female"} or None
        The limit of the prolonged QTc depends on it.
    """
    intervals, beat = measured.intervals, measured.beat
    source = f"{PART_IV}; wide QRS: Bogossian 2014, Heart Rhythm 11:2273"
    value, qt, qrs = intervals.qtc["Fridericia"], intervals.qt.value, intervals.qrs.value

    def both(
        numbers: str, long: CriterionVerdict, short: CriterionVerdict, why: str, why_short: str
    ) -> tuple[Criterion, Criterion]:
        taught = f"{source}; short from 360 ms down: as taught"
        return (Criterion("Prolonged QTc", source, numbers, long, why, (), "T"),
                Criterion("Short QTc", taught, numbers, short, why_short, (), "T"))  # fmt: skip

    if value.value is None or qt is None:
        return both("", "not measurable", "not measurable", value.reason, value.reason)
    numbers = ", ".join(f"{name} {intervals.qtc[name].value:.0f} ms" for name in ("Fridericia", "Bazett"))
    judged, adds = value.value, ""
    if qrs is not None and qrs_verdict(qrs) == "wide":
        judged *= 1.0 - QRS_IN_QT * qrs / qt
        numbers += f"; Fridericia without {100 * QRS_IN_QT:.1f} % of QRS {judged:.0f} ms"
        adds = f"QRS of {qrs:.0f} ms lengthens QT."
    ends = beat.landmarks["t_offset"] / beat.fs * 1000.0
    spread = float(np.subtract(*np.nanpercentile(ends, [75, 25]))) if np.isfinite(ends).any() else 0.0
    disagree = f"The leads disagree on the end of T, by {spread:.0f} ms." if spread > T_END_SPREAD_MS else ""
    said = qtc_verdict(judged, sex)
    if disagree and judged < QTC_VERY_LONG_MS:
        return both(numbers, "not measurable", "not measurable", disagree, disagree)
    long: CriterionVerdict = "depends" if " if " in said else "met" if said.startswith("prolonged") else "not met"
    short: CriterionVerdict = "met" if said.startswith("short") else "not met"
    limits = [QTC_PROLONGED_MS[sex]] if sex else list(QTC_PROLONGED_MS.values())
    parts = [disagree, adds]
    if judged >= QTC_VERY_LONG_MS:
        parts.insert(0, f"At least {QTC_VERY_LONG_MS:.0f} ms.")
    elif long == "depends":
        parts.insert(0, "Sex is needed: 450 ms in men, 460 ms in women.")
    elif min(abs(judged - limit) for limit in limits) <= NEAR_MS:
        parts.insert(0, BORDERLINE)
    if value.note and long != "not met":
        parts.append(f"QT is corrected by the {value.note}.")
    return both(numbers, long, short, " ".join(filter(None, parts)), "")


#: Name, source and wave of every criterion, in the order in which they are listed.
CRITERIA: tuple[tuple[str, str, str], ...] = (
    ("ST elevation", UDMI, "ST"),
    ("Reciprocal ST depression", "AHA/ACCF/HRS 2009 part VI, doi:10.1016/j.jacc.2008.12.016", "ST"),
    ("ST depression", UDMI, "ST"),
    ("ST depression V1-V3 (posterior)", UDMI, "ST"),
    ("de Winter", "de Winter 2008, N Engl J Med 359:2071, doi:10.1056/NEJMc0804737", "ST"),
    ("aVR or V1 elevation with diffuse ST depression", UDMI, "ST"),
    ("Sgarbossa", "Sgarbossa 1996, N Engl J Med 334:481", "ST"),
    ("Sgarbossa, modified by Smith", "Smith 2012, doi:10.1016/j.annemergmed.2012.07.119", "ST"),
    ("T inversion", PART_IV, "T"),
    ("T inversion with prominent R", UDMI, "T"),
    ("Wellens", "de Zwaan 1982, Am Heart J 103:730", "T"),
    ("Hyperkalaemia-like T", PART_IV, "T"),
    ("Brugada type 1", "HRS/EHRA/APHRS 2013, doi:10.1016/j.hrthm.2013.05.014", "ST"),
    ("Early repolarisation", "Macfarlane 2015, doi:10.1016/j.jacc.2015.05.033", "ST"),
    ("Pericarditis-like ST", "Ginzton and Laks 1982, Circulation 65:1004", "ST"),
    ("Q waves, inferior", UDMI, "QRS"),
    ("Q waves, anterior", UDMI, "QRS"),
    ("Q waves, lateral", UDMI, "QRS"),
    ("Tall R in V1-V2 (posterior)", UDMI, "QRS"),
    ("Poor R progression", "Zema and Kligfield 1982, Arch Intern Med 142:1145", "QRS"),
    ("LVH, Sokolow-Lyon", "Sokolow and Lyon 1949, Am Heart J 37:161", "QRS"),
    ("LVH, Cornell", "Casale 1987, Circulation 75:565", "QRS"),
    ("LVH, Peguero-Lo Presti", "Peguero 2017, doi:10.1016/j.jacc.2017.01.037", "QRS"),
    ("RVH", PART_V, "QRS"),
    ("LBBB", PART_III, "QRS"),
    ("LBBB (Strauss)", "Strauss 2011, doi:10.1016/j.amjcard.2010.11.010", "QRS"),
    ("RBBB", PART_III, "QRS"),
    ("Incomplete LBBB", PART_III, "QRS"),
    ("Incomplete RBBB", PART_III, "QRS"),
    ("LAFB", PART_III, "QRS"),
    ("LPFB", PART_III, "QRS"),
    ("Pre-excitation", "Willems 1985 (WHO/ISFC), J Am Coll Cardiol 5:1261", "QRS"),
    ("PR above 200 ms", PART_III, "PR"),
    ("Left axis deviation", PART_III, "QRS"),
    ("Right axis deviation", PART_III, "QRS"),
    ("Low voltage", "AHA/ACC/HRS 2007 part II, doi:10.1161/CIRCULATIONAHA.106.180201", "QRS"),
    ("Left atrial enlargement", PART_V, "P"),
    ("Right atrial enlargement", PART_V, "P"),
    ("Prolonged QTc", PART_IV, "T"),
    ("Short QTc", PART_IV, "T"),
)
_CONDUCTION = {
    "LBBB", "LBBB (Strauss)", "RBBB", "Incomplete LBBB", "Incomplete RBBB", "LAFB", "LPFB", "Pre-excitation",
    "Left axis deviation", "Right axis deviation",
}  # fmt: skip
