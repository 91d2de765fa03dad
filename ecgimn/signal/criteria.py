"""Threshold tables for ST, T and voltage, by lead, sex and age, and the rule of neighbouring leads. All in microvolts.

ST elevation: Fourth Universal Definition of Myocardial Infarction 2018 (doi:10.1016/j.jacc.2018.08.1038), at J, in at
least two neighbouring leads, each against its own threshold. Where sex or age is unknown every group that could apply
is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ecgimn.leads import CONTIGUOUS_CHEST, CONTIGUOUS_LIMB, STANDARD_LEADS, TERRITORIES
from ecgimn.recording import Sex

AGE_LIMIT_MEN = 40
AGE_LIMIT_RIGHT_LEADS = 30
ST_DEPRESSION_UV = -50  # at J or lower
T_INVERSION_UV = -100  # deeper than this
SOKOLOW_LYON_UV = 3500  # SV1 + max(RV5, RV6), met at or above (part V, doi:10.1016/j.jacc.2008.12.015)
CORNELL_UV = {"male": 2800, "female": 2000}  # RaVL + SV3, met above
WIDE_QRS_MS, BORDERLINE_QRS_MS = 120.0, 110.0
QTC_PROLONGED_MS = {"male": 450.0, "female": 460.0}  # met at or above
QTC_SHORT_MS = 360.0  # met at or below; part IV's 390 ms calls a third of normal records short
QTC_VERY_LONG_MS = 500.0  # named at or above, in both sexes
USUAL_RATE = (60.0, 100.0)  # per minute


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
