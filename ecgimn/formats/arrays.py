"""Arrays (NPY, NPZ, MAT versions 4 and 5): sizes checked against the bytes present, pickled objects never loaded."""

from __future__ import annotations

import ast
import io
import math
import re
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgimn.errors import RecordingFormatError
from ecgimn.formats.limits import MAX_FILE_BYTES, MAX_SAMPLES, MAX_SIGNALS, unzip
from ecgimn.formats.table import (
    MissingFactsError,
    Preview,
    ReadingHints,
    Table,
    counts_time,
    evident_orientation,
    split_name,
)
from ecgimn.leads import INDEPENDENT_LEADS, canonical_lead_name
from ecgimn.recording import Sex

_FS_NAMES = ("fs", "freq", "frequency", "sampling_frequency", "sampling_rate", "sample_rate")
_UNIT_NAMES = ("unit", "units")
_LEAD_NAMES = ("leads", "lead_names", "sig_name", "sig_names", "channels", "names")
_NPY_HEADER = re.compile(rb"\x93NUMPY([\x01-\x03])\x00")
_NPY_DESCR = re.compile(r"[<>|=]?([fiub]\d|U\d{1,3})")
_MAT_HEADER_BYTES, _MAT_COMPRESSED = 128, 15
_MAX_DEPTH, _MAX_FIELDS = 3, 64  # of structures


def read_npy(data: bytes) -> Table:
    """Read an NPY file's bytes; the array says nothing but its numbers."""
    return _table(_npy_array(data), {})


def read_npz(data: bytes, hints: ReadingHints) -> Table:
    """Read an NPZ file's bytes: one ECG array, and `fs`, `units` and `leads` where arrays of these names hold them.

    Raises
    ------
    MissingFactsError
        Several arrays could be the ECG and `hints.variable` names none.
    RecordingFormatError
        The archive or an array in it is refused.
    """
    members = {name.removesuffix(".npy"): content for name, content in unzip(data, MAX_SIGNALS).items()}
    return _chosen({name: _npy_array(content) for name, content in members.items()}, hints)


def read_mat(data: bytes, hints: ReadingHints) -> Table:
    """Read a MAT file of version 4 or 5: numeric arrays and text only, unpacked sizes checked first.

    Raises
    ------
    MissingFactsError
        Several arrays could be the ECG and `hints.variable` names none.
    RecordingFormatError
        The file is of another version, damaged, or too large.
    """
    from scipy.io import loadmat, whosmat
    from scipy.io.matlab import MatReadError

    if data[:6] == b"MATLAB":  # version 4 holds its matrices unpacked
        _check_mat_size(data)
    try:
        listed = [(name, shape, kind) for name, shape, kind in whosmat(io.BytesIO(data))]
        numeric = ("double", "single", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "char")
        wanted = [
            name
            for name, shape, kind in listed
            if (kind in numeric or kind == "struct" or (kind == "cell" and name.lower() in _LEAD_NAMES))
            and 0 < math.prod(shape) <= MAX_SIGNALS * MAX_SAMPLES
        ]
        loaded = loadmat(io.BytesIO(data), variable_names=wanted, squeeze_me=True, struct_as_record=True)
    except (MatReadError, OSError, ValueError, LookupError, TypeError, NotImplementedError, MemoryError, AttributeError,
            ArithmeticError, zlib.error, struct.error, RecursionError) as exc:  # fmt: skip
        raise RecordingFormatError(
            "The MAT file cannot be decoded. A MATLAB file of version 5 with plain arrays is needed. "
            "Save it again with -v7 or -v6."
        ) from exc
    arrays: dict[str, NDArray[Any]] = {}
    for name in wanted:
        if name in loaded:
            arrays |= _fields(name, loaded[name])
    return _chosen(arrays, hints)


def _fields(name: str, value: Any, depth: int = 0) -> dict[str, NDArray[Any]]:
    """Return a loaded value by its name, or the fields of a single structure by "name.field"."""
    array = np.asarray(value)
    if array.dtype.names is None:
        return {name: _plain(value)}
    found: dict[str, NDArray[Any]] = {}
    if array.size == 1 and depth < _MAX_DEPTH:
        for field in array.dtype.names[:_MAX_FIELDS]:
            found |= _fields(f"{name}.{field}", array[field].item(), depth + 1)
    return found


def _plain(value: Any) -> NDArray[Any]:
    """Return a loaded value as an array of numbers or text."""
    array = np.asarray(value)
    if array.dtype == object:  # a cell array of names
        array = np.array([str(cell)[:24] for cell in array.ravel()[:MAX_SIGNALS]])
    return array


def _check_mat_size(data: bytes) -> None:
    """Walk the top-level elements and unpack each compressed one up to the limit, before scipy may."""
    endian = {b"IM": "<", b"MI": ">"}.get(data[126:128], "<")
    position, total = _MAT_HEADER_BYTES, 0
    while position + 8 <= len(data):
        kind, size = struct.unpack_from(f"{endian}II", data, position)
        position += 8
        if kind == _MAT_COMPRESSED:
            unpacker = zlib.decompressobj()
            try:
                unpacked = unpacker.decompress(data[position : position + size], MAX_FILE_BYTES - total + 1)
            except zlib.error as exc:
                raise RecordingFormatError(
                    "The MAT file is cut short or damaged. A complete file is needed. Save it again."
                ) from exc
            total += len(unpacked)
        else:
            total += size
            size += -size % 8
        if total > MAX_FILE_BYTES:
            raise RecordingFormatError(
                f"The MAT file unpacks to more than {MAX_FILE_BYTES:,} bytes. A single strip is needed. "
                "Save fewer samples."
            )
        position += size


def _npy_array(data: bytes) -> NDArray[Any]:
    """Return an array after comparing its header with the bytes present; objects and records are refused."""
    magic = _NPY_HEADER.match(data)
    if magic is None:
        raise _bad_array("has no NPY header")
    length_bytes = 2 if magic[1] == b"\x01" else 4
    start = 8 + length_bytes
    n_header = int.from_bytes(data[8:start], "little")
    if n_header > 4096 or start + n_header > len(data):
        raise _bad_array("is cut short")
    try:
        header = ast.literal_eval(data[start : start + n_header].decode("utf-8").strip())
        descr, fortran, shape = header["descr"], header["fortran_order"], tuple(header["shape"])
    except (ValueError, SyntaxError, KeyError, TypeError, MemoryError, RecursionError) as exc:
        raise _bad_array("has a damaged header") from exc
    if not isinstance(descr, str) or not _NPY_DESCR.fullmatch(descr):
        raise _bad_array("holds something else than plain numbers or text")
    if len(shape) > 3 or not all(type(size) is int and 0 <= size <= 1 << 40 for size in shape):
        raise _bad_array("has a shape that no ECG has")
    try:
        dtype = np.dtype(descr)
    except TypeError as exc:
        raise _bad_array("holds something else than plain numbers or text") from exc
    n_bytes = math.prod(shape) * dtype.itemsize
    body = data[start + n_header :]
    if n_bytes != len(body):
        raise _bad_array(f"announces {n_bytes:,} bytes of numbers and has {len(body):,}")
    array = np.frombuffer(body, dtype=dtype)
    return array.reshape(shape, order="F" if fortran else "C")


def _chosen(arrays: Mapping[str, NDArray[Any]], hints: ReadingHints) -> Table:
    """Return the one array that can be an ECG, the one the reader chose, or the leads that have an array each."""
    arrays = {name: array for name, array in arrays.items() if array.size}
    signals = {name: array for name, array in arrays.items() if array.ndim in (2, 3) and array.dtype.kind in "fiu"}
    signals = {name: array for name, array in signals.items() if array.size >= 100 and min(array.shape[-2:]) > 1}
    facts = {_last(name).lower(): array for name, array in arrays.items() if name not in signals}
    if not signals and (vectors := _of_vectors(arrays)) is not None:
        names, columns = vectors
        facts |= {"leads": np.array(names)}
        signals = {"leads": columns}
    if hints.variable is not None:
        place = int(hints.variable) if hints.variable.isdecimal() and len(hints.variable) < 4 else 0
        by_place = list(signals)[place - 1] if 1 <= place <= len(signals) else None
        chosen = hints.variable if hints.variable in signals else by_place
        if chosen is None:
            raise RecordingFormatError(
                f"The file has no array of the given name or number with numbers in two dimensions. It holds "
                f"{len(signals)} that may be the ECG, and one of them is needed. Choose one of these."
            )
        return _table(signals[chosen], facts)
    if not signals:
        raise _bad_array("holds no two-dimensional array of samples")
    if len(signals) > 1:
        listed = tuple(f"{name[:40]} {array.shape}" for name, array in signals.items())
        sizes = " and ".join(" x ".join(f"{size:,}" for size in array.shape) for array in list(signals.values())[:4])
        why = f"{len(signals)} arrays of the file may be the ECG; they have {sizes} numbers."
        raise MissingFactsError(("variable",), Preview(0, 0, variables=listed), why)
    return _table(next(iter(signals.values())), facts)


def _last(name: str) -> str:
    """Return the name of a field without those of the structures that hold it."""
    return name.rpartition(".")[2]


def _of_vectors(arrays: Mapping[str, NDArray[Any]]) -> tuple[tuple[str, ...], NDArray[Any]] | None:
    """Return names and columns of the leads that have a vector each, after one of times; None where there are few."""
    vectors = {
        name: array.ravel() for name, array in arrays.items()
        if array.dtype.kind in "fiu" and array.size >= 100 and array.size == max(array.shape, default=0)
    }  # fmt: skip
    leads = {name: array for name, array in vectors.items() if canonical_lead_name(split_name(_last(name))[0])}
    if len(leads) < len(INDEPENDENT_LEADS):
        return None
    length = len(next(iter(leads.values())))
    if any(len(array) != length for array in leads.values()):
        raise _bad_array("holds leads of different length")
    times = {name: array for name, array in vectors.items() if counts_time(_last(name)) and len(array) == length}
    columns = {**dict(list(times.items())[:1]), **leads}
    return tuple(_last(name) for name in columns), np.column_stack(list(columns.values()))


def _table(array: NDArray[Any], facts: Mapping[str, NDArray[Any]]) -> Table:
    """Return an array as a table with the facts that arrays beside it state."""
    if array.ndim == 3 and 1 in array.shape:
        array = array.reshape([size for size in array.shape if size != 1] or [1])
    if array.ndim != 2 or array.dtype.kind not in "fiu" or max(array.shape) > MAX_SAMPLES or min(array.shape) < 1:
        raise _bad_array(f"has the shape {array.shape}")
    if min(array.shape) > MAX_SIGNALS:
        raise _bad_array(f"has the shape {array.shape} with more than {MAX_SIGNALS} signals")
    fs_values = [facts[name] for name in _FS_NAMES if name in facts and facts[name].dtype.kind in "fiu"]
    fs = float(fs_values[0].ravel()[0]) if fs_values else None
    leads = [facts[name] for name in _LEAD_NAMES if name in facts and facts[name].dtype.kind == "U"]
    units = [facts[name] for name in _UNIT_NAMES if name in facts and facts[name].dtype.kind == "U"]
    split = [split_name(str(name)) for name in leads[0].ravel()[:MAX_SIGNALS]] if leads else []
    names = tuple(name for name, _ in split)
    unit_names = tuple(str(unit).strip() for unit in units[0].ravel()[:MAX_SIGNALS]) if units else ()
    if not unit_names and any(unit for _, unit in split):
        unit_names = tuple(unit for _, unit in split)
    orientation = evident_orientation(array.shape)
    n_signals = array.shape[0] if orientation == "leads in rows" else array.shape[1]
    if len(unit_names) == 1:
        unit_names *= n_signals
    names = names if len(names) == n_signals else ()
    unit_names = unit_names if len(unit_names) == n_signals else ()
    age, sex = _age(facts.get("age")), _sex(facts.get("sex", facts.get("gender")))
    return Table(np.asarray(array, dtype=np.float64), orientation, names, unit_names, fs, age, sex)


def _age(fact: NDArray[Any] | None) -> int | None:
    if fact is None or fact.size != 1 or fact.dtype.kind not in "fiu" or not 0 <= float(fact.ravel()[0]) <= 150:
        return None
    return int(fact.ravel()[0])


def _sex(fact: NDArray[Any] | None) -> Sex | None:
    if fact is None or fact.size != 1 or fact.dtype.kind != "U":
        return None
    sexes: dict[str, Sex] = {"m": "male", "male": "male", "f": "female", "female": "female"}
    return sexes.get(str(fact.ravel()[0]).strip().lower())


def _bad_array(found: str) -> RecordingFormatError:
    return RecordingFormatError(
        f"The array file {found}. A whole array of plain numbers with two axes, leads and time, is needed. "
        "Save the ECG as such an array."
    )
