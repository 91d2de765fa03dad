"""The reading room: sums on the screen, what changes a figure and what must not, uploads, refusals, links."""

from __future__ import annotations

import base64
import json
import os
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from streamlit.proto.BidiComponent_pb2 import BidiComponent
from streamlit.testing.v1 import AppTest

from ecgimn.draw.screen.ecg import NO_PICTURE
from ecgimn.explain.case import difference_name, open_case
from ecgimn.explain.explanation import explain
from ecgimn.explain.measured import measure_case
from ecgimn.formats.export import write_wfdb
from ecgimn.leads import STANDARD_LEADS
from ecgimn.model import DEFAULT_MODEL
from ecgimn.model.model import load_model
from ecgimn.recording import Recording
from ecgimn.signal.waves.find import WAVE_NAMES
from ecgimn.sources.composites.case import load_composite
from ecgimn.sources.ptbxl import SUPERCLASSES
from pages.ui.details import DETAILS
from pages.ui.evidence import SCRIPT
from pages.ui.state import server
from tests.app.test_pages import labelled, shown_text

NORMAL, HEAVIEST = "norm", "lae"  # the latter in the bytes sent for it
TOKEN_BYTES = 16  # of the view, before what is packed
PTBXL = os.environ.get("ECGIMN_PTBXL", "")
ECG = 0  # charts in the order of the page


def figure(app: AppTest, place: int) -> dict[str, Any]:
    """A chart of the page, as its JSON says."""
    return json.loads(app.get("plotly_chart")[place].proto.spec)


def numbers(value: Any) -> np.ndarray:
    """A list of numbers, or what Plotly packs them into."""
    if isinstance(value, dict):
        return np.frombuffer(base64.b64decode(value["bdata"]), dtype=value["dtype"])
    return np.array(value, dtype=float)


def part_of(app: AppTest, component: str) -> BidiComponent:
    """What is sent for a component of the page."""
    parts = [part.proto for part in app.get("bidi_component")]
    return next(part for part in parts if part.component_name == component)


def sent_to(app: AppTest, component: str) -> dict[str, Any]:
    """What a component of the page is told as plain values."""
    return json.loads(part_of(app, component).json)


def layer(app: AppTest) -> dict[str, Any]:
    """The evidence of the class shown: what is laid under the trace, its sum and its ledger."""
    sent = sent_to(app, "evidence")
    return json.loads(zlib.decompress(base64.b64decode(sent["packed"]))) | sent


def ahead(app: AppTest) -> dict[str, Any]:
    """What the browser is given for the next press: the evidence of every class, and where the waves lie."""
    sent = part_of(app, "ahead").bytes
    return json.loads(zlib.decompress(sent[TOKEN_BYTES:])) | {"view": sent[:TOKEN_BYTES].decode()}


def rows_of(table: str, selector: str) -> dict[str, list[float]]:
    """The numbers of a table of the page by the first cell of their row; `selector` is tbody or tfoot."""
    body = re.search(f"<{selector}>(.*)</{selector}>", table)
    assert body is not None
    rows = {}
    for row in re.findall(r"<tr.*?</tr>", body[1]):
        name, *words = (re.sub("<.*?>", "", cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row))
        rows[name] = [float(word.replace("−", "-")) for word in words if re.fullmatch(r"[+−]?[\d.]+", word)]
    return rows


def image_names(spec: dict[str, Any]) -> set[str]:
    return {image["name"] for image in spec["layout"].get("images", [])}


def button(app: AppTest, label: str) -> Any:
    """The button whose label begins with these words."""
    return next(item for item in app.button if item.label.startswith(label))


def class_of(app: AppTest) -> str:
    return equation(app).split(" ")[0].strip("*")


def case_of(app: AppTest) -> str:
    return str(labelled(app.selectbox, "Composite case"))


def equation(app: AppTest) -> str:
    shown = layer(app)
    return f"**{shown['name']}** {shown['equation']}"


def says_no_number(app: AppTest) -> bool:
    """Whether the page holds no sum and no evidence at all."""
    return "= bias" not in shown_text(app) and not any(
        part.proto.component_name in ("evidence", "ahead") for part in app.get("bidi_component")
    )


def printed(text: str, name: str) -> float:
    """A number of the printed sum."""
    found = re.search(rf"{name} ([+−]?[\d.]+)", text)
    assert found is not None
    return float(found[1].replace("−", "-"))


def opened_with(app: AppTest, files: list[tuple[str, bytes, str]]) -> AppTest:
    """The app after a visitor has chosen files."""
    app.run()
    app.selectbox(key="source").set_value("file").run()
    return app.file_uploader(key="upload_0").set_value(files).run()


def as_upload(recording: Recording, folder: Path) -> list[tuple[str, bytes, str]]:
    """A recording as the two files of a WFDB record, named as a careless hospital would."""
    header = write_wfdb(recording, folder)
    binary = "application/octet-stream"
    return [(path.name, path.read_bytes(), binary) for path in (header, header.with_suffix(".dat"))]


def longer(recording: Recording, times: int) -> Recording:
    return recording.with_signal(np.tile(recording.signal, times))


def test_the_printed_sum_is_the_logit_of_this_very_recording(small_app: AppTest, models_folder: Path) -> None:
    small_app.query_params["composite"] = NORMAL
    small_app.run()
    explanation = explain(load_composite(NORMAL), load_model(folder=models_folder))
    for name in SUPERCLASSES:
        button(small_app, f"{name} ").click().run()
        logit, text = float(explanation.logit[explanation.index(name)]), equation(small_app)
        assert text.startswith(f"**{name}**")
        assert printed(text, "logit") == pytest.approx(logit, abs=0.0051)
        assert printed(text, "bias") + printed(text, "evidence") == pytest.approx(logit, abs=0.0101)


def test_the_sum_and_the_ledger_add_up_to_the_logit(small_app: AppTest, models_folder: Path) -> None:
    small_app.query_params["composite"] = NORMAL
    small_app.run()
    explanation = explain(load_composite(NORMAL), load_model(folder=models_folder))
    k = explanation.index(class_of(small_app))
    steps = {name: values[-1] for name, values in rows_of(layer(small_app)["sum"], "tbody").items() if name}
    assert steps.pop("logit") == pytest.approx(explanation.logit[k], abs=0.0051)
    assert sum(steps.values()) == pytest.approx(explanation.logit[k], abs=0.0051 * (len(steps) + 1))
    total = rows_of(layer(small_app)["ledger"], "tfoot")["sum"][-1]
    assert total + explanation.bias[k] == pytest.approx(explanation.logit[k], abs=0.0052)
    assert layer(small_app)["exact"]


def test_the_browser_holds_every_class_for_the_next_press_as_the_server_would_show_it(small_app: AppTest) -> None:
    small_app.query_params.update({"composite": NORMAL, "class": "NORM"})
    small_app.run()
    kept = ahead(small_app)
    assert [item["class"] for item in kept["layers"]] == list(SUPERCLASSES)
    for item in kept["layers"]:
        button(small_app, f"{item['class']} ").click().run()
        shown = layer(small_app)
        assert shown["view"] == kept["view"] == ahead(small_app)["view"]
        assert {name: shown[name] for name in item} == item
    small_app.selectbox(key="against").set_value("vs NORM").run()
    assert [item["name"] for item in ahead(small_app)["layers"]][:2] == ["NORM", difference_name("MI", "NORM")]


def test_what_is_kept_for_the_next_press_belongs_to_one_view(small_app: AppTest) -> None:
    small_app.query_params["composite"] = NORMAL
    tokens = [ahead(small_app.run())["view"]]
    for change in (
        lambda: button(small_app, "Weights").click(),
        lambda: small_app.selectbox(key="style").set_value("line"),
        lambda: button(small_app, "Next").click(),
    ):
        change().run()
        tokens.append(ahead(small_app)["view"])
    assert len(set(tokens)) == len(tokens)


def test_the_chips_print_probabilities_and_star_what_reaches_the_operating_point(small_app: AppTest) -> None:
    small_app.run()
    labels = [item.label for item in small_app.button if item.key and item.key.startswith("class_")]
    assert [label.split()[0] for label in labels] == list(SUPERCLASSES)
    assert all(re.fullmatch(r"\w+ (<1|>99|\d{1,2}) %( \*)?", label) for label in labels)
    assert [label.endswith("*") for label in labels] == [True, False, True, False, False]  # thresholds 0 and 1


def test_another_class_or_quantity_changes_the_evidence_and_no_byte_of_the_trace(small_app: AppTest) -> None:
    small_app.run()
    trace, before, shown = small_app.get("plotly_chart")[ECG].proto, layer(small_app), class_of(small_app)
    sent = trace.SerializeToString()
    assert before["name"] == shown
    assert before["paper"] == json.loads(trace.spec)["layout"]["meta"]["paper"]
    button(small_app, "Class").click().run()
    after = layer(small_app)
    assert after["name"] == class_of(small_app) != shown
    assert after["picture"] != before["picture"]
    button(small_app, "Weights").click().run()
    assert layer(small_app)["unit"] == "logit per mV per 40 ms"
    assert layer(small_app)["picture"] != after["picture"]
    assert small_app.get("plotly_chart")[ECG].proto.SerializeToString() == sent


def test_page_and_library_mean_the_same_empty_picture() -> None:
    assert NO_PICTURE in SCRIPT


def test_every_chart_and_word_follows_the_difference_of_two_classes(small_app: AppTest, models_folder: Path) -> None:
    small_app.query_params["composite"] = NORMAL
    small_app.query_params["class"] = "MI"
    small_app.run()
    trace = small_app.get("plotly_chart")[ECG].proto.spec
    small_app.selectbox(key="against").set_value("vs NORM").run()
    gap = open_case(load_composite(NORMAL), load_model(folder=models_folder)).of("MI", "NORM")
    logit, name = gap.logit, difference_name("MI", "NORM")
    assert equation(small_app).startswith(f"**{name}** ")
    assert printed(equation(small_app), "logit") == pytest.approx(logit, abs=0.0051)
    assert rows_of(layer(small_app)["sum"], "tbody")["logit"] == [pytest.approx(logit, abs=0.0051)]
    total = rows_of(layer(small_app)["ledger"], "tfoot")["sum"][-1]
    assert total + gap.bias == pytest.approx(logit, abs=0.0052)
    assert layer(small_app)["name"] == name
    assert f"ratio of the odds {np.exp(logit):.2g}" in layer(small_app)["sum"]
    assert small_app.get("plotly_chart")[ECG].proto.spec == trace
    button(small_app, "NORM ").click().run()  # taken away from itself there is nothing to compare
    assert class_of(small_app) == "NORM"


def test_a_link_brings_back_a_difference(small_app: AppTest) -> None:
    small_app.query_params.update({"composite": NORMAL, "class": "MI", "against": "vs NORM"})
    small_app.run()
    assert layer(small_app)["name"] == difference_name("MI", "NORM")


def test_asking_for_what_is_known_of_a_case_changes_no_pixel_of_the_figure(small_app: AppTest) -> None:
    small_app.run()
    before = small_app.get("plotly_chart")[ECG].proto.spec
    small_app.toggle(key="about").set_value(True).run()
    assert "Made from PTB-XL" in shown_text(small_app)
    assert small_app.get("plotly_chart")[ECG].proto.spec == before


@pytest.mark.skipif(not PTBXL, reason="ECGIMN_PTBXL names no PTB-XL folder")
def test_showing_the_labels_of_a_record_changes_no_pixel_of_the_figure(
    small_app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECGIMN_PTBXL", PTBXL)
    small_app.query_params["record"] = "1"
    small_app.run()
    before = small_app.get("plotly_chart")[ECG].proto.spec
    assert "sinusrhythmus" not in shown_text(small_app)
    assert any("seen in training" in str(item.value) for item in small_app.markdown)
    small_app.toggle(key="about").set_value(True).run()
    assert "sinusrhythmus" in shown_text(small_app)
    assert small_app.get("plotly_chart")[ECG].proto.spec == before


@pytest.mark.skipif(not PTBXL, reason="ECGIMN_PTBXL names no PTB-XL folder")
def test_a_record_found_in_the_table_opens_in_the_reading_room(
    small_app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECGIMN_PTBXL", PTBXL)
    small_app.run()
    small_app.switch_page("pages/browse.py").run()
    assert not small_app.exception
    small_app.text_input(key="f_words").set_value("no such words").run()
    assert any("No matching ECGs" in item.value for item in small_app.info)
    small_app.text_input(key="f_words").set_value("niederspannung").run()
    small_app.session_state["record_to_open"] = 1  # the test runner loses clicks on a page that hands over to app.py
    small_app.switch_page("pages/read.py").run()
    assert not small_app.exception
    assert small_app.selectbox(key="source").value == "ptbxl"
    assert "= bias" in equation(small_app)


def test_the_class_chosen_stays_for_the_next_case(small_app: AppTest) -> None:
    small_app.run()
    button(small_app, "HYP").click().run()
    case = case_of(small_app)
    button(small_app, "Next").click().run()
    assert case_of(small_app) != case
    assert class_of(small_app) == "HYP"
    button(small_app, "Previous").click().run()
    assert case_of(small_app) == case


def test_diagnoses_asks_the_model_of_many_classes_and_its_list_names_the_one_drawn_in_every_case(app: AppTest) -> None:
    app.query_params["composite"], app.query_params["model"] = "imi-st", "paper-superclass"
    app.run()
    button(app, "Diagnoses").click().run()
    shown = [class_of(app)]
    assert "Inferior myocardial infarction" in shown_text(app)
    for press in ("Next", "Class"):
        button(app, press).click().run()
        shown.append(class_of(app))
        assert labelled(app.selectbox, "Class shown, with its probability") == shown[-1]
    assert shown[0] == "IMI"
    assert shown[2] != shown[1]
    button(app, "Overview").click().run()
    assert class_of(app) in SUPERCLASSES
    assert labelled(app.selectbox, "Model") == "paper-superclass"  # and not the default


def test_a_link_brings_back_case_class_quantity_and_layout(small_app: AppTest) -> None:
    wanted = {"composite": NORMAL, "class": "CD", "quantity": "weights", "layout": "6x2", "speed": "50.0"}
    for name, value in wanted.items():
        small_app.query_params[name] = value
    small_app.run()
    assert case_of(small_app) == NORMAL
    assert class_of(small_app) == "CD"
    spec = figure(small_app, ECG)
    assert spec["layout"]["meta"]["speed_mm_per_s"] == 50
    assert "6x2" in " ".join(spec["layout"]["meta"]["footer"])
    assert layer(small_app)["unit"] == "logit per mV per 40 ms"


def test_a_link_brings_back_how_the_evidence_was_drawn(small_app: AppTest) -> None:
    said = {
        "composite": NORMAL, "class": "CD", "quantity": "weights", "style": "line", "opacity": "0.4", "evidence": "off",
        "scale": "fixed", "limit_weights": "0.15", "strip": "false", "marks": "false", "cabrera": "true",
        "st_reference": "TP", "gain": "20.0", "mode": "research",
    }  # fmt: skip
    small_app.query_params.update(said)
    small_app.run()
    shown = layer(small_app)
    assert (shown["on"], shown["opacity"]) == (False, 0.4)
    assert (shown["limit"], shown["limit_source"], shown["strips"]) == (0.15, "fixed", "")
    kept = {name: small_app.query_params.get(name) for name in said}  # what a page writes comes back as a list
    assert {name: value[0] if isinstance(value, list) else value for name, value in kept.items()} == said
    small_app.get("button_group")[0].set_value("Export").run()
    state = json.loads(small_app.json[0].value)
    assert state == {
        "composite": NORMAL, "model": DEFAULT_MODEL, "class": "CD", "against": None, "st_reference": "TP",
        "layout": "3x4+1R", "speed": 25.0, "gain": 20.0, "cabrera": True, "simultaneous": False, "page": 0,
        "overlay": False, "quantity": "weights", "style": "line", "opacity": 0.4, "limit": 0.15,
        "show_strip": False, "show_st": False, "show_t": False, "show_uncertainty": False, "dark": False,
        "filter_name": "none",
    }  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["composite", "record", "class", "against", "quantity", "layout", "model", "style", "opacity", "evidence", "scale"],
)
def test_nonsense_in_a_link_is_ignored(small_app: AppTest, name: str) -> None:
    small_app.query_params[name] = "<script>1</script>"
    small_app.run()
    assert not small_app.exception
    assert not small_app.error
    assert small_app.get("plotly_chart")


def test_without_a_model_the_tracing_stands_alone(
    small_app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecgimn.model.model.MODELS_FOLDER", tmp_path)
    small_app.run()
    assert len(small_app.error) == 1
    assert len(small_app.get("plotly_chart")) == 1
    assert "evidence" not in image_names(figure(small_app, ECG))
    assert says_no_number(small_app)


def test_a_damaged_model_is_refused_in_one_sentence_and_shows_no_number(
    small_app: AppTest, models_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in models_folder.iterdir():
        data = bytearray(path.read_bytes())
        if path.suffix == ".safetensors":
            data[-1] ^= 1
        (tmp_path / path.name).write_bytes(data)
    monkeypatch.setattr("ecgimn.model.model.MODELS_FOLDER", tmp_path)
    st.cache_resource.clear()
    small_app.run()
    assert not small_app.exception
    assert "SHA-256" in small_app.error[0].value
    assert says_no_number(small_app)


def test_an_upload_is_read_and_its_name_is_nowhere(small_app: AppTest, tmp_path: Path) -> None:
    recording = load_composite(NORMAL)
    named = Recording(recording.signal, recording.fs, record_name="miller_anna_1952")
    opened_with(small_app, as_upload(named, tmp_path))
    assert not small_app.exception
    assert not small_app.error
    assert "= bias" in equation(small_app)
    assert "miller" not in shown_text(small_app)
    assert "miller" not in "".join(chart.proto.spec for chart in small_app.get("plotly_chart"))
    assert not any(name in small_app.query_params for name in ("composite", "record"))


def test_an_upload_without_age_and_sex_names_the_groups(small_app: AppTest, tmp_path: Path) -> None:
    opened_with(small_app, as_upload(load_composite(NORMAL), tmp_path))
    assert "sex and age unknown" in shown_text(small_app)
    small_app.number_input(key="upload_age").set_value(60).run()
    small_app.selectbox(key="upload_sex").set_value("female").run()
    assert "Thresholds for: female, 60 y" in shown_text(small_app)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("broken.hea", b"broken 12 500 5000\nbroken.dat 16 1000/mV\n"),
        ("empty.csv", b""),
        ("noise.bin", bytes(range(256)) * 40),
        ("three.csv", b"I,II,III\n" + b"1,2,3\n" * 2000),
    ],
)
def test_a_malformed_upload_gets_one_plain_sentence(small_app: AppTest, name: str, data: bytes) -> None:
    opened_with(small_app, [(name, data, "application/octet-stream")])
    assert not small_app.exception
    said = [*small_app.error, *small_app.warning]
    assert len(said) == 1
    assert "Traceback" not in said[0].value
    assert not small_app.get("plotly_chart")


def test_a_flat_lead_keeps_the_model_silent_until_the_reader_goes_on(small_app: AppTest, tmp_path: Path) -> None:
    signal = load_composite(NORMAL).signal.copy()
    signal[STANDARD_LEADS.index("V4")] = 0
    opened_with(small_app, as_upload(Recording(signal, 500), tmp_path))
    assert any("V4" in item.value for item in small_app.warning)
    assert "evidence" not in image_names(figure(small_app, ECG))
    assert says_no_number(small_app)
    measured = " ".join(item.value for item in small_app.markdown)
    assert any("QT/QTc" in item.value for item in small_app.caption)  # the header of any print
    assert "QRS **" in measured  # the refusal is the model's: trace, measurements and findings stay
    assert "ST at J" in measured
    button(small_app, "Run the model anyway").click().run()
    assert "= bias" in equation(small_app)
    assert any("V4" in item.value for item in small_app.warning)


def test_each_wave_taken_out_stands_in_the_ledger_and_mean_beat_of_the_class_shown(
    small_app: AppTest, models_folder: Path
) -> None:
    small_app.query_params["composite"] = NORMAL
    small_app.run()
    sent = part_of(small_app, "measured").bytes
    shown = json.loads(zlib.decompress(sent[TOKEN_BYTES:]))
    assert sent[:TOKEN_BYTES].decode() == layer(small_app)["view"]
    assert shown["class"] == class_of(small_app)
    model = load_model(folder=models_folder)
    found = measure_case(open_case(load_composite(NORMAL), model), model).of(shown["class"])
    qrs = WAVE_NAMES.index("QRS")
    said = re.findall(
        r"data-said='[^']*taken out ([+−]?[\d.]+):", shown["ledger"].split("data-leads='V3'")[1].split("</tr>")[0]
    )
    printed_of = [float(word.replace("−", "-")) for word in said]
    there = np.flatnonzero(np.isfinite(found[STANDARD_LEADS.index("V3")]))
    assert printed_of[there.tolist().index(qrs)] == pytest.approx(found[STANDARD_LEADS.index("V3"), qrs], abs=0.0051)
    assert "by territory" in shown["ledger"]
    assert shown["beats"].startswith("<svg")


def test_the_normal_beat_in_grey_is_there_on_request(small_app: AppTest) -> None:
    small_app.run()
    assert "normal composite" not in layer(small_app)["beats"]
    small_app.toggle(key="grey").set_value(True).run()
    assert "grey: normal composite" in layer(small_app)["beats"]


def test_a_step_back_in_the_browser_opens_the_case_before(small_app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    small_app.query_params["composite"] = NORMAL
    small_app.run()
    next(button for button in small_app.button if button.label == "Next").click().run()
    following = case_of(small_app)
    assert following != NORMAL
    small_app.query_params["composite"] = NORMAL  # the outdated address of a quick press is no step back
    small_app.run()
    assert case_of(small_app) == following
    small_app.query_params["composite"] = NORMAL
    with monkeypatch.context() as patch:
        patch.setattr(server, "is_history_step", lambda: True)
        small_app.run()
    assert not small_app.exception
    assert case_of(small_app) == NORMAL


@pytest.mark.parametrize("name", [NORMAL, HEAVIEST])
def test_a_case_stays_under_half_a_megabyte(app: AppTest, name: str) -> None:
    app.query_params["composite"] = name
    app.run()
    charts = sum(len(chart.proto.spec) for chart in app.get("plotly_chart"))
    evidence = sum(part_of(app, component).ByteSize() for component in ("evidence", "ahead", "measured"))
    assert charts + evidence < 475_000  # the rest of the page takes less than 25,000


def test_the_pointer_is_told_how_far_the_network_looks_once_it_is_asked_for(small_app: AppTest) -> None:
    small_app.query_params["composite"] = NORMAL
    assert layer(small_app.run())["reach"] is None
    small_app.toggle(key="reach").set_value(True).run()
    reach = layer(small_app)["reach"]
    assert reach["first_s"] + reach["step_s"] * (len(reach["close_s"]) - 0.5) == pytest.approx(10.0)
    assert all(0 < stretch <= 10 for stretch in reach["close_s"])


@pytest.mark.parametrize("detail", DETAILS)
def test_every_detail_opens(small_app: AppTest, detail: str) -> None:
    small_app.run()
    small_app.get("button_group")[0].set_value(detail).run()
    assert not small_app.exception


def test_a_note_stays_with_its_case_for_the_visit_and_is_shown_as_it_was_written(app: AppTest) -> None:
    app.run()
    app.segmented_control(key="detail").set_value("Note").run()
    assert "Kept while this window is open, then gone" in shown_text(app)
    hostile = "Q in III? **bold** <img src=x> :smile:"
    app.text_area[0].set_value(hostile).run()
    assert [item.value for item in app.text if item.value.startswith("Note:")] == [f"Note: {hostile}"]
    assert not [item for item in (*app.markdown, *app.caption) if "img src" in item.value]
    app.segmented_control(key="detail").set_value("Export").run()
    assert not app.toggle(key="export_note").value  # it leaves the page only when the reader says so
    app.toggle(key="export_note").set_value(True).run()
    assert not app.exception
    button(app, "Next").click().run()
    assert not [item for item in app.text if item.value.startswith("Note:")]
    assert "export_note" not in {item.key for item in app.toggle}
    button(app, "Previous").click().run()
    assert [item.value for item in app.text if item.value.startswith("Note:")] == [f"Note: {hostile}"]
