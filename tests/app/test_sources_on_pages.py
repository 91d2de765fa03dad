"""Every page that reads a case reads it wherever it comes from: composite, PTB-XL in a folder or on demand, upload."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from ecgimn.sources.composites.case import load_composite
from tests.app.test_pages import INTENDED_USE, PAGES, shown_text
from tests.app.test_reading_room import as_upload, equation, figure, opened_with
from tests.sources.physionet_server import Server, ecg_records, with_sums

pytestmark = pytest.mark.usefixtures("visited")

SOURCES = {"composite": "composite", "folder": "ptbxl", "on demand": "ptbxl", "upload": "file"}  # and what they are
CASE_PAGES = ("read", "compare", "what_if", "faithfulness")


@pytest.fixture(params=SOURCES)
def source(
    request: pytest.FixtureRequest, small_app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, AppTest]]:
    """A kind of source, and the app with a case of it open in the reading room."""
    monkeypatch.setenv("ECGIMN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ECGIMN_DATABASE_URL", f"sqlite:///{tmp_path / 'studies.sqlite'}")
    st.cache_resource.clear()
    files, server = ecg_records([load_composite("norm"), load_composite("imi-st")]), None
    if request.param == "composite":
        small_app.query_params["composite"] = "norm"
    elif request.param == "folder":
        for name, data in files.items():
            path = tmp_path / "ptbxl" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        monkeypatch.setenv("ECGIMN_PTBXL", str(tmp_path / "ptbxl"))
        small_app.query_params["record"] = "1"
    elif request.param == "on demand":
        server = Server(with_sums(files))
        monkeypatch.setenv("ECGIMN_PTBXL_URL", server.url)
        small_app.run()
        small_app.switch_page("pages/browse.py").run()
        small_app.button(key="fetch").click().run()
        small_app.switch_page("pages/read.py").run()
        small_app.selectbox(key="source").set_value("ptbxl")
    if request.param == "upload":
        opened_with(small_app, as_upload(load_composite("norm"), tmp_path))
    else:
        small_app.run()
    yield request.param, small_app
    if server is not None:
        server.close()
    st.cache_resource.clear()


def is_well(app: AppTest) -> bool:
    return not app.exception and not app.error and not app.warning


def test_the_reading_room_prints_the_sum_of_a_case_from_every_source(source: tuple[str, AppTest]) -> None:
    kind, app = source
    assert is_well(app)
    assert app.selectbox(key="source").value == SOURCES[kind]
    assert "= bias" in equation(app)


@pytest.mark.parametrize("page", [page for page in CASE_PAGES if page != "read"])
def test_a_page_keeps_the_case_of_the_reading_room_from_every_source(source: tuple[str, AppTest], page: str) -> None:
    kind, app = source
    app.session_state["seen"] = "whole trace"
    app.switch_page(f"pages/{page}.py").run()
    assert is_well(app)
    assert app.selectbox(key="source").value == SOURCES[kind]
    assert "500 Hz" in shown_text(app)
    drawn = [trace["name"] for trace in figure(app, 0)["data"]]
    assert {"I", "V6"} <= set(drawn)


def test_records_of_every_source_are_compared_with_a_ptb_xl_record_where_ptb_xl_is_there(
    source: tuple[str, AppTest],
) -> None:
    kind, app = source
    app.session_state["seen"] = "whole trace"
    app.switch_page("pages/compare.py").run()
    offered = app.selectbox(key="cmp_source")
    if SOURCES[kind] != "ptbxl":
        assert offered.options == ["composite"]
        return
    assert offered.options == ["composite", "PTB-XL"]
    offered.set_value("PTB-XL").run()
    app.number_input(key="cmp_record").set_value(2).run()
    assert is_well(app)
    titles = [note["text"] for note in figure(app, 0)["layout"]["annotations"] if note["text"].startswith("<b>")]
    assert [title.partition(" · ")[0] for title in titles] == ["<b>PTB-XL 1 (500 Hz)", "<b>PTB-XL 2 (500 Hz)"]


def test_the_quiz_opens_whatever_case_was_read_before(source: tuple[str, AppTest]) -> None:
    _, app = source
    app.switch_page("pages/teach.py").run()
    assert is_well(app)
    assert app.get("plotly_chart")


def test_a_ptb_xl_that_cannot_be_opened_leaves_the_composites_to_compare(
    small_app: AppTest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ECGIMN_PTBXL", str(tmp_path / "nowhere"))
    small_app.run()
    small_app.session_state["seen"] = "whole trace"
    small_app.switch_page("pages/compare.py").run()
    assert not small_app.exception
    assert len(small_app.error) == 1
    assert small_app.selectbox(key="cmp_source").options == ["composite"]
    assert len(small_app.get("plotly_chart")) == 3


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_where_ptb_xl_cannot_be_opened(
    small_app: AppTest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, page: str
) -> None:
    monkeypatch.setenv("ECGIMN_PTBXL", str(tmp_path / "nowhere"))
    small_app.run()
    small_app.switch_page(f"pages/{page}").run()
    assert not small_app.exception
    assert INTENDED_USE in shown_text(small_app)
