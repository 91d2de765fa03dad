"""ISHNE Holter files (Badilini 1998, ANE 3:263): read when they hold twelve leads and are no longer than a strip."""

from __future__ import annotations

import struct
from dataclasses import replace

from ecgimn.errors import RecordingFormatError
from ecgimn.formats.ecgdatakit import damaged, read_with_ecgdatakit
from ecgimn.formats.limits import check_length
from ecgimn.formats.table import ReadingHints
from ecgimn.formats.traces import Traces

_FORMAT = "ISHNE"
_FIXED_HEADER_BYTES = 522
_LEAD_FAULT = -32768.0  # the step that marks a lead fault


def read_ishne(data: bytes, hints: ReadingHints) -> Traces:
    """Read the bytes of an ISHNE file.

    Raises
    ------
    RecordingFormatError
        The file is longer than a strip, cut short or damaged.
    MissingFactsError
        The signals are not named as leads, and `hints` do not name them.
    LeadError, SignalError
        A standard lead is missing, or one has no amplitude resolution.
    """
    if len(data) <= _FIXED_HEADER_BYTES:
        raise damaged(_FORMAT)
    (variable_bytes,) = struct.unpack_from("<i", data, 10)
    (n_leads,) = struct.unpack_from("<h", data, 156)
    (fs,) = struct.unpack_from("<h", data, 272)
    n_data_bytes = len(data) - _FIXED_HEADER_BYTES - variable_bytes
    if variable_bytes < 0 or n_data_bytes <= 0 or not 1 <= n_leads <= 12 or fs <= 0:
        raise damaged(_FORMAT)
    if n_data_bytes % (2 * n_leads):
        raise RecordingFormatError(
            f"The ISHNE file has {n_data_bytes:,} bytes of samples, which {n_leads} leads do not fill evenly. "
            "A whole file is needed. Copy or upload it again."
        )
    n_samples = n_data_bytes // (2 * n_leads)
    check_length(fs, n_samples)
    traces = read_with_ecgdatakit(data, "ISHNEHolterParser", _FORMAT, hints, gap_step=_LEAD_FAULT)
    (n_announced,) = struct.unpack_from("<i", data, 14)
    if n_announced == n_samples:
        return traces
    note = f"The file announces {n_announced:,} samples per lead and holds {n_samples:,}: it may be cut short."
    return replace(traces, notes=(*traces.notes, note))
