import html
import io
import re
import zlib
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

import ecgimn
from ecgimn.draw.evidence import evidence_map
from ecgimn.draw.paper import GAINS_MM_PER_MV, LAYOUTS, SPEEDS_MM_PER_S
from ecgimn.draw.print.report import INTENDED_USE, ReportText, report_bytes
from ecgimn.draw.view import View
from ecgimn.leads import STANDARD_LEADS
from ecgimn.signal.waves.find import WAVE_NAMES
from tests.draw.conftest import make_case

MI = View("12x1")
MM_PER_POINT = 25.4 / 72
SVG = "{http://www.w3.org/2000/svg}"
# Every layout at the usual scales, every scale in one layout: 3 s in place of 20.
SCALES = [(name, 25.0, 10.0) for name in LAYOUTS] + [
    ("12x1", speed, gain) for speed in SPEEDS_MM_PER_S for gain in GAINS_MM_PER_MV
]


def pdf_paths(pdf: bytes) -> list[np.ndarray]:
    """Read the open paths of straight lines out of a PDF's content streams, in mm."""
    paths = []
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        try:
            content = zlib.decompress(stream).decode("latin-1")
        except zlib.error:
            continue
        for start, rest in re.findall(
            r"(-?[\d.]+ -?[\d.]+) m\n((?:-?[\d.]+ -?[\d.]+ l\n)+)(?:S|$)", content, re.MULTILINE
        ):
            points = [start, *(line[:-2] for line in rest.strip().split("\n"))]
            paths.append(np.array([point.split() for point in points], dtype=float) * MM_PER_POINT)
    return paths


def svg_paths(svg: bytes, prefix: str) -> dict[str, np.ndarray]:
    """Read the lines of an SVG whose group is named so, in mm, y upwards."""
    root = ElementTree.fromstring(svg)
    assert root.get("width") == f"{root.get('viewBox').split()[2]}pt"  # one unit is one point
    found = {}
    for group in root.iter(f"{SVG}g"):
        name = group.get("id", "")
        if name.startswith(prefix):
            data = " ".join(path.get("d") for path in group.iter(f"{SVG}path"))
            points = re.findall(r"[ML] (-?[\d.]+) (-?[\d.]+)", data)
            found[name] = np.array(points, dtype=float) * [MM_PER_POINT, -MM_PER_POINT]
    return found


def is_pulse(path: np.ndarray, speed: float, gain: float) -> bool:
    steps = np.diff(path, axis=0)
    return len(path) == 6 and abs(abs(steps[1, 1]) - gain) < 1 and abs(steps[2, 0] - 0.2 * speed) < 1


@pytest.mark.parametrize(("name", "speed", "gain"), SCALES)
def test_the_pdf_is_true_to_the_millimetre(recording, name, speed, gain):
    view = View(name, speed=speed, gain=gain)
    layout = view.paper(10.0)
    paths = pdf_paths(report_bytes("pdf", recording, view=view))
    pulses = [path for path in paths if is_pulse(path, speed, gain)]
    assert len(pulses) == len(layout.baselines_mm) * layout.n_pages
    for pulse in pulses:
        assert np.ptp(pulse[:, 1]) == pytest.approx(gain, abs=0.01 * gain)  # 10 mm within 0.1 mm
        assert pulse[3, 0] - pulse[2, 0] == pytest.approx(0.2 * speed, abs=0.1)
    for panel in layout.panels[:3]:
        samples = panel.samples(500.0, 5000)
        row = recording.lead(panel.lead)[samples]
        drawn = next(
            path for path in paths
            if len(path) == row.size and np.allclose((path[:, 1] - path[0, 1]) / gain, row - row[0], atol=0.01)
        )  # fmt: skip
        second = np.ptp(drawn[:, 0]) / ((row.size - 1) / 500)
        assert second == pytest.approx(speed, rel=0.005)
        assert np.ptp(drawn[:, 1]) / np.ptp(row) == pytest.approx(gain, rel=0.005)


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_svg_is_true_to_the_millimetre_and_the_same_in_all_leads(recording, case, name):
    view = replace(MI, layout=name)
    svg = report_bytes("svg", recording, case.explanation, case.of("MI"), view=view)
    layout = view.paper_for(recording, 190.0, 190.0)[0]
    pulses = svg_paths(svg, "pulse-")
    assert len(pulses) == len(layout.baselines_mm)
    for pulse in pulses.values():
        assert np.ptp(pulse[:, 1]) == pytest.approx(10.0, abs=0.1)
    leads = svg_paths(svg, "lead-")
    for place, panel in enumerate(layout.panels):
        drawn = leads[f"lead-{place}-{panel.label}"]
        row = recording.lead(panel.lead)[panel.samples(500.0, 5000)]
        assert len(drawn) == row.size
        assert np.ptp(drawn[:, 0]) * 500 / (row.size - 1) == pytest.approx(25.0, rel=0.005)
        assert np.ptp(drawn[:, 1]) / np.ptp(row) == pytest.approx(10.0, rel=0.005)


def test_the_pages_are_a4_landscape(recording, case):
    pdf = report_bytes("pdf", recording, case.explanation, case.of("MI"), view=MI)
    boxes = re.findall(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", pdf)
    assert len(boxes) == 2
    for width, height in boxes:
        assert float(width) * MM_PER_POINT == pytest.approx(297, abs=0.1)
        assert float(height) * MM_PER_POINT == pytest.approx(210, abs=0.1)


def test_fifty_mm_per_second_is_printed_on_two_sheets_and_the_numbers(recording):
    pdf = report_bytes("pdf", recording, view=View("3x4+1R", speed=50.0))
    assert len(re.findall(rb"/MediaBox", pdf)) == 3


@pytest.mark.parametrize("kind", ["pdf", "svg", "png"])
def test_the_same_report_has_the_same_bytes(recording, case, waves, st, kind):
    text = ReportText(findings=["meets ST-elevation threshold in II, III, aVF"])
    view = replace(MI, layout="3x4+1R")
    pages = [report_bytes(kind, recording, case.explanation, case.of("MI"), view=view, waves=waves, st=st, text=text)
             for _ in range(2)]  # fmt: skip
    assert pages[0] == pages[1]
    assert b"CreationDate" not in pages[0]
    assert b"dc:date" not in pages[0]


def words_of(svg: bytes) -> str:
    """Matplotlib writes each text as a comment beside its outlines."""
    return html.unescape("\n".join(re.findall(r"<!-- (.*?) -->", svg.decode(), re.DOTALL)))


def test_hashes_and_numbers_are_printed_and_names_are_not(another_recording, waves, st):
    recording = another_recording(record_name="Doe_Jane_1950", source="upload", age=90, sex="female",
                                  notes=("header: Jane Doe",))  # fmt: skip
    case = make_case(recording, waves=waves)
    explanation, evidence = case.explanation, case.of("MI")
    ledger = [(lead, wave, float(evidence.contribution[row, waves.labels[row] == code].sum()))
              for row, lead in enumerate(STANDARD_LEADS) for code, wave in enumerate(WAVE_NAMES)]  # fmt: skip
    text = ReportText(
        ledger=ledger,
        st_rows=[("II", 0.12, 0.15, None, 0.4), ("III", float("nan"), None, None, None)],
        findings=["meets ST-elevation threshold in II, III, aVF (women)"],
        notes=["$\\frac{1}{0}$ <b>bold</b> 漢"],
    )
    words = words_of(report_bytes("svg", recording, explanation, evidence, view=MI, waves=waves, st=st, text=text))
    for expected in (INTENDED_USE, recording.digest, explanation.model_sha256, ecgimn.__version__, "90+ years, female",
                     "+0.12 (+1.2)", "—", "meets ST-elevation threshold", "shown: 100 %", "25 mm/s", "largest",
                     "$\\frac{1}{0}$ <b>bold</b> ?", "strip: signed area"):  # fmt: skip
        assert expected in words, expected
    assert float(re.search(r"residual (\S+)\.", words).group(1)) < 1e-9
    for hidden in ("Doe", "Jane", "header"):
        assert hidden not in words


def test_an_upload_is_named_by_the_hash_given_for_it(recording):
    words = words_of(report_bytes("svg", recording, view=MI, text=ReportText(recording_hash="salted-0123")))
    assert "salted-0123" in words
    assert recording.digest not in words


def test_a_gap_is_a_gap_in_print(recording):
    signal = recording.signal.copy()
    signal[6, 1000:1100] = np.nan
    leads = svg_paths(report_bytes("svg", recording.with_signal(signal), view=View("12x1")), "lead-6-")
    points = next(iter(leads.values()))
    assert len(points) == 4900
    assert np.diff(points[:, 0]).max() == pytest.approx(101 / 500 * 25, rel=0.01)


def test_plus_and_minus_differ_in_grey_on_paper(recording, evidence, opposite):
    view = replace(MI, layout="3x4+1R")
    pages = [report_bytes("png", recording, evidence=maps, view=view) for maps in (evidence, opposite)]
    grey = [np.asarray(Image.open(io.BytesIO(page)).convert("L"), dtype=int) for page in pages]
    half = grey[0].shape[0] // 2  # the sheet with the ECG
    assert (np.abs(grey[0] - grey[1])[:half] > 15).mean() > 0.005


def test_a_report_has_the_format_asked_for_and_others_are_refused(recording):
    for kind, head in (("pdf", b"%PDF"), ("svg", b"<?xml"), ("png", b"\x89PNG")):
        assert report_bytes(kind, recording).startswith(head)
    with pytest.raises(ValueError, match=r"'kind' parameter: 'jpg'.*Allowed values are 'pdf', 'svg', 'png'"):
        report_bytes("jpg", recording)


@pytest.mark.parametrize("style", ["band", "line", "blocks"])
def test_every_style_prints(recording, case, waves, st, style):
    view = replace(MI, style=style, layout="6x2", cabrera=True, dark=True)
    shown = case.explanation, case.of("MI", "NORM")
    assert report_bytes("svg", recording, *shown, view=view, waves=waves, st=st).startswith(b"<?xml")


def test_the_share_shown_is_printed_for_a_layout_that_cuts(recording, evidence):
    view = replace(MI, layout="3x4+1R")
    share = evidence_map(evidence, view).shown_share(view.paper(10.0))
    words = words_of(report_bytes("svg", recording, evidence=evidence, view=view))
    assert f"shown: {100 * share:.0f} % of the evidence" in words
