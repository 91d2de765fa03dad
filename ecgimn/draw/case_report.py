"""The report of one case: what was read, said and summed elsewhere, laid out for `ecgimn.draw.report`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ecgimn.draw.marks import StMarks
from ecgimn.draw.view import View
from ecgimn.explain.explanation import Explanation
from ecgimn.explain.ledger import Ledger
from ecgimn.explain.narrative import describe_evidence
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
    from ecgimn.draw.report import ReportText, report_bytes  # matplotlib: half a second that no screen needs

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
