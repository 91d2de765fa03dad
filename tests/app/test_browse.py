"""The table of PTB-XL on the page: filters, pages, sorting, badges, the case list and its file."""

from __future__ import annotations

from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from ecgimn.sources.composites.case import load_composite
from tests.app.test_pages import labelled, shown_text
from tests.app.test_reading_room import equation
from tests.sources.physionet_server import ecg_records

pytestmark = pytest.mark.usefixtures("visited")

N_RECORDS = 250


@pytest.fixture
def browse(small_app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The Browse page over a folder with a table of 250 records, of which the files of the first three are there."""
    files = ecg_records([load_composite("norm")] * 3)
    lines = files.pop("ptbxl_database.csv").decode().splitlines()
    for number in range(4, N_RECORDS + 1):
        axis, pacemaker = ("LAD", "ja, pacemaker") if number % 50 == 0 else ("MID", "")
        lines.append(
            f'{number},{number % 90},{number % 2},{number % 10 + 1},report {number},{{}},{axis},"{pacemaker}",x,x'
        )
    for name, data in (files | {"ptbxl_database.csv": "\n".join(lines).encode()}).items():
        path = tmp_path / "ptb-xl" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    monkeypatch.setenv("ECGIMN_PTBXL", str(tmp_path / "ptb-xl"))
    st.cache_resource.clear()
    small_app.run()
    return small_app.switch_page("pages/browse.py").run()


def listed(app: AppTest) -> list[int]:
    return app.dataframe[0].value.index.to_list()


def test_a_hundred_records_make_a_page_and_can_be_sorted(browse: AppTest) -> None:
    assert not browse.exception
    assert f"{N_RECORDS} of {N_RECORDS} records" in shown_text(browse)
    assert listed(browse) == list(range(1, 101))
    browse.selectbox(key="sort_by").set_value("age").run()
    ages = browse.dataframe[0].value["age"]
    assert ages.is_monotonic_increasing
    browse.toggle(key="sort_down").set_value(True).run()
    assert browse.dataframe[0].value["age"].iloc[0] == 89


def test_axis_and_pacemaker_filter_the_table_and_records_of_training_carry_a_badge(browse: AppTest) -> None:
    browse.multiselect(key="f_axis").set_value(["LAD"]).run()
    assert listed(browse) == [50, 100, 150, 200, 250]
    browse.selectbox(key="f_pace").set_value(False).run()
    assert any("No matching ECGs" in item.value for item in browse.info)
    browse.multiselect(key="f_axis").set_value([]).run()
    badges = browse.dataframe[0].value["seen in training"]
    folds = browse.dataframe[0].value["fold"]
    assert [list(badge) == ["seen in training"] for badge in badges] == (folds <= 8).to_list()


def test_counts_are_drawn_beside_the_table(browse: AppTest) -> None:
    charts = browse.get("plotly_chart")
    assert len(charts) == 2
    assert "NORM 3" in charts[0].proto.alt


def test_a_case_list_is_made_read_in_its_order_and_cleared(browse: AppTest) -> None:
    browse.text_input(key="f_words").set_value("report 2").run()
    found = listed(browse)
    browse.button(key="list_all").click().run()
    assert f"**Worklist**: {len(found)} records" in shown_text(browse)
    browse.button(key="list_all").click().run()
    assert f"**Worklist**: {len(found)} records" in shown_text(browse)
    browse.button(key="clear_list").click().run()
    assert "**Worklist**: 0 records" in shown_text(browse)


def test_a_case_list_is_loaded_from_a_file_and_what_is_none_is_refused(browse: AppTest) -> None:
    browse.file_uploader(key="case_list_file").set_value([("list.csv", b"ecg_id\n3\n1\n", "text/csv")]).run()
    browse.button(key="use_list").click().run()
    assert "**Worklist**: 2 records" in shown_text(browse)
    browse.button(key="read_list").click().run()
    assert not browse.exception
    assert labelled(browse.number_input, "PTB-XL record") == 3
    assert "= bias" in equation(browse)
    browse.switch_page("pages/browse.py").run()
    browse.file_uploader(key="case_list_file").set_value([("list.csv", b"9999\n", "text/csv")]).run()
    browse.button(key="use_list").click().run()
    assert "not in this table" in browse.error[0].value
    assert "**Worklist**: 2 records" in shown_text(browse)


def test_a_random_record_is_one_whose_files_are_here(browse: AppTest) -> None:
    browse.button(key="read_random").click().run()
    assert not browse.exception
    assert labelled(browse.number_input, "PTB-XL record") in (1, 2, 3)
