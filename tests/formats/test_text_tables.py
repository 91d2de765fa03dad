"""Text tables as recorders, spreadsheets and scripts write them: each spelling gives the same ECG, or a reason."""

from __future__ import annotations

import io

import numpy as np
import pytest

from ecgimn.errors import LeadError, RecordingFormatError
from ecgimn.formats import MissingFactsError, ReadingHints
from ecgimn.formats.detect import detect_format
from ecgimn.formats.read import read_files
from ecgimn.leads import STANDARD_LEADS

FS = 200
MV = ReadingHints(fs=FS, unit="mV")


def read(text: str | bytes, hints: ReadingHints | None = None):
    """Read one table."""
    return read_files({"table": text.encode() if isinstance(text, str) else text}, hints)


@pytest.fixture
def ecg(make):
    """Twelve leads in mV, 6 s at 200 Hz, whole even microvolts."""
    return make.synthetic_ecg(FS, 6)


def cells(ecg, decimals: int = 3, decimal: str = ".") -> list[list[str]]:
    """One list of numbers per time, in mV."""
    return [[f"{value:.{decimals}f}".replace(".", decimal) for value in row] for row in ecg.T]


def table(rows: list[list[str]], separator: str = ",", *above: str) -> str:
    """The lines above and the rows below."""
    return "\n".join([*above, *(separator.join(row) for row in rows)]) + "\n"


def names(separator: str = ",", leads=STANDARD_LEADS) -> str:
    return separator.join(leads)


@pytest.mark.parametrize("separator", ["\t", "  ", " ", ";", ","])
@pytest.mark.parametrize("first", [0.012, -0.004])
def test_a_table_is_never_taken_for_a_wfdb_header(ecg, separator, first):
    ecg[:, 0] = first
    for header in ((names(separator),), ()):
        text = table(cells(ecg), separator, *header)
        assert detect_format(text.encode()) == "table"
        hints = MV if header else ReadingHints(fs=FS, unit="mV", leads=STANDARD_LEADS)
        np.testing.assert_allclose(read(text, hints).signal, ecg, atol=1e-6)


def test_whole_numbers_between_blanks_are_a_table_too(ecg):
    steps = np.round(ecg * 1000).astype(int)
    steps[:, 0] = (1, 12, 500, 5000, 1, 1, 1, 1, 1, 1, 1, 1)
    steps[:, 1] = 16
    text = "\n".join(" ".join(map(str, row)) for row in steps.T)
    recording = read(text, ReadingHints(fs=FS, unit="uV", leads=STANDARD_LEADS))
    np.testing.assert_allclose(recording.signal, steps / 1000, atol=1e-6)


@pytest.mark.parametrize(
    "header",
    [
        ",".join(map(str, range(12))),
        ",".join(map(str, range(1, 13))),
        ",".join(f'"{k}"' for k in range(12)),
        ",".join(f"{k}.0" for k in range(12)),
    ],
)
def test_a_header_that_numbers_the_columns_is_no_sample(ecg, header):
    recording = read(table(cells(ecg), ",", header), ReadingHints(fs=FS, unit="mV", leads=STANDARD_LEADS))
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)


def test_a_numbered_header_with_an_index_column_is_no_sample(ecg):
    rows = [[str(k), *row] for k, row in enumerate(cells(ecg))]
    text = table(rows, ",", "," + ",".join(map(str, range(12))))
    recording = read(text, ReadingHints(fs=FS, unit="mV", leads=("", *STANDARD_LEADS)))
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)


@pytest.mark.parametrize(
    ("mark", "separator"), [(",", "\t"), (",", ";"), (".", ";"), (".", ","), ("'", ";"), ("\u2019", ",")]
)
def test_separators_of_thousands_are_no_decimal_points(ecg, mark, separator):
    ecg = 2 * ecg
    rows = [[f"{round(value * 1000):,}".replace(",", mark) for value in row] for row in ecg.T]
    assert any(mark in cell for row in rows for cell in row)
    recording = read(table(rows, separator, names(separator)), ReadingHints(fs=FS, unit="uV"))
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)


def test_quoted_thousands_between_commas_are_read(ecg):
    ecg = 2 * ecg
    rows = [[f'"{round(value * 1000):,}"' for value in row] for row in ecg.T]
    recording = read(table(rows, ",", names()), ReadingHints(fs=FS, unit="uV"))
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)


@pytest.mark.parametrize(("thousands", "decimal"), [(",", "."), (".", ",")])
def test_thousands_and_decimals_in_one_number_are_told_apart(ecg, thousands, decimal):
    ecg = 2 * ecg
    rows = [
        [f"{value * 1000:,.1f}".translate(str.maketrans({",": thousands, ".": decimal})) for value in row]
        for row in ecg.T
    ]
    recording = read(table(rows, ";", names(";")), ReadingHints(fs=FS, unit="uV"))
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)


def test_a_comma_that_may_be_both_is_refused(ecg):
    raw = np.abs(np.round(ecg * 1000)) + 2000  # every number above 1,000: thousands, or three decimals
    rows = [[f"{value:,.0f}" for value in row] for row in raw.T]
    with pytest.raises(RecordingFormatError, match="thousands"):
        read(table(rows, "\t", names("\t")), ReadingHints(fs=FS, unit="uV"))


def test_decimals_without_trailing_zeros_stay_decimals(ecg):
    for decimal, separator in ((",", ";"), (".", ","), (",", "\t")):
        rows = [[f"{value:.3f}".rstrip("0").rstrip(".").replace(".", decimal) for value in row] for row in ecg.T]
        np.testing.assert_allclose(read(table(rows, separator, names(separator)), MV).signal, ecg, atol=1e-6)


def test_decimal_commas_between_commas_are_refused(ecg):
    with pytest.raises(RecordingFormatError, match=r"columns.*decimal"):
        read(table(cells(ecg, decimal=","), ",", names()), MV)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_encodings_of_spreadsheets_are_read(ecg, encoding):
    text = table(cells(ecg, 3), "\t", names("\t", [f"{lead} (\u00b5V)" for lead in STANDARD_LEADS]))
    ecg_uv = read(text.encode(encoding), ReadingHints(fs=FS, unit="mV"))
    np.testing.assert_allclose(ecg_uv.signal, ecg, atol=1e-6)


@pytest.mark.parametrize("line", ["sep=;", '"sep=;"', "SEP=;"])
def test_a_line_that_announces_the_separator_is_obeyed(ecg, line):
    np.testing.assert_allclose(read(table(cells(ecg, decimal=","), ";", line, names(";")), MV).signal, ecg, atol=1e-6)


def test_preface_lines_are_counted_and_never_shown(ecg):
    preface = ("Patient;Musterfrau, Marlene", "Born;1 Jan 1950", "", "Sampling rate;200 Hz", "Notes;none;none")
    recording = read(table(cells(ecg), ";", *preface, names(";")), ReadingHints(unit="mV"))
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)
    assert recording.fs == FS
    assert "4 header comments hidden." in recording.notes
    assert "Muster" not in repr(recording)


@pytest.mark.parametrize(
    "line", ["fs = 200 Hz", "Sample Rate,200 hertz", "# sampling_frequency: 200", "SamplingRate (Hz):\t200"]
)
def test_a_line_above_the_table_may_state_the_rate(ecg, line):
    assert read(table(cells(ecg), ",", line, names()), ReadingHints(unit="mV")).fs == FS


def test_two_lines_that_contradict_each_other_state_no_rate(ecg):
    with pytest.raises(MissingFactsError) as caught:
        read(table(cells(ecg), ",", "fs: 200 Hz", "sampling rate: 500 Hz", names()), ReadingHints(unit="mV"))
    assert caught.value.needed == ("fs",)


@pytest.mark.parametrize(
    "lead", ["{}", "EKG {}", "ECG_{}", "Lead {}", "lead{}", "ECG-{}", "{} (mV)", "{}_mV", "Lead {} [mV]"]
)
def test_lead_names_with_prefix_or_unit_are_known(ecg, lead):
    text = table(cells(ecg), ";", ";".join(lead.format(name) for name in STANDARD_LEADS))
    np.testing.assert_allclose(read(text, ReadingHints(fs=FS, unit="mV")).signal, ecg, atol=1e-6)


@pytest.mark.parametrize("limb", [("DI", "DII", "DIII"), ("D1", "D2", "D3"), ("di", "dii", "diii")])
def test_romance_names_of_the_limb_leads_are_known(ecg, limb):
    np.testing.assert_allclose(
        read(table(cells(ecg), ",", names(",", (*limb, *STANDARD_LEADS[3:]))), MV).signal, ecg, atol=1e-6
    )


def test_an_inverted_lead_is_not_taken_for_its_opposite(ecg):
    leads = tuple("-aVR" if lead == "aVR" else lead for lead in STANDARD_LEADS)
    recording = read(table(cells(ecg), ",", names(",", leads)), MV)
    assert recording.derived_leads == ("aVR",)
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)


def clock(second: float, form: str) -> str:
    minutes, rest = divmod(second, 60)
    return {
        "physiobank": f"'{int(minutes)}:{rest:06.3f}'",
        "time of day": f"10:{int(minutes):02d}:{rest:06.3f}",
        "date and time": f"2020-02-02 10:{int(minutes):02d}:{rest:06.3f}",
        "iso": f"2020-02-02T10:{int(minutes):02d}:{rest:06.3f}Z",
        "rdsamp": f"'[10:{int(minutes):02d}:{rest:06.3f} 02/02/2020]'",
    }[form]


@pytest.mark.parametrize("form", ["physiobank", "time of day", "date and time", "iso", "rdsamp"])
def test_clock_times_give_the_rate_and_no_date(ecg, form):
    rows = [[clock(k / FS, form), *row] for k, row in enumerate(cells(ecg))]
    units = ",".join(["'hh:mm:ss.mmm'", *["'mV'"] * 12])
    text = table(rows, ",", ",".join(["'Elapsed time'", *(f"'{lead.lower()}'" for lead in STANDARD_LEADS)]), units)
    recording = read(text)
    assert recording.fs == FS
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)
    assert "Date and time hidden." in recording.notes
    assert "2020" not in repr(recording)


def test_a_clock_that_passes_midnight_goes_on(ecg):
    rows = []
    for k, row in enumerate(cells(ecg)):
        second = 86_397 + k / FS
        hours, rest = divmod(second % 86_400, 3600)
        rows.append([f"{int(hours):02d}:{int(rest // 60):02d}:{rest % 60:06.3f}", *row])
    recording = read(table(rows, ",", names(",", ("Time", *STANDARD_LEADS))), ReadingHints(unit="mV"))
    assert (recording.fs, recording.n_samples) == (FS, ecg.shape[1])


def test_a_date_column_beside_a_clock_is_left_out(ecg):
    rows = [["02.02.2020", clock(k / FS, "time of day"), *row] for k, row in enumerate(cells(ecg))]
    text = table(rows, ";", names(";", ("Date", "Time", *STANDARD_LEADS)))
    recording = read(text, ReadingHints(unit="mV"))
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)
    assert recording.fs == FS


def test_rdsamp_with_elapsed_seconds_between_blanks_is_read(ecg):
    rows = [[f"{k / FS:.3f}", *row] for k, row in enumerate(cells(ecg))]
    text = table(
        rows, "\t   ", "\t".join(("   Elapsed time", *STANDARD_LEADS)), "\t".join(("  (seconds)", *["  (mV)"] * 12))
    )
    recording = read(text)
    assert recording.fs == FS
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)
    text = table(rows, "   ", "   ".join(("Elapsed time", *STANDARD_LEADS)), "   ".join(("(seconds)", *["(mV)"] * 12)))
    np.testing.assert_allclose(read(text).signal, ecg, atol=1e-6)


def test_numpy_savetxt_with_its_comment_header_is_read(ecg):
    buffer = io.StringIO()
    np.savetxt(buffer, ecg.T, fmt="%.6e", delimiter=",", header=names())
    np.testing.assert_allclose(read(buffer.getvalue(), MV).signal, ecg, atol=1e-6)


@pytest.mark.parametrize("separator", [",", "\t", " ", ";"])
def test_one_lead_a_row_is_read_with_its_name_or_asked_for(ecg, separator):
    rows = [[f"{value:.3f}" for value in row] for row in ecg]
    named = table([[lead, *row] for lead, row in zip(STANDARD_LEADS, rows, strict=True)], separator)
    np.testing.assert_allclose(read(named, MV).signal, ecg, atol=1e-6)
    with pytest.raises(MissingFactsError) as caught:
        read(table(rows, separator), MV)
    assert caught.value.needed == ("leads",)
    recording = read(table(rows, separator), ReadingHints(fs=FS, unit="mV", leads=STANDARD_LEADS))
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)


@pytest.mark.parametrize("missing", [("aVR", "aVL", "aVF"), ("III", "aVL"), ("aVF",)])
def test_limb_leads_that_are_missing_follow_from_the_first_two(ecg, missing):
    kept = [k for k, lead in enumerate(STANDARD_LEADS) if lead not in missing]
    recording = read(table(cells(ecg[kept]), ",", names(",", [STANDARD_LEADS[k] for k in kept])), MV)
    assert recording.derived_leads == missing
    np.testing.assert_allclose(recording.signal, ecg, atol=1e-6)


def test_a_single_lead_of_a_watch_is_refused_for_its_leads():
    text = "Name,Marlene Musterfrau\nDate of Birth,1 Jan 1950\nSample Rate,512 hertz\n\n" + "12.3\n" * 2000
    with pytest.raises(LeadError, match="lead") as caught:
        read(text)
    assert "Muster" not in str(caught.value)


def test_leads_recorded_one_after_the_other_are_shown_and_not_explained(ecg):
    from ecgimn.signal.quality import assess_quality

    rows = cells(np.tile(ecg, 2)[:, : 10 * FS])
    for k, row in enumerate(rows):
        turn = k // (len(rows) // 4 + 1)
        rows[k] = [cell if place // 3 == turn else "" for place, cell in enumerate(row)]
    quality = assess_quality(read(table(rows, ",", names()), MV))
    assert len(quality.refusals) == 1
    assert "one after the other" in quality.refusals[0]


def test_a_last_separator_without_a_cell_and_an_index_without_a_name_are_understood(ecg):
    rows = cells(ecg)
    trailing = table([[*row, ""] for row in rows], ";", names(";"))
    indexed = table([[f'"{k}"', *row] for k, row in enumerate(rows, 1)], ",", names())
    for text in (trailing, indexed):
        np.testing.assert_allclose(read(text, MV).signal, ecg, atol=1e-6)


def test_quoted_numbers_keep_their_decimal_point(ecg):
    rows = [[f'"{cell}"' for cell in row] for row in cells(ecg)]
    np.testing.assert_allclose(read(table(rows, ",", names()), MV).signal, ecg, atol=1e-6)
    commas = [[f'"{cell}"' for cell in row] for row in cells(ecg, decimal=",")]
    np.testing.assert_allclose(read(table(commas, ",", names()), MV).signal, ecg, atol=1e-6)
