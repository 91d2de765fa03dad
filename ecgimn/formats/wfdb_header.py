"""A guard for WFDB headers: reads them with a strict grammar of its own before wfdb may.

wfdb 4.3 accepts a sampling frequency of 0, replaces a missing gain by 200, follows links and reads any file the header
names. This guard refuses what it does not fully understand. The grammar, after
https://physionet.org/physiotools/wag/header-5.htm:

    record line   NAME[/N_SEGMENTS] N_SIGNALS FS[/COUNTER[(BASE)]] N_SAMPLES [TIME and DATE in either order]
    signal line   FILE FORMAT[x1][:0][+OFFSET] GAIN[(BASELINE)][/UNIT] ADC_BITS ADC_ZERO FIRST CHECKSUM BLOCK LEAD
    segment line  NAME N_SAMPLES, where the name ~ is a gap
    comment       # anything        age and sex are taken over, the rest is counted and dropped

Names may carry folders and blanks; only their last part is used, so that no name leads out of the header's folder.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cached_property

from ecgimn.errors import LeadError, RecordingFormatError, SignalError
from ecgimn.formats.limits import MAX_HEADER_BYTES, MAX_SIGNALS, check_length, too_large
from ecgimn.formats.table import ReadingHints
from ecgimn.leads import canonical_lead_name
from ecgimn.recording import MAX_FS, MIN_DURATION_S, MIN_FS, Sex

_MAX_SEGMENTS = 200
_NUMBER = r"\d{1,12}(?:\.\d{0,17})?"
_NAME_PART = re.compile(r"[-\w][-\w. ]{0,99}", re.ASCII)
_COUNT = re.compile(r"\d{1,12}", re.ASCII)
_FS = re.compile(rf"({_NUMBER})(?:/\S+)?", re.ASCII)
_INTEGER = re.compile(r"[-+]?\d{1,10}", re.ASCII)
_STORAGE = re.compile(r"(\d{1,3})(?:x1)?(?::0)?(?:\+(\d{1,8}))?", re.ASCII)
_GAIN = re.compile(rf"({_NUMBER}(?:[eE][-+]?\d{{1,3}})?)(?:\(([-+]?\d{{1,10}})\))?(?:/(\S{{1,20}}))?", re.ASCII)
_AGE = re.compile(r"(?<![a-z])age>?[ \t]{0,4}[:=]?[ \t]{0,4}(\d{1,3})(?:\.\d{0,4})?(?![\d.])(?![ \t]{0,4}(?:mo|w|d|h))")
_SEX = re.compile(r"(?<![a-z])(?:sex|gender)>?[ \t]{0,4}[:=]?[ \t]{0,4}(male|female|m|f)\b")
_CODE, _MAX_CODES = re.compile(r"\b\d{6,18}\b", re.ASCII), 1000  # SNOMED CT identifiers have 6 to 18 digits
_STATEMENT = re.compile(r"<?(?:dx|diagnos|reason for admission|additional diagnos)", re.ASCII)

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
    byte_offset: int
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
class Comments:
    """What a header's comments say that is used, and how much of them is not.

    Attributes
    ----------
    age : int or None
        Years.
    sex : {"male", "female"} or None
    n_statements : int
        Lines with a diagnosis; a recording leaves them behind.
    codes : tuple of str
        SNOMED CT codes among them, as the PhysioNet challenges write them ("Dx: 426783006,270492004").
    n_others : int
        Further lines, left behind.
    """

    age: int | None = None
    sex: Sex | None = None
    n_statements: int = 0
    n_others: int = 0
    codes: tuple[str, ...] = ()


@dataclass(frozen=True)
class WfdbHeader:
    """A header that passed: one segment, one rate, the standard leads in one or several signal files."""

    record_name: str
    fs: float
    n_samples: int
    signals: tuple[WfdbSignal, ...]
    comments: Comments
    has_date: bool

    @cached_property
    def data_files(self) -> tuple[str, ...]:
        """Names of the files that hold the standard leads."""
        return tuple(dict.fromkeys(signal.file_name for signal in self.signals if signal.lead is not None))

    def stored_in(self, file_name: str) -> tuple[WfdbSignal, ...]:
        """The signals in a file, extra ones included, in the order they are interleaved."""
        return tuple(signal for signal in self.signals if signal.file_name == file_name)

    def n_bytes_of(self, file_name: str) -> int:
        """Size that a file must have."""
        stored = self.stored_in(file_name)
        bits, _ = FORMATS[stored[0].storage]
        return stored[0].byte_offset - (-len(stored) * self.n_samples * bits // 8)

    @property
    def data_file(self) -> str:
        """Name of the file that holds the first standard lead."""
        return self.data_files[0]

    @cached_property
    def stored(self) -> tuple[WfdbSignal, ...]:
        """The signals in `data_file`."""
        return self.stored_in(self.data_file)

    @property
    def n_data_bytes(self) -> int:
        """Size that `data_file` must have."""
        return self.n_bytes_of(self.data_file)

    def rewritten(self, record_name: str, file_name: str) -> str:
        """Return a header with nothing but what was understood of one file, for wfdb to read under our own name."""
        stored = self.stored_in(file_name)
        lines = [f"{record_name} {len(stored)} {self.fs:g} {self.n_samples}"]
        lines += [
            f"{record_name}.dat {s.storage} 1({s.baseline})/mV 0 0 {s.first_value} {s.checksum} 0 s{row}"
            for row, s in enumerate(stored)
        ]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class WfdbSegments:
    """The header of a record made of segments: per segment its record name (None for a gap) and its samples."""

    record_name: str
    fs: float
    n_samples: int
    segments: tuple[tuple[str | None, int], ...]
    comments: Comments
    has_date: bool


def parse_header(data: bytes, hints: ReadingHints | None = None) -> WfdbHeader:
    """Read a header's bytes.

    Parameters
    ----------
    data : bytes
    hints : ReadingHints, optional
        `fs` and `leads` outrank what the header says.

    Raises
    ------
    RecordingFormatError
        The bytes are no WFDB header of a single-segment record, or a field is missing or impossible.
    LeadError
        A signal has no name, or no standard lead is there.
    SignalError
        The sampling frequency or the duration is out of range.
    """
    header = parse_any_header(data, hints)
    if isinstance(header, WfdbSegments):
        raise RecordingFormatError(
            "The WFDB record is made of segments. A record of one segment is needed here. Name the whole record."
        )
    return header


def parse_any_header(data: bytes, hints: ReadingHints | None = None) -> WfdbHeader | WfdbSegments:
    """Read the bytes of a header of one segment or of several; see `parse_header`."""
    hints = hints or ReadingHints()
    if len(data) > MAX_HEADER_BYTES:
        raise too_large("The WFDB header", len(data), MAX_HEADER_BYTES)
    lines, comments = _content_lines(data)
    if not lines:
        raise RecordingFormatError("The WFDB header holds no record line. One is needed. Export the record again.")
    record_name, n_segments, n_signals, fs, n_samples, has_date = _record_line(lines[0], len(lines) - 1, hints)
    if n_segments is not None:
        return WfdbSegments(record_name, fs, n_samples, _segments(lines[1:], n_segments, n_samples), comments, has_date)
    if len(lines) - 1 != n_signals:
        raise RecordingFormatError(
            f"The WFDB header announces {n_signals} signals and describes {len(lines) - 1}. "
            "One line per signal is needed. Export the record again."
        )
    if hints.leads is not None and len(hints.leads) != n_signals:
        raise LeadError(
            f"{len(hints.leads)} lead names are given for {n_signals} signals. One name per signal is needed, empty "
            "for one to leave out. Name each signal."
        )
    signals = tuple(
        _signal_line(line, number, None if hints.leads is None else hints.leads[number - 1])
        for number, line in enumerate(lines[1:], start=1)
    )
    header = WfdbHeader(record_name, fs, n_samples, signals, comments, has_date)
    _check_files(header)
    return header


@dataclass(frozen=True)
class HeaderSummary:
    """What an index keeps of a header."""

    fs: float
    n_samples: int
    comments: Comments


def summarise_header(data: bytes) -> HeaderSummary:
    """Return rate, length and comments of a header, without a look at its signals; raises as `parse_header` does."""
    lines, comments = _content_lines(data)
    if not lines:
        raise RecordingFormatError("The WFDB header holds no record line. One is needed. Export the record again.")
    _, _, _, fs, n_samples, _ = _record_line(lines[0], len(lines) - 1, ReadingHints())
    return HeaderSummary(fs, n_samples, comments)


def _content_lines(data: bytes) -> tuple[list[str], Comments]:
    """Return the lines that are neither blank nor comments, and what the comments say."""
    content, comments = [], []
    for raw in data.replace(b"\r\n", b"\n").split(b"\n"):
        line = raw.strip()
        if line.startswith(b"#"):
            comments.append(line[1:].decode("latin-1").strip().lower())
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
    return text, _read_comments(comments)


def _read_comments(comments: list[str]) -> Comments:
    """Return age and sex where the comments state them, as the PhysioNet challenges and PTB write them."""
    age: int | None = None
    sex: Sex | None = None
    n_statements = n_others = 0
    codes: dict[str, None] = {}
    for comment in comments:
        said_age, said_sex = _AGE.search(comment), _SEX.search(comment)
        if said_age and int(said_age[1]) <= 150:
            age = int(said_age[1]) if age is None else age
        if said_sex:
            sex = sex or ("male" if said_sex[1].startswith("m") else "female")
        if _STATEMENT.match(comment):
            n_statements += 1
            codes |= dict.fromkeys(_CODE.findall(comment[:_MAX_CODES]))
        elif not (_AGE.match(comment.lstrip("<")) or _SEX.match(comment.lstrip("<"))):
            n_others += 1
    return Comments(age, sex, n_statements, n_others, tuple(codes))


def _record_line(line: str, n_lines: int, hints: ReadingHints) -> tuple[str, int | None, int, float, int, bool]:
    """Return name, number of segments or None, number of signals, fs, number of samples, and whether a date was there.

    A name may hold blanks: it ends before three fields that are number of signals, rate and samples, and of several
    such places before the one where the number is that of the lines below.
    """
    fields = line.split()
    ends = [
        k for k in range(1, min(len(fields) - 2, 9))
        if _COUNT.fullmatch(fields[k]) and _FS.fullmatch(fields[k + 1]) and _COUNT.fullmatch(fields[k + 2])
    ]  # fmt: skip
    end = next((k for k in ends if int(fields[k]) == n_lines), ends[0] if ends else 1)
    name, n_segments = _record_name(" ".join(fields[:end]))
    fields = fields[end:]
    if not fields or not _COUNT.fullmatch(fields[0]):
        raise RecordingFormatError(
            "The WFDB header gives no whole number as the number of signals. "
            f"1 to {MAX_SIGNALS} is needed. Export the record again."
        )
    n_signals = int(fields[0])
    if not (n_segments is not None and n_signals == 0) and not 1 <= n_signals <= MAX_SIGNALS:
        raise RecordingFormatError(
            f"The WFDB header announces {n_signals:,} signals. 1 to {MAX_SIGNALS} are read. "
            "Export the 12 standard leads only."
        )
    fs_match = _FS.fullmatch(fields[1]) if len(fields) > 1 else None
    if fs_match is None:
        raise RecordingFormatError(
            "The WFDB header gives no number as sampling frequency. "
            f"One from {MIN_FS:g} to {MAX_FS:g} Hz is needed. Correct the header or export the record again."
        )
    fs = float(fs_match[1]) if hints.fs is None else hints.fs
    if not MIN_FS <= fs <= MAX_FS:
        raise SignalError(
            f"The WFDB header gives a sampling frequency of {fs:g} Hz. {MIN_FS:g} to {MAX_FS:g} Hz is needed. "
            "Export the recording at its original rate."
        )
    if len(fields) < 3 or not _COUNT.fullmatch(fields[2]):
        raise RecordingFormatError(
            "The WFDB header gives no whole number as the number of samples. One is needed. Export the record again."
        )
    n_samples = int(fields[2])
    check_length(fs, n_samples)
    if n_samples < MIN_DURATION_S * fs and n_segments is None:
        raise SignalError(
            f"The recording lasts {n_samples / fs:.1f} s. At least {MIN_DURATION_S:g} s is needed. "
            "Export a longer strip."
        )
    return name, n_segments, n_signals, fs, n_samples, len(fields) > 3


def _record_name(text: str) -> tuple[str, int | None]:
    """Return the last part of a record's name and its number of segments, or None where it has one part."""
    *folders, name = text.split("/")
    n_segments = None
    if folders and _COUNT.fullmatch(name) and len(name) <= 4:
        n_segments = int(name)
        *folders, name = folders
    if len(folders) > 8 or not all(_NAME_PART.fullmatch(part) for part in (*folders, name)):
        raise RecordingFormatError(
            "The WFDB header does not begin with a plain record name. One of letters, digits, - and _ is needed. "
            "Choose the .hea file of a WFDB record."
        )
    return name, n_segments


def _segments(lines: list[str], n_segments: int, n_samples: int) -> tuple[tuple[str | None, int], ...]:
    """Return name and length of each segment; an empty one, which only describes the layout, is left out."""
    found: list[tuple[str | None, int]] = []
    for line in lines:
        name, _, length = line.rpartition(" ")
        if not _COUNT.fullmatch(length) or not (name.strip() == "~" or _NAME_PART.fullmatch(name.strip())):
            raise RecordingFormatError(
                "The WFDB header announces segments, or a folder of digits, and its lines are no segments. A plain "
                "record name with signals, or one line per segment, is needed. Export the record again."
            )
        found.append((None if name.strip() == "~" else name.strip(), int(length)))
    if len(found) != n_segments or not 1 <= n_segments <= _MAX_SEGMENTS or sum(n for _, n in found) != n_samples:
        raise RecordingFormatError(
            f"The WFDB header announces {n_segments:,} segments with {n_samples:,} samples and describes "
            f"{len(found):,} with {sum(n for _, n in found):,}. They must agree, with at most {_MAX_SEGMENTS} "
            "segments. Export the record again."
        )
    return tuple((name, length) for name, length in found if length)


def _signal_line(line: str, number: int, given_name: str | None) -> WfdbSignal:
    """Return one signal line's fields, refusing whatever wfdb would replace or ignore."""
    fields = line.split()
    where = f"Signal {number} of the WFDB header"
    ends = [
        k for k in range(1, min(len(fields), 9))
        if _STORAGE.fullmatch(fields[k]) and fields[k - 1].lower().endswith((".dat", ".mat"))
    ]  # fmt: skip
    end = ends[0] if ends else 1  # a file's name may hold blanks
    file_name = " ".join(fields[:end])
    fields = line.split(None, end + 7)[end:]
    if len(fields) == 7 and all(_INTEGER.fullmatch(field) for field in fields[2:]) and given_name is not None:
        fields.append(given_name)
    if len(fields) < 8:
        if len(fields) == 7 and all(_INTEGER.fullmatch(field) for field in fields[2:]):
            raise LeadError(
                f"{where} has no lead name. Every signal must be named. Export the record with its lead names."
            )
        raise RecordingFormatError(
            f"{where} has {len(fields) + 1} of 9 fields. File, format, gain, ADC bits and zero, first value, checksum, "
            "block size and lead name are needed. Export the record again."
        )
    *folders, file_name = file_name.split("/")
    if len(folders) > 8 or not all(_NAME_PART.fullmatch(part) for part in (*folders, file_name)):
        raise RecordingFormatError(
            f"{where} names no plain file name. One is needed, without addresses or ways out of the folder. "
            "Put header and data file side by side and correct the name."
        )
    storage = _STORAGE.fullmatch(fields[0])
    if storage is None or storage[1] not in FORMATS:
        raise RecordingFormatError(
            f"{where} has a storage format that is not read. One of {', '.join(FORMATS)} is needed, without "
            "skew or several samples per frame. Export the record in format 16."
        )
    first, checksum = fields[4], fields[5]
    name = fields[7].strip() if given_name is None else given_name
    if not all(_INTEGER.fullmatch(field) for field in fields[2:7]):
        raise RecordingFormatError(
            f"{where} has something else where a whole number is needed, such as a first value or checksum. "
            "Export the record again."
        )
    gain, baseline, unit = _gain(fields[1], int(fields[3]), where, needed=canonical_lead_name(name) is not None)
    return WfdbSignal(
        file_name, storage[1], int(storage[2] or 0), gain, baseline, unit, int(first), int(checksum), name
    )


def _gain(text: str, adc_zero: int, where: str, *, needed: bool) -> tuple[float, int, str | None]:
    """Return gain, baseline and unit; an extra signal's gain is not needed and not checked."""
    match = _GAIN.fullmatch(text)
    gain = float(match[1]) if match else math.nan
    if match is None or not (math.isfinite(gain) and gain > 0):
        if not needed:
            return 1.0, 0, None
        raise RecordingFormatError(
            f"{where} has no usable gain. A positive number of steps per millivolt is needed, such as "
            "1000(0)/mV. Correct the header or export the record again."
        )
    return gain, adc_zero if match[2] is None else int(match[2]), match[3]


def _check_files(header: WfdbHeader) -> None:
    """Refuse a record without standard leads, or with files that do not hold their signals in one way."""
    if not header.data_files:
        raise LeadError(
            f"None of the {len(header.signals)} signals carries the name of a standard lead. I, II, V1 to V6 at least "
            "are needed. Name the leads in the header."
        )
    if not all(name.lower().endswith((".dat", ".mat")) for name in header.data_files):
        raise RecordingFormatError(
            "The standard leads do not lie in a .dat file or a .mat file. One of these is needed. "
            "Export the record with a single .dat file."
        )
    for name in header.data_files:
        if len({(signal.storage, signal.byte_offset) for signal in header.stored_in(name)}) > 1:
            raise RecordingFormatError(
                "The signals of one .dat file have different storage formats. One is needed. Export the record again."
            )
