"""What a reader takes away from one case: report, picture, JSON, ledger as CSV. Never the name of a file."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Sequence
from typing import Literal, get_args

from ecgimn.draw.case_report import case_report_bytes
from ecgimn.draw.view import View
from ecgimn.explain.as_json import explanation_json
from ecgimn.explain.explanation import Explanation
from ecgimn.explain.ledger import Ledger
from ecgimn.intended_use import INTENDED_USE
from ecgimn.recording import Recording
from ecgimn.signal.reading import SignalReading

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
