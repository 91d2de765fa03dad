"""CSV, NPY, NPZ and MAT: what they state is used, what they do not state is asked for, and nothing is unpickled."""

from __future__ import annotations

import io
import pickle
import struct
import zlib

import numpy as np
import pytest

from ecgimn.errors import LeadError, RecordingError, RecordingFormatError, SignalError
from ecgimn.formats import MissingFactsError, ReadingHints
from ecgimn.formats.read import read_files
from ecgimn.leads import INDEPENDENT_LEADS, STANDARD_LEADS

ALL = ReadingHints(fs=500, unit="uV", leads=STANDARD_LEADS)


def needed_by(data: bytes, **hints: object) -> tuple[str, ...]:
    """Return the facts that a file is asked for."""
    with pytest.raises(MissingFactsError) as caught:
        read_files({"table": data}, ReadingHints(**hints))  # type: ignore[arg-type]
    return caught.value.needed


def read(data: bytes, hints: ReadingHints | None = None):
    """Read one file."""
    return read_files({"table": data}, hints)


def test_each_missing_fact_is_asked_for_by_itself(make, ecg):
    data = make.csv_file(ecg, header=False)
    assert needed_by(data) == ("leads", "fs", "unit")
    assert needed_by(data, fs=500) == ("leads", "unit")
    assert needed_by(data, fs=500, leads=STANDARD_LEADS) == ("unit",)
    assert needed_by(data, unit="uV", leads=STANDARD_LEADS) == ("fs",)


def test_the_question_is_one_plain_sentence_with_a_preview(make, ecg):
    with pytest.raises(MissingFactsError) as caught:
        read(make.csv_file(ecg, header=False))
    assert "which lead each column is, the sampling frequency, the unit" in str(caught.value)
    preview = caught.value.preview
    assert (preview.n_samples, preview.n_signals) == (5000, 12)
    assert preview.first[0] == tuple(np.round(ecg[:, 0] * 1000))
    assert preview.highest[1] == np.round(ecg[1].max() * 1000)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (copy.needed, copy.preview) == (caught.value.needed, preview)


def test_the_preview_shows_the_beginning_of_each_signal_with_its_peaks(make, ecg):
    with pytest.raises(MissingFactsError) as caught:
        read_files({"ecg.csv": make.csv_file(ecg, header=False)})
    preview = caught.value.preview
    assert len(preview.sketch) == 12
    assert all(len(row) <= 250 for row in preview.sketch)
    assert max(preview.sketch[1]) == np.round(1000 * ecg[1, :2000].max())
    assert preview.typical_span_mv("uV") == pytest.approx(np.median(np.ptp(ecg, axis=1)), rel=0.01)


def test_answers_are_used_and_noted(make, ecg):
    recording = read(make.csv_file(ecg, header=False), ALL)
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)
    assert "Given by the reader, not by the file: leads, fs, unit." in recording.notes


def test_an_answer_outranks_the_file(make, ecg):
    recording = read(make.csv_file(ecg), ReadingHints(fs=250))
    assert recording.fs == 250


def test_columns_with_an_empty_name_are_left_out(make, ecg):
    table = np.vstack([np.arange(5000), ecg * 1000]).T
    data = "\n".join(",".join(f"{value:.0f}" for value in row) for row in table).encode()
    recording = read(data, ReadingHints(fs=500, unit="uV", leads=("", *STANDARD_LEADS)))
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)


def test_hints_that_do_not_fit_are_refused(make, ecg):
    data = make.csv_file(ecg, header=False)
    with pytest.raises(LeadError, match="11 lead names are given for 12 signals"):
        read(data, ReadingHints(fs=500, unit="uV", leads=STANDARD_LEADS[:11]))
    with pytest.raises(LeadError, match="twice"):
        read(data, ReadingHints(fs=500, unit="uV", leads=(*STANDARD_LEADS[:11], "V5")))
    with pytest.raises(SignalError, match="unit"):
        read(data, ReadingHints(fs=500, unit="furlong", leads=STANDARD_LEADS))
    with pytest.raises(SignalError, match="peak to peak"):
        read(data, ReadingHints(fs=500, unit="V", leads=STANDARD_LEADS))
    for fs in (0, -500, float("nan"), float("inf"), 1e6):
        with pytest.raises(SignalError, match="sampling frequency"):
            read(data, ReadingHints(fs=fs, unit="uV", leads=STANDARD_LEADS))


@pytest.mark.parametrize(
    "header",
    [
        "I (mV),II (mV),III (mV),aVR (mV),aVL (mV),aVF (mV),V1 (mV),V2 (mV),V3 (mV),V4 (mV),V5 (mV),V6 (mV)",
        "i_mV,ii_mV,iii_mV,avr_mV,avl_mV,avf_mV,v1_mV,v2_mV,v3_mV,v4_mV,v5_mV,v6_mV",
        '"I [mV]","II [mV]","III [mV]","AVR [mV]","AVL [mV]","AVF [mV]","V1 [mV]","V2 [mV]","V3 [mV]","V4 [mV]",'
        '"V5 [mV]","V6 [mV]"',
        "I,II,III,aVR,aVL,aVF,V1,V2,V3,V4,V5,V6\n" + ",".join(["mV"] * 12),
        "# exported\nI,II,III,aVR,aVL,aVF,V1,V2,V3,V4,V5,V6\n" + ",".join(["mV"] * 12),
    ],
)
def test_names_and_units_are_read_from_the_header(ecg, header):
    rows = "\n".join(",".join(f"{value:.3f}" for value in row) for row in ecg.T)
    recording = read(f"{header}\n{rows}\n".encode(), ReadingHints(fs=500))
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)


@pytest.mark.parametrize(("separator", "decimal"), [(",", "."), (";", ","), ("\t", "."), (";", "."), (" ", ".")])
def test_separators_and_decimal_commas_are_understood(ecg, separator, decimal):
    rows = [separator.join(f"{value:.3f}".replace(".", decimal) for value in row) for row in ecg.T]
    data = "\n".join([separator.join(STANDARD_LEADS), *rows]).encode()
    np.testing.assert_allclose(read(data, ReadingHints(fs=500, unit="mV")).signal, ecg, atol=1e-6)


@pytest.mark.parametrize(("name", "scale"), [("time_s", 1), ("Time (s)", 1), ("t [ms]", 1000), ("time_ms", 1000)])
def test_a_time_column_with_a_unit_gives_the_rate(ecg, name, scale):
    rows = [f"{sample / 500 * scale:.4f}," + ",".join(f"{v:.3f}" for v in row) for sample, row in enumerate(ecg.T)]
    data = "\n".join([",".join([name, *STANDARD_LEADS]), *rows]).encode()
    assert read(data, ReadingHints(unit="mV")).fs == 500


def test_a_time_column_without_a_unit_or_with_gaps_is_not_trusted(ecg):
    plain = [f"{sample / 500:.4f}," + ",".join(f"{v:.3f}" for v in row) for sample, row in enumerate(ecg.T)]
    assert needed_by("\n".join([",".join(["time", *STANDARD_LEADS]), *plain]).encode(), unit="mV") == ("fs",)
    gappy = plain[:2000] + plain[4000:]
    assert needed_by("\n".join([",".join(["time_s", *STANDARD_LEADS]), *gappy]).encode(), unit="mV") == ("fs",)


def test_empty_cells_are_gaps(ecg):
    rows = [[f"{value:.3f}" for value in row] for row in ecg.T]
    rows[100][5], rows[101][5], rows[102][5] = "", "NaN", "NA"
    data = "\n".join([",".join(STANDARD_LEADS), *(",".join(row) for row in rows)]).encode()
    signal = read(data, ReadingHints(fs=500, unit="mV")).signal
    assert np.isnan(signal[5, 100:103]).all()
    assert np.isnan(signal).sum() == 3


@pytest.mark.parametrize(
    "data",
    [
        b"I,II\n1,2\n3,four\n",
        b"I,II\n1,2\n3,4,5\n",
        b"1,2,3\n" + b"4,5,6,7,8\n" * 10,
        b",".join([b"1"] * 5000) + b"\n",
        b"=cmd|' /C calc'!A0,1\n1,2\n",
        b"I,II,III\n",
        b"a,b,c\nd,e,f\ng,h,i\n1,2,3\n",
    ],
)
def test_text_that_is_no_table_of_numbers_is_refused(data):
    with pytest.raises(RecordingError) as caught:
        read(data, ReadingHints(fs=500, unit="mV"))
    assert str(caught.value).endswith(".")


def test_a_table_with_too_many_lines_is_refused():
    with pytest.raises(RecordingFormatError, match="lines"):
        read(b"1\n" * 1_300_000)


@pytest.mark.parametrize("dtype", ["<f8", ">f4", "<i2", "<i8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_is_read_in_either_orientation(make, ecg, dtype, order):
    steps = np.asarray(np.round(ecg * 1000), dtype=dtype, order=order)
    for array in (steps, steps.T, steps[None]):
        np.testing.assert_allclose(read(make.npy_file(array), ALL).signal, ecg, atol=1e-6)


def test_an_orientation_that_is_not_evident_is_asked_for(make):
    square = np.zeros((20, 20))
    assert needed_by(make.npy_file(square), fs=500, unit="mV", leads=STANDARD_LEADS) == ("orientation",)


def test_an_npy_header_that_claims_terabytes_is_refused():
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (12, 100000000000), }"
    data = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header) + 1) + header + b"\n" + b"\x00" * 96
    with pytest.raises(RecordingFormatError, match="9,600,000,000,000 bytes"):
        read(data)


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '|O', 'fortran_order': False, 'shape': (12, 100)}",
        "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (12, 100)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-12, 100)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': 'x'}",
        "{'descr': '<f8'}",
        "__import__('os').getcwd()",
        "[" * 2000,
        "",
    ],
)
def test_hostile_npy_headers_are_refused(header):
    data = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + b"\x00" * 9600
    with pytest.raises(RecordingFormatError):
        read(data)


def test_pickled_objects_are_never_loaded(ecg):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    buffer = io.BytesIO()
    np.save(buffer, np.array([Bomb()] * 4, dtype=object), allow_pickle=True)
    with pytest.raises(RecordingFormatError, match="holds"):
        read(buffer.getvalue())
    with pytest.raises(RecordingFormatError, match="pickle"):
        read(pickle.dumps(ecg))


def test_npz_and_mat_state_what_they_can(make, ecg):
    names = np.array(STANDARD_LEADS)
    recording = read(make.npz_file(ecg=ecg, fs=np.array([500]), unit=np.array("mV"), sig_name=names))
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)
    assert needed_by(make.npz_file(ecg=ecg)) == ("leads", "fs", "unit")
    assert needed_by(make.mat_file(val=ecg)) == ("leads", "fs", "unit")
    recording = read(make.mat_file(val=ecg * 1000, fs=500.0), ReadingHints(unit="uV", leads=STANDARD_LEADS))
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)


def test_which_of_several_arrays_is_asked_for(make, ecg):
    for data in (make.npz_file(a=ecg, b=ecg * 2), make.mat_file(a=ecg, b=ecg * 2)):
        with pytest.raises(MissingFactsError) as caught:
            read(data, ReadingHints(fs=500, unit="mV", leads=STANDARD_LEADS))
        assert caught.value.needed == ("variable",)
        assert caught.value.preview.variables == ("a (12, 5000)", "b (12, 5000)")
        chosen = read(data, ReadingHints(fs=500, unit="mV", leads=STANDARD_LEADS, variable="b"))
        np.testing.assert_allclose(chosen.signal, ecg * 2, atol=1e-6)
        with pytest.raises(RecordingFormatError, match="no array"):
            read(data, ReadingHints(variable="c"))


def test_a_mat_file_that_unpacks_without_end_is_refused(make):
    bomb = zlib.compress(b"\x00" * 60_000_000, 9)
    data = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + struct.pack("<II", 15, len(bomb)) + bomb
    with pytest.raises(RecordingFormatError, match="unpacks to more"):
        read(data)


def test_columns_with_unknown_names_are_asked_about(make, ecg):
    table = make.csv_file(ecg).decode()
    foreign = table.replace(",I (", ",uno (", 1).replace(",II (", ",due (", 1).replace(",III (", ",tre (", 1).encode()
    with pytest.raises(MissingFactsError) as caught:
        read(foreign)
    assert caught.value.needed == ("leads",)
    assert caught.value.preview.names[:4] == ("time", "uno", "due", "tre")
    recording = read(foreign, ReadingHints(leads=("", *STANDARD_LEADS)))
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)


def test_a_column_that_is_missing_is_missing_and_not_asked_about(make, ecg):
    table = "\n".join(line.rsplit(",", 1)[0] for line in make.csv_file(ecg).decode().splitlines()).encode()
    with pytest.raises(LeadError, match="V6 is missing"):
        read(table)


def test_fewer_columns_than_leads_are_refused_and_not_asked_about(make, ecg):
    for data in (make.csv_file(ecg[:3], header=False), make.npy_file(ecg[:3]), make.mat_file(val=ecg[:3])):
        with pytest.raises(LeadError, match="holds 3 signals"):
            read(data)


def test_eight_columns_are_enough(make, ecg):
    rows = [STANDARD_LEADS.index(lead) for lead in INDEPENDENT_LEADS]
    recording = read(make.npy_file(ecg[rows]), ReadingHints(fs=500, unit="mV", leads=INDEPENDENT_LEADS))
    assert recording.derived_leads == ("III", "aVR", "aVL", "aVF")
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)
