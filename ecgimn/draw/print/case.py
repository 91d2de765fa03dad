"""What a reader takes away from one case: page, slide, report, JSON, ledger as CSV. Never the name of a file."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ecgimn import __version__
from ecgimn.about import INTENDED_USE
from ecgimn.draw.evidence import evidence_map
from ecgimn.draw.marks import st_marks
from ecgimn.draw.painted import GreyBeat, difference_beat, mean_beat_evidence
from ecgimn.draw.view import View
from ecgimn.draw.words.case import header_words, interval_values
from ecgimn.explain.as_json import explanation_json
from ecgimn.explain.case import Case, Evidence
from ecgimn.explain.difference import CaseDifference, change_line, difference_sentences
from ecgimn.explain.measured import AGREEMENTS, MeasuredLedger, agreements, margins, reasons_of
from ecgimn.explain.sentences import answer, describe_evidence, outcome_text, reasons_sentences, signed
from ecgimn.leads import STANDARD_LEADS
from ecgimn.recording import Recording
from ecgimn.signal.findings import Finding
from ecgimn.signal.reading import SignalReading
from ecgimn.signal.waves.find import WAVE_NAMES

if TYPE_CHECKING:
    from ecgimn.draw.print.page import PageText
    from ecgimn.draw.print.report import ReportText


def case_report_bytes(
    kind: str,
    case: Case,
    *,
    class_name: str,
    against: str | None = None,
    view: View | None = None,
    recording_hash: str | None = None,
    measured: MeasuredLedger | None = None,
    note: str = "",
) -> bytes:
    """Return the report of one case for one class, or for the difference of two.

    Parameters
    ----------
    kind : {"pdf", "svg", "png"}
    case : Case
    class_name : str
    against : str, optional
        Class subtracted from it; the report then is of the difference of the two.
    view : View, optional
        Layout and scales; paper is always light.
    recording_hash : str, optional
        Printed in place of the digest: a salted hash for uploads.
    measured : MeasuredLedger, optional
        What taking out each cell does, printed below what is booked.
    note : str
        The reader's own.
    """
    from ecgimn.draw.print.page import note_words
    from ecgimn.draw.print.report import report_bytes  # matplotlib: half a second that no screen needs

    reading, evidence = case.reading, case.of(class_name, against)
    signal = _measured(reading)
    taken_out = None if measured is None else measured.of(class_name, against)
    reasons = reasons_sentences(reasons_of(evidence, taken_out))
    text = replace(
        signal,
        ledger=[*_cells(evidence), ("", "baseline", evidence.baseline)],
        taken_out=taken_out,
        margins=None if measured is None else margins(case.card, evidence.name, evidence.cells),
        findings=[*([note_words(note)] if note else []), *signal.findings],
        notes=[*_sentences(case, evidence, measured), *reasons, *signal.notes],
        recording_hash=recording_hash,
    )
    return report_bytes(
        kind,  # type: ignore[arg-type]  # checked there
        reading.recording,
        case.explanation,
        evidence,
        view=replace(view or View(), dark=False),
        waves=reading.waves,
        st=st_marks(reading),
        text=text,
    )


def _sentences(case: Case, evidence: Evidence, measured: MeasuredLedger | None) -> tuple[str, ...]:
    """Return the answer in sentences: the reasons that the network confirmed, else what the map books."""
    if measured is None or evidence.is_difference:
        return describe_evidence(evidence)
    return answer(evidence, measured.claims[evidence.name]).sentences


def _measured(reading: SignalReading) -> ReportText:
    """Return what was measured and found, without a word of a model."""
    from ecgimn.draw.print.report import ReportText

    return ReportText(
        st_rows=[
            (st.lead, st.j_mv, st.j60_mv, st.j80_mv, st.slope_mv_per_s)
            for st in (reading.measurements.st if reading.measurements else ())
        ],
        findings=[_finding_words(item) for item in (reading.findings.items if reading.findings else ())],
        criteria=[
            f"{item.name}: {item.verdict} ({item.numbers})" if item.numbers else f"{item.name}: {item.verdict}"
            for item in (reading.findings.criteria if reading.findings else ())
            if item.present
        ],
        notes=[*reading.quality.warnings, *reading.recording.notes],
    )


def _finding_words(item: Finding) -> str:
    """Return a finding and its reason as sentences."""
    return f"{item.text.rstrip('.')}. {item.reason}" if item.reason else item.text


def write_measured_report(path: Path, reading: SignalReading) -> None:
    """Write trace, measurements and findings where the model was refused, with the reasons; as `write_case_report`."""
    from ecgimn.draw.print.report import report_bytes

    text = _measured(reading)
    content = report_bytes(
        path.suffix.lower().lstrip("."),  # type: ignore[arg-type]  # checked there
        reading.recording,
        waves=reading.waves,
        st=st_marks(reading),
        text=replace(text, notes=[*reading.quality.refusals, *text.notes]),
    )
    path.write_bytes(content)


CaseSheet = Literal["page", "slide"]


def case_sheet_bytes(
    sheet: CaseSheet,
    kind: Literal["pdf", "svg", "png"],
    evidence: Evidence,
    *,
    text: PageText,
    view: View | None = None,
    confirmed: NDArray[np.bool_] | None = None,
    bounds: NDArray[np.floating] | None = None,
    grey: GreyBeat | None = None,
) -> bytes:
    """Return one page of a case to file, or one slide to show.

    Parameters
    ----------
    sheet : {"page", "slide"}
        A4 landscape with trace, mean beats, criteria and measurements; or 16:9 with mean beats and answer.
    kind : {"pdf", "svg", "png"}
    evidence : Evidence
        For one class, or for the difference of two.
    text : PageText
    view : View, optional
        Speed, gain and marks of the trace.
    confirmed : ndarray of shape (12, n_waves), bool, optional
        Cells that the network confirmed; the others are hatched.
    bounds : ndarray of shape (12, n_waves), optional
        How far taking a cell out may lie from it, printed as "±".
    grey : GreyBeat, optional

    Raises
    ------
    ValueError
        Another format, or a slide of a recording without a mean beat.
    """
    from ecgimn.draw.print.page import case_page_bytes, case_slide_bytes  # matplotlib, as above

    reading = evidence.reading
    beat = mean_beat_evidence(reading, evidence.contribution)
    drawn = evidence_map(evidence, replace(view or View(), style="painted", quantity="contribution"))
    if confirmed is not None and reading.waves is not None:
        hatched = ~np.take_along_axis(confirmed, reading.waves.labels.astype(np.intp), axis=1)
        drawn = replace(drawn, uncertain=hatched if drawn.uncertain is None else hatched | drawn.uncertain)
    if sheet == "slide":
        if beat is None:
            reason = reading.measurements.beat.reason if reading.measurements else reading.reason
            raise ValueError(f"A slide shows the mean beat, and there is none: {reason} Choose the page instead.")
        return case_slide_bytes(
            kind, beat, text, name=evidence.name, limit=drawn.limit, confirmed=confirmed, margins=bounds, grey=grey
        )
    return case_page_bytes(
        kind, reading.recording, drawn, beat, text, waves=reading.waves, st=st_marks(reading), view=view,
        confirmed=confirmed, margins=bounds, grey=grey,
    )  # fmt: skip


def case_sheet(
    sheet: CaseSheet,
    kind: Literal["pdf", "svg", "png"],
    case: Case,
    *,
    class_name: str,
    against: str | None = None,
    measured: MeasuredLedger | None = None,
    view: View | None = None,
    salt: bytes = b"",
    link: str = "",
    note: str = "",
    grey: GreyBeat | None = None,
) -> bytes:
    """Return one page of a case to file, or one slide to show, with everything on it put into words here.

    Parameters
    ----------
    sheet : {"page", "slide"}
    kind : {"pdf", "svg", "png"}
    case : Case
    class_name : str
    against : str, optional
        Class subtracted from it.
    measured : MeasuredLedger, optional
        What taking out each cell does: the answer then names the reasons that it confirms, and cells that it does not
        confirm are hatched.
    view : View, optional
        Speed, gain and marks of the trace.
    salt : bytes
        For uploads; empty for public recordings.
    link : str
        Address of this view of a public case.
    note : str
        The reader's own; printed on the page.
    grey : GreyBeat, optional

    Raises
    ------
    ValueError
        Another format, or a slide of a recording without a mean beat.
    """
    from ecgimn.draw.print.page import PageText

    reading, evidence = case.reading, case.of(class_name, against)
    if evidence.is_difference:
        title = f"Evidence for {evidence.name}: {outcome_text(evidence)}"
    else:
        said = answer(evidence, ())
        title = said.text if said.full_name == said.name else f"{said.text} · {said.full_name}"
    confirmed = bounds = None
    if measured is not None:
        bounds = margins(case.card, evidence.name, evidence.cells)
        cells = measured.of(class_name, against)
        confirmed = (agreements(evidence.cells, cells) != AGREEMENTS.index("not confirmed")) | ~np.isfinite(cells)
    levels = [f"{lead} {signed(level)}" for lead, level in reading.j60_mv.items()]
    quality = reading.quality
    text = PageText(
        title=title,
        header=header_words(reading, rhythm=reading.rhythm.statement),
        answer=" ".join(_sentences(case, evidence, measured)),
        criteria=[
            _finding_words(item) for item in (reading.findings.items if reading.findings else ())
        ],
        measurements=[
            *(f"{value.name} {value.text}" + (f" ({value.note})" if value.note else "")
              for value in interval_values(reading)),
            *([f"ST at J+60 in mV: {', '.join(levels)}"] if levels else []),
            *([f"Measured against the {reading.measurements.reference} level."] if reading.measurements else []),
            *(quality.refusals + quality.warnings or ("Quality good.",)),
            *case.scope.reasons,
        ],
        made_by=f"model {case.card.name} {case.card.sha256[:8]} · recording "
        f"{recording_hash(reading.recording, salt)[:12]}",
        link=link,
        note=note,
    )  # fmt: skip
    return case_sheet_bytes(sheet, kind, evidence, text=text, view=view, confirmed=confirmed, bounds=bounds, grey=grey)


def write_case_report(path: Path, case: Case, *, class_name: str, measured: MeasuredLedger | None = None) -> None:
    """Write the report of one case; the suffix of `path` chooses the format."""
    kind = path.suffix.lower().lstrip(".")
    path.write_bytes(case_report_bytes(kind, case, class_name=class_name, measured=measured))


def difference_bytes(
    kind: Literal["pdf", "svg", "png"], found: CaseDifference, *, class_name: str, since: str = ""
) -> bytes:
    """Return one page of two ECGs of a patient, for one class.

    Parameters
    ----------
    kind : {"pdf", "svg", "png"}
    found : CaseDifference
    class_name : str
    since : str
        Date of the earlier ECG, where it is known.
    """
    from ecgimn.draw.print.page import difference_page_bytes  # matplotlib, as above

    rows = [change_line(row) for row in sorted(found.changes, key=lambda row: -row.ratio) if row.beyond]
    return difference_page_bytes(
        kind,
        difference_beat(found, class_name),
        title=f"What is new since {since or 'the earlier ECG'}: {class_name}",
        sentences=difference_sentences(found, class_name, since or "the earlier ECG"),
        rows=rows,
        made_by=f"model {found.later.card.name} {found.later.card.sha256[:12]} · ECG-IMN Reader {__version__}",
    )


ExportKind = Literal["pdf", "png", "svg", "json", "csv"]
EXPORT_KINDS: tuple[ExportKind, ...] = get_args(ExportKind)


def recording_hash(recording: Recording, salt: bytes) -> str:
    """Return what stands for a recording in an export: its digest, or for an upload a salted hash."""
    if not salt:
        return recording.digest
    return hashlib.sha256(salt + recording.digest.encode()).hexdigest()


def case_export(
    kind: ExportKind,
    case: Case,
    *,
    class_name: str,
    against: str | None = None,
    view: View,
    salt: bytes = b"",
    measured: MeasuredLedger | None = None,
    note: str = "",
) -> bytes:
    """Return one export of a case.

    Parameters
    ----------
    kind : {"pdf", "png", "svg", "json", "csv"}
    case : Case
    class_name : str
        Class shown in pictures; JSON and CSV hold all.
    against : str, optional
        Class subtracted from it: pictures show the difference of the two, CSV has it besides.
    view : View
        Stored in the JSON, so that the picture can be made again.
    salt : bytes
        For uploads; empty for public recordings.
    measured : MeasuredLedger, optional
        What taking out each cell does: in JSON, CSV and report beside what is booked.
    note : str
        The reader's own, for report and JSON.
    """
    identity = recording_hash(case.recording, salt)
    if kind == "json":
        content = explanation_json(case, measured)
        content["recording"]["digest"] = identity
        content["shown"] = {"class": class_name, "against": against}
        content["view"] = view.as_dict()
        if note:
            content["note"] = note
        return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()
    if kind == "csv":
        return _ledger_csv(case, class_name, against, identity, measured).encode()
    return case_report_bytes(
        kind, case, class_name=class_name, against=against, view=view, recording_hash=identity, measured=measured,
        note=note,
    )  # fmt: skip


def _ledger_csv(
    case: Case, class_name: str, against: str | None, identity: str, measured: MeasuredLedger | None
) -> str:
    """Return the ledger in long form; bias, baseline and logit are rows of their own."""
    text, model = io.StringIO(), case.explanation
    text.write(f"# {INTENDED_USE}\n# model {model.model_name} sha256 {model.model_sha256}\n# recording {identity}\n")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("class", "lead", "wave", "logit", *(("taken_out", "margin") if measured is not None else ())))

    def taken_out(name: str, minus: str | None) -> list[tuple[str, ...]]:
        if measured is None:
            return [()] * (12 * len(WAVE_NAMES))
        one = case.of(name, minus)
        columns = measured.of(name, minus), margins(case.card, one.name, one.cells)
        return [
            tuple(repr(value) if np.isfinite(value) else "" for value in pair)
            for pair in zip(*(column.ravel().tolist() for column in columns), strict=True)
        ]

    empty = ("", "") if measured is not None else ()
    each: list[tuple[str, str | None]] = [(name, None) for name in case.classes]
    for listed in (each, [(class_name, against)] if against is not None else []):
        for pair in listed:
            one = case.of(*pair)
            for (lead, wave, logit), found in zip(_cells(one), taken_out(*pair), strict=True):
                rows.writerow((one.name, lead, wave, repr(logit), *found))
        for pair in listed:
            one = case.of(*pair)
            for line, value in (("baseline", one.baseline), ("bias", one.bias), ("logit", one.logit)):
                rows.writerow((one.name, "", line, repr(value), *empty))
    return text.getvalue()


def _cells(evidence: Evidence) -> list[tuple[str, str, float]]:
    """Return lead, wave and contribution of every cell."""
    return [
        (lead, wave, float(evidence.cells[row, column]))
        for row, lead in enumerate(STANDARD_LEADS)
        for column, wave in enumerate(WAVE_NAMES)
    ]
