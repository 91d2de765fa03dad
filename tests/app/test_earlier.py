"""The patient's earlier ECG on the pages: reached with one key, shown with what is new, never guessed for uploads."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from ecgimn.explain.case import open_case
from ecgimn.explain.difference import difference
from ecgimn.model.model import load_model
from ecgimn.sources.composites.case import load_composite
from tests.app.conftest import uploads_in_memory
from tests.app.test_pages import shown_text
from tests.app.test_reading_room import as_upload, opened_with

pytestmark = pytest.mark.usefixtures("visited")


def test_a_composite_stands_for_the_earlier_ecg_and_the_change_is_named(
    small_app: AppTest, models_folder: Path
) -> None:
    small_app.query_params["composite"] = "twin-ste-inferior"
    small_app.session_state["mode"] = "research"
    small_app.run()
    page = small_app.switch_page("pages/compare.py").run()
    page.segmented_control(key="cmp").set_value("Earlier ECG").run()
    assert not page.exception
    text = shown_text(page)
    assert "New since the earlier ECG: ST elevation in II, III and aVF" in text
    model = load_model(folder=models_folder)
    cases = [open_case(load_composite(name), model) for name in ("norm", "twin-ste-inferior")]
    found = difference(*cases)
    name = page.selectbox(key="cmp_new_class").value
    total = found.logit[found.classes.index(name)]
    assert f"The change of {total:+.2f} logit for {name} is voltage" in text
    rows = page.dataframe[0].value
    assert {"ST in II", "ST in III", "ST in aVF"} <= set(rows[rows["beyond"] == "●"]["measurement"])
    assert len(page.get("plotly_chart")) == 2


def test_the_earlier_ecg_of_a_record_is_offered_and_opened_with_its_date(ptbxl: AppTest) -> None:
    ptbxl.query_params["record"] = "2"
    ptbxl.run()
    button = ptbxl.button(key="earlier_ecg")
    assert "1987-03-02" in button.help
    page = ptbxl.switch_page("pages/compare.py").run()
    page.segmented_control(key="cmp").set_value("Earlier ECG").run()
    assert not page.exception
    text = shown_text(page)
    assert "New since 1987-03-02: ST elevation in II, III and aVF" in text
    assert "logit" not in text


@pytest.mark.parametrize("record", ["1", "3"])
def test_a_first_ecg_has_none_before_it(ptbxl: AppTest, record: str) -> None:
    ptbxl.query_params["record"] = record
    ptbxl.run()
    assert not [button for button in ptbxl.button if button.key == "earlier_ecg"]
    page = ptbxl.switch_page("pages/compare.py").run()
    page.segmented_control(key="cmp").set_value("Earlier ECG").run()
    assert any("no earlier ECG of this patient" in item.value for item in page.info)


def test_browse_finds_who_has_an_earlier_ecg_and_shows_the_patient_in_time(ptbxl: AppTest) -> None:
    ptbxl.run()
    page = ptbxl.switch_page("pages/browse.py").run()
    page.toggle(key="f_earlier").set_value(True).run()
    assert page.dataframe[0].value.index.to_list() == [2]
    page.toggle(key="f_changed").set_value(True).run()
    assert any("No matching ECGs" in item.value for item in page.info)


def test_two_own_files_are_compared_once_this_very_pair_is_confirmed_and_both_are_forgotten(
    small_app: AppTest, tmp_path: Path
) -> None:
    files = {}
    for name in ("norm", "twin-ste-inferior", "imi-st"):
        (tmp_path / name).mkdir()
        files[name] = as_upload(load_composite(name), tmp_path / name)
    opened_with(small_app, files["twin-ste-inferior"])
    page = small_app.switch_page("pages/compare.py").run()
    page.segmented_control(key="cmp").set_value("Earlier ECG").run()
    page.file_uploader(key="earlier_upload_0").set_value(files["norm"]).run()
    assert "New since" not in shown_text(page)
    confirmed = "Both ECGs are of the same patient, and this one is the earlier"
    next(box for box in page.checkbox if box.label == confirmed).check().run()
    assert "New since the earlier ECG: ST elevation in II, III and aVF" in shown_text(page)
    page.file_uploader(key="earlier_upload_0").set_value(files["imi-st"]).run()
    assert not next(box for box in page.checkbox if box.label == confirmed).value
    assert "New since" not in shown_text(page)
    page.switch_page("pages/read.py").run()
    next(button for button in page.button if button.label == "Forget this file").click().run()
    assert uploads_in_memory() == []
