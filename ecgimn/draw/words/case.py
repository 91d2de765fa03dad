"""What the screen says of one case: measurements in rows, the answers for a box, compared maps and sanity checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ecgimn.draw.evidence import robust_limit
from ecgimn.draw.painted import strongest_cells
from ecgimn.draw.view import View
from ecgimn.escape import for_markdown
from ecgimn.explain.box import Box, BoxAnswer, BoxEvidence, BoxMeasures, CaliperQtc
from ecgimn.explain.case import Evidence
from ecgimn.explain.checks import LocalFidelity, RankAgreement, SelfCheck, Side
from ecgimn.explain.difference import Change
from ecgimn.explain.measured import Reasons
from ecgimn.explain.sentences import MINUS, NOTHING, percent, signed
from ecgimn.leads import CHEST_LEADS, LIMB_LEADS, STANDARD_LEADS
from ecgimn.signal.criteria import Criterion, possible_groups
from ecgimn.signal.intervals import Measured, axis_class
from ecgimn.signal.reading import SignalReading

MM_PER_MV = 10.0  # in ST tables 1 mm is 0.1 mV at every display gain


@dataclass(frozen=True)
class Value:
    """One measurement as shown: name, value with unit or "—", and why or what to know."""

    name: str
    text: str
    note: str = ""


def interval_values(reading: SignalReading) -> tuple[Value, ...]:
    """Return rate, intervals and axis in the order in which a reader expects them."""
    if reading.measurements is None:
        return ()
    intervals = reading.measurements.intervals
    return (
        _value("Heart rate", intervals.heart_rate, unit="/min"),
        _value("PR", intervals.pr),
        _value("QRS", intervals.qrs),
        _value("QT", intervals.qt),
        _value("QTc Fridericia", intervals.qtc["Fridericia"]),
        _value("QTc Bazett", intervals.qtc["Bazett"]),
        _axis(intervals.axis),
    )


def _axis(measured: Measured) -> Value:
    """Return the frontal axis with its class: "−8°, normal"."""
    said = _value("Axis", measured, unit="°")
    if measured.value is None:
        return said
    kind = axis_class(measured.value)
    return replace(said, text=f"{said.text}, {kind if kind in ('normal', 'extreme') else f'{kind} axis deviation'}")


def header_words(reading: SignalReading, *, rhythm: str = "") -> str:
    """Return the line at the head of an ECG: sex, age, rate, rhythm, PR, QRS, QT and QTc, axis.

    Parameters
    ----------
    reading : SignalReading
    rhythm : str
        As found elsewhere ("sinus rhythm"); nothing is said of it when empty.
    """
    recording = reading.recording
    sex = {"male": "Man", "female": "Woman"}.get(recording.sex or "", "Sex not given")
    age = "age not given" if recording.age is None else "90+ y" if recording.age >= 90 else f"{recording.age} y"
    parts = [f"{sex}, {age}"]
    if reading.measurements is None:
        return " · ".join([*parts, *([rhythm] if rhythm else []), f"not measured ({reading.reason.rstrip('.')})"])
    found = reading.measurements.intervals

    def number(measured: Measured) -> str:
        return NOTHING if measured.value is None else f"{measured.value:.0f}".replace("-", MINUS)

    parts.append(f"{number(found.heart_rate)}/min" + (f" {rhythm}" if rhythm else ""))
    parts += [f"PR {number(found.pr)} ms", f"QRS {number(found.qrs)} ms"]
    # The formula by which QTc is judged, so that no verdict seems to contradict the line above the ECG.
    parts.append(f"QT/QTc {number(found.qt)}/{number(found.qtc['Fridericia'])} ms (Fridericia)")
    parts.append(f"axis {number(found.axis)}°")
    return " · ".join(parts)


def st_grid(reading: SignalReading) -> str:
    """Return the ST level at J of all leads as a small Markdown table, in mV; leads that meet a threshold in bold.

    J is where thresholds are judged: what stands beside a verdict is what it was made from.
    """
    level = reading.j_mv
    if not level:
        return ""
    arrows = dict.fromkeys(reading.st_depression_leads, "▼") | dict.fromkeys(reading.st_elevation_leads, "▲")
    lines = []
    for leads in (LIMB_LEADS, CHEST_LEADS):
        marked = [f"**{lead} {arrows[lead]}**" if lead in arrows else f"**{lead}**" for lead in leads]
        values = [f"**{signed(level[lead])}**" if lead in arrows else signed(level[lead]) for lead in leads]
        lines.append("| " + " | ".join(marked) + " |")
        if len(lines) == 1:
            lines.append("|" + " :---: |" * len(leads))
        lines.append("| " + " | ".join(values) + " |")
    return "\n".join(lines)


def st_rows(reading: SignalReading) -> list[dict[str, str]]:
    """Return the ST table, one row per lead: levels in mV and mm, slope, shape; and the T wave."""
    if reading.measurements is None:
        return []
    waves = {wave.lead: wave for wave in reading.measurements.t_waves}
    rows = []
    for st in reading.measurements.st:
        wave = waves[st.lead]
        rows.append(
            {
                "Lead": st.lead,
                "J": _level(st.j_mv),
                "J+60": _level(st.j60_mv),
                "J+80": _level(st.j80_mv),
                "Slope (mV/s)": signed(st.slope_mv_per_s),
                "ST shape": st.shape,
                "T (mV)": signed(wave.amplitude_mv),
                "T grade": wave.grade,
            }
        )
    return rows


def criteria_in_order(reading: SignalReading) -> list[Criterion]:
    """Return the criteria of an ECG as they are listed: those on it first, by verdict."""
    order = ("met", "may be secondary", "depends", "not met", "not measurable", "not applicable")
    return sorted(reading.findings.criteria if reading.findings else (), key=lambda item: order.index(item.verdict))


def criteria_rows(reading: SignalReading, reasons: Reasons | None = None) -> list[dict[str, str]]:
    """Return one row per criterion, those on the ECG first, with what the model made of it where it belongs to a class.

    Parameters
    ----------
    reading : SignalReading
    reasons : Reasons, optional
        Of the class shown; without it the column of the model is left out.
    """
    found = {} if reasons is None else {reason.criterion.name: reason for reason in reasons.reasons}
    rows = []
    for item in criteria_in_order(reading):
        row = {"Criterion": item.name, "Verdict": item.verdict, "Measured": item.numbers or NOTHING}
        if reasons is not None:
            reason = found.get(item.name)
            again = "" if reason is None or reason.measured is None else f", re-run {signed(reason.measured, 1)}"
            row[f"Model ({reasons.class_name})"] = (
                "" if reason is None else f"{reason.use} ({signed(reason.booked, 1)}{again})"
            )
        leads = ", ".join(item.leads) if len(item.leads) < len(STANDARD_LEADS) else "all"
        rows.append(row | {"Leads": leads, "Wave": item.wave, "Note": item.reason, "Source": item.source})
    return rows


def subject_words(reading: SignalReading) -> str:
    """Say for whom the thresholds are judged."""
    recording = reading.recording
    age = None if recording.age is None else "90+ y" if recording.age >= 90 else f"{recording.age} y"
    known = ", ".join(part for part in (recording.sex, age) if part)
    groups = possible_groups(recording.sex, recording.age)
    if len(groups) == 1:
        return known
    missing = " and ".join(name for name, value in (("sex", recording.sex), ("age", age)) if value is None)
    return f"{known + ', ' if known else ''}{missing} unknown"


def _value(name: str, measured: Measured, *, unit: str = "") -> Value:
    if measured.value is None:
        return Value(name, NOTHING, measured.reason)
    number = f"{measured.value:.0f}".replace("-", MINUS)
    space = "" if unit.startswith(("/", "°")) else " "
    return Value(name, f"{number}{space}{unit or measured.unit}", measured.note)


def _level(value_mv: float) -> str:
    """Print a level in mV and in mm of standard paper: "+0.11 mV, 1.1 mm"."""
    if not np.isfinite(value_mv):
        return NOTHING
    return f"{signed(value_mv)} mV, {signed(MM_PER_MV * value_mv, 1).lstrip('+')} mm"


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


def two_marks_words(found: CaliperQtc) -> str:
    """Return QTc from two marks."""
    qtc = ", ".join(f"{value:.0f} ({name})" for name, value in found.qtc.items())
    return f"with the box before: RR {found.rr_ms:.0f} ms, QT {found.qt_ms:.0f} ms, **QTc {qtc} ms**"


def evidence_words(evidence: BoxEvidence, *, logits: bool = True) -> str:
    """Return the evidence inside and its part of the whole; without `logits` the part alone where there is one."""
    if not logits and evidence.share is not None:
        return f"**{100 * evidence.share:.0f} %** of the evidence for {evidence.class_name}".replace("-", "−")
    words = f"**{signed(evidence.logit)}{' logit' if logits else ''}** of {signed(evidence.total)}"
    words += f" for {evidence.class_name}"
    if evidence.share is not None:
        words += f" ({100 * evidence.share:.0f} %)".replace("-", "−")
    if not logits:
        return words
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


def without_words(answers: Sequence[BoxAnswer]) -> str:
    """Return the score as it is, as the head of the table of what it becomes."""
    return f"{answers[0].name} **{_scores(answers[0])[0]}**, without what is in the box:"


def without_table(answers: Sequence[BoxAnswer], *, logits: bool = True) -> str:
    """Return a Markdown table of the score without what is in the box, by the map and by the network re-run.

    The score is the probability, or the logit where the class is the difference of two; its change is in logit.
    """
    lines = ["| set to | map predicts | network re-run |", "| :--- | :---: | :---: |"]
    for answer in answers:
        _, predicted, actual = _scores(answer)
        changes = (answer.predicted_change, answer.actual_change)
        shown = [f" ({signed(change)})" for change in changes] if logits else ["", ""]
        lines.append(f"| {FILL_WORDS[answer.fill]} | **{predicted}**{shown[0]} | **{actual}**{shown[1]} |")
    return "\n".join(lines)


def _scores(answer: BoxAnswer) -> tuple[str, str, str]:
    """Return the score as it is, as the map predicts it and as the network gives it."""
    if not answer.is_difference:
        before, predicted, actual = (percent(value) for value in answer.probabilities())
        return before, predicted, actual
    logit = answer.logit
    return signed(logit), signed(logit + answer.predicted_change), signed(logit + answer.actual_change)


def equation_words(side: Side) -> str:
    """Return how the logit of a side comes about."""
    evidence = side.evidence
    rest = "bias" if side.exact else "not booked"
    booked = evidence.total
    return (
        f"**{side.title}** · logit {signed(evidence.logit)} = {rest} {signed(evidence.logit - booked)} "
        f"+ evidence {signed(booked)} · probability {evidence.probability or 0.0:.2f}"
    )


def compared_words(first: Side, second: Side, agreement: RankAgreement, names: tuple[str, str]) -> str:
    """Return what two sides come to in percent, and where they differ or agree.

    Parameters
    ----------
    first, second : Side
    agreement : RankAgreement
        Of the two.
    names : tuple of str
        What the sides are called in the sentence; empty where the classes say it.
    """
    one, two = first.evidence, second.evidence
    said = [f"**{evidence.name} {percent(evidence.probability or 0.0)}**" for evidence in (one, two)]
    words = (
        ", ".join(f"{for_markdown(name)}: {text}" if name else text for name, text in zip(names, said, strict=True))
        + "."
    )
    strong = strongest_cells(one.cells - two.cells)
    if strong and first.exact and second.exact and first.network == second.network:
        way = "more" if strong[0].logit > 0 else "less"
        cells = ", ".join(f"{cell.lead} {cell.wave} ({signed(cell.logit)})" for cell in strong)
        words += f" What the first has {way} of: {cells}."
    if agreement.same_sign is not None:
        words += f" {same_way_words(agreement.same_sign)}"
    return words


def same_way_words(share: float) -> str:
    """Say which part of the first side's evidence lies in cells in which the second has the same sign."""
    return f"{100 * share:.0f} % of the first one's evidence lies where both point the same way."


def agreement_words(agreement: RankAgreement) -> str:
    """Return the rank correlation of two maps in one line."""
    cells = f"**{_rho(agreement.cells)}** over {agreement.n_cells} cells of lead by wave"
    samples = (
        f"**{_rho(agreement.samples)}** over {agreement.n_samples:,} samples"
        if agreement.n_samples
        else f"{NOTHING} over samples ({agreement.reason})"
    )
    share = (
        f" · {100 * agreement.same_sign:.0f} % of the first one's evidence lies in cells where both have the same sign"
        if agreement.same_sign is not None
        else ""
    )
    return f"Rank correlation (Spearman): {cells} · {samples}{share}"


def fidelity_words(found: LocalFidelity | None) -> str:
    """Return a method's faithfulness on one record in one line."""
    if found is None:
        return f"Faithfulness on this record: {NOTHING} (too few cells to remove)"
    return (
        f"Faithfulness on this record: R² **{found.r2:.2f}**, slope {found.slope:.2f} over {found.n_edits} edits; "
        f"root mean square change predicted {found.rms_predicted:.2f}, actual {found.rms_actual:.2f} logit"
    )


def _rho(value: float | None) -> str:
    return NOTHING if value is None else signed(value)


GONE = 0.3  # a rank correlation below this is no resemblance
KEPT = 0.9  # and above this the same map


def check_words(check: SelfCheck, kind: str, class_name: str, *, logits: bool = True) -> list[tuple[str, bool]]:
    """Return sentences on one check, each with whether it went as it should.

    Parameters
    ----------
    check : SelfCheck
    kind : str
        "Random weights", "Shuffled chest leads" or "Time shift".
    class_name : str
    logits : bool
        Give correlations and logits; else the same in words and percent.
    """
    one, two = (case.of(class_name) for case in (check.first, check.second))
    moved = two.logit - one.logit
    if logits:
        score = f"The logit of {class_name} goes from {signed(one.logit)} to {signed(two.logit)}."
    else:
        score = f"{class_name} goes from {percent(one.probability or 0.0)} to {percent(two.probability or 0.0)}."
    if check.agreement is None:
        return [("The two maps cannot be compared: one of them is constant.", False), (score, True)]
    rho = f" **{check.agreement:.2f}**".replace("-", "−") if logits else ""
    if kind == "Random weights":
        fine = abs(check.agreement) < GONE
        verdict = "the map is gone, as it must be" if fine else "part of the map survives without what was learned"
        told = f"Rank correlation with the learned map{rho}" if logits else "With random weights"
        return [(f"{told}: {verdict}.", fine), (score, True)]
    if kind == "Time shift":
        fine = check.agreement >= KEPT
        verdict = "the map moves with the trace" if fine else "the map changes with the moment of the cut"
        told = f"Rank correlation where both see the same samples{rho}" if logits else "A moment later"
        return [(f"{told}: {verdict}.", fine), (score, abs(moved) < 0.5)]
    place = NOTHING if check.in_place is None else f"{check.in_place:.2f}".replace("-", "−")
    if logits:
        words = (
            f"Rank correlation of the chest leads{rho} with the trace each map belonged to, **{place}** with the lead "
            "of the same name."
        )
    else:
        follows = check.in_place is None or check.agreement >= check.in_place
        words = f"With chest leads swapped, the map follows {'the trace' if follows else 'the name of the lead'}."
    reacts = abs(moved) >= 0.1
    return [(words, True), (f"{score} {'It' if reacts else 'It hardly'} depends on which lead is which.", reacts)]


def check_view(evidence: Evidence, check: SelfCheck, *, own_scale: bool, dark: bool = False) -> View:
    """Return how one case's evidence is drawn: one limit of colour for both, or its own where sizes mean nothing."""
    both = [evidence] if own_scale else [case.of(evidence.name) for case in (check.first, check.second)]
    limit = max(robust_limit(one.contribution, one.recording.fs) for one in both)
    return View(layout="12x1", limit=limit, show_st=False, show_t=False, dark=dark)


def logit_rows(check: SelfCheck) -> list[dict[str, str]]:
    """Return logit and probability of every class before and after."""
    before, after = check.first.explanation, check.second.explanation
    return [
        {
            "Class": name,
            "Logit": signed(float(before.logit[k])),
            "Logit then": signed(float(after.logit[k])),
            "Probability": f"{before.probability[k]:.2f}",
            "Probability then": f"{after.probability[k]:.2f}",
        }
        for k, name in enumerate(before.classes)
    ]


def change_rows(changes: Sequence[Change]) -> list[dict[str, str]]:
    """Return the measurements of two ECGs as rows of a table: those beyond their limit first, then in their order."""
    rows = []
    for row in sorted(changes, key=lambda row: (not row.beyond, -row.ratio if row.beyond else 0.0)):
        digits = 2 if row.unit == "mV" else 0
        old, new = (NOTHING if value is None else f"{value:z.{digits}f}" for value in (row.earlier, row.later))
        rows.append(
            {
                "beyond": "●" if row.beyond else "",
                "measurement": row.name,
                "earlier": old,
                "later": new,
                "change": signed(row.change, digits),
                "limit": NOTHING if row.limit is None else f"{row.limit:.{digits}f}",
                "unit": row.unit,
                "source": row.source,
            }
        )
    return rows
