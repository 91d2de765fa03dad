"""The three answers for a box on the trace, in words and short tables for the screen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ecgimn.draw.tables import MM_PER_MV, NOTHING
from ecgimn.explain.box import Box, BoxEvidence, BoxMeasures
from ecgimn.explain.box_intervention import BoxIntervention
from ecgimn.explain.narrative import signed
from ecgimn.leads import STANDARD_LEADS

FILL_WORDS = {"isoelectric": "isoelectric", "line": "line across"}
LEADS_NAMED = 4  # of a box over more leads, the others are added up


def title(box: Box) -> str:
    """Name the leads and the time of a box: "V3, V4 · 1,240–1,320 ms"."""
    leads = "all 12 leads" if len(box.leads) == len(STANDARD_LEADS) else ", ".join(box.leads)
    return f"{leads or 'no lead'} · {1000 * box.start_s:,.0f}–{1000 * box.stop_s:,.0f} ms"


def caliper_words(measures: BoxMeasures) -> str:
    """Return width, height, and what the width would be as an RR or a QT interval."""
    size = f"**{measures.width_ms:.0f} ms**"
    if measures.height_mv is not None:
        size += f" × **{measures.height_mv:.2f} mV** ({MM_PER_MV * measures.height_mv:.1f} mm)"
    parts = []
    if measures.rate.value is not None:
        parts.append(f"as RR {measures.rate.value:.0f}/min")
    qtc = [f"{value.value:.0f} ({name})" for name, value in measures.qtc.items() if value.value is not None]
    reason = next((value.reason for value in measures.qtc.values() if value.reason), "")
    if qtc:
        parts.append(f"as QT: QTc {', '.join(qtc)} ms")
    elif parts:
        parts.append(f"as QT: QTc {NOTHING} ({reason})")
    return f"{size} · {' · '.join(parts) or 'too short or too long for an RR or a QT interval'}"


def evidence_words(evidence: BoxEvidence) -> str:
    """Return the evidence inside and its part of the whole."""
    words = f"**{signed(evidence.logit)} logit** of {signed(evidence.total)} for {evidence.class_name}"
    if evidence.share is not None:
        words += f" ({100 * evidence.share:.0f} %)".replace("-", "−")
    return (
        f"{words}; {100 * evidence.absolute_share:.1f} % of all |contribution| "
        f"on {100 * evidence.sample_share:.1f} % of the samples"
    )


def lead_words(evidence: BoxEvidence, measures: BoxMeasures) -> str:
    """Return contribution and mean level of the leads of a box, the strongest first."""
    leads = sorted(evidence.by_lead, key=lambda lead: -abs(evidence.by_lead[lead]))
    parts = []
    for lead in leads[:LEADS_NAMED]:
        level = measures.level_mv[lead]
        words = f" (mean {signed(level)} mV)" if np.isfinite(level) else ""
        parts.append(f"{lead} **{signed(evidence.by_lead[lead])}**{words}")
    if others := leads[LEADS_NAMED:]:
        parts.append(f"{len(others)} more {signed(sum(evidence.by_lead[lead] for lead in others))}")
    return " · ".join(parts)


def without_words(answers: Sequence[BoxIntervention], class_name: str) -> str:
    """Return the score as it is, as the head of the table of what it becomes."""
    return f"{class_name} **{_scores(answers[0], class_name)[0]}**, without what is in the box:"


def without_table(answers: Sequence[BoxIntervention], class_name: str) -> str:
    """Return a Markdown table of the score without what is in the box, by the map and by the network re-run.

    The score is the probability, or the logit where the class is the difference of two; its change is in logit.
    """
    k = answers[0].classes.index(class_name)
    lines = ["| set to | map predicts | network re-run |", "| :--- | :---: | :---: |"]
    for answer in answers:
        _, predicted, actual = _scores(answer, class_name)
        lines.append(
            f"| {FILL_WORDS[answer.fill]} | **{predicted}** ({signed(answer.predicted_change[k])}) "
            f"| **{actual}** ({signed(answer.actual_change[k])}) |"
        )
    return "\n".join(lines)


def _scores(answer: BoxIntervention, class_name: str) -> tuple[str, str, str]:
    """Return the score as it is, as the map predicts it and as the network gives it."""
    if not answer.is_contrast:
        before, predicted, actual = (f"{value:.2f}" for value in answer.probabilities(class_name))
        return before, predicted, actual
    k = answer.classes.index(class_name)
    logit = answer.logit[k]
    return signed(logit), signed(logit + answer.predicted_change[k]), signed(logit + answer.actual_change[k])
