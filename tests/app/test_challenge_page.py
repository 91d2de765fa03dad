"""Challenge records on the Browse page: found by diagnosis, age and sex, and opened in the reading room."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from ecgimn.sources.composites.case import load_composite
from tests.app.test_pages import shown_text
from tests.formats.test_challenge import challenge_files

pytestmark = pytest.mark.usefixtures("visited")


@pytest.fixture
def challenge(small_app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The Browse page with a folder of two challenge records set up, and their data set chosen."""
    recording = load_composite("norm")
    for name, age, dx in (("A0001", "61", "426783006"), ("A0002", "30", "164889003,55827005")):
        files = challenge_files(recording.signal, name, "CPSC", age=age, dx=dx)
        for file, data in files.items():
            (tmp_path / "cinc" / "cpsc").mkdir(parents=True, exist_ok=True)
            (tmp_path / "cinc" / "cpsc" / file).write_bytes(data)
    monkeypatch.setenv("ECGIMN_CINC", str(tmp_path / "cinc"))
    st.cache_resource.clear()
    small_app.run()
    browse = small_app.switch_page("pages/browse.py").run()
    return browse.segmented_control(key="data_set").set_value("PhysioNet challenge").run()


def test_challenge_records_are_found_by_diagnosis_and_opened_to_read(challenge: AppTest) -> None:
    assert not challenge.exception
    assert challenge.dataframe[0].value["diagnoses"].to_list() == [
        "sinus rhythm", "atrial fibrillation, left ventricular high voltage",
    ]  # fmt: skip
    challenge.multiselect(key="c_codes").set_value(["164889003"]).run()
    assert challenge.dataframe[0].value.index.to_list() == ["cpsc/A0002"]
    challenge.slider(key="c_age").set_value((0, 20)).run()
    assert any("No matching ECGs" in item.value for item in challenge.info)


def test_a_challenge_record_is_read_as_the_reader_opens_it(challenge: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    from ecgimn.sources.cinc import ChallengeRecords
    from pages.ui.state import case

    recording = ChallengeRecords(os.environ["ECGIMN_CINC"]).recording("cpsc/A0001")
    chosen: dict[str, object] = {}
    with monkeypatch.context() as patch:
        patch.setattr(case.st, "session_state", chosen)
        case.open_own(recording, "key")
    for name, value in chosen.items():
        challenge.session_state[name] = value
    app = challenge.switch_page("pages/read.py").run()
    assert not app.exception
    assert app.session_state["source"] == "file"
    assert [one.record_name for one in app.session_state["own_files"].values()] == ["A0001"]
    assert "1 statement of the file hidden" in shown_text(app)


def test_a_folder_of_challenge_records_that_is_not_there_is_said(
    challenge: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECGIMN_CINC", str(tmp_path / "no"))
    browse = challenge.run()
    browse.segmented_control(key="data_set").set_value("PhysioNet challenge").run()
    assert not browse.exception
    assert any("not there" in item.value for item in browse.error)
