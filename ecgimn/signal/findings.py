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
from ecgimn.signal.criteria import Conditions, Criterion, SubjectGroup, find_criteria, lead_list, territories_of
from ecgimn.signal.measure import (
    MAY_BE_NEGATIVE,
    SLOPE_SHAPES,
    V2_NEGATIVE_UNTIL_AGE,
    Measurements,
    StMeasurement,
    TWave,
    measure,
    slow_start,
    whole_microvolts,
)
from ecgimn.signal.quality import ADULT_AGE, Quality, assess_quality
from ecgimn.signal.rhythm import Rhythm, find_rhythm
from ecgimn.signal.waves.find import Waves
from ecgimn.signal.waves.openecg import EINTHOVEN_LIMIT_MV

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
    """What stands against ST and T verdicts.

    Attributes
    ----------
    reasons : tuple of str
        Why ST and T cannot be measured or read, so that verdicts are withheld.
    secondary : tuple of str
        What may have caused a change of ST or T by itself, in any lead: it is said beside the verdict.
    secondary_leads : tuple of (str, tuple of str)
        The same for some leads only.
    secondary_groups : tuple of (str, str)
        Label of a group and what holds for it only.
    """

    reasons: tuple[str, ...] = ()
    secondary: tuple[str, ...] = ()
    secondary_leads: tuple[tuple[str, tuple[str, ...]], ...] = ()
    secondary_groups: tuple[tuple[str, str], ...] = ()

    @property
    def withheld(self) -> str:
        """Reason to withhold, or an empty text."""
        return "; ".join(self.reasons)

    def causes(self, outcomes: Sequence[GroupVerdict]) -> tuple[str, ...]:
        """What may have caused a change that meets its threshold in some group."""
        met = [outcome for outcome in outcomes if outcome.state == "met"]
        leads = {lead for outcome in met for run in outcome.runs for lead in run}
        found = list(self.secondary)
        found += [f"{cause} in {', '.join(some)}" for cause, some in self.secondary_leads if leads & set(some)]
        by_cause: dict[str, list[SubjectGroup]] = {}
        for label, cause in self.secondary_groups:
            by_cause.setdefault(cause, []).extend(o.group for o in met if o.group.label == label)
        everyone = [outcome.group for outcome in outcomes]
        for cause, groups in by_cause.items():
            if groups:
                whom = "" if len(groups) == len(met) else f" (if {_group_names(groups, everyone)})"
                found.append(cause + whom)
        return tuple(found) if met else ()


def lvh_voltage(sums: conduction.Voltages, groups: tuple[SubjectGroup, ...], withheld: str = "") -> Finding:
    """Judge the voltage screens for left ventricular hypertrophy, which hold for adults with normal conduction."""
    values = f"Sokolow-Lyon {sums.sokolow_lyon_uv / 1000:.2f} mV, Cornell {sums.cornell_uv / 1000:.2f} mV"
    if withheld:
        text = f"LVH voltage criteria: withheld ({withheld}; {values})"
        return Finding("LVH voltage", text, (), "withheld", f"Withheld: {withheld}.")
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


def _qtc(measurements: Measurements, sex: Sex | None) -> list[Finding]:
    """QTc, where its criterion says that it is long or short."""
    items = zip(("prolonged", "short"), thresholds.qtc_criteria(measurements, sex), strict=True)
    return [
        Finding("QTc", f"{name} QTc: {item.numbers}", (), "note", item.reason) for name, item in items if item.present
    ]


def find_caveats(
    recording: Recording,
    waves: Waves,
    measurements: Measurements,
    quality: Quality,
    groups: tuple[SubjectGroup, ...],
    rhythm: Rhythm,
) -> tuple[list[Finding], Caveats, Conditions]:
    """Findings beside ST and T, what they mean for the verdicts on ST and T, and for the criteria."""
    items: list[Finding] = []
    reasons: list[str] = []
    secondary: list[str] = []
    some_leads: list[tuple[str, tuple[str, ...]]] = []
    by_group: list[tuple[str, str]] = []
    no_voltage: list[str] = []
    shapes = conduction.shapes_by_lead(measurements)
    qrs, pr = measurements.intervals.qrs.value, measurements.intervals.pr.value
    block, preexcited = "", False

    def warn(kind: str, text: str, reason: str, leads: tuple[str, ...] = ()) -> None:
        items.append(Finding(kind, text, leads, "note"))
        reasons.append(reason)

    if recording.fs <= LOW_FS:
        items.append(Finding("resolution", LOW_FS_NOTE, (), "note"))
    if quality.refusals:
        warn("quality", "failed the quality check: " + " ".join(quality.refusals), "failed quality check")
    if 0 < measurements.n_beats < MIN_BEATS or not measurements.st:
        warn("beats", measurements.reason or "fewer than 3 usable beats", "fewer than 3 usable beats")
    adult = recording.age is None or recording.age >= ADULT_AGE
    if qrs is not None and shapes and adult:
        start = slow_start(measurements.beat)
        delta = conduction.has_delta_wave(start)  # its QRS may look like that of either block
        right = not delta and conduction.is_rbbb(qrs, shapes)
        block = "RBBB" if right else "LBBB" if not delta and conduction.is_lbbb(qrs, shapes) else ""
        if right:
            items.append(Finding("RBBB criteria", f"meets RBBB criteria (QRS {qrs:.0f} ms)", RBBB_LEADS, "meets",
                                 "ST and T changes in V1-V3 may be secondary to it."))  # fmt: skip
            some_leads.append(("right bundle branch block", RBBB_LEADS))
        elif block == "LBBB":
            text = f"meets LBBB criteria (QRS {qrs:.0f} ms)"
            items.append(Finding("LBBB criteria", text, ("I", "aVL", "V5", "V6"), "meets",
                                 "ST and T changes may be secondary to it."))  # fmt: skip
            secondary.append("left bundle branch block")
            no_voltage.append("LBBB criteria met")
        elif thresholds.qrs_verdict(qrs) == "wide":
            items.append(Finding("wide QRS", f"wide QRS ({qrs:.0f} ms)", (), "note"))
            secondary.append(f"wide QRS ({qrs:.0f} ms)")
        preexcited = delta or (conduction.is_preexcited(pr, qrs) and not right)
        if preexcited:
            sign = f"delta wave, QRS begins over {start.length_ms:.0f} ms" if delta and start else ""
            text = f"possible pre-excitation: {sign or 'short PR with broad QRS'}"
            items.append(Finding("pre-excitation", text, (), "note"))
            secondary.append("pre-excitation")
            no_voltage.append("possible pre-excitation")
        items.extend(_qtc(measurements, recording.sex))
    if rhythm.kind == "paced":
        text = f"pacing spikes in {len(rhythm.spiked)} of {rhythm.n_beats} beats"
        items.append(Finding("pacing", text, (), "note", "ST and T changes may be secondary to it."))
        secondary.append("pacing")
        no_voltage.append("paced rhythm")
    if not adult:
        reasons.append(f"age {recording.age}: the limits are those of adults")
        no_voltage.append(reasons[-1])
    if quality.einthoven_residual_mv > EINTHOVEN_LIMIT_MV:
        reasons.append("the limb leads contradict each other")
    by_voltage = False
    if shapes:
        sums = conduction.voltages(shapes)
        items.append(lvh_voltage(sums, groups, "; ".join(no_voltage)))
        if not no_voltage:
            by_group = [(group.label, "high voltage (LVH criteria)") for group in groups if sums.met(group.sex)]
            by_voltage = bool(by_group)
        for sentence in possible_lead_reversal(recording, waves, measurements):
            warn("lead reversal", sentence, "possible lead reversal")
    caveats = Caveats(tuple(dict.fromkeys(reasons)), tuple(secondary), tuple(some_leads), tuple(by_group))
    given = Conditions(
        recording.sex, recording.age, block, rhythm.kind == "paced", preexcited, by_voltage, caveats.withheld
    )
    return items, caveats, given


NEW_UNKNOWN = "Whether it is new cannot be judged from one tracing."
NEIGHBOUR_RULE = "Neighbours in V1-V6 or in aVL, I, -aVR, II, aVF, III count as contiguous; stricter than lead groups."


@dataclass(frozen=True, eq=False)
class Findings:
    """All findings of one recording.

    Attributes
    ----------
    items : tuple of Finding
    st_elevation_leads : tuple of str
        Leads at or above their own threshold for every group the subject may belong to, contiguous or not. Marks,
        boxes and sentences never rest on these but on `marked`.
    st_elevation_leads_depending : tuple of str
        Leads above it for some of those groups only.
    st_depression_leads, t_inversion_leads : tuple of str
        Leads at or beyond the threshold, contiguous or not.
    withheld : tuple of str
        Reasons why ST and T verdicts are withheld; empty when they are not.
    criteria : tuple of Criterion
        Every textbook criterion; those on ST elevation, ST depression and T inversion say what `items` say.
    """

    items: tuple[Finding, ...]
    st_elevation_leads: tuple[str, ...]
    st_elevation_leads_depending: tuple[str, ...]
    st_depression_leads: tuple[str, ...]
    t_inversion_leads: tuple[str, ...]
    withheld: tuple[str, ...]
    criteria: tuple[Criterion, ...] = ()

    def of(self, kind: str) -> tuple[Finding, ...]:
        """Findings of one kind."""
        return tuple(item for item in self.items if item.kind == kind)

    def marked(self, kind: str) -> tuple[str, ...]:
        """Standard leads in which a verdict of this kind holds, for everyone or for some group the subject may be in.

        The one source of what is marked, boxed, printed in bold and put into sentences: empty where the verdict is
        "does not meet" or withheld. -aVR, whose elevation is a depression of aVR, is not among them.
        """
        found = {lead for item in self.of(kind) if item.verdict in ("meets", "depends") for lead in item.leads}
        return tuple(lead for lead in STANDARD_LEADS if lead in found)


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
            if level >= thresholds.st_elevation_threshold_uv(lead, group.sex, group.age)
        ]
        outcomes.append(GroupVerdict(group, thresholds.contiguous_runs(over), caveats.withheld))
    return _judged("ST elevation", outcomes, caveats, named_group=True)


def _judged(kind: str, outcomes: Sequence[GroupVerdict], caveats: Caveats, *, named_group: bool = False) -> Finding:
    """Word a verdict on ST or T, with what may have caused the change where the threshold is met."""
    text, verdict, leads, reason = spoken(f"{kind.replace(' ', '-')} threshold", outcomes, named_group=named_group)
    causes = caveats.causes(outcomes)
    if causes:
        text += f", but may be secondary to {' and '.join(causes)}"
    also = (NEW_UNKNOWN,) if kind == "T inversion" else (NEW_UNKNOWN, NEIGHBOUR_RULE)
    return Finding(kind, text, leads, verdict, " ".join(filter(None, [reason, *also])))


def st_depression(st: tuple[StMeasurement, ...], groups: tuple[SubjectGroup, ...], caveats: Caveats) -> list[Finding]:
    """Judge horizontal or down-sloping ST depression at J; up-sloping depression is listed without a verdict."""
    low = [item for item in st if whole_microvolts(item.j_mv) <= thresholds.ST_DEPRESSION_UV and item.lead != "aVR"]
    runs = thresholds.contiguous_runs([item.lead for item in low if item.shape in SLOPE_SHAPES[:2]])
    found = [_judged("ST depression", [GroupVerdict(group, runs, caveats.withheld) for group in groups], caveats)]
    rising = tuple(item.lead for item in low if item.shape in SLOPE_SHAPES[2:])
    if rising:
        text = f"up-sloping ST depression in {', '.join(rising)}"
        found.append(Finding("ST depression", text, rising, "note", "Up-sloping depression is listed, not judged."))
    return found


def t_inversion_candidates(t_waves: tuple[TWave, ...], age: int | None) -> tuple[str, ...]:
    """Leads with T inverted deeper than 0.1 mV, as graded; never aVR, nor V2 up to age 20.

    The Universal Definition also asks for a prominent R or R/S > 1, which would leave out the deep inversions of V2-V4
    that follow an anterior infarction or a critical stenosis: there R is small.
    """
    return tuple(
        wave.lead
        for wave in t_waves
        if wave.amplitude_mv is not None
        and wave.lead != "aVR"
        and not (wave.lead == "V2" and age is not None and age <= V2_NEGATIVE_UNTIL_AGE)
        and whole_microvolts(wave.amplitude_mv) < thresholds.T_INVERSION_UV
    )


def t_inversion(candidates: tuple[str, ...], groups: tuple[SubjectGroup, ...], caveats: Caveats) -> Finding:
    """Judge T inversion in two neighbouring leads, one at least where T is usually upright; V1 is none of the two."""
    runs = tuple(
        run
        for run in thresholds.contiguous_runs(candidates)
        if len(set(run) - {"V1"}) >= 2 and set(run) - set(MAY_BE_NEGATIVE)
    )
    return _judged("T inversion", [GroupVerdict(group, runs, caveats.withheld) for group in groups], caveats)


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
    items, caveats, given = find_caveats(recording, waves, measurements, quality, groups, rhythm)
    if not measurements.st:
        reason = measurements.reason
        for kind in ("ST elevation", "ST depression", "T inversion", "LVH voltage"):
            items.append(Finding(kind, f"{kind}: —", (), "withheld", reason))
        return Findings(tuple(items), (), (), (), (), (reason,), find_criteria(measurements, given))
    levels = st_levels_uv(measurements.st)
    over = [
        {lead for lead, level in levels.items() if level >= thresholds.st_elevation_threshold_uv(lead, g.sex, g.age)}
        for g in groups
    ]
    candidates = t_inversion_candidates(measurements.t_waves, recording.age)
    judged = [
        st_elevation(levels, groups, caveats),
        *st_depression(measurements.st, groups, caveats),
        t_inversion(candidates, groups, caveats),
    ]
    told = {item.kind: _criterion(item, measurements) for item in reversed(judged)}
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
        withheld=caveats.reasons,
        criteria=find_criteria(measurements, given, told.__getitem__),
    )


def _criterion(finding: Finding, measurements: Measurements) -> Criterion:
    """Return a finding on ST or T as a criterion: the same verdict, with the levels it was made from."""
    leads = tuple(lead for lead in finding.leads if lead in STANDARD_LEADS)
    at_t = finding.kind == "T inversion"
    if at_t:
        heights = {wave.lead: wave.amplitude_mv for wave in measurements.t_waves}
    else:
        heights = {st.lead: st.j_mv for st in measurements.st}
    shown = leads or tuple(lead for lead in STANDARD_LEADS if lead != "aVR")
    known = {lead: value for lead in shown if (value := heights.get(lead)) is not None}
    if not leads:  # the most marked level says how far from the threshold the ECG is
        most = (max if finding.kind == "ST elevation" else min)(known, key=known.__getitem__, default=None)
        known = {most: known[most]} if most is not None else {}
    numbers = thresholds.levels_text({lead: whole_microvolts(value) for lead, value in known.items()})
    verdict: thresholds.CriterionVerdict = "not met"
    match finding.verdict:
        case "withheld":
            verdict = "not measurable"
        case "depends":
            verdict = "depends"
        case "meets":
            verdict = "may be secondary" if "may be secondary" in finding.text else "met"
    source, wave = next((source, wave) for name, source, wave in thresholds.CRITERIA if name == finding.kind)
    reason = "" if verdict == "not met" else finding.text[0].upper() + finding.text[1:] + "."
    return Criterion(
        finding.kind, source, numbers, verdict, reason, leads if finding.verdict != "withheld" else (), wave
    )
