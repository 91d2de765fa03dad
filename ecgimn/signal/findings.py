"""Verdicts on ST, T and voltage against published thresholds, how they are worded, and the reasons to withhold them.

Thresholds are in `criteria`, conditions that make ST and T secondary and signs of swapped electrodes in `conduction`. A
verdict says "meets" or "does not meet" a threshold and never names a disease; where sex or age is unknown it says for
whom it would be met.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ecgimn.leads import STANDARD_LEADS
from ecgimn.recording import Recording, Sex
from ecgimn.signal import conduction
from ecgimn.signal import criteria as thresholds
from ecgimn.signal.conduction import possible_lead_reversal
from ecgimn.signal.criteria import SubjectGroup, lead_list, territories_of
from ecgimn.signal.measure import (
    SLOPE_SHAPES,
    V2_NEGATIVE_UNTIL_AGE,
    Measurements,
    QrsShape,
    StMeasurement,
    TWave,
    measure,
    whole_microvolts,
)
from ecgimn.signal.quality import Quality, assess_quality
from ecgimn.signal.rhythm import Rhythm, find_rhythm
from ecgimn.signal.waves.find import Waves

Verdict = Literal["meets", "does not meet", "depends", "withheld", "note"]


@dataclass(frozen=True)
class Finding:
    """One statement about the recording.

    Attributes
    ----------
    kind : str
        "ST elevation", "ST depression", "T inversion", "LVH voltage", "wide QRS", "LBBB criteria", "RBBB criteria",
        "pacing", "pre-excitation", "lead reversal", "quality", "beats", "rate", "QTc".
    text : str
        The sentence for the screen.
    leads : tuple of str
        Leads it rests on.
    verdict : {"meets", "does not meet", "depends", "withheld", "note"}
    reason : str
        Why it is withheld, or what must be known beside it.
    """

    kind: str
    text: str
    leads: tuple[str, ...]
    verdict: Verdict
    reason: str = ""

    @property
    def territories(self) -> tuple[str, ...]:
        """Territories that hold at least one of the leads."""
        return territories_of(self.leads)


@dataclass(frozen=True)
class GroupVerdict:
    """What a threshold says for one group.

    Attributes
    ----------
    group : SubjectGroup
    runs : tuple of tuple of str
        Runs of neighbouring leads that meet the threshold; empty when it is not met.
    withheld : str
        Why there is no verdict for this group; empty when there is one.
    """

    group: SubjectGroup
    runs: tuple[tuple[str, ...], ...]
    withheld: str = ""

    @property
    def state(self) -> str:
        """Return "met", "not met" or "withheld"."""
        if self.withheld:
            return "withheld"
        return "met" if self.runs else "not met"


def _group_names(groups: Sequence[SubjectGroup], everyone: Sequence[SubjectGroup]) -> str:
    """Name groups together: both groups of men are "man" when both are there."""
    men = [group for group in groups if group.sex == "male"]
    all_men = [group for group in everyone if group.sex == "male"]
    names = [group.label for group in groups if group.sex == "female"]
    if men and len(men) == len(all_men) and len(all_men) > 1:
        names.append("man")
    else:
        names.extend(group.label for group in men)
    return " or ".join(names)


_PLURAL = {"woman": "women", "man < 40": "men < 40 y", "man >= 40": "men >= 40 y"}


def spoken(
    threshold: str, outcomes: Sequence[GroupVerdict], *, named_group: bool
) -> tuple[str, Literal["meets", "does not meet", "depends", "withheld"], tuple[str, ...], str]:
    """Put the outcomes of all possible groups into one sentence.

    Parameters
    ----------
    threshold : str
        "ST-elevation threshold" and the like.
    outcomes : sequence of GroupVerdict
        One per group the subject may belong to.
    named_group : bool
        Whether the threshold depends on the group, so that the sentence names it.

    Returns
    -------
    text, verdict, leads, reason
    """
    states = {outcome.state for outcome in outcomes}
    leads = tuple(dict.fromkeys(lead for outcome in outcomes for run in outcome.runs for lead in run))
    everyone = [outcome.group for outcome in outcomes]
    label = f" ({_PLURAL[everyone[0].label]})" if named_group and len(everyone) == 1 else ""
    reason = "; ".join(dict.fromkeys(outcome.withheld for outcome in outcomes if outcome.withheld))
    if states == {"withheld"}:
        return f"{threshold}: withheld ({reason})", "withheld", leads, f"Withheld: {reason}."
    same_leads = len({outcome.runs for outcome in outcomes}) == 1
    if states == {"not met"}:
        return f"does not meet {threshold}{label}", "does not meet", (), ""
    if states == {"met"} and same_leads:
        return f"meets {threshold} in {lead_list(outcomes[0].runs)}{label}", "meets", leads, ""
    clauses: dict[str, list[SubjectGroup]] = {}
    for outcome in outcomes:
        where = f" in {lead_list(outcome.runs)}" if outcome.state == "met" and not _one_answer(outcomes) else ""
        clauses.setdefault(outcome.state + where, []).append(outcome.group)
    common = f" in {lead_list(next(o.runs for o in outcomes if o.state == 'met'))}" if _one_answer(outcomes) else ""
    parts = [f"{answer} if {_group_names(groups, everyone)}" for answer, groups in clauses.items()]
    verdict: Literal["meets", "depends"] = "meets" if states == {"met"} else "depends"
    reason = f"Withheld where: {reason}." if reason else ""
    return f"{threshold}{common}: {'; '.join(parts)}", verdict, leads, reason


def _one_answer(outcomes: Sequence[GroupVerdict]) -> bool:
    """Whether all groups that meet the threshold meet it in the same leads."""
    return len({outcome.runs for outcome in outcomes if outcome.state == "met"}) == 1


MIN_BEATS = 3
LOW_FS = 100.0  # Hz
LOW_FS_NOTE = "fine notching and pacing spikes not resolvable; J point and intervals +/-10 ms"
RBBB_LEADS = ("V1", "V2", "V3")


@dataclass(frozen=True)
class Caveats:
    """What makes ST and T verdicts unsafe: reasons for all leads, reasons per group, and leads lost to RBBB."""

    reasons: tuple[str, ...] = ()
    by_group: tuple[tuple[str, str], ...] = ()
    blocked_leads: tuple[str, ...] = ()

    def of(self, group: SubjectGroup) -> str:
        """Reason to withhold for one group, or an empty text."""
        return "; ".join([*self.reasons, *(reason for label, reason in self.by_group if label == group.label)])


def lvh_voltage(sums: conduction.Voltages, groups: tuple[SubjectGroup, ...]) -> Finding:
    """Judge the voltage screens for left ventricular hypertrophy."""
    values = f"Sokolow-Lyon {sums.sokolow_lyon_uv / 1000:.2f} mV, Cornell {sums.cornell_uv / 1000:.2f} mV"
    met = {group.label: sums.met(group.sex) for group in groups}
    leads = ("V1", "V5", "V6", "aVL", "V3")
    names = set(met.values())
    if names == {()}:
        return Finding("LVH voltage", f"does not meet LVH voltage criteria ({values})", (), "does not meet")
    if len(names) == 1:
        which = " and ".join(names.pop())
        return Finding("LVH voltage", f"meets LVH voltage criteria: {which} ({values})", leads, "meets")
    if all(met.values()):
        return Finding("LVH voltage", f"meets LVH voltage criteria ({values})", leads, "meets")
    sexes = {"woman" if group.sex == "female" else "man": bool(met[group.label]) for group in groups}
    parts = [f"{'met' if reached else 'not met'} if {name}" for name, reached in sexes.items()]
    return Finding("LVH voltage", f"LVH voltage criteria: {'; '.join(parts)} ({values})", leads, "depends")


def _qtc(measurements: Measurements, sex: Sex | None, qrs_ms: float) -> list[Finding]:
    """QTc against its limits, Bazett and Fridericia side by side; not judged where QRS is wide."""
    values = {name: measurements.intervals.qtc[name].value for name in ("Bazett", "Fridericia")}
    if thresholds.qrs_verdict(qrs_ms) == "wide":
        return []
    parts = [f"{name} {value:.0f} ms: {thresholds.qtc_verdict(value, sex)}" for name, value in values.items() if value]
    if not parts or all(part.endswith(": within limits") for part in parts):
        return []
    return [Finding("QTc", f"QTc {', '.join(parts)}", (), "note", "Bazett misleads at high and low rates.")]


def find_caveats(
    recording: Recording,
    waves: Waves,
    measurements: Measurements,
    quality: Quality,
    groups: tuple[SubjectGroup, ...],
    rhythm: Rhythm,
) -> tuple[list[Finding], Caveats, dict[str, QrsShape]]:
    """Findings beside ST and T, what they withhold, and the QRS shapes by lead that they rest on."""
    items: list[Finding] = []
    reasons: list[str] = []
    blocked: tuple[str, ...] = ()
    by_group: list[tuple[str, str]] = []
    shapes = conduction.shapes_by_lead(measurements)
    qrs, pr = measurements.intervals.qrs.value, measurements.intervals.pr.value

    def warn(kind: str, text: str, reason: str, leads: tuple[str, ...] = ()) -> None:
        items.append(Finding(kind, text, leads, "note"))
        reasons.append(reason)

    if recording.fs <= LOW_FS:
        items.append(Finding("resolution", LOW_FS_NOTE, (), "note"))
    if quality.refusals:
        warn("quality", "failed the quality check: " + " ".join(quality.refusals), "failed quality check")
    if 0 < measurements.n_beats < MIN_BEATS or not measurements.st:
        warn("beats", measurements.reason or "fewer than 3 usable beats", "fewer than 3 usable beats")
    if qrs is not None and shapes:
        right = conduction.is_rbbb(qrs, shapes)
        if right:
            items.append(Finding("RBBB criteria", f"meets RBBB criteria (QRS {qrs:.0f} ms)", RBBB_LEADS, "meets",
                                 "ST and T verdicts are withheld in V1-V3; read the others with care."))  # fmt: skip
            blocked = RBBB_LEADS
        elif conduction.is_lbbb(qrs, shapes):
            text = f"meets LBBB criteria (QRS {qrs:.0f} ms)"
            items.append(Finding("LBBB criteria", text, ("I", "aVL", "V5", "V6"), "meets"))
            reasons.append("LBBB criteria met")
        elif thresholds.qrs_verdict(qrs) == "wide":
            warn("wide QRS", f"wide QRS ({qrs:.0f} ms)", f"wide QRS ({qrs:.0f} ms)")
        if conduction.is_preexcited(pr, qrs) and not right:
            warn("pre-excitation", "possible pre-excitation: short PR with broad QRS", "possible pre-excitation")
        items.extend(_qtc(measurements, recording.sex, qrs))
    if rhythm.kind == "paced":
        text = f"pacing spikes in {rhythm.paced_beats} of {rhythm.n_beats} beats"
        warn("pacing", text, "paced rhythm")
    if shapes:
        sums = conduction.voltages(shapes)
        items.append(lvh_voltage(sums, groups))
        by_group = [(group.label, "LVH voltage criteria met") for group in groups if sums.met(group.sex)]
        for sentence in possible_lead_reversal(recording, waves, measurements):
            warn("lead reversal", sentence, "possible lead reversal")
    return items, Caveats(tuple(dict.fromkeys(reasons)), tuple(by_group), blocked), shapes


NEW_UNKNOWN = "Whether it is new cannot be judged from one tracing."
NEIGHBOUR_RULE = "Neighbours in V1-V6 or in aVL, I, -aVR, II, aVF, III count as contiguous; stricter than lead groups."
MIMICS = (
    "Early repolarisation, pericarditis, aneurysm, high potassium and the Brugada pattern also move ST and T; "
    "millimetre criteria are insensitive."
)


@dataclass(frozen=True, eq=False)
class Findings:
    """All findings of one recording.

    Attributes
    ----------
    items : tuple of Finding
    st_elevation_leads : tuple of str
        Leads at or above their own threshold for every group the subject may belong to, contiguous or not.
    st_elevation_leads_depending : tuple of str
        Leads above it for some of those groups only.
    st_depression_leads, t_inversion_leads : tuple of str
        Leads at or beyond the threshold, contiguous or not.
    withheld : tuple of str
        Reasons why ST and T verdicts are withheld; empty when they are not.
    """

    items: tuple[Finding, ...]
    st_elevation_leads: tuple[str, ...]
    st_elevation_leads_depending: tuple[str, ...]
    st_depression_leads: tuple[str, ...]
    t_inversion_leads: tuple[str, ...]
    withheld: tuple[str, ...]

    def of(self, kind: str) -> tuple[Finding, ...]:
        """Findings of one kind."""
        return tuple(item for item in self.items if item.kind == kind)


def st_levels_uv(st: tuple[StMeasurement, ...]) -> dict[str, int]:
    """ST at J per lead in whole microvolts, with -aVR in the place of aVR."""
    levels = {item.lead: whole_microvolts(item.j_mv) for item in st}
    levels["-aVR"] = -levels.pop("aVR")
    return levels


def st_elevation(levels_uv: dict[str, int], groups: tuple[SubjectGroup, ...], caveats: Caveats) -> Finding:
    """Judge ST elevation at J in two neighbouring leads, each against its own threshold.

    Parameters
    ----------
    levels_uv : dict of str to int
        ST at J per lead in microvolts; aVR enters as "-aVR".
    groups : tuple of SubjectGroup
        As from `thresholds.possible_groups`.
    caveats : Caveats
    """
    outcomes = []
    for group in groups:
        over = [
            lead
            for lead, level in levels_uv.items()
            if lead not in caveats.blocked_leads
            and level >= thresholds.st_elevation_threshold_uv(lead, group.sex, group.age)
        ]
        outcomes.append(GroupVerdict(group, thresholds.contiguous_runs(over), caveats.of(group)))
    text, verdict, leads, reason = spoken("ST-elevation threshold", outcomes, named_group=True)
    return Finding("ST elevation", text, leads, verdict, " ".join(filter(None, [reason, NEW_UNKNOWN, NEIGHBOUR_RULE])))


def st_depression(st: tuple[StMeasurement, ...], groups: tuple[SubjectGroup, ...], caveats: Caveats) -> list[Finding]:
    """Judge horizontal or down-sloping ST depression at J; up-sloping depression is listed without a verdict."""
    low = [item for item in st if whole_microvolts(item.j_mv) <= thresholds.ST_DEPRESSION_UV and item.lead != "aVR"]
    flat = [item.lead for item in low if item.shape in SLOPE_SHAPES[:2] and item.lead not in caveats.blocked_leads]
    runs = thresholds.contiguous_runs(flat)
    outcomes = [GroupVerdict(group, runs, caveats.of(group)) for group in groups]
    text, verdict, leads, reason = spoken("ST-depression threshold", outcomes, named_group=False)
    found = [
        Finding("ST depression", text, leads, verdict, " ".join(filter(None, [reason, NEW_UNKNOWN, NEIGHBOUR_RULE])))
    ]
    rising = tuple(item.lead for item in low if item.shape in SLOPE_SHAPES[2:])
    if rising:
        text = f"up-sloping ST depression in {', '.join(rising)}"
        found.append(Finding("ST depression", text, rising, "note", "Up-sloping depression is listed, not judged."))
    return found


def t_inversion_candidates(t_waves: tuple[TWave, ...], shapes: dict[str, QrsShape], age: int | None) -> tuple[str, ...]:
    """Leads with T inverted deeper than 0.1 mV and a prominent R or R/S > 1; never aVR, nor V2 up to age 20."""
    leads = []
    for wave in t_waves:
        young_v2 = wave.lead == "V2" and age is not None and age <= V2_NEGATIVE_UNTIL_AGE
        if wave.amplitude_mv is None or wave.lead == "aVR" or young_v2:
            continue
        shape = shapes[wave.lead]
        prominent = whole_microvolts(shape.highest_r_mv) >= thresholds.PROMINENT_R_UV
        dominant = shape.highest_r_mv > -shape.s_mv
        if whole_microvolts(wave.amplitude_mv) < thresholds.T_INVERSION_UV and (prominent or dominant):
            leads.append(wave.lead)
    return tuple(leads)


def t_inversion(candidates: tuple[str, ...], groups: tuple[SubjectGroup, ...], caveats: Caveats) -> Finding:
    """Judge T inversion in two neighbouring leads."""
    runs = thresholds.contiguous_runs([lead for lead in candidates if lead not in caveats.blocked_leads])
    outcomes = [GroupVerdict(group, runs, caveats.of(group)) for group in groups]
    text, verdict, leads, reason = spoken("T-inversion threshold", outcomes, named_group=False)
    return Finding("T inversion", text, leads, verdict, " ".join(filter(None, [reason, NEW_UNKNOWN])))


def find_findings(
    recording: Recording,
    waves: Waves,
    measurements: Measurements | None = None,
    quality: Quality | None = None,
    rhythm: Rhythm | None = None,
) -> Findings:
    """Judge a recording against the thresholds.

    Parameters
    ----------
    recording : Recording
        Age and sex, where known, choose the thresholds.
    waves : Waves
    measurements : Measurements or None
        When at hand already.
    quality : Quality or None
        When at hand already.
    rhythm : Rhythm or None
        When at hand already.
    """
    measurements = measure(recording, waves) if measurements is None else measurements
    quality = assess_quality(recording) if quality is None else quality
    if rhythm is None:
        rhythm = find_rhythm(recording, waves, measurements, conduction.paced_beats(recording, waves))
    groups = thresholds.possible_groups(recording.sex, recording.age)
    items, caveats, shapes = find_caveats(recording, waves, measurements, quality, groups, rhythm)
    if not measurements.st:
        reason = measurements.reason
        for kind in ("ST elevation", "ST depression", "T inversion", "LVH voltage"):
            items.append(Finding(kind, f"{kind}: —", (), "withheld", reason))
        return Findings(tuple(items), (), (), (), (), (reason,))
    levels = st_levels_uv(measurements.st)
    over = [
        {lead for lead, level in levels.items() if level >= thresholds.st_elevation_threshold_uv(lead, g.sex, g.age)}
        for g in groups
    ]
    candidates = t_inversion_candidates(measurements.t_waves, shapes, recording.age)
    judged = [
        st_elevation(levels, groups, caveats),
        *st_depression(measurements.st, groups, caveats),
        t_inversion(candidates, groups, caveats),
    ]
    withheld = tuple(dict.fromkeys([*caveats.reasons, *(reason for _, reason in caveats.by_group)]))
    always, sometimes = set.intersection(*over), set.union(*over)
    return Findings(
        items=(*judged, *items),
        st_elevation_leads=tuple(lead for lead in STANDARD_LEADS if lead in always),
        st_elevation_leads_depending=tuple(lead for lead in STANDARD_LEADS if lead in sometimes - always),
        st_depression_leads=tuple(
            item.lead
            for item in measurements.st
            if item.lead != "aVR"
            and item.shape in SLOPE_SHAPES[:2]
            and whole_microvolts(item.j_mv) <= thresholds.ST_DEPRESSION_UV
        ),
        t_inversion_leads=candidates,
        withheld=withheld,
    )
