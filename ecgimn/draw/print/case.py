"""What a reader takes away from one case: report, picture, JSON, ledger as CSV. Never the name of a file."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from ecgimn.about import INTENDED_USE
from ecgimn.draw.marks import StMarks
from ecgimn.draw.view import View
from ecgimn.explain.as_json import explanation_json
from ecgimn.explain.explanation import Explanation
from ecgimn.explain.ledger import Ledger
from ecgimn.explain.sentences import describe_evidence
from ecgimn.recording import Recording
from ecgimn.signal.reading import SignalReading


def st_marks(reading: SignalReading) -> StMarks:
    """Return the measured ST levels of a recording as marks for a figure."""
    if reading.measurements is None:
        return StMarks()
    return StMarks(
        level_mv=reading.j60_mv, outlined=reading.st_elevation_leads, reference=reading.measurements.reference
    )


def case_report_bytes(
    kind: str,
    reading: SignalReading,
    explanation: Explanation,
    ledger: Ledger,
    *,
    class_name: str,
    against: str | None = None,
    view: View | None = None,
    recording_hash: str | None = None,
) -> bytes:
    """Return the report of one case for one class, or for the difference of two.

    Parameters
    ----------
    kind : {"pdf", "svg", "png"}
    reading, explanation, ledger
        Of the same recording.
    class_name : str
    against : str, optional
        Class taken away from it; the report then is of the difference of the two.
    view : View, optional
        Layout and scales; class and quantity are set here so that picture and ledger show the same sums.
    recording_hash : str, optional
        Printed in place of the digest: a salted hash for uploads.
    """
    from ecgimn.draw.print.report import ReportText, report_bytes  # matplotlib: half a second that no screen needs

    k = explanation.index(class_name)
    view = replace(view or View(), class_index=k if against is None else (k, explanation.index(against)), dark=False)
    if against is not None:
        ledger = ledger.contrast(class_name, against)
    name = class_name if against is None else ledger.classes[0]
    rows = [(row.lead, row.wave, row.logit) for row in ledger.rows() if row.class_name == name]
    text = ReportText(
        ledger=[*rows, ("", "baseline", float(ledger.baseline[ledger.classes.index(name)]))],
        st_rows=[
            (st.lead, st.j_mv, st.j60_mv, st.j80_mv, st.slope_mv_per_s)
            for st in (reading.measurements.st if reading.measurements else ())
        ],
        findings=[
            f"{item.text} {item.reason}".strip() for item in (reading.findings.items if reading.findings else ())
        ],
        notes=[*describe_evidence(ledger, name, reading), *reading.quality.warnings, *reading.recording.notes],
        recording_hash=recording_hash,
    )
    return report_bytes(
        kind,  # type: ignore[arg-type]  # checked there
        reading.recording,
        explanation,
        view=replace(view, quantity="isoelectric") if view.quantity == "contribution" else view,
        waves=reading.waves,
        st=st_marks(reading),
        text=text,
        isoelectric_mv=reading.levels,
    )


def write_case_report(
    path: Path, reading: SignalReading, explanation: Explanation, ledger: Ledger, *, class_name: str
) -> None:
    """Write the report of one case; the suffix of `path` chooses the format."""
    path.write_bytes(
        case_report_bytes(path.suffix.lower().lstrip("."), reading, explanation, ledger, class_name=class_name)
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
    reading: SignalReading,
    explanation: Explanation,
    ledger: Ledger,
    *,
    class_name: str,
    against: str | None = None,
    view: View,
    salt: bytes = b"",
) -> bytes:
    """Return one export of a case.

    Parameters
    ----------
    kind : {"pdf", "png", "svg", "json", "csv"}
    reading, explanation, ledger
        Of the same recording.
    class_name : str
        Class shown in pictures; JSON and CSV hold all.
    against : str, optional
        Class taken away from it: pictures show the difference of the two, CSV has it besides.
    view : View
        Stored in the JSON, so that the picture can be made again.
    salt : bytes
        For uploads; empty for public recordings.
    """
    identity = recording_hash(reading.recording, salt)
    if kind == "json":
        content = explanation_json(reading, explanation, ledger)
        content["recording"]["digest"] = identity
        content["shown"] = {"class": class_name, "against": against}
        content["view"] = view.as_dict()
        return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()
    if kind == "csv":
        ledgers = [ledger] if against is None else [ledger, ledger.contrast(class_name, against)]
        return _ledger_csv(explanation, ledgers, identity).encode()
    return case_report_bytes(
        kind, reading, explanation, ledger, class_name=class_name, against=against, view=view, recording_hash=identity
    )


def _ledger_csv(explanation: Explanation, ledgers: Sequence[Ledger], identity: str) -> str:
    """Return the ledger in long form; bias, baseline and logit are rows of their own."""
    text = io.StringIO()
    text.write(
        f"# {INTENDED_USE}\n# model {explanation.model_name} sha256 {explanation.model_sha256}\n"
        f"# recording {identity}\n"
    )
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("class", "lead", "wave", "logit"))
    for ledger in ledgers:
        rows.writerows((row.class_name, row.lead, row.wave, repr(row.logit)) for row in ledger.rows())
        for k, name in enumerate(ledger.classes):
            for line, values in (("baseline", ledger.baseline), ("bias", ledger.bias), ("logit", ledger.logit)):
                rows.writerow((name, "", line, repr(float(values[k]))))
    return text.getvalue()
