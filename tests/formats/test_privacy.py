"""No text of a file reaches a message, a note or a log: wherever a name stands in a file, it is not repeated."""

from __future__ import annotations

import logging
import re
import warnings

import numpy as np
import pytest

from ecgimn.errors import RecordingError
from ecgimn.formats import MissingFactsError, ReadingHints
from ecgimn.formats.read import read_files
from ecgimn.leads import STANDARD_LEADS

NAME = b"Musterfrau"
TEXT = ("WFDB", "MUSE", "Philips", "aECG", "CSV")
BINARY = ("DICOM", "EDF", "ISHNE", "SCP-ECG", "MAT", "NPZ", "NPY", "ZIP")


@pytest.fixture(scope="module")
def corpus(make, tmp_path_factory):
    from ecgimn.formats.export import write_dicom
    from ecgimn.recording import Recording

    signal = make.synthetic_ecg(250, 3)
    path = write_dicom(Recording(signal, 250), tmp_path_factory.mktemp("privacy") / "ecg.dcm")
    files = make.every_format(250, 3)
    return {**files, "DICOM": {"ecg.dcm": path.read_bytes()}, "NPY": {"ecg.npy": make.npy_file(signal)}}


def said_of(files: dict[str, bytes], caplog, hints: ReadingHints | None = None) -> str:
    """Everything that reading says: message or notes, log and warnings."""
    with warnings.catch_warnings(record=True) as caught, caplog.at_level(logging.DEBUG, logger="ecgimn"):
        warnings.simplefilter("always")
        try:
            recording = read_files(files, hints)
            said = " ".join((repr(recording), *recording.notes, recording.record_name))
        except RecordingError as exc:
            said = str(exc)
    ours = [record.getMessage() for record in caplog.records]
    return " ".join((said, *ours, *(str(warning.message) for warning in caught)))


@pytest.mark.parametrize("name", TEXT)
def test_a_name_in_place_of_any_word_of_a_text_file_is_not_repeated(corpus, caplog, name):
    for file, data in corpus[name].items():
        if file.endswith(".dat"):
            continue
        words = [match.span() for match in re.finditer(rb"[A-Za-z0-9./()+-]{1,40}", data[:4000])]
        for start, stop in words[:: max(1, len(words) // 80)]:
            for replaced in (data[:start] + NAME + data[stop:], data[:start] + NAME + b" " + data[start:]):
                said = said_of({**corpus[name], file: replaced}, caplog)
                assert "uster" not in said, (start, said)


@pytest.mark.parametrize("name", BINARY)
def test_a_name_over_any_bytes_of_a_binary_file_is_not_repeated(corpus, caplog, name):
    (file, data), *rest = corpus[name].items()
    hints = ReadingHints(fs=250, unit="mV", leads=STANDARD_LEADS) if name in ("MAT", "NPZ", "NPY") else None
    reach = min(len(data), 6000)
    for start in range(0, reach, max(1, reach // 150)):
        replaced = data[:start] + NAME + data[start + len(NAME) :]
        said = said_of({file: replaced, **dict(rest)}, caplog, hints)
        assert "uster" not in said, (start, said)


@pytest.mark.parametrize(
    "text",
    [
        "Musterfrau,Marlene\n1,2,3\n",
        "Musterfrau Marlene\n" * 5,
        "Musterfrau;1;2\n1;2;Musterfrau\n",
        "Name: Musterfrau\n" + "1.0,2.0\n" * 300,
        "Musterfrau\t12 500\nMusterfrau.dat 16\n",
        "Musterfrau 12 500 5000\nMusterfrau.dat 17 1000 16 0 0 0 0 I\n",
        "Musterfrau/3 12 500 5000\nMusterfrau_1 x\n",
        "<Musterfrau/>",
        "<?xml version='1.0' encoding='Musterfrau'?><a/>",
        "sep=Musterfrau\n1,2\n",
        ",".join(["Musterfrau"] * 200) + "\n",
        "I,II,Musterfrau\n" + "1,2,3\n" * 500,
    ],
)
@pytest.mark.parametrize("file", ["Musterfrau.hea", "Musterfrau.csv"])
def test_a_name_in_a_file_that_is_refused_is_not_repeated(caplog, text, file):
    with pytest.raises(RecordingError) as caught:
        read_files({file: text.encode()})
    assert "uster" not in str(caught.value)


def test_names_of_arrays_and_columns_are_in_the_preview_and_not_in_the_message(make, ecg):
    for data in (
        make.npz_file(Musterfrau=ecg, Marlene=ecg),
        make.mat_file(Musterfrau=ecg, Marlene=ecg),
        make.csv_file(ecg).replace(b"I (mV)", b"Musterfrau", 1),
        make.edf_file(ecg, leads=tuple(f"Musterfrau {k}"[:16] for k in range(12))),
    ):
        with pytest.raises(MissingFactsError) as caught:
            read_files({"a": data})
        assert "Muster" not in str(caught.value)
        preview = caught.value.preview
        assert any("Muster" in text for text in (*preview.names, *preview.variables))


def test_an_archive_does_not_repeat_the_names_in_it(make, ecg):
    for files in ({"../Musterfrau.hea": b"x"}, {"a/Musterfrau": b"x", "b/Musterfrau": b"y"}):
        with pytest.raises(RecordingError) as caught:
            read_files({"a.zip": make.zip_file(files)})
        assert "uster" not in str(caught.value)


def test_a_batch_keeps_no_text_of_a_file_that_it_cannot_read(tmp_path, make):
    from ecgimn.batch.output import Rows
    from ecgimn.batch.work import Chunk, Item, _windows

    path = tmp_path / "a.csv"
    path.write_text("Name,Marlene Musterfrau\nBorn,1950\n" + "12.0\n" * 900)
    rows = Rows()
    chunk = Chunk((Item("record-1", str(path)),), "any", "", "not looked for", "")
    assert not list(_windows(chunk, rows))
    stored = rows.tables()["errors"].to_pylist()
    assert len(stored) == 1
    assert "uster" not in str(stored)
    assert np.all([key in stored[0] for key in ("record", "kind", "reason")])
