"""Verdicts on ST, T and voltage against published thresholds, and the reasons to withhold them.

Thresholds live in `thresholds`, conditions that make ST and T secondary in `conduction`, signs of swapped cables in
`lead_reversal`. A verdict says "meets" or "does not meet" a threshold and never names a disease; where sex or age is
unknown it says for whom it would be met.
"""

from __future__ import annotations

from dataclasses import dataclass

from ecgimn.leads import STANDARD_LEADS
from ecgimn.recording import Recording
from ecgimn.signal import thresholds
from ecgimn.signal.caveats import Caveats, find_caveats
from ecgimn.signal.measure import SLOPE_SHAPES, Measurements, StMeasurement, measure, whole_microvolts
from ecgimn.signal.qrs_shape import QrsShape
from ecgimn.signal.quality import Quality, assess_quality
from ecgimn.signal.t_wave import V2_NEGATIVE_UNTIL_AGE, TWave
from ecgimn.signal.thresholds import Group
from ecgimn.signal.verdicts import Finding, Outcome, spoken
from ecgimn.signal.waves import Waves

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


def st_elevation(levels_uv: dict[str, int], groups: tuple[Group, ...], caveats: Caveats) -> Finding:
    """Judge ST elevation at J in two neighbouring leads, each against its own threshold.

    Parameters
    ----------
    levels_uv : dict of str to int
        ST at J per lead in microvolts; aVR enters as "-aVR".
    groups : tuple of Group
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
        outcomes.append(Outcome(group, thresholds.contiguous_runs(over), caveats.of(group)))
    text, verdict, leads, reason = spoken("ST-elevation threshold", outcomes, named_group=True)
    return Finding("ST elevation", text, leads, verdict, " ".join(filter(None, [reason, NEW_UNKNOWN, NEIGHBOUR_RULE])))


def st_depression(st: tuple[StMeasurement, ...], groups: tuple[Group, ...], caveats: Caveats) -> list[Finding]:
    """Judge horizontal or down-sloping ST depression at J; up-sloping depression is listed without a verdict."""
    low = [item for item in st if whole_microvolts(item.j_mv) <= thresholds.ST_DEPRESSION_UV and item.lead != "aVR"]
    flat = [item.lead for item in low if item.shape in SLOPE_SHAPES[:2] and item.lead not in caveats.blocked_leads]
    runs = thresholds.contiguous_runs(flat)
    outcomes = [Outcome(group, runs, caveats.of(group)) for group in groups]
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


def t_inversion(candidates: tuple[str, ...], groups: tuple[Group, ...], caveats: Caveats) -> Finding:
    """Judge T inversion in two neighbouring leads."""
    runs = thresholds.contiguous_runs([lead for lead in candidates if lead not in caveats.blocked_leads])
    outcomes = [Outcome(group, runs, caveats.of(group)) for group in groups]
    text, verdict, leads, reason = spoken("T-inversion threshold", outcomes, named_group=False)
    return Finding("T inversion", text, leads, verdict, " ".join(filter(None, [reason, NEW_UNKNOWN])))


def find_findings(
    recording: Recording,
    waves: Waves,
    measurements: Measurements | None = None,
    quality: Quality | None = None,
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
    """
    measurements = measure(recording, waves) if measurements is None else measurements
    quality = assess_quality(recording) if quality is None else quality
    groups = thresholds.possible_groups(recording.sex, recording.age)
    items, caveats, shapes = find_caveats(recording, waves, measurements, quality, groups)
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
