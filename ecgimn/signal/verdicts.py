"""Wording of verdicts: "meets ... in V2-V4 (man >= 40)", "met if woman; not met if man < 40", or why it is withheld."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ecgimn.signal.thresholds import Group, lead_list, territories_of

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
class Outcome:
    """What a threshold says for one group.

    Attributes
    ----------
    group : Group
    runs : tuple of tuple of str
        Runs of neighbouring leads that meet the threshold; empty when it is not met.
    withheld : str
        Why there is no verdict for this group; empty when there is one.
    """

    group: Group
    runs: tuple[tuple[str, ...], ...]
    withheld: str = ""

    @property
    def state(self) -> str:
        """Return "met", "not met" or "withheld"."""
        if self.withheld:
            return "withheld"
        return "met" if self.runs else "not met"


def _group_names(groups: Sequence[Group], everyone: Sequence[Group]) -> str:
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
    threshold: str, outcomes: Sequence[Outcome], *, named_group: bool
) -> tuple[str, Literal["meets", "does not meet", "depends", "withheld"], tuple[str, ...], str]:
    """Put the outcomes of all possible groups into one sentence.

    Parameters
    ----------
    threshold : str
        "ST-elevation threshold" and the like.
    outcomes : sequence of Outcome
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
    clauses: dict[str, list[Group]] = {}
    for outcome in outcomes:
        where = f" in {lead_list(outcome.runs)}" if outcome.state == "met" and not _one_answer(outcomes) else ""
        clauses.setdefault(outcome.state + where, []).append(outcome.group)
    common = f" in {lead_list(next(o.runs for o in outcomes if o.state == 'met'))}" if _one_answer(outcomes) else ""
    parts = [f"{answer} if {_group_names(groups, everyone)}" for answer, groups in clauses.items()]
    verdict: Literal["meets", "depends"] = "meets" if states == {"met"} else "depends"
    reason = f"Withheld where: {reason}." if reason else ""
    return f"{threshold}{common}: {'; '.join(parts)}", verdict, leads, reason


def _one_answer(outcomes: Sequence[Outcome]) -> bool:
    """Whether all groups that meet the threshold meet it in the same leads."""
    return len({outcome.runs for outcome in outcomes if outcome.state == "met"}) == 1
