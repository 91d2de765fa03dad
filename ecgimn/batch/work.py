"""What a batch run goes through, and one chunk of it: from recordings to rows. Nothing here writes a file."""

from __future__ import annotations

import csv
import hashlib
import hmac
import io
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from ecgimn.batch.output import BEAT_MS, Place, Rows, Tables, is_remote, open_place
from ecgimn.errors import CheckpointError, NotAnEcgError, RecordingError, SourceError
from ecgimn.explain.case import Case, open_cases, tile
from ecgimn.explain.difference import CaseDifference, difference
from ecgimn.explain.explanation import LeadEvidence, lead_evidence
from ecgimn.explain.measured import reasons_of
from ecgimn.explain.sentences import evidence_over_beats
from ecgimn.formats import read_foreign, read_upload
from ecgimn.formats.limits import MAX_FILE_BYTES, too_large
from ecgimn.formats.wfdb_header import WfdbSegments, parse_any_header
from ecgimn.leads import STANDARD_LEADS
from ecgimn.recording import Recording, Sex
from ecgimn.signal.quality import Quality, assess_quality
from ecgimn.signal.reading import SignalReading, read_signal
from ecgimn.signal.waves.find import WAVE_NAMES
from ecgimn.sources.ptbxl import PtbXl

if TYPE_CHECKING:
    from ecgimn.hospital import HospitalKind
    from ecgimn.model.model import Model


Kind = Literal["ptbxl", "folder", "list"]

TABLE = "ptbxl_database.csv"
LIST_SUFFIXES = (".txt", ".csv", ".tsv", ".lst")
MIN_SALT_BYTES = 16
MAX_LIST_BYTES = 200_000_000
PATH_COLUMNS = ("path", "file", "filename")
PTBXL_RATES = (500, 100)  # Hz, the better one first


@dataclass(frozen=True)
class Item:
    """One recording to explain.

    Attributes
    ----------
    record : str
        Its name in every table: "ptbxl-123", the path inside the source, or a salted hash of it.
    path : str
        Where a worker reads it: a path, or an address that fsspec opens.
    age : int or None
        Years; chooses the ST thresholds only, as `sex` does.
    sex : {"male", "female"} or None
    source : str
        "PTB-XL" or "file".
    found : bool
        Whether it was found in a folder and not named: a file that is no ECG is then skipped.
    earlier, earlier_path : str
        The ECG of the same patient before this one, as its name in every table and where it is read; empty where there
        is none. Only a data set or a list says so, never a file.
    days : float or None
        Between the two.
    """

    record: str
    path: str
    age: int | None = None
    sex: Sex | None = None
    source: str = "file"
    found: bool = False
    earlier: str = ""
    earlier_path: str = ""
    days: float | None = None


def read_salt(path: Path) -> bytes:
    """Return the salt in a file; a new one is drawn and written when the file is not there.

    Raises
    ------
    SourceError
        The file cannot be read or written, or holds too little.
    """
    try:
        if not path.exists():
            with path.open("xb") as handle:
                os.chmod(path, 0o600)
                handle.write(secrets.token_hex(32).encode())
        salt = path.read_bytes().strip()
    except OSError as exc:
        raise SourceError(f"The salt file cannot be used ({exc.strerror}). Name a file that may be written.") from exc
    if len(salt) < MIN_SALT_BYTES:
        raise SourceError(
            f"The salt has {len(salt)} bytes. At least {MIN_SALT_BYTES} are needed. Name a file that is not there yet, "
            "and one is drawn."
        )
    return salt


def kind_of(source: Path | str) -> Kind:
    """Tell what a source is.

    Raises
    ------
    SourceError
        There is no such folder or list.
    """
    place = open_place(source)
    try:
        is_list = place.name.lower().endswith(LIST_SUFFIXES) and bool(place.fs.isfile(place.path))
        if not is_list and place.fs.isdir(place.path):
            return "ptbxl" if place.local and Path(place.path, TABLE).is_file() else "folder"
    except OSError as exc:
        raise SourceError(
            f"{place.name!r} does not answer ({type(exc).__name__}). A folder or list that can be reached is needed. "
            "Check address and access."
        ) from exc
    if is_list:
        return "list"
    raise SourceError(
        f"{place.name!r} is neither a folder nor a list of files ({', '.join(LIST_SUFFIXES)}). A PTB-XL folder, a "
        "folder of ECG files or a list of their paths is needed. To explain one file, use: python -m ecgimn explain"
    )


def list_items(
    source: Path | str, *, fs: int | None = None, limit: int | None = None, salt: bytes | None = None
) -> list[Item]:
    """List the recordings of a source, in a fixed order.

    Parameters
    ----------
    source : Path or str
        A PTB-XL folder; a folder, searched with all folders below it; or a list, see `_from_list`. A folder or list may
        be the address of a remote file system; PTB-XL there is read like any folder of WFDB records.
    fs : {100, 500}, optional
        Rate of PTB-XL records; without it the better one that is here.
    limit : int, optional
        Only the first so many.
    salt : bytes, optional
        Names become hashes with this salt, so that no file name stands in a table.

    Raises
    ------
    SourceError
        The source cannot be listed, or holds no recording.
    """
    kind, place = kind_of(source), open_place(source)
    if kind == "ptbxl":
        found = _of_ptbxl(Path(source), (fs,) if fs else PTBXL_RATES)
    elif kind == "list":
        found = _from_list(place)
    else:
        found = _of_folder(Path(source)) if place.local else _of_remote_folder(place)
    items = [item for item, _ in zip(found, range(limit), strict=False)] if limit is not None else list(found)
    if not items:
        raise SourceError(f"No recording is in {place.name!r}. At least one is needed. Choose another source.")
    if salt is not None and kind != "ptbxl":
        items = [replace(item, record=_salted(item.record, salt)) for item in items]
    if len({item.record for item in items}) < len(items):
        raise SourceError(f"{place.name!r} names a recording twice. Each is needed once. Take the double out.")
    return items


def _of_ptbxl(folder: Path, rates: tuple[int, ...]) -> Iterator[Item]:
    """Records whose files are here; the paths of the table are kept inside the folder."""
    ptbxl = PtbXl(folder)
    table, root = ptbxl.table, folder.resolve()
    before = {later: earlier for earlier, later in ptbxl.pairs()}
    columns = {500: "filename_hr", 100: "filename_lr"}
    if not set(rates) <= columns.keys():
        raise SourceError("PTB-XL is published at 100 and 500 Hz. One of these is needed. Choose 100 or 500.")
    sexes: dict[object, Sex] = {0: "male", 1: "female"}
    names = table[[columns[rate] for rate in rates]]
    for ecg_id, age, sex in zip(table.index, table["age"], table["sex"], strict=True):
        header = _header_here(root, names.loc[ecg_id])
        if header is None:
            continue
        years = None if pd.isna(age) else round(float(age))
        item = Item(f"ptbxl-{ecg_id}", str(header), years, sexes.get(sex), "PTB-XL")
        earlier = before.get(int(ecg_id))
        path = None if earlier is None else _header_here(root, names.loc[earlier])
        if earlier is not None and path is not None:
            item = replace(
                item, earlier=f"ptbxl-{earlier}", earlier_path=str(path), days=ptbxl.days_between(earlier, int(ecg_id))
            )
        yield item


def _header_here(root: Path, names: Iterable[str]) -> Path | None:
    """Return the first of a record's headers whose files are here; the paths of the table stay inside the folder."""
    for name in names:
        header = root / f"{name}.hea"
        if not Path(os.path.normpath(header)).is_relative_to(root):
            raise SourceError("The PTB-XL table names a file outside its folder. Download the table again.")
        if header.is_file() and header.with_suffix(".dat").is_file():
            return header
    return None


def _of_folder(folder: Path) -> Iterator[Item]:
    """All files but hidden ones, links, and what belongs to a WFDB header beside it: samples and annotations."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        headers = {Path(name).stem for name in files if name.lower().endswith(".hea")}
        for name in sorted(files):
            path = Path(place, name)
            beside = Path(name).stem in headers and not name.lower().endswith(".hea")
            if not (name.startswith(".") or beside or path.is_symlink()):
                yield Item(path.relative_to(folder).as_posix(), str(path), found=True)


def _of_remote_folder(folder: Place) -> Iterator[Item]:
    """Return what `_of_folder` does, of a remote file system."""
    names = sorted(str(path).removeprefix(folder.path).lstrip("/") for path in folder.fs.find(folder.path))
    headers = {name[:-4] for name in names if name.lower().endswith(".hea")}
    for name in names:
        beside = not name.lower().endswith(".hea") and name.rpartition(".")[0] in headers
        if name and not beside and not any(part.startswith(".") for part in name.split("/")):
            yield Item(name, folder.fs.unstrip_protocol((folder / name).path), found=True)


def _from_list(path: Place) -> Iterator[Item]:
    """Paths, one a line, relative to the list's folder; or a CSV with a column "path" and maybe "age" and "sex".

    Addresses of remote files are taken as they are.
    """
    n_bytes = path.fs.size(path.path) or 0
    if n_bytes > MAX_LIST_BYTES:
        raise SourceError(f"The list has {n_bytes:,} bytes; at most {MAX_LIST_BYTES:,} are read. Split it.")
    try:
        with io.StringIO(path.fs.cat_file(path.path).decode("utf-8-sig"), newline="") as handle:
            first = handle.readline()
            handle.seek(0)
            delimiter = "\t" if "\t" in first else ","
            columns = [name.strip().lower() for name in first.split(delimiter)]
            named = next((name for name in PATH_COLUMNS if name in columns), None)
            if named is None:
                lines = (line.strip() for line in handle)
                yield from (_listed(line, path) for line in lines if line and not line.startswith("#"))
                return
            for row in csv.DictReader(handle, fieldnames=columns, delimiter=delimiter):
                value = (row[named] or "").strip()
                if value and value.lower() != named:
                    yield _listed(value, path, row.get("age"), row.get("sex"))
    except (UnicodeDecodeError, csv.Error) as exc:
        raise SourceError(f"{path.name!r} cannot be read as a list ({exc}). UTF-8 text with a path a line.") from exc


def _listed(name: str, path: Place, age: str | None = None, sex: str | None = None) -> Item:
    sexes: dict[str, Sex] = {"male": "male", "m": "male", "female": "female", "f": "female"}
    years = round(float(age)) if age and age.strip().replace(".", "", 1).isdecimal() else None
    if is_remote(name):
        where = name
    elif path.local:
        where = str(Path(path.path).parent / name)
    else:
        where = path.fs.unstrip_protocol(f"{path.path.rpartition('/')[0]}/{name}")
    return Item(
        name,
        where,
        years if years is None or years <= 150 else None,
        sexes.get((sex or "").strip().lower()),
    )


def _salted(name: str, salt: bytes) -> str:
    return f"file-{hmac.new(salt, name.encode(), hashlib.sha256).hexdigest()[:16]}"


ALL_WAVES = "all"  # of a ledger whose waves were not looked for


def add_quality(
    rows: Rows, record: str, start_s: float, recording: Recording, quality: Quality, *, public: bool
) -> None:
    """Add what the quality check found; a digest only of a public record, because it would identify a patient's."""
    rows.add(
        "quality",
        record=record,
        start_s=start_s,
        duration_s=recording.duration_s,
        fs=recording.fs,
        usable=quality.usable,
        refusals=" ".join(quality.refusals),
        warnings=" ".join(quality.warnings),
        einthoven_residual_mv=quality.einthoven_residual_mv,
        gap_share=quality.gap_share,
        wander_mv=quality.wander_mv,
        hum_mv=quality.hum_mv,
        muscle_mv=quality.muscle_mv,
        digest=recording.digest if public else None,
    )


def add_reading(rows: Rows, record: str, start_s: float, reading: SignalReading) -> None:
    """Add intervals, ST and T, or the reason why there are none."""
    measured = reading.measurements
    if measured is None:
        rows.add("intervals", record=record, start_s=start_s, reason=reading.reason)
        return
    intervals = measured.intervals
    rows.add(
        "intervals",
        record=record,
        start_s=start_s,
        heart_rate=intervals.heart_rate.value,
        rr_ms=intervals.rr.value,
        pr_ms=intervals.pr.value,
        qrs_ms=intervals.qrs.value,
        qt_ms=intervals.qt.value,
        axis_deg=intervals.axis.value,
        beats=measured.n_beats_found,
        beats_used=measured.n_beats,
        st_elevation_leads=" ".join(reading.st_elevation_leads),
        waves=reading.waves.method if reading.waves is not None else None,
        reason=measured.reason,
        **{f"qtc_{formula.lower()}_ms": value.value for formula, value in intervals.qtc.items()},
    )
    for st, t in zip(measured.st, measured.t_waves, strict=True):
        rows.add(
            "st",
            record=record,
            start_s=start_s,
            lead=st.lead,
            j_mv=st.j_mv,
            j60_mv=st.j60_mv,
            j80_mv=st.j80_mv,
            slope_mv_per_s=st.slope_mv_per_s,
            shape=st.shape,
            t_mv=t.amplitude_mv,
            t_grade=t.grade,
        )


def rhythm_and_scope(readings: Sequence[SignalReading], classes: Sequence[str]) -> dict[str, object]:
    """Return the columns of "records" that sum up the windows of a recording; nothing where no waves were looked for.

    The rhythm names each statement once, in the order of time; the score is the highest; a recording is within the
    scope of the model with these classes where all its windows are. Criteria are those met in some window, with "?"
    where they may be secondary or depend on a sex or an age that is not known.
    """
    if not readings:
        return {}
    met = dict.fromkeys(
        item.name + ("" if item.verdict == "met" else "?")
        for reading in readings for item in (reading.findings.criteria if reading.findings else ()) if item.present
    )  # fmt: skip
    scopes = [reading.scope.of_model(classes) for reading in readings]
    scores = [reading.rhythm.af_score for reading in readings if reading.rhythm.af_score is not None]
    return {
        "rhythm": "; ".join(dict.fromkeys(reading.rhythm.statement for reading in readings)),
        "af_score": max(scores, default=None),
        "within_scope": all(scope.within for scope in scopes),
        "distance": max(scope.distance for scope in scopes),
        "criteria": "; ".join(met),
    }


def add_lead_evidence(
    rows: Rows, record: str, start_s: float, classes: tuple[str, ...], evidence: LeadEvidence, place: int
) -> None:
    """Add predictions and the sum of each lead."""
    error = float(evidence.completeness_error[place])
    _add_predictions(rows, record, start_s, classes, evidence.logit[place], evidence.bias[place], error)
    _add_ledger(rows, record, start_s, classes, evidence.leads[place][:, :, None], (ALL_WAVES,))


def add_explanation(rows: Rows, record: str, start_s: float, case: Case) -> None:
    """Add predictions and the ledger of lead by wave."""
    explanation, ledger = case.explanation, case.ledger
    error = max(explanation.completeness_error, ledger.residual)
    bias = ledger.bias + ledger.baseline  # so that a row's bias and the record's ledger add up to its logit
    found = [reasons_of(case.of(name)) for name in explanation.classes]
    reasons = [None if one is None else one.verdict for one in found]
    zones = [zone or None for zone in case.zones().values()]
    _add_predictions(rows, record, start_s, explanation.classes, explanation.logit, bias, error, reasons, zones)
    _add_ledger(rows, record, start_s, explanation.classes, ledger.cells, WAVE_NAMES)


def _add_predictions(
    rows: Rows,
    record: str,
    start_s: float,
    classes: tuple[str, ...],
    logit: NDArray[np.float64],
    bias: NDArray[np.float64],
    error: float,
    reasons: Sequence[str | None] = (),
    zones: Sequence[str | None] = (),
) -> None:
    """Add a row per class; the decision zone is empty where the rhythm was not looked for."""
    n = len(classes)
    rows.extend(
        "predictions",
        {
            "record": [record] * n,
            "start_s": [start_s] * n,
            "class": classes,
            "logit": logit,
            "probability": expit(logit),
            "bias": bias,
            "completeness_error": [error] * n,
            "reasons": list(reasons) or [None] * n,
            "zone": list(zones) or [None] * n,
        },
    )


def _add_ledger(
    rows: Rows,
    record: str,
    start_s: float,
    classes: tuple[str, ...],
    cells: NDArray[np.float64],
    waves: tuple[str, ...],
) -> None:
    """Add cells of shape (K, 12, n_waves) in long form."""
    per_class = [(lead, wave) for lead in STANDARD_LEADS for wave in waves]
    rows.extend(
        "ledger",
        {
            "record": [record] * cells.size,
            "start_s": [start_s] * cells.size,
            "class": [name for name in classes for _ in per_class],
            "lead": [lead for lead, _ in per_class] * len(classes),
            "wave": [wave for _, wave in per_class] * len(classes),
            "logit": cells.ravel(),
        },
    )


def add_difference(rows: Rows, item: Item, found: CaseDifference) -> None:
    """Add what changed since the patient's earlier ECG, one row a class; voltage, weights and bias make the change."""
    before, after = found.earlier.explanation.logit, found.later.explanation.logit
    for k, name in enumerate(found.classes):
        rows.add(
            "differences",
            **{"class": name},
            record=item.record,
            earlier=item.earlier,
            days=item.days,
            logit_earlier=float(before[k]),
            logit=float(after[k]),
            change=float(found.logit[k]),
            voltage=float(found.voltage[k].sum()),
            weights=float(found.weights[k].sum()),
            bias=float(found.bias[k] + found.baseline[k]),
            first=found.named[0].kind if found.named else "",
            named="; ".join(one.text if one.is_new else f"no longer {one.text}" for one in found.named),
            mimics=", ".join(dict.fromkeys(mimic.kind for mimic in found.mimics)),
            completeness_error=found.residual,
        )


def add_beats(rows: Rows, case: Case, said: NDArray[np.bool_]) -> None:
    """Add the mean beat of a recording and its evidence, for the classes that the model says, on a common grid.

    Evidence is summed over 10 ms and voltage, about the isoelectric level, averaged, so that rates can be mixed.
    Only sums over the recordings of a chunk are kept.
    """
    reading = case.reading
    if reading.measurements is None:
        return
    beat, fs = reading.measurements.beat, case.recording.fs
    if beat.signal is None:
        return
    place = ((np.arange(beat.windows.length) - beat.windows.r_index) / fs * 1000.0 - BEAT_MS[0]) // 10.0
    inside = (place >= 0) & (place < len(BEAT_MS)) & np.isfinite(beat.signal).all(axis=0)
    bins = place[inside].astype(int)
    covered = np.bincount(bins, minlength=len(BEAT_MS))  # a beat's window ends with its T wave
    counts = np.maximum(covered, 1)
    volts = (beat.signal - reading.levels[:, None])[:, inside]
    mv = np.stack([np.bincount(bins, row, len(BEAT_MS)) / counts for row in volts])
    for name in (name for name, is_said in zip(case.classes, said, strict=True) if is_said):
        evidence = evidence_over_beats(case.of(name))
        if evidence is not None:
            logit = np.stack([np.bincount(bins, row, len(BEAT_MS)).astype(float) for row in evidence.mean[:, inside]])
            rows.sum_beat(name, mv, logit, covered > 0)


WaveSearch = Literal["all leads", "five leads", "not looked for"]
NETWORK_BATCH = 64  # recordings in one pass of the network
EXPLAINED_AT_ONCE = 8  # of which the maps are carried back to the raw trace at a time


@dataclass(frozen=True)
class Chunk:
    """Recordings for one worker, and what to do with them.

    Attributes
    ----------
    items : tuple of Item
    model, sha256 : str
        The worker loads the model by name and refuses another hash.
    waves : {"all leads", "five leads", "not looked for"}
    operating_point : str
        Key of the card's thresholds; a class counts as said from there on.
    reports : tuple of {"fhir", "dicom-sr"}
        Files to make of each window; not where no waves are looked for.
    """

    items: tuple[Item, ...]
    model: str
    sha256: str
    waves: WaveSearch
    operating_point: str
    reports: tuple[HospitalKind, ...] = ()


@dataclass(frozen=True, eq=False)
class ExplainedWindow:
    """Ten seconds of one recording, on the way to the network."""

    item: Item
    record: str
    start_s: float
    recording: Recording
    reading: SignalReading | None


def explain_chunk(chunk: Chunk) -> Tables:
    """Explain every recording of a chunk; what cannot be read is a row of "errors".

    Raises
    ------
    ModelError
        The model is not there, or not the one the run began with.
    """
    model, rows = _model(chunk.model, chunk.sha256), Rows()
    windows = _windows(chunk, rows)
    size = NETWORK_BATCH if chunk.waves == "not looked for" else EXPLAINED_AT_ONCE
    for _, alike in groupby(windows, key=lambda window: (window.recording.fs, window.recording.n_samples)):
        for batch in _batched(alike, size):
            if chunk.waves == "not looked for":
                _book_leads(batch, model, rows)
            else:
                _book_waves(batch, model, rows, chunk)
    return rows.tables()


def check_worker(name: str, sha256: str, first: str) -> None:
    """Raise an error where this worker lacks the model of a run, or cannot find the first recording of its source.

    Raises
    ------
    ModelError
        There is no such model, or another one.
    SourceError
        The file is not there.
    """
    _model(name, sha256)
    if first and not is_remote(first) and not Path(first).is_file():
        raise SourceError(
            "It does not find the first recording of the source. The source must be readable under the same path on "
            "every machine. Mount it there, or name the recordings by addresses that all can open."
        )


@lru_cache(maxsize=1)
def _model(name: str, sha256: str) -> Model:
    from ecgimn.model.model import load_model

    model = load_model(name)
    if model.card.sha256 != sha256:
        raise CheckpointError(
            f"A worker has another model {name!r} ({model.card.sha256[:12]}) than this run ({sha256[:12]}). All must "
            "have the same. Install the same models/ everywhere."
        )
    return model


def _windows(chunk: Chunk, rows: Rows) -> Iterator[ExplainedWindow]:
    """Read the recordings one by one; those that pass the quality check go on in windows of at most ten seconds."""
    for item in chunk.items:
        try:
            whole = _read(item)
        except (RecordingError, SourceError) as exc:
            skipped, retry = item.found and isinstance(exc, NotAnEcgError), isinstance(exc, SourceError)
            rows.add("errors", record=item.record, kind=type(exc).__name__, reason=str(exc), retry=retry)
            rows.add("records", record=item.record, status="skipped" if skipped else "failed", windows=0)
            continue
        usable, places = 0, tile(whole)
        readings: list[SignalReading] = []
        for place in places:
            recording = whole if len(places) == 1 else whole.window(place.start_s, place.duration_s)
            at = ExplainedWindow(item, item.record, place.start_s, recording, _reading(recording, chunk.waves))
            quality = assess_quality(recording) if at.reading is None else at.reading.quality
            add_quality(rows, item.record, place.start_s, recording, quality, public=item.source == "PTB-XL")
            if at.reading is not None:
                readings.append(at.reading)
                add_reading(rows, item.record, place.start_s, at.reading)
            if quality.usable:
                usable += 1
                yield at
            elif at.reading is not None:
                _add_reports(rows, at, at.reading, None, chunk)
        status = "explained" if usable else "refused"
        summed = rhythm_and_scope(readings, _model(chunk.model, chunk.sha256).classes)
        rows.add("records", record=item.record, status=status, windows=len(places), **summed)


def _read(item: Item) -> Recording:
    if not is_remote(item.path):
        return read_foreign(item.path, age=item.age, sex=item.sex, source=item.source)
    return read_upload(_fetch(item.path), age=item.age, sex=item.sex)


def _fetch(address: str) -> dict[str, bytes]:
    """Return a remote file by its name, and with a WFDB header the files that it names.

    Raises
    ------
    SourceError
        A file cannot be fetched; it may be there the next time.
    RecordingFormatError
        It is too large, or the header is damaged.
    """
    place = open_place(address)
    folder, _, name = place.path.rpartition("/")
    files: dict[str, bytes] = {}
    wanted = [name]
    while wanted:
        one = wanted.pop()
        try:
            at = f"{folder}/{one}"
            if (size := place.fs.size(at) or 0) > MAX_FILE_BYTES:
                raise too_large("The file", size, MAX_FILE_BYTES)
            files[one] = place.fs.cat_file(at)
        except OSError as exc:
            raise SourceError(
                f"A file could not be fetched ({type(exc).__name__}). All files of the recording are needed. "
                "It is tried again when the run is resumed."
            ) from exc
        if one.lower().endswith(".hea"):
            header = parse_any_header(files[one])
            if isinstance(header, WfdbSegments):
                named = [f"{segment}.hea" for segment, _ in header.segments if segment is not None]
            else:
                named = list(header.data_files)
            wanted += [other for other in dict.fromkeys(named) if other not in files and other not in wanted]
    return files


def _reading(recording: Recording, waves: WaveSearch) -> SignalReading | None:
    return None if waves == "not looked for" else read_signal(recording, quick=waves == "five leads")


def _book_leads(batch: tuple[ExplainedWindow, ...], model: Model, rows: Rows) -> None:
    evidence = lead_evidence([window.recording for window in batch], model)
    for place, window in enumerate(batch):
        add_lead_evidence(rows, window.record, window.start_s, model.classes, evidence, place)


def _book_waves(batch: tuple[ExplainedWindow, ...], model: Model, rows: Rows, chunk: Chunk) -> None:
    thresholds = np.array(model.card.thresholds.get(chunk.operating_point, (0.5,) * len(model.classes)))
    cases = open_cases([window.reading for window in batch if window.reading is not None], model)
    here = {window.item.path: case for window, case in zip(batch, cases, strict=True) if window.start_s == 0.0}
    for window, case in zip(batch, cases, strict=True):
        add_explanation(rows, window.record, window.start_s, case)
        add_beats(rows, case, case.explanation.probability >= thresholds)
        _add_reports(rows, window, case.reading, case, chunk)
        if window.item.earlier and window.start_s == 0.0:
            before = here.get(window.item.earlier_path) or _earlier_case(window.item, model, chunk)
            if before is not None:
                add_difference(rows, window.item, difference(before, case))


def _add_reports(rows: Rows, window: ExplainedWindow, reading: SignalReading, case: Case | None, chunk: Chunk) -> None:
    """Add the files of a window, with nothing about the patient in them; without a case, what was measured."""
    if not chunk.reports:
        return
    from ecgimn.hospital import hospital_bytes

    for kind in chunk.reports:
        rows.add_report(kind, window.record, window.start_s, hospital_bytes(kind, reading, case))


def _earlier_case(item: Item, model: Model, chunk: Chunk) -> Case | None:
    """Explain the first ten seconds of an earlier ECG that is in another batch; None where it cannot be."""
    try:
        reading = _reading(_read(replace(item, path=item.earlier_path)).window(0.0), chunk.waves)
        if reading is None or not reading.quality.usable:
            return None
        return open_cases([reading], model)[0]
    except (RecordingError, SourceError):  # the earlier record has a row of its own under "errors"
        return None


def _batched(windows: Iterable[ExplainedWindow], size: int) -> Iterator[tuple[ExplainedWindow, ...]]:
    source = iter(windows)
    while batch := tuple(islice(source, size)):
        yield batch
