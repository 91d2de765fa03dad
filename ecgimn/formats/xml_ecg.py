"""GE MUSE, Philips Sierra and HL7 aECG: XML that defines no entities, is not deep and is told apart by its root."""

from __future__ import annotations

import re
from typing import Any
from xml.parsers import expat

from ecgimn.errors import NotAnEcgError, RecordingFormatError
from ecgimn.formats.ecgdatakit import read_with_ecgdatakit
from ecgimn.formats.limits import too_large
from ecgimn.formats.table import ReadingHints
from ecgimn.formats.traces import Traces

_MAX_BYTES = 8_000_000  # 10 s of 12 leads have up to 1 MB as aECG
_MAX_DEPTH, _MAX_ELEMENTS = 64, 200_000
_DECLARATION = re.compile(r"^\ufeff?\s*<\?xml[^>]*\?>")

#: Local name of the root element, ecgdatakit's parser, and the name the reader knows.
_ROOTS = {
    "restingecg": ("GEMuseXMLParser", "GE MUSE XML"),
    "restingecgdata": ("SierraXMLParser", "Philips XML"),
    "annotatedecg": ("HL7aECGParser", "HL7 aECG"),
}
_OTHER_ROOTS = {"html": "a web page (html)", "svg": "an image (svg)"}  # named to say what the file is


class _RefusedError(Exception):
    """Raised inside expat to stop reading."""


def read_xml(data: bytes, hints: ReadingHints) -> Traces:
    """Read the bytes of an XML export.

    Raises
    ------
    RecordingFormatError
        The XML is malformed, defines entities, is too deep or large, or is no known ECG export.
    MissingFactsError
        The signals are not named as leads, and `hints` do not name them.
    LeadError, SignalError
        A standard lead is missing, or one has no voltage unit.
    """
    if len(data) > _MAX_BYTES:
        raise too_large("The XML file", len(data), _MAX_BYTES)
    try:
        root = _checked_root(data)
    except (expat.ExpatError, LookupError, ValueError):  # the last two: an encoding that does not exist or fit
        data = _as_utf8(data)
        try:
            root = _checked_root(data)
        except expat.ExpatError as exc:
            raise RecordingFormatError(
                "The XML file is cut short or malformed. A complete export is needed. Export the ECG again."
            ) from exc
    name = root.rsplit(":", 1)[-1].lower()
    if name not in _ROOTS:
        raise NotAnEcgError(
            f"The XML file is {_OTHER_ROOTS.get(name, 'none of the ECG exports that are read')}. "
            "GE MUSE, Philips Sierra or HL7 aECG is needed. "
            "Export the ECG in one of these, or as DICOM."
        )
    parser, format_name = _ROOTS[name]
    return read_with_ecgdatakit(data, parser, format_name, hints, exact_fs=_exact_fs)


def _checked_root(data: bytes) -> str:
    """Walk the whole document without building it; return the root's name."""
    parser = expat.ParserCreate()
    depth, n_elements, root = 0, 0, ""

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, n_elements, root
        root = root or name
        depth += 1
        n_elements += 1
        if depth > _MAX_DEPTH or n_elements > _MAX_ELEMENTS:
            raise _RefusedError(f"is nested {depth} deep in {n_elements:,} elements")

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1

    def entity(*declaration: object) -> int:
        raise _RefusedError("defines entities")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.EntityDeclHandler = entity
    parser.ExternalEntityRefHandler = entity
    try:
        parser.Parse(data, True)
    except _RefusedError as exc:
        raise RecordingFormatError(
            f"The XML file {exc}, which no ECG export does. A plain export is needed. Export the ECG again."
        ) from exc
    return root


def _as_utf8(data: bytes) -> bytes:
    """Return a document in its wrongly declared or undeclared encoding as UTF-8; Latin-1 reads every byte."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return _DECLARATION.sub("", text, count=1).encode("utf-8")


def _exact_fs(record: Any) -> float | None:
    """Return an aECG's rate before rounding."""
    rate = record.raw_metadata.get("rhythm_time", {}).get("sampling_rate_exact")
    if rate is None or abs(rate - round(rate)) < 1e-6 * rate:  # 0.002 s as float gives 500.0 exactly or nearly
        return None
    return float(rate)
