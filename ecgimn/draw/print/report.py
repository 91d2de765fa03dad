"""The report: A4 landscape pages in PDF, SVG or PNG, true to the millimetre: ECG, evidence, ledger, ST table, hashes.

Page one is the ECG on paper (more pages where a recording needs more), the last holds the numbers. The file names what
made it and never whose it is: neither file name nor header text is printed. The same input gives the same bytes. Drawn
with matplotlib's `Figure` alone, since pyplot's global state is unsafe under threads.
"""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

import matplotlib
import numpy as np
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

import ecgimn
from ecgimn.about import INTENDED_USE
from ecgimn.draw.colours import css, evidence_colours, evidence_index
from ecgimn.draw.evidence import EvidenceMap, evidence_map
from ecgimn.draw.marks import StMarks
from ecgimn.draw.paper import footer_parts
from ecgimn.draw.print.ecg import A4_MM, Sheet, draw_colour_bar, draw_paper
from ecgimn.draw.view import View
from ecgimn.explain.measured import AGREEMENT_MARKS, agreements
from ecgimn.explain.sentences import NOTHING, signed, with_bound
from ecgimn.leads import STANDARD_LEADS, lead_index
from ecgimn.signal.waves.find import WAVE_NAMES

if TYPE_CHECKING:
    from ecgimn.explain.case import Evidence
    from ecgimn.explain.explanation import Explanation
    from ecgimn.recording import Recording
    from ecgimn.signal.waves.find import Waves


ROW_MM, TAKEN_OUT_MM = 4.4, 2.3  # a line; what a second one within a cell needs besides
MM_PER_MV_TABLE = 10.0  # a column headed "mm" counts 0.1 mV as 1 mm whatever the gain of the picture


def draw_classes(sheet: Sheet, x_mm: float, top_mm: float, explanation: Explanation) -> float:
    """Write logit, bias and probability of every class; return the height of the last line."""
    columns = (0.0, 30.0, 52.0, 74.0)
    y = top_mm - ROW_MM
    for x, words in zip(columns, ("class", "probability", "logit", "bias"), strict=True):
        sheet.text(x_mm + x, y, words, size=7, bold=True)
    for index, name in enumerate(explanation.classes):
        y -= ROW_MM
        values = (
            name,
            f"{explanation.probability[index]:.3f}",
            signed(explanation.logit[index]),
            signed(explanation.bias[index]),
        )
        for x, words in zip(columns, values, strict=True):
            sheet.text(x_mm + x, y, words, size=7)
    return y


def draw_ledger(
    sheet: Sheet,
    x_mm: float,
    top_mm: float,
    rows: Sequence[tuple[str, str, float]],
    evidence: Evidence,
    taken_out: NDArray[np.floating] | None = None,
    margins: NDArray[np.floating] | None = None,
) -> float:
    """Write the lead by wave table, its lines and the sum that is the logit; return the height of the last line.

    What taking a cell out does stands beside what is booked and its bound, with the mark of their agreement.
    """
    if not rows:
        return top_mm
    bias, logit = evidence.bias, evidence.logit
    cells = [row for row in rows if row[0] in STANDARD_LEADS]
    waves = list(dict.fromkeys(wave for _, wave, _ in cells))
    value = {(lead, wave): amount for lead, wave, amount in cells}
    sheet.text(x_mm, top_mm, f"Contribution to {evidence.name} by lead and wave (logit)", size=8, bold=True)
    width = 17.0
    lead_x, y = x_mm, top_mm - ROW_MM - 1.0
    for place, words in enumerate((*waves, "sum")):
        sheet.text(x_mm + 14 + width * place + 8, y, words, size=6.5, bold=True, ha="center")
    limit = max((abs(amount) for _, _, amount in cells), default=0.0) or 1.0
    scale = evidence_colours()
    axes = sheet.axes(0, 0, *A4_MM)
    axes.set_zorder(-1)
    two_lines = taken_out is not None and margins is not None and bool(np.isfinite(margins).any())
    row_mm = ROW_MM + (TAKEN_OUT_MM if two_lines else 0.0)
    for lead in STANDARD_LEADS:
        y -= row_mm
        sheet.text(lead_x, y, lead, size=6.5, bold=True)
        amounts = [value.get((lead, wave), 0.0) for wave in waves]
        for place, amount in enumerate(amounts):
            colour = scale[int(evidence_index(np.asarray(amount), limit))]
            corner = (x_mm + 14 + width * place, y - 1.2)
            cell = Rectangle(corner, width - 0.6, row_mm - 0.4, facecolor=css(colour), edgecolor="none", linewidth=0)
            if amount < -0.02 * limit:
                cell.set_hatch("/////")
                cell.set_edgecolor("#FFFFFF")
            axes.add_patch(cell)
            at = lead_index(lead), WAVE_NAMES.index(waves[place])
            found = np.nan if taken_out is None else float(taken_out[at])
            margin = np.nan if margins is None else float(margins[at])
            if not np.isfinite(found):
                sheet.text(corner[0] + 8, y, signed(amount, 3), size=6.2, ha="center")
                continue
            mark = AGREEMENT_MARKS[int(agreements(np.asarray(amount), np.asarray(found)))]
            if two_lines:
                sheet.text(corner[0] + 8, y + TAKEN_OUT_MM, with_bound(amount, margin), size=5.8, ha="center")
                sheet.text(corner[0] + 8, y - 0.3, f"{signed(found, 2)} {mark}", size=5.2, ha="center")
            else:
                sheet.text(corner[0] + 0.5, y, signed(amount, 2), size=5.8)
                sheet.text(corner[0] + 15.9, y, f"{signed(found, 2)}{mark}", size=5.0, ha="right")
        sheet.text(x_mm + 14 + width * len(waves) + 8, y, signed(sum(amounts), 3), size=6.2, bold=True, ha="center")
    y -= ROW_MM + 0.8
    sheet.text(lead_x, y, "sum", size=6.5, bold=True)
    for place, wave in enumerate(waves):
        total = sum(value.get((lead, wave), 0.0) for lead in STANDARD_LEADS)
        sheet.text(x_mm + 14 + width * place + 8, y, signed(total, 3), size=6.2, bold=True, ha="center")
    table = sum(amount for _, _, amount in cells)
    sheet.text(x_mm + 14 + width * len(waves) + 8, y, signed(table, 3), size=6.2, bold=True, ha="center")
    extra = [(wave, amount) for lead, wave, amount in rows if lead not in STANDARD_LEADS]
    total = table + bias + sum(amount for _, amount in extra)
    lines = "".join(f" {'+' if amount >= 0 else '−'} {abs(amount):.3f} {wave}" for wave, amount in extra)
    y -= ROW_MM + 1.0
    bias_words = f"{'+' if bias >= 0 else '−'} {abs(bias):.3f} bias"
    sheet.text(
        lead_x,
        y,
        f"{signed(table, 3)} table {bias_words}{lines} = {signed(total, 3)}; logit {signed(logit, 3)}; "
        f"residual {abs(total - logit):.1e}. Colours: ±{limit:.2g} logit, largest cell.",
        size=7,
    )
    if taken_out is not None:
        first, second = ("Above", "Below") if two_lines else ("Left", "Right")
        for words in (
            f"{first} in a cell: booked by the map. {second}: logit "
            "with the wave minus logit without it, network re-run.",
            "✓ confirmed (within 20 % or 0.1 logit), ~ about (same sign), ✗ not confirmed."
            + (" ±: off by at most this in 90 % of cells like it." if two_lines else ""),
        ):
            y -= ROW_MM - 0.8
            sheet.text(lead_x, y, words, size=6.2)
    return y


def draw_st_table(
    sheet: Sheet,
    x_mm: float,
    top_mm: float,
    rows: Sequence[tuple[str, float | None, float | None, float | None, float | None]],
) -> float:
    """Write J, J+60 and J+80 in mV and mm, and the slope; return the height of the last line."""
    if not rows:
        return top_mm
    y = top_mm - ROW_MM
    columns = (0.0, 14.0, 38.0, 62.0, 88.0)
    heads = ("ST", "J mV (mm)", "J+60 mV (mm)", "J+80 mV (mm)", "slope mV/s")
    for x, words in zip(columns, heads, strict=True):
        sheet.text(x_mm + x, y, words, size=6.5, bold=True)
    for lead, j, j60, j80, slope in rows:
        y -= ROW_MM
        values = (lead, _st(j), _st(j60), _st(j80), signed(slope, 2))
        for x, word in zip(columns, values, strict=True):
            sheet.text(x_mm + x, y, word, size=6.5)
    y -= ROW_MM
    sheet.text(x_mm, y, "1 mm is 0.1 mV here, whatever the gain. Levels come from the unfiltered signal.", size=5.8)
    return y


def draw_lines(
    sheet: Sheet,
    x_mm: float,
    top_mm: float,
    title: str,
    lines: Sequence[str],
    *,
    width_chars: int,
    lowest_mm: float,
) -> float:
    """Write lines of text, wrapped; where the sheet ends, the last line says how many did not fit."""
    if not lines:
        return top_mm
    y = top_mm
    sheet.text(x_mm, y, title, size=7.5, bold=True)
    wrapped = [part for line in lines for part in textwrap.wrap(line, width_chars, subsequent_indent="  ")]
    room = max(1, int((y - lowest_mm) / 3.4))
    if len(wrapped) > room:
        left_out = len(wrapped) - room + 1
        wrapped = [*wrapped[: room - 1], f"({left_out} more lines in the JSON export)"]
    for line in wrapped:
        y -= 3.4
        sheet.text(x_mm, y, line, size=6.2)
    return y


def _st(level_mv: float | None) -> str:
    if level_mv is None or not math.isfinite(level_mv):
        return NOTHING
    return f"{signed(level_mv)} ({signed(level_mv * MM_PER_MV_TABLE, 1)})"


PNG_DPI = 200
MM_PER_INCH = 25.4
PAPER_LEFT_MM, PAPER_BOTTOM_MM, PAPER_ROOM_MM = 6.0, 13.0, 190.0  # room for a grid between headline and footer

ReportKind = Literal["pdf", "svg", "png"]
StRow = tuple[str, float | None, float | None, float | None, float | None]


@dataclass(frozen=True, eq=False)
class ReportText:
    """The words and numbers of a report, computed elsewhere.

    Attributes
    ----------
    ledger : sequence of (lead, wave, logit)
        Cells of the class shown; a row with an empty lead is a line of its own (the baseline term).
    st_rows : sequence of (lead, j_mv, j60_mv, j80_mv, slope_mv_per_s)
        None or NaN where it could not be measured.
    findings, criteria, notes : sequence of str
        Lines as shown on the page; of criteria those that are on the ECG.
    taken_out : ndarray of shape (12, n_waves), optional
        What taking out each cell does to the logit; NaN where there was nothing to take out.
    margins : ndarray of shape (12, n_waves), optional
        How far that may lie from what is booked, in 90 % of cells like it; NaN where not known.
    recording_hash : str or None
        Printed in place of the recording's digest: a salted hash for uploads.
    """

    ledger: Sequence[tuple[str, str, float]] = ()
    st_rows: Sequence[StRow] = ()
    findings: Sequence[str] = ()
    criteria: Sequence[str] = ()
    notes: Sequence[str] = ()
    taken_out: NDArray[np.float64] | None = None
    margins: NDArray[np.float64] | None = None
    recording_hash: str | None = None


def report_bytes(
    kind: ReportKind,
    recording: Recording,
    explanation: Explanation | None = None,
    evidence: Evidence | None = None,
    *,
    view: View | None = None,
    waves: Waves | None = None,
    st: StMarks | None = None,
    text: ReportText | None = None,
) -> bytes:
    """Return a report as the bytes of a PDF (one sheet a page), SVG or PNG (sheets below one another).

    Parameters
    ----------
    kind : {"pdf", "svg", "png"}
    recording : Recording
    explanation : Explanation, optional
        Of these samples.
    evidence : Evidence, optional
        For the class, or the difference of two, that is drawn.
    view : View, optional
        As on the screen, so that the report shows the same picture; paper is always light.
    waves, st
        As for `ecgimn.draw.screen.ecg.ecg_figure`.
    text : ReportText, optional

    Raises
    ------
    ValueError
        Another format, or the view needs waves that are not given.
    """
    if kind not in get_args(ReportKind):
        choices = ", ".join(repr(choice) for choice in get_args(ReportKind))
        raise ValueError(f"Invalid value for the 'kind' parameter: {kind!r}. Allowed values are {choices}.")
    view, st, text = replace(view or View(), dark=False), st or StMarks(), text or ReportText()
    drawn = evidence_map(evidence, view) if evidence is not None and view.overlay else None
    view = view.with_marks_for(evidence=drawn is not None)
    n_ecg_pages = view.paper(recording.duration_s).n_pages
    n_pages = n_ecg_pages + 1

    def draw(sheet: Sheet, page: int) -> None:
        if page < n_ecg_pages:
            _ecg_page(sheet, recording, evidence, replace(view, page=page), drawn, waves, st)
        else:
            _numbers_page(sheet, recording, explanation, evidence, text)
        _imprint(sheet, recording, explanation, text, f"sheet {page + 1} of {n_pages}")

    buffer = io.BytesIO()
    with matplotlib.rc_context(
        {"svg.hashsalt": "ecgimn", "path.simplify": False, "pdf.compression": 6, "font.family": "DejaVu Sans"}
    ):
        if kind == "pdf":
            with PdfPages(buffer, metadata={"CreationDate": None, "Title": "ECG with evidence"}) as pdf:
                for page in range(n_pages):
                    figure = _blank(1)
                    draw(Sheet(figure, 0.0, 1), page)
                    pdf.savefig(figure)
        else:
            figure = _blank(n_pages)
            for page in range(n_pages):
                draw(Sheet(figure, (n_pages - 1 - page) * A4_MM[1], n_pages), page)
            metadata = {"Date": None, "Title": "ECG with evidence"} if kind == "svg" else {"Software": None}
            figure.savefig(buffer, format=kind, dpi=PNG_DPI, metadata=metadata)
    return buffer.getvalue()


def _blank(n_sheets: int) -> Figure:
    return Figure(figsize=(A4_MM[0] / MM_PER_INCH, n_sheets * A4_MM[1] / MM_PER_INCH), facecolor="white")


def _ecg_page(
    sheet: Sheet,
    recording: Recording,
    evidence: Evidence | None,
    view: View,
    drawn: EvidenceMap | None,
    waves: Waves | None,
    st: StMarks,
) -> None:
    layout, beyond = view.paper_for(recording, PAPER_ROOM_MM, PAPER_ROOM_MM)
    corner = (PAPER_LEFT_MM, PAPER_BOTTOM_MM + (PAPER_ROOM_MM - layout.height_mm) / 2)
    draw_paper(sheet, corner, layout, recording, view, drawn, waves, st)
    sheet.text(PAPER_LEFT_MM, A4_MM[1] - 4.6, _headline(evidence), size=8.5, bold=True)
    parts = list(
        footer_parts(layout, recording.fs, filter_name=view.filter_name, reference=st.reference if st.measured else "")
    )
    if drawn is not None:
        parts.append(f"shown: {100 * drawn.shown_share(layout):.0f} % of the evidence")
        draw_colour_bar(sheet, PAPER_LEFT_MM + layout.width_mm + 4.0, 120.0, drawn, view)
    if beyond:
        parts.append(f"the trace leaves the grid in {', '.join(beyond)}")
    if st.beats_key:
        parts.append(st.beats_key)
    words = " · ".join(parts)
    sheet.text(PAPER_LEFT_MM, 9.4, words, size=6.2 if len(words) < 200 else 5.2)


def _headline(evidence: Evidence | None) -> str:
    if evidence is None:
        return "12-lead ECG"
    if evidence.probability is None:
        return f"Evidence for {evidence.name} as labelled in PTB-XL · difference of the logits {evidence.logit:+.2f}"
    return (
        f"Evidence for the label {evidence.name} as used in PTB-XL · "
        f"logit {evidence.logit:+.2f} · probability {evidence.probability:.2f}"
        + (f" · {evidence.zone}" if evidence.zone else "")
    )


def _numbers_page(
    sheet: Sheet,
    recording: Recording,
    explanation: Explanation | None,
    evidence: Evidence | None,
    text: ReportText,
) -> None:
    top = A4_MM[1] - 12.0
    sheet.text(12.0, top + 4.0, "Numbers", size=11, bold=True)
    low = top
    if explanation is not None:
        low = draw_classes(sheet, 12.0, top, explanation)
        scope = None if evidence is None else evidence.reading.scope.of_model(explanation.classes)
        if scope is not None and not scope.within:
            low -= ROW_MM
            sheet.text(12.0, low, f"Outside what the model was taught: {', '.join(scope.names)}", size=7, bold=True)
    if evidence is not None:
        draw_ledger(sheet, 12.0, low - 6.0, text.ledger, evidence, text.taken_out, text.margins)
    st_low = draw_st_table(sheet, 178.0, top, text.st_rows)
    lines = [f"• {line}" for line in text.findings]
    if text.criteria:
        lines.append(f"• Textbook criteria on this ECG: {'; '.join(text.criteria)}.")
    age = "" if recording.age is None else "90+ years" if recording.age >= 90 else f"{recording.age} years"
    if age or recording.sex:
        lines.append(f"• Given: {', '.join(word for word in (age, recording.sex) if word)}")
    lines += [f"Note: {line}" for line in text.notes]
    draw_lines(sheet, 178.0, st_low - 6.0, "Findings and notes", lines, width_chars=68, lowest_mm=PAPER_BOTTOM_MM + 6)


def _imprint(sheet: Sheet, recording: Recording, explanation: Explanation | None, text: ReportText, place: str) -> None:
    """Print the intended use and what made the sheet, on every sheet."""
    made = [f"ECG-IMN Reader {ecgimn.__version__}", f"recording {text.recording_hash or recording.digest}"]
    if explanation is not None:
        made.append(f"model {explanation.model_name} {explanation.model_sha256}")
    sheet.text(PAPER_LEFT_MM, 6.2, INTENDED_USE, size=6.2, bold=True)
    sheet.text(PAPER_LEFT_MM, 3.2, " · ".join([*made, place]), size=5.0)
