"""PTB-XL fetched on demand, as a reader meets it: the offer, the table, one record at either rate, and every fault."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from ecgimn.sources.composites.case import load_composite
from tests.app.test_pages import ROOT, shown_text
from tests.app.test_reading_room import equation
from tests.sources.physionet_server import Server, ecg_records, with_sums

pytestmark = pytest.mark.usefixtures("visited")

HIGH = "records500/00000/00001_hr.dat"


@pytest.fixture
def physionet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    """A server with two composites as its records, and an empty cache."""
    import pooch.core

    monkeypatch.setattr(pooch.core, "time", SimpleNamespace(sleep=lambda seconds: None))
    running = Server(with_sums(ecg_records([load_composite("norm"), load_composite("imi-st")])))
    monkeypatch.setenv("ECGIMN_PTBXL_URL", running.url)
    monkeypatch.setenv("ECGIMN_CACHE", str(tmp_path / "cache"))
    st.cache_resource.clear()
    yield running
    running.close()


def browse(app: AppTest) -> AppTest:
    app.run()
    return app.switch_page("pages/browse.py").run()


def fetched(app: AppTest) -> AppTest:
    """The app after a reader asked for the table."""
    return browse(app).button(key="fetch").click().run()


def reading(app: AppTest, **link: str) -> AppTest:
    """The reading room, opened by a link."""
    for name, value in link.items():
        app.query_params[name] = value
    return app.run()


def test_nothing_is_fetched_unless_asked_for_and_the_offer_names_size_licence_and_host(
    small_app: AppTest, physionet: Server
) -> None:
    browse(small_app)
    text = shown_text(small_app)
    assert "15 MB" in text
    assert "127.0.0.1" in text
    assert "CC BY 4.0" in text
    assert physionet.requests == []


def test_the_table_is_fetched_on_request_and_then_searched(small_app: AppTest, physionet: Server) -> None:
    fetched(small_app)
    assert not small_app.error
    assert "2 of 2 records" in shown_text(small_app)
    assert {name for name, _ in physionet.requests} == {"SHA256SUMS.txt", "ptbxl_database.csv", "scp_statements.csv"}


@pytest.mark.parametrize(
    ("faults", "word"),
    [([503] * 9, "503"), ([404], "404"), ([b"forged"] * 9, "published checksum"), ([("cut", 40)] * 9, "broke off")],
)
def test_a_fault_while_fetching_is_said_in_one_sentence_and_the_offer_stays(
    small_app: AppTest, physionet: Server, faults: list[object], word: str
) -> None:
    physionet.faults["ptbxl_database.csv"] = faults
    fetched(small_app)
    assert not small_app.exception
    assert [word in error.value for error in small_app.error] == [True]
    physionet.faults.clear()
    small_app.button(key="fetch").click().run()
    assert "2 of 2 records" in shown_text(small_app)


def test_without_a_network_the_offer_says_so(small_app: AppTest, physionet: Server) -> None:
    physionet.close()
    fetched(small_app)
    assert "cannot be reached" in small_app.error[0].value


def test_a_record_opens_at_500_hz_and_at_100_hz_on_request_and_the_link_keeps_it(
    small_app: AppTest, physionet: Server
) -> None:
    fetched(small_app)
    physionet.requests.clear()
    small_app.switch_page("pages/read.py").run()
    small_app.selectbox(key="source").set_value("ptbxl").run()
    assert not small_app.error
    assert [name for name, _ in physionet.requests] == [HIGH.replace(".dat", ".hea"), HIGH]
    assert "500 Hz" in shown_text(small_app)
    small_app.selectbox(key="ptbxl_fs").set_value(100).run()
    assert "100 Hz" in shown_text(small_app)
    assert "= bias" in equation(small_app)
    assert small_app.query_params["fs"] == "100"


def test_a_link_opens_the_record_at_its_rate(small_app: AppTest, physionet: Server) -> None:
    fetched(small_app)
    other = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300)
    reading(other, record="2", fs="100")
    assert not other.error
    assert other.selectbox(key="ptbxl_fs").value == 100
    assert "100 Hz" in shown_text(other)


def test_what_was_fetched_is_read_without_a_network_and_the_rest_says_so(small_app: AppTest, physionet: Server) -> None:
    fetched(small_app)
    reading(AppTest.from_file(str(ROOT / "app.py"), default_timeout=300), record="1")
    physionet.close()
    st.cache_data.clear()
    st.cache_resource.clear()
    again = reading(AppTest.from_file(str(ROOT / "app.py"), default_timeout=300), record="1")
    assert not again.error
    assert "= bias" in equation(again)
    offline = reading(AppTest.from_file(str(ROOT / "app.py"), default_timeout=300), record="2")
    assert "cannot be reached" in offline.error[0].value
    assert not offline.get("plotly_chart")


def test_a_mirror_that_is_no_web_address_is_named(
    small_app: AppTest, physionet: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECGIMN_PTBXL_URL", "ftp://mirror.example/")
    browse(small_app)
    assert not small_app.exception
    assert "no web address" in small_app.error[0].value
