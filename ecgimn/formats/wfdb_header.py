"""A guard for WFDB headers: reads them with a strict grammar of its own before wfdb may.

wfdb 4.3 accepts a sampling frequency of 0, replaces a missing gain by 200, follows links and reads any file the header
names. This guard refuses what it does not fully understand. The grammar, after
https://physionet.org/physiotools/wag/header-5.htm:

    record line   NAME N_SIGNALS FS[/COUNTER[(BASE)]] N_SAMPLES [TIME [DATE]]     one segment only
    signal line   FILE FORMAT GAIN[(BASELINE)][/UNIT] ADC_BITS ADC_ZERO FIRST CHECKSUM BLOCK LEAD
    comment       # anything                                                      counted, then dropped
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cached_property

from ecgimn.errors import LeadError, RecordingFormatError, SignalError
from ecgimn.formats.limits import MAX_HEADER_BYTES, MAX_SIGNALS, check_length, shown, too_large
from ecgimn.leads import canonical_lead_name
from ecgimn.recording import MAX_FS, MIN_DURATION_S, MIN_FS

_NUMBER = r"\d{1,12}(?:\.\d{0,17})?"
_RECORD_NAME = re.compile(r"[-\w]{1,64}", re.ASCII)
_FILE_NAME = re.compile(r"[-\w][-\w.]{0,99}", re.ASCII)
_COUNT = re.compile(r"\d{1,12}", re.ASCII)
_FS = re.compile(rf"({_NUMBER})(?:/\S+)?", re.ASCII)
_INTEGER = re.compile(r"[-+]?\d{1,10}", re.ASCII)
_GAIN = re.compile(rf"({_NUMBER}(?:[eE][-+]?\d{{1,3}})?)(?:\(([-+]?\d{{1,10}})\))?(?:/(\S{{1,20}}))?", re.ASCII)

#: Bits and lowest value (which marks a gap) of the storage formats that are read.
FORMATS: dict[str, tuple[int, int]] = {
    "16": (16, -(2**15)),
    "61": (16, -(2**15)),
    "160": (16, -(2**15)),
    "212": (12, -(2**11)),
    "80": (8, -(2**7)),
    "24": (24, -(2**23)),
    "32": (32, -(2**31)),
}


@dataclass(frozen=True)
class WfdbSignal:
    """One signal line. `gain` is in steps per `unit`; `unit` is None where the header leaves it out."""

    file_name: str
    storage: str
    gain: float
    baseline: int
    unit: str | None
    first_value: int
    checksum: int
    name: str

    @property
    def lead(self) -> str | None:
        """The standard lead's name, or None for an extra signal."""
        return canonical_lead_name(self.name)


@dataclass(frozen=True)
class WfdbHeader:
    """A header that passed: one segment, one rate, one signal file for all standard leads."""

    record_name: str
    fs: float
    n_samples: int
    signals: tuple[WfdbSignal, ...]
    n_comments: int
    has_date: bool

    @cached_property
    def data_file(self) -> str:
        """Name of the one file that holds the standard leads."""
        return next(signal.file_name for signal in self.signals if signal.lead is not None)

    @cached_property
    def stored(self) -> tuple[WfdbSignal, ...]:
        """The signals in `data_file`, extra ones included, in the order they are interleaved."""
        return tuple(signal for signal in self.signals if signal.file_name == self.data_file)

    @property
    def n_data_bytes(self) -> int:
        """Size that `data_file` must have."""
        bits, _ = FORMATS[self.stored[0].storage]
        return -(-len(self.stored) * self.n_samples * bits // 8)

    def rewritten(self, record_name: str) -> str:
        """Return a header with nothing but what was understood, for wfdb to read under a name of our own."""
        lines = [f"{record_name} {len(self.stored)} {self.fs:g} {self.n_samples}"]
        lines += [
            f"{record_name}.dat {s.storage} 1({s.baseline})/mV 0 0 {s.first_value} {s.checksum} 0 s{row}"
            for row, s in enumerate(self.stored)
        ]
        return "\n".join(lines) + "\n"


def parse_header(data: bytes) -> WfdbHeader:
    """Read a header's bytes.

    Raises
    ------
    RecordingFormatError
        The bytes are no WFDB header of a single-segment record with one .dat file, or a field is missing or impossible.
    LeadError
        A signal has no name, or no standard lead is there.
    SignalError
        The sampling frequency or the duration is out of range.
    """
    if len(data) > MAX_HEADER_BYTES:
        raise too_large("The WFDB header", len(data), MAX_HEADER_BYTES)
    lines, n_comments = _content_lines(data)
    if not lines:
        raise RecordingFormatError("The WFDB header holds no record line. One is needed. Export the record again.")
    record_name, n_signals, fs, n_samples, has_date = _record_line(lines[0])
    if len(lines) - 1 != n_signals:
        raise RecordingFormatError(
            f"The WFDB header announces {n_signals} signals and describes {len(lines) - 1}. "
            "One line per signal is needed. Export the record again."
        )
    signals = tuple(_signal_line(line, number) for number, line in enumerate(lines[1:], start=1))
    header = WfdbHeader(record_name, fs, n_samples, signals, n_comments, has_date)
    _check_files(header)
    return header


def _content_lines(data: bytes) -> tuple[list[str], int]:
    """Return the lines that are neither blank nor comments, and the number of comments."""
    content, n_comments = [], 0
    for raw in data.replace(b"\r\n", b"\n").split(b"\n"):
        line = raw.strip()
        if line.startswith(b"#"):
            n_comments += 1
        elif line:
            content.append(line)
        if len(content) > MAX_SIGNALS + 200:  # far past what is read, close enough for the message
            break
    try:
        text = [line.decode("utf-8") for line in content]
    except UnicodeDecodeError as exc:
        raise RecordingFormatError(
            "The WFDB header holds bytes that are no UTF-8 text. Plain text is needed. Export the record again."
        ) from exc
    if not all(line.replace("\t", " ").isprintable() for line in text):
        raise RecordingFormatError(
            "The WFDB header holds control characters. A plain text header is needed. Export the record again."
        )
    return text, n_comments


def _record_line(line: str) -> tuple[str, int, float, int, bool]:
    """Return name, number of signals, fs, number of samples, and whether a time or date was dropped."""
    fields = line.split()
    name = fields[0]
    if "/" in name and _RECORD_NAME.fullmatch(name.split("/")[0]):
        raise RecordingFormatError(
            f"The WFDB record {shown(name)} is made of segments. A record of one segment is needed. "
            "Export the strip as a single record."
        )
    if not _RECORD_NAME.fullmatch(name):
        raise RecordingFormatError(
            f"The WFDB header begins with {shown(name)}. A record name of letters, digits, - and _ is needed. "
            "Choose the .hea file of a WFDB record."
        )
    if len(fields) < 2 or not _COUNT.fullmatch(fields[1]):
        raise RecordingFormatError(
            f"The WFDB header gives {shown(fields[1] if len(fields) > 1 else 'nothing')} as the number of signals. "
            f"1 to {MAX_SIGNALS} is needed. Export the record again."
        )
    n_signals = int(fields[1])
    if not 1 <= n_signals <= MAX_SIGNALS:
        raise RecordingFormatError(
            f"The WFDB header announces {n_signals:,} signals. 1 to {MAX_SIGNALS} are read. "
            "Export the 12 standard leads only."
        )
    fs_match = _FS.fullmatch(fields[2]) if len(fields) > 2 else None
    if fs_match is None:
        raise RecordingFormatError(
            f"The WFDB header gives {shown(fields[2] if len(fields) > 2 else 'nothing')} as sampling frequency. "
            f"A number from {MIN_FS:g} to {MAX_FS:g} Hz is needed. Correct the header or export the record again."
        )
    fs = float(fs_match[1])
    if not MIN_FS <= fs <= MAX_FS:
        raise SignalError(
            f"The WFDB header gives a sampling frequency of {fs:g} Hz. {MIN_FS:g} to {MAX_FS:g} Hz is needed. "
            "Export the recording at its original rate."
        )
    if len(fields) < 4 or not _COUNT.fullmatch(fields[3]):
        raise RecordingFormatError(
            f"The WFDB header gives {shown(fields[3] if len(fields) > 3 else 'nothing')} as the number of samples. "
            "A whole number is needed. Export the record again."
        )
    n_samples = int(fields[3])
    check_length(fs, n_samples)
    if n_samples < MIN_DURATION_S * fs:
        raise SignalError(
            f"The recording lasts {n_samples / fs:.1f} s. At least {MIN_DURATION_S:g} s is needed. "
            "Export a longer strip."
        )
    return name, n_signals, fs, n_samples, len(fields) > 4


def _signal_line(line: str, number: int) -> WfdbSignal:
    """Return one signal line's fields, refusing whatever wfdb would replace or ignore."""
    fields = line.split(None, 8)
    where = f"Signal {number} of the WFDB header"
    if len(fields) < 9:
        if len(fields) == 8 and all(_INTEGER.fullmatch(field) for field in fields[3:]):
            raise LeadError(
                f"{where} has no lead name. Every signal must be named. Export the record with its lead names."
            )
        raise RecordingFormatError(
            f"{where} has {len(fields)} of 9 fields. File, format, gain, ADC bits and zero, first value, checksum, "
            "block size and lead name are needed. Export the record again."
        )
    file_name, storage, gain_text = fields[:3]
    if not _FILE_NAME.fullmatch(file_name) or ".." in file_name:
        raise RecordingFormatError(
            f"{where} names the file {shown(file_name)}. A plain file name is needed, without folders or addresses. "
            "Put header and data file side by side and correct the name."
        )
    if storage not in FORMATS:
        raise RecordingFormatError(
            f"{where} has the storage format {shown(storage)}. One of {', '.join(FORMATS)} is needed, without offset, "
            "skew or samples per frame. Export the record in format 16."
        )
    first, checksum, name = fields[5], fields[6], fields[8].strip()
    integers = fields[3:8]
    bad = [field for field in integers if not _INTEGER.fullmatch(field)]
    if bad:
        raise RecordingFormatError(
            f"{where} has {shown(bad[0])} where a whole number is needed, such as a first value or checksum. "
            "Export the record again."
        )
    gain, baseline, unit = _gain(gain_text, int(fields[4]), where, needed=canonical_lead_name(name) is not None)
    return WfdbSignal(file_name, storage, gain, baseline, unit, int(first), int(checksum), name)


def _gain(text: str, adc_zero: int, where: str, *, needed: bool) -> tuple[float, int, str | None]:
    """Return gain, baseline and unit; an extra signal's gain is not needed and not checked."""
    match = _GAIN.fullmatch(text)
    gain = float(match[1]) if match else math.nan
    if match is None or not (math.isfinite(gain) and gain > 0):
        if not needed:
            return 1.0, 0, None
        raise RecordingFormatError(
            f"{where} has the gain {shown(text)}. A positive number of steps per millivolt is needed, such as "
            "1000(0)/mV. Correct the header or export the record again."
        )
    return gain, adc_zero if match[2] is None else int(match[2]), match[3]


def _check_files(header: WfdbHeader) -> None:
    """Refuse standard leads spread over several files, or held by anything but a .dat file."""
    files = {signal.file_name for signal in header.signals if signal.lead is not None}
    if not files:
        raise LeadError(
            f"None of the {len(header.signals)} signals carries the name of a standard lead. I, II, V1 to V6 at least "
            "are needed. Name the leads in the header."
        )
    if len(files) > 1 or not header.data_file.endswith(".dat"):
        names = ", ".join(shown(name) for name in sorted(files)[:3])
        raise RecordingFormatError(
            f"The standard leads lie in {names}. One .dat file with all of them is needed. "
            "Export the record with a single .dat file."
        )
    if len({signal.storage for signal in header.stored}) > 1:
        raise RecordingFormatError(
            "The signals of one .dat file have different storage formats. One is needed. Export the record again."
        )
