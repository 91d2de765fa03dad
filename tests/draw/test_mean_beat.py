"""The painted mean beat, the one-page export and the slide: the ledger's sums, true scales, nothing cut off."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from dataclasses import replace
from functools import cache
from xml.etree import ElementTree

import numpy as np
import pytest
import segno
from PIL import Image

from ecgimn import load_composite, load_model
from ecgimn.draw.colours import TRANSPARENT, evidence_colours
from ecgimn.draw.marks import st_marks
from ecgimn.draw.painted import (
    PAINT_POWER,
    ROWS,
    UNIT_S,
    GreyBeat,
    beats_words,
    grey_beat,
    mean_beat_evidence,
    strongest_cells,
    strongest_words,
)
from ecgimn.draw.paper import PITCH_RANGE_MM
from ecgimn.draw.print.case import case_export, case_report_bytes, case_sheet, case_sheet_bytes, recording_hash
from ecgimn.draw.print.page import PageText
from ecgimn.draw.screen.ecg import ecg_figure, rooms_for, screen_for
from ecgimn.draw.screen.mean_beat import DOTS_PER_PX, mean_beat_svg
from ecgimn.draw.view import View
from ecgimn.draw.words.case import header_words
from ecgimn.explain.case import Evidence, open_case
from ecgimn.explain.measured import agreement, measure_case
from ecgimn.explain.sentences import answer, signed, with_bound
from ecgimn.leads import STANDARD_LEADS, TERRITORIES, lead_index
from ecgimn.signal.waves.find import WAVE_NAMES
from tests.draw.colour_values import evidence_value
from tests.explain.small_cases import small_model

SVG = "{http://www.w3.org/2000/svg}"
TEXT = PageText(
    "Myocardial infarction (MI): 95 %",
    "Woman, 63 y · 73/min sinus rhythm · PR 172 ms",
    "Mostly Q waves in III and aVF.",
    ["does not meet ST-elevation threshold"],
    ["QRS 107 ms"],
    "model superclass",
)


@cache
def evidence_of(name: str, label: str) -> Evidence:
    return open_case(load_composite(name), load_model(), despite_quality=True).of(label)


@cache
def beat_of(name: str, label: str):
    evidence = evidence_of(name, label)
    beat = mean_beat_evidence(evidence.reading, evidence.contribution)
    assert beat is not None
    return beat


def svg_of(**options):
    options = {"name": "MI", "size_px": (620.0, 560.0)} | options
    return ElementTree.fromstring(mean_beat_svg(beat_of("imi-st", "MI"), **options))


def all_of(svg, tag, kind):
    return [node for node in svg.iter(f"{SVG}{tag}") if node.get("class") == kind]


def test_cells_and_sums_are_the_ledgers_and_what_is_not_on_the_beat_is_told():
    evidence, beat = evidence_of("imi-st", "MI"), beat_of("imi-st", "MI")
    np.testing.assert_allclose(beat.cells, evidence.cells, atol=1e-9)
    assert beat.shown + beat.elsewhere == pytest.approx(evidence.total)
    assert abs(beat.elsewhere) < 0.1 * np.abs(evidence.cells).sum()
    assert f"{beat.n_used} of {beat.n_found} beats" in beats_words(beat)
    assert len(beat.left_out) == beat.n_found - beat.n_used


@pytest.mark.parametrize(("name", "label"), [("imi-st", "MI"), ("isc", "STTC"), ("norm", "NORM"), ("lvh", "HYP")])
def test_colour_times_width_of_the_picture_sums_to_what_the_beat_shows(name, label):
    beat = beat_of(name, label)
    svg = ElementTree.fromstring(mean_beat_svg(beat, name=label, size_px=(900.0, 700.0)))
    (picture,) = all_of(svg, "image", "painted")
    rgba = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture.get("href").split(",")[1]))).convert("RGBA"))
    scale = {tuple(colour): step for step, colour in enumerate(evidence_colours(paint=True).tolist())}
    speed = float(svg.get("data-px-per-s"))
    found = np.zeros(12)
    for place, row in enumerate(ROWS):
        for column, lead in enumerate(row):
            (path,) = [
                node for node in svg.iter(f"{SVG}g") if node.get("class") == "beat" and node.get("data-lead") == lead
            ]
            left, line, width = (float(part) for part in re.split("[ h]", path[0].get("d")[1:]))
            columns = slice(round(left * DOTS_PER_PX), round((left + width) * DOTS_PER_PX))
            at = round(line * DOTS_PER_PX)
            near = rgba[at - 2 : at + 2, columns]
            steps = [
                next((scale[tuple(dot[:3].tolist())] for dot in near[[1, 2, 0, 3], k] if dot[3]), 63)
                for k in range(near.shape[1])
            ]
            value = evidence_value(np.array(steps), beat.paint.largest, PAINT_POWER)
            found[lead_index(lead)] = value.sum() / DOTS_PER_PX / speed / UNIT_S * beat.n_used
            assert (place, column) == next(
                (r, c) for r, cs in enumerate(ROWS) for c, one in enumerate(cs) if one == lead
            )
    wanted = beat.paint.rate.sum(axis=1) / (UNIT_S * beat.fs) * beat.n_used
    assert wanted.sum() == pytest.approx(beat.shown)
    np.testing.assert_allclose(found, wanted, atol=0.02 * np.abs(beat.cells).sum())


def test_the_svg_has_one_panel_a_lead_with_its_sum_and_few_nodes():
    svg, beat = svg_of(), beat_of("imi-st", "MI")
    panels = all_of(svg, "g", "beat")
    assert [panel.get("data-lead") for panel in panels] == [lead for row in ROWS for lead in row]
    for panel in panels:
        (total,) = all_of(panel, "text", "sum")
        assert float(total.text.replace("−", "-")) == pytest.approx(
            beat.sums[lead_index(panel.get("data-lead"))], abs=0.006
        )
        for cell in all_of(panel, "rect", "cell"):
            lead, wave = lead_index(cell.get("data-lead")), WAVE_NAMES.index(cell.get("data-wave"))
            assert float(cell.get("data-logit")) == pytest.approx(beat.cells[lead, wave], abs=6e-4)
    assert sum(1 for _ in svg.iter()) < 260
    assert len(mean_beat_svg(beat, name="MI", size_px=(620.0, 560.0))) < 60_000


@pytest.mark.parametrize("size_px", [(354.0, 290.0), (515.0, 575.0), (750.0, 887.0), (1015.0, 1247.0)])
@pytest.mark.parametrize(("name", "label"), [("imi-st", "MI"), ("lvh", "HYP")])
def test_one_scale_holds_for_all_panels_and_no_line_leaves_the_picture(name, label, size_px):
    beat = beat_of(name, label)
    svg = ElementTree.fromstring(mean_beat_svg(beat, name=label, size_px=size_px))
    gain, speed = float(svg.get("data-px-per-mv")), float(svg.get("data-px-per-s"))
    assert 0.999 <= (speed / 25) / (gain / 10) <= 2.01  # as at 25 to 50 mm/s and 10 mm/mV
    height, width = float(svg.get("height")), float(svg.get("width"))
    assert height <= size_px[1] + 1
    for panel in all_of(svg, "g", "beat"):
        (line,) = all_of(panel, "path", "trace")
        steps = np.array(re.findall(r"[Ml](-?\d+) (-?\d+)", line.get("d")), dtype=float) / 10
        places = np.cumsum(steps, axis=0)
        row = beat.paint.above_mv[lead_index(panel.get("data-lead"))]
        assert np.ptp(places[:, 1]) == pytest.approx(gain * np.ptp(row), rel=0.03, abs=0.6)
        assert places.min() >= 0
        assert places[:, 0].max() <= width
        assert places[:, 1].max() <= height


def test_evidence_and_marks_are_two_layers_and_each_can_be_drawn_alone():
    def of_isc(**options):  # whose T inversion meets its threshold
        return ElementTree.fromstring(
            mean_beat_svg(beat_of("isc", "STTC"), name="STTC", size_px=(620.0, 560.0), **options)
        )

    both, evidence, marks = of_isc(), of_isc(show_marks=False), of_isc(show_evidence=False)
    for svg, painted, bars in ((both, 1, True), (evidence, 1, False), (marks, 0, True)):
        assert len(all_of(svg, "image", "painted")) == painted
        assert len(all_of(svg, "text", "sum")) == 12 * painted
        assert bool(all_of(svg, "path", "bar")) == bars
        assert bool(all_of(svg, "path", "j")) == bars
        assert len(all_of(svg, "path", "trace")) == 12


def test_j_st_and_inverted_t_are_marked_where_they_were_measured():
    beat, reading = beat_of("isc", "STTC"), evidence_of("isc", "STTC").reading
    svg = ElementTree.fromstring(mean_beat_svg(beat, name="STTC", size_px=(620.0, 560.0)))
    levels = {panel.get("data-lead"): float(dot.get("data-mv")) for panel in all_of(svg, "g", "beat")
              for dot in all_of(panel, "circle", "st")}  # fmt: skip
    for lead in STANDARD_LEADS:
        assert levels[lead] == pytest.approx(reading.j60_mv[lead], abs=6e-4)
    assert beat.st == st_marks(reading)
    assert "V6" in beat.st.inverted
    assert "V2" not in beat.st.inverted


def test_the_strongest_cells_are_called_out_in_words_and_unconfirmed_ones_are_not():
    beat = beat_of("imi-st", "MI")
    cells = strongest_cells(beat.cells)
    assert (cells[0].lead, cells[0].wave) == ("III", "QRS")
    assert cells[0].logit == beat.cells.max()
    assert strongest_words(cells, "MI").startswith("III QRS +1.03, strongest for MI; then aVL QRS +0.60")
    assert strongest_words((), "MI") == ""
    against = strongest_cells(-beat.cells)
    assert "strongest against MI" in strongest_words(against, "MI")
    confirmed = np.ones(beat.cells.shape, dtype=bool)
    confirmed[lead_index("III"), WAVE_NAMES.index("QRS")] = False
    assert strongest_cells(beat.cells, confirmed)[0].lead == "aVL"
    striped = beat.hatched(confirmed)
    assert striped.any(axis=1).tolist() == [lead == "III" for lead in STANDARD_LEADS]
    words = " ".join("".join(node.itertext()) for node in svg_of(confirmed=confirmed).iter(f"{SVG}text"))
    assert "hatched: not confirmed" in words


def test_the_normal_beat_lies_in_grey_behind_each_panel_with_its_r_on_r():
    normal = beat_of("norm", "NORM")
    grey = GreyBeat(normal.paint.above_mv, normal.fs, normal.r_index, "normal composite")
    svg, beat = svg_of(grey=grey), beat_of("imi-st", "MI")
    speed = float(svg.get("data-px-per-s"))
    panel = next(node for node in all_of(svg, "g", "beat") if node.get("data-lead") == "V5")
    left = float(re.split("[ h]", panel[0].get("d")[1:])[0])
    place = all_of(svg, "path", "grey")[[lead for row in ROWS for lead in row].index("V5")]
    points = np.cumsum(np.array(re.findall(r"[Ml](-?\d+) (-?\d+)", place.get("d")), dtype=float) / 10, axis=0)
    r_px = points[points[:, 1].argmin(), 0] - left
    assert r_px == pytest.approx(beat.r_index / beat.fs * speed, abs=0.03 * speed)


def test_names_are_escaped():
    assert "<script" not in mean_beat_svg(beat_of("imi-st", "MI"), name="<script>", size_px=(620.0, 560.0))


@pytest.mark.parametrize("name", ["imi-st", "isc", "norm", "clbbb", "lvh"])
def test_no_lead_overlaps_another_at_ten_millimetres_a_millivolt(name):
    recording = load_composite(name)
    layout, beyond = View().paper_for(recording, 45.0)
    assert beyond == ()
    assert layout.gain == 10.0
    reach = {}
    for panel in layout.panels:
        mm = layout.voltage_mm(panel, recording.lead(panel.lead)[panel.samples(recording.fs, recording.n_samples)])
        reach[panel.row, panel.column] = (float(mm.min()), float(mm.max()))
    for (row, column), (_, top) in reach.items():
        for above, (low, _) in reach.items():
            if above[0] == row - 1 and (above[1] == column or row == 3):
                assert low > top


def test_a_wave_taller_than_the_rows_can_part_for_is_the_only_reason_to_overlap():
    recording = load_composite("lvh")
    tall = recording.with_signal(4.0 * np.array(recording.signal))
    layout, _ = View().paper_for(tall, 45.0)
    assert layout.pitch_mm == PITCH_RANGE_MM["3x4+1R"][1]
    quiet, _ = View().paper_for(recording.with_signal(0.1 * np.array(recording.signal)), 45.0)
    assert quiet.pitch_mm == PITCH_RANGE_MM["3x4+1R"][0]


@pytest.mark.parametrize(
    ("window", "beside"), [((1366, 768), True), ((1920, 1080), True), ((2560, 1440), True), ((390, 844), False)]
)
def test_trace_and_beats_share_the_window_and_nothing_is_wider_than_its_place(window, beside):
    rooms = rooms_for(window)
    assert rooms.beside == beside
    used = rooms.trace.width_px + rooms.beats_px[0] if beside else max(rooms.trace.width_px, rooms.beats_px[0])
    assert 0.85 * window[0] <= used <= window[0] or (not beside and used <= window[0] - 30)
    for name in ("imi-st", "lvh"):
        figure = ecg_figure(load_composite(name), view=View(), screen=rooms.trace)
        assert figure.layout.width <= rooms.trace.width_px + 0.5
        assert figure.layout.height <= rooms.trace.height_px + 0.5
    assert screen_for(window, beside=False).width_px <= window[0]
    assert not rooms_for((1366, 768), sidebar_px=300.0).beside


@pytest.mark.parametrize("width", [354.0, 700.0, 1150.0])
def test_the_printed_scale_is_the_drawn_one_at_every_width(width):
    figure = ecg_figure(load_composite("imi-st"), screen=replace(rooms_for((1366, 768)).trace, width_px=width))
    meta = figure.layout.meta
    across = (figure.layout.width - figure.layout.margin.l - figure.layout.margin.r) / np.ptp(figure.layout.xaxis.range)
    printed = float(re.search(r"effective ([\d.]+) mm/s", meta["scale"]).group(1))
    assert printed == pytest.approx(25 * across / meta["true_px_per_mm"], abs=0.06)
    assert meta["scale"].replace("&", "&amp;") in figure.layout.annotations[0].text.replace("<br>", " · ")


def test_the_header_says_what_every_print_says():
    reading = evidence_of("imi-st", "MI").reading
    words = header_words(reading, rhythm="sinus rhythm")
    assert re.fullmatch(
        r"Sex not given, age not given · \d+/min sinus rhythm · PR \d+ ms · QRS \d+ ms · "
        r"QT/QTc \d+/\d+ ms \(Fridericia\) · axis −?\d+°",
        words,
    )
    known = replace(reading, recording=replace(reading.recording, age=90, sex="female"))
    assert header_words(known).startswith("Woman, 90+ y · ")
    nothing = replace(reading, measurements=None, reason="No beat was found.")
    assert "not measured (No beat was found)" in header_words(nothing)


def words_in(svg: bytes) -> str:
    return "\n".join(re.findall(r"<!-- (.*?) -->", svg.decode(), re.DOTALL))


@pytest.mark.parametrize(("name", "label", "gain"), [("imi-st", "MI", 10), ("lvh", "HYP", 5)])
def test_the_page_is_one_a4_sheet_true_to_the_millimetre_with_everything_on_it(name, label, gain):
    page = case_sheet_bytes("page", "svg", evidence_of(name, label), text=TEXT)
    assert page == case_sheet_bytes("page", "svg", evidence_of(name, label), text=TEXT)
    root = ElementTree.fromstring(page)
    width, height = (float(part) * 25.4 / 72 for part in root.get("viewBox").split()[2:])
    assert (width, height) == pytest.approx((297, 210), abs=0.1)
    pulse = next(group for group in root.iter(f"{SVG}g") if group.get("id") == "pulse-0")
    points = np.array(re.findall(r"[ML] (-?[\d.]+) (-?[\d.]+)", next(pulse.iter(f"{SVG}path")).get("d")), dtype=float)
    assert np.ptp(points[:, 1]) * 25.4 / 72 == pytest.approx(gain, abs=0.05)
    assert (points[3, 0] - points[2, 0]) * 25.4 / 72 == pytest.approx(5.0, abs=0.05)
    words = words_in(page)
    given = (TEXT.title, TEXT.header, TEXT.answer, "Criteria", *TEXT.criteria, "Measurements", *TEXT.measurements)
    marks = ("ST elevation", "T inversion", f"{gain} mm/mV", "25 mm/s", "strongest for", "Not a medical device")
    for expected in (*given, *marks):
        assert expected.replace("&", "&amp;") in words, expected
    for state in ("class_index", "opacity", "quantity", "True", "False", "None"):
        assert state not in words


def test_nothing_on_page_or_slide_reaches_over_the_edge_of_the_sheet():
    crowded = replace(
        TEXT,
        answer="Mostly Q waves in III and aVF. " * 8,
        criteria=["a criterion that is not met in any lead " * 2] * 12,
    )
    for sheet in ("page", "slide"):
        png = case_sheet_bytes(sheet, "png", evidence_of("clbbb", "CD"), text=crowded)
        dots = np.asarray(Image.open(io.BytesIO(png)).convert("L"))
        edge = round(dots.shape[1] / 100)
        for border in (dots[:edge], dots[-edge // 2 :], dots[:, :edge], dots[:, -edge:]):
            assert (border == 255).all()
    page = words_in(case_sheet_bytes("page", "svg", evidence_of("clbbb", "CD"), text=crowded))
    assert "more lines in the report" in page or page.count("a criterion") == 24


def test_the_slide_is_sixteen_to_nine_in_svg_and_png():
    png = case_sheet_bytes("slide", "png", evidence_of("imi-st", "MI"), text=TEXT)
    assert Image.open(io.BytesIO(png)).size == (2560, 1440)
    words = words_in(case_sheet_bytes("slide", "svg", evidence_of("imi-st", "MI"), text=TEXT))
    assert TEXT.title in words
    assert TEXT.answer in words
    with pytest.raises(ValueError, match=r"'kind' parameter: 'gif'"):
        case_sheet_bytes("slide", "gif", evidence_of("imi-st", "MI"), text=TEXT)


def test_a_case_without_a_mean_beat_has_a_page_and_no_slide():
    evidence = evidence_of("imi-st", "MI")
    bare = replace(
        evidence, reading=replace(evidence.reading, waves=None, measurements=None, reason="No beat was found.")
    )
    assert case_sheet_bytes("page", "png", bare, text=TEXT).startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="No beat was found"):
        case_sheet_bytes("slide", "png", bare, text=TEXT)


def test_the_transparent_entry_is_no_colour():
    assert len(evidence_colours(paint=True)) == TRANSPARENT


@pytest.fixture(scope="module")
def checked():
    """The inferior infarction by the small model, with every wave taken out."""
    recording, model = load_composite("imi-st"), small_model()
    case = open_case(recording, model)
    return case, measure_case(case, model)


def test_the_page_of_a_case_says_answer_reasons_criteria_and_measurements(checked):
    case, measured = checked
    made = case_sheet("page", "svg", case, class_name="A", measured=measured, salt=b"grain", link="https://here/?a=1")
    words = words_in(made)
    said = answer(case.of("A"), measured.claims["A"])
    for expected in (said.text, "Criteria", "Heart rate", "ST at J+60", "hatched: not confirmed", "https://here/?a=1"):
        assert expected in words, expected
    assert said.sentences[0][:40] in words
    assert case.recording.digest[:12] not in words
    assert recording_hash(case.recording, b"grain")[:12] in words
    difference = words_in(case_sheet("slide", "svg", case, class_name="A", against="B", measured=measured))
    assert "Evidence for A − B" in difference


def drawn_code(page: bytes) -> set[tuple[int, int]] | None:
    """The dark modules of the QR code on a page, column and row from its corner; None where there is no code."""
    group = next((part for part in ElementTree.fromstring(page).iter(f"{SVG}g") if part.get("id") == "code"), None)
    if group is None:
        return None
    corners = re.findall(r"M (\S+) (\S+)\s+L (\S+) ", group.find(f"{SVG}path").get("d"))
    places = np.array([corner[:2] for corner in corners], dtype=float)
    side = float(corners[0][2]) - float(corners[0][0])
    return {tuple(place) for place in np.round((places - places.min(axis=0)) / side).astype(int).tolist()}


def test_a_link_that_others_can_open_stands_on_the_page_as_a_qr_code_too(checked):
    case, _ = checked
    link = "https://ecg.example.org/?composite=imi-st&class=MI"
    page = case_sheet("page", "svg", case, class_name="A", link=link)
    assert link in words_in(page).replace("&amp;", "&")
    wanted = {
        (column, row)
        for row, line in enumerate(segno.make_qr(link, error="l").matrix)
        for column, dark in enumerate(line)
        if dark
    }
    assert drawn_code(page) == wanted
    for link in ("http://127.0.0.1:8501/?composite=imi-st", "http://localhost:8501/", ""):
        alone = case_sheet("page", "svg", case, class_name="A", link=link)
        assert link in words_in(alone)
        assert drawn_code(alone) is None


def test_the_readers_note_goes_into_page_report_and_json_as_it_was_written_and_only_when_given(checked):
    case, _ = checked
    note = "Q in III: <b>old</b>?\n$x$ see \U0001fac0"
    shown = "Reader's note: Q in III: &lt;b&gt;old&lt;/b&gt;? $x$ see ?"
    for write in (case_sheet, case_export):
        kind = ("page", "svg") if write is case_sheet else ("svg",)
        view = {} if write is case_sheet else {"view": View()}
        assert shown in words_in(write(*kind, case, class_name="A", note=note, **view)).replace("\n", " ")
        assert "Reader's note" not in words_in(write(*kind, case, class_name="A", **view))
    assert json.loads(case_export("json", case, class_name="A", view=View(), note=note))["note"] == note
    assert "note" not in json.loads(case_export("json", case, class_name="A", view=View()))
    long = words_in(case_sheet("page", "svg", case, class_name="A", note="word " * 60))
    assert long.count("word") == 60


def test_the_report_prints_what_was_taken_out_beside_what_is_booked_and_no_program_state(checked):
    case, measured = checked
    words = words_in(case_report_bytes("svg", case, class_name="A", measured=measured))
    qrs = WAVE_NAMES.index("QRS")
    for lead in range(12):
        assert f"{signed(measured.of('A')[lead, qrs])}" in words
    assert "network re-run" in words
    assert "network re-run" not in words_in(case_report_bytes("svg", case, class_name="A"))
    for state in ("overlay", "show_strip", "opacity", "True", "False", "None"):
        assert state not in words


def test_json_and_csv_hold_what_was_taken_out(checked):
    case, measured = checked
    content = json.loads(case_export("json", case, class_name="A", view=View(), measured=measured))
    cells = {(row["class"], row["lead"], row["wave"]): row for row in content["taken_out"]["cells"]}
    for k, name in enumerate(case.classes):
        found = measured.cells[k]
        assert sum(name == key[0] for key in cells) == np.isfinite(found).sum()
        row = cells[name, "V3", "QRS"]
        assert row["measured"] == pytest.approx(found[8, WAVE_NAMES.index("QRS")])
        assert row["booked"] == pytest.approx(case.ledger.of(name)[8, WAVE_NAMES.index("QRS")])
        assert row["agreement"] == agreement(row["booked"], row["measured"])
        assert row["margin"] is None  # nothing was measured for this card
    bounded = replace(case, card=with_bounds(case.card, case.classes))
    content = json.loads(case_export("json", bounded, class_name="A", view=View(), measured=measured))
    row = next(row for row in content["taken_out"]["cells"] if (row["lead"], row["wave"]) == ("V3", "QRS"))
    assert row["margin"] == pytest.approx(0.4 * (0.1 + abs(row["booked"])))
    assert content["taken_out"]["runs"] == measured.n_runs
    assert {row["territory"] for row in content["taken_out"]["territories"]} == set(TERRITORIES)
    assert json.loads(case_export("json", case, class_name="A", view=View()))["taken_out"] is None
    lines = case_export("csv", case, class_name="A", view=View(), measured=measured).decode().splitlines()
    table = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    row = next(row for row in table if (row["class"], row["lead"], row["wave"]) == ("B", "V3", "QRS"))
    assert float(row["taken_out"]) == measured.of("B")[8, WAVE_NAMES.index("QRS")]
    assert row["margin"] == ""


def test_the_bound_of_the_card_is_printed_with_every_cell_and_nothing_where_there_is_none():
    case = open_case(load_composite("imi-st"), load_model())
    bare = replace(case, card=replace(case.card, metrics={}))
    measured, cells = measure_case(case, load_model()), case.of("MI").cells
    bound = case.card.metrics["taken_out"]["classes"]["MI"]["bound"]["QRS"]
    qrs = WAVE_NAMES.index("QRS")
    said = f"III QRS {signed(cells[2, qrs])} ± {bound * (0.1 + abs(cells[2, qrs])):.2f}"
    for kind in ("page", "slide"):
        assert said in words_in(case_sheet(kind, "svg", case, class_name="MI", measured=measured))
        assert "±" not in words_in(case_sheet(kind, "svg", bare, class_name="MI", measured=measured))
    difference = words_in(case_sheet("page", "svg", case, class_name="MI", against="NORM", measured=measured))
    assert "±" not in difference  # no bound is known of a difference
    report = words_in(case_report_bytes("svg", case, class_name="MI", measured=measured))
    for lead in range(12):
        if np.isfinite(measured.of("MI")[lead, qrs]):
            booked = float(cells[lead, qrs])
            assert with_bound(booked, bound * (0.1 + abs(booked))) in report
    assert "in 90 % of cells like it" in report
    unbound = words_in(case_report_bytes("svg", bare, class_name="MI", measured=measured))
    assert "in 90 % of cells like it" not in unbound
    assert not re.search(r"\d ± \d", unbound)


def with_bounds(card, classes):
    """A card on which every wave of every class has the bound 0.4 (0.1 + |booked|)."""
    bound = dict.fromkeys(WAVE_NAMES, 0.4)
    taken_out = {"floor": 0.1, "classes": {name: {"bound": bound} for name in classes}}
    return replace(card, metrics={**card.metrics, "taken_out": taken_out})


def test_the_grey_beat_is_the_mean_beat_about_its_isoelectric_line():
    reading = evidence_of("imi-st", "MI").reading
    grey = grey_beat(reading, "normal composite")
    np.testing.assert_allclose(grey.above_mv, reading.measurements.beat.signal - reading.levels[:, None])
    assert grey_beat(replace(reading, measurements=None), "x") is None
