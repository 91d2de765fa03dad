"""Every format: the same ECG in each gives the same millivolts, picked by content, de-identified, never guessed."""

from __future__ import annotations

import contextlib
import re
import time

import numpy as np
import pytest

from ecgimn.errors import LeadError, RecordingFormatError, SignalError
from ecgimn.formats import MissingFactsError, ReadingHints, read_recording
from ecgimn.formats.detect import detect_format
from ecgimn.formats.read import read_files
from ecgimn.leads import STANDARD_LEADS

FORMATS = ["WFDB", "EDF", "ISHNE", "SCP-ECG", "MUSE", "Philips", "aECG", "CSV", "NPZ", "MAT", "ZIP"]
CHALLENGE_2011 = ReadingHints(fs=500, unit="uV", leads=("", *STANDARD_LEADS))


@pytest.fixture(scope="module")
def everything(make):
    """The synthetic ECG in every format."""
    return make.every_format()


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_ecg_reads_alike_from_every_format(everything, ecg, name):
    recording = read_files(everything[name])
    assert recording.fs == 500
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "WFDB"])  # a WFDB header names its .dat file
def test_the_content_decides_and_not_the_name(everything, ecg, tmp_path, name):
    path = tmp_path / "ecg.jpeg"
    path.write_bytes(next(iter(everything[name].values())))
    np.testing.assert_allclose(read_recording(path).signal, ecg, atol=1e-6)


@pytest.mark.parametrize("name", FORMATS)
def test_no_name_of_a_patient_or_file_survives(everything, name):
    recording = read_files({file.replace("ecg", "DOE"): data for file, data in everything[name].items()})
    assert not any(word in repr(recording) for word in ("Doe", "DOE", "Jane", "4711"))
    if name in ("EDF", "ISHNE", "SCP-ECG", "MUSE", "Philips"):
        assert any("identifying field" in note for note in recording.notes)


def test_age_and_sex_of_the_file_yield_to_those_entered(everything):
    assert (read_files(everything["MUSE"]).age, read_files(everything["MUSE"]).sex) == (51, "female")
    entered = read_files(everything["MUSE"], age=60, sex="male")
    assert (entered.age, entered.sex) == (60, "male")


def test_eight_stored_leads_are_named_as_derived(everything):
    assert read_files(everything["MUSE"]).derived_leads == ("III", "aVR", "aVL", "aVF")
    assert read_files(everything["WFDB"]).derived_leads == ()


def test_the_dat_file_or_the_record_name_leads_to_the_header(everything, tmp_path):
    for name, data in everything["WFDB"].items():
        (tmp_path / name).write_bytes(data)
    digests = {read_recording(tmp_path / name).digest for name in ("case.hea", "case.dat", "case")}
    assert len(digests) == 1


@pytest.mark.parametrize("fs", [250, 257, 500, 800, 1000])
def test_an_exact_rate_survives_every_format_that_can_state_it(make, fs):
    signal = make.synthetic_ecg(fs)
    for write in (make.edf_file, make.aecg_file, make.csv_file, make.muse_file):
        assert read_files({"ecg": write(signal, fs)}).fs == pytest.approx(fs, abs=1e-6)


def test_a_rate_that_is_no_whole_number_is_not_rounded(make):
    signal = make.synthetic_ecg(500)
    assert read_files({"a": make.aecg_file(signal, 512.5)}).fs == pytest.approx(512.5)
    assert read_files({"a": make.edf_file(signal, 500, record_s=0.8).replace(b"0.8     ", b"0.78    ")}).fs > 512
    assert read_files({"a": make.scp_file(signal, 512)}).fs == pytest.approx(1e6 / 1953)


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "CSV"])
def test_a_file_cut_in_half_is_refused_in_one_sentence(everything, name):
    files = dict(everything[name])
    largest = max(files, key=lambda file: len(files[file]))
    half = len(files[largest]) // 2 + (1 - len(files[largest]) // 2 % 2)  # an odd number: ISHNE knows no other sign
    with pytest.raises(RecordingFormatError) as caught:
        read_files({**files, largest: files[largest][:half]})
    assert str(caught.value).endswith(".")


def test_what_ends_early_without_a_sign_of_it_is_noted(everything):
    table = everything["CSV"]["ecg.csv"]
    short = read_files({"ecg.csv": table[: table.rindex(b"\n", 0, 300_000) + 40]})
    assert "The last line is incomplete and left out: the table may be cut short." in short.notes
    ishne = everything["ISHNE"]["ecg.ecg"]
    short = read_files({"ecg.ecg": ishne[: 522 + 24 * 2000]})
    assert "The file announces 5,000 samples per lead and holds 2,000: it may be cut short." in short.notes


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"%PDF-1.7 report", "PDF"),
        (b"\x89PNG\r\n\x1a\n" + b"\x00" * 100, "image"),
        (b"\xff\xd8\xff\xe0" + b"\x00" * 100, "image"),
        (b"\x89HDF\r\n\x1a\n" + b"\x00" * 100, "7.3"),
        (b"\x1f\x8b\x08" + b"\x00" * 100, "gzip"),
        (b"\x80\x04\x95" + b"\x00" * 100, "pickle"),
        (b"\x7fELF" + b"\x00" * 100, "program"),
        (b"\x00\x01\x02\x03" * 100, "binary"),
        (b"Dear colleague,\nthe ECG was normal.\n", "numbers"),
        (b"\n\n\n", "numbers"),
        (b"<html><body>ECG</body></html>", "html"),
        (b"<svg xmlns='x'/>", "svg"),
        (b"\xe9\xe8\xe7 caf\xe9 text", "UTF-8"),
    ],
)
def test_what_is_no_ecg_is_named_for_what_it_is(data, word):
    with pytest.raises(RecordingFormatError, match=word):
        read_files({"ecg": data})


@pytest.mark.parametrize(
    ("document", "word"),
    [
        ('<!DOCTYPE a [<!ENTITY x "y">]><RestingECG>&x;</RestingECG>', "entities"),
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><RestingECG>&x;</RestingECG>', "entities"),
        ('<!DOCTYPE a [<!ENTITY % x SYSTEM "http://example.org/x"> %x;]><RestingECG/>', "entities"),
        ("<RestingECG>" + "<a>" * 70 + "</a>" * 70 + "</RestingECG>", "deep"),
        ("<RestingECG>" + "<a/>" * 250_000 + "</RestingECG>", "elements"),
        ("<RestingECG><Waveform>", "malformed"),
        ("<RestingECG/>", "decoded"),
        ("<restingecgdata/>", "decoded"),
        ("<AnnotatedECG/>", "decoded"),
    ],
    ids=lambda value: value[:60],  # one of the documents is a megabyte, which every process would send as a name
)
def test_hostile_xml_is_refused(document, word):
    with pytest.raises(RecordingFormatError, match=word):
        read_files({"ecg.xml": document.encode()})


def test_utf16_xml_is_read(make, ecg):
    text = make.philips_file(ecg).decode().replace("UTF-8", "UTF-16")
    np.testing.assert_allclose(read_files({"x": text.encode("utf-16")}).signal, ecg, atol=1e-6)


def test_wrongly_declared_encoding_is_read(make, ecg):
    data = make.philips_file(ecg).replace(b"Doe", b"Do\xe9")
    np.testing.assert_allclose(read_files({"x": data}).signal, ecg, atol=1e-6)


def test_a_missing_amplitude_unit_is_never_guessed(make, ecg):
    with pytest.raises(SignalError, match="no scale in volts"):
        read_files({"muse.xml": make.muse_file(ecg, unit="")})
    with pytest.raises(SignalError, match="no scale in volts"):
        read_files({"aecg.xml": make.aecg_file(ecg, unit="")})
    with pytest.raises(SignalError, match="unit"):
        read_files({"ecg.edf": make.edf_file(ecg, unit="mmHg")})
    with pytest.raises(SignalError, match="no scale in volts"):
        read_files({"ecg.edf": make.edf_file(ecg, unit="")})


def test_a_unit_that_cannot_be_true_is_refused(make, ecg):
    with pytest.raises(SignalError, match="peak to peak"):
        read_files({"ecg.edf": make.edf_file(ecg, unit="mV")})


def test_a_doubled_lead_is_refused_although_the_library_renames_it(make, ecg):
    leads = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V1", "V3", "V4", "V5", "V6")
    with pytest.raises(LeadError, match="V1 is there twice"):
        read_files({"ecg.edf": make.edf_file(ecg, leads=leads)})


def test_named_leads_are_needed(make, ecg):
    with pytest.raises(LeadError, match="name of a standard lead"):
        read_files({"ecg.edf": make.edf_file(ecg[:3], leads=("ch1", "ch2", "ch3"))})
    with pytest.raises(LeadError, match="V6"):
        read_files({"ecg.edf": make.edf_file(ecg[:11], leads=STANDARD_LEADS[:11])})


def test_signals_that_may_be_the_leads_are_asked_about(make, ecg):
    names = tuple(f"ch{number}" for number in range(1, 13))
    files = {"ecg.edf": make.edf_file(ecg, leads=names)}
    with pytest.raises(MissingFactsError) as caught:
        read_files(files)
    assert caught.value.needed == ("leads",)
    assert caught.value.preview.names == names
    assert caught.value.preview.highest[1] == pytest.approx(1000 * ecg[1].max())
    recording = read_files(files, ReadingHints(leads=STANDARD_LEADS))
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)
    assert "Given by the reader, not by the file: leads." in recording.notes
    with pytest.raises(LeadError, match="11 lead names are given for 12 signals"):
        read_files(files, ReadingHints(leads=STANDARD_LEADS[:11]))


def test_discontinuous_and_24_bit_edf_are_refused(make, ecg):
    with pytest.raises(RecordingFormatError, match="discontinuous"):
        read_files({"ecg.edf": make.edf_file(ecg, kind="EDF+D")})
    with pytest.raises(RecordingFormatError, match="BDF"):
        read_files({"ecg.bdf": b"\xffBIOSEMI" + make.edf_file(ecg)[8:]})


def test_a_holter_recording_is_refused_by_its_length(make):
    hours = np.zeros((12, 100 * 4000))
    with pytest.raises(RecordingFormatError, match="4,000 s"):
        read_files({"holter.ecg": make.ishne_file(hours, 100)})


def test_sizes_that_scp_only_announces_are_not_allocated(make, ecg):
    with pytest.raises(RecordingFormatError, match="4,000,000,000 samples"):
        read_files({"ecg.scp": make.scp_file(ecg, samples_announced=4_000_000_000)})


def test_a_broken_checksum_is_noted(make, ecg):
    data = bytearray(make.scp_file(ecg))
    data[-2] ^= 1
    assert any("checksum" in note for note in read_files({"ecg.scp": bytes(data)}).notes)


def test_several_files_must_be_one_recording(everything):
    wfdb = everything["WFDB"]
    with pytest.raises(RecordingFormatError, match="2 of them look like"):
        read_files({**everything["MUSE"], **everything["aECG"]})
    with pytest.raises(RecordingFormatError, match="not among the files"):
        read_files({"case.hea": wfdb["case.hea"]})
    with pytest.raises(RecordingFormatError, match="2 WFDB headers"):
        read_files({**wfdb, "b.hea": wfdb["case.hea"]})
    with pytest.raises(RecordingFormatError, match="ZIP archive lies among"):
        read_files({**wfdb, **everything["ZIP"]})
    with pytest.raises(RecordingFormatError, match="same name"):
        read_files({"a/case.hea": wfdb["case.hea"], "b\\case.hea": wfdb["case.hea"]})
    with pytest.raises(RecordingFormatError, match="0 files"):
        read_files({})
    with pytest.raises(RecordingFormatError, match="empty"):
        read_files({"ecg": b""})


def test_files_beside_a_wfdb_record_are_ignored(everything, ecg):
    recording = read_files({**everything["WFDB"], "case.atr": b"\x01\x02\x00\x00" * 9, "notes.txt": b"a, b\n"})
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)


def test_formats_are_told_apart_by_content(everything):
    expected = {"EDF": "EDF", "ISHNE": "ISHNE", "SCP-ECG": "SCP-ECG", "MUSE": "XML", "Philips": "XML", "aECG": "XML",
                "CSV": "table", "NPZ": "NPZ", "MAT": "MAT", "ZIP": "ZIP"}  # fmt: skip
    assert {name: detect_format(next(iter(everything[name].values()))) for name in expected} == expected
    assert detect_format(everything["WFDB"]["case.hea"]) == "WFDB"


# --- real files -----------------------------------------------------------------------------------


def test_every_real_file_reads(real_files):
    paths = [path for path in sorted(real_files.iterdir()) if path.is_file() and path.suffix != ".md"]
    assert len(paths) >= 12
    for path in paths:
        recording = read_recording(path, hints=CHALLENGE_2011 if path.suffix == ".csv" else None)
        assert recording.signal.shape[0] == 12
        assert 8 <= recording.duration_s <= 60


def test_the_real_csv_asks_for_leads_rate_and_unit(real_files):
    with pytest.raises(MissingFactsError) as caught:
        read_recording(real_files / "csv_challenge2011_acceptable_quality.csv")
    assert caught.value.needed == ("leads", "fs", "unit")
    assert caught.value.preview.n_signals == 13


def test_scp_and_aecg_of_one_tracing_agree_exactly(real_files):
    scp = read_recording(real_files / "scp_example_500hz.scp")
    aecg = read_recording(real_files / "aecg_hl7_example_same_as_scp.xml")
    assert np.abs(scp.signal - aecg.signal).max() == 0.0
    assert scp.digest == aecg.digest


@pytest.mark.parametrize(
    ("muse", "dicom"),
    [
        ("muse_guangxi_early_repol_500hz.xml", "dicom_guangxi_early_repol_500hz.dcm"),
        ("synthetic_muse.xml", "synthetic_muse.dcm"),
    ],
)
def test_muse_and_dicom_of_one_tracing_agree(real_files, muse, dicom):
    first, second = read_recording(real_files / muse), read_recording(real_files / dicom)
    stored = [STANDARD_LEADS.index(lead) for lead in STANDARD_LEADS if lead not in first.derived_leads]
    assert np.abs(first.signal[stored] - second.signal[stored]).max() == 0.0
    half_step_mv = 0.00488 / 2  # the DICOM file holds aVR, aVL and aVF rounded to its step
    assert np.abs(first.signal - second.signal).max() <= half_step_mv * 1.001


@pytest.mark.parametrize(
    "unit",
    [
        b"#\n",
        b" \n",
        b"\n",
        b"# a\n",
        b"a ",
        b"\t",
        b"a\n",
        b"1 ",
        b"#",
        b"a b c\n",
        b",",
        b"<!-",
        b"\xef\xbb\xbf ",
        b"'",
        b"1,2\n",
    ],
)
def test_telling_a_format_takes_time_in_proportion_to_the_file(unit):
    """Growth, not seconds: backtracking doubles with each few bytes, and squares show between 500 and 2,000 bytes."""

    def cost(n_bytes: int) -> int:
        data = (unit * n_bytes)[:n_bytes] + b"!"
        start = time.process_time_ns()
        for _ in range(20):
            with contextlib.suppress(RecordingFormatError):
                detect_format(data)
        return time.process_time_ns() - start

    for small, large, allowed in ((10, 20, 30), (500, 2000, 14)):
        cost(small)
        assert min(cost(large) for _ in range(7)) < allowed * min(cost(small) for _ in range(7))


def test_no_pattern_of_the_readers_repeats_a_repetition():
    """A group that holds an unbounded repetition and is repeated without bound itself may backtrack without end."""
    import re._parser as parser

    from ecgimn import leads
    from ecgimn.formats import arrays, detect, ecgdatakit, export, table, text_table, traces, wfdb_header, xml_ecg
    from ecgimn.formats import table as time_axis

    def unbounded(node: object, inside: bool = False) -> bool:
        for operation, value in node:  # type: ignore[attr-defined]
            name = str(operation)
            if name in ("MAX_REPEAT", "MIN_REPEAT"):
                _, most, body = value
                endless = str(most) == "MAXREPEAT"
                if (endless and inside) or unbounded(body, inside or endless):
                    return True
            elif name == "SUBPATTERN":
                if unbounded(value[-1], inside):
                    return True
            elif name == "BRANCH" and any(unbounded(branch, inside) for branch in value[1]):
                return True
        return False

    modules = (leads, arrays, detect, ecgdatakit, export, table, text_table, time_axis, traces, wfdb_header, xml_ecg)
    patterns = {pattern for module in modules for pattern in vars(module).values() if isinstance(pattern, re.Pattern)}
    assert len(patterns) > 15
    assert not [pattern.pattern for pattern in patterns if unbounded(parser.parse(pattern.pattern))]
    assert unbounded(parser.parse(r"(?:\s*(?:#[^\n]*)?\n)*a"))  # what this guards against
