"""Case lists go out and come back in the same order, without a label, and nothing else passes for one."""

from __future__ import annotations

import pandas as pd
import pytest

from ecgimn.about import INTENDED_USE
from ecgimn.errors import SourceError
from ecgimn.sources.search import MAX_BYTES, SEEN, SearchTable, read_case_list, write_case_list

SHOWN = pd.DataFrame({"fold": [3, 9, 10, 1], SEEN: [True, False, False, True], "classes": "MI"}, index=[1, 2, 5, 9])
TABLE = SearchTable(SHOWN, SHOWN, (), ())


def test_a_list_comes_back_in_its_own_order() -> None:
    assert read_case_list(write_case_list((9, 2, 5), TABLE), SHOWN.index) == (9, 2, 5)


def test_a_list_says_what_it_is_for_and_holds_no_label() -> None:
    text = write_case_list((2, 1), TABLE).decode()
    assert INTENDED_USE in text
    assert text.splitlines()[-2:] == ["2,9,no", "1,3,yes"]
    assert "MI" not in text.split("seen_in_training")[1]


@pytest.mark.parametrize(
    "text", ["5\n2\n5\n", "record;fold\n5;10\n2;9\n", '\ufeff"ecg_id"\r\n"5"\r\n"2"\r\n', "#\n5,\n2,"]
)
def test_plain_lines_and_other_separators_are_read_and_doubles_dropped(text: str) -> None:
    assert read_case_list(text.encode(), SHOWN.index) == (5, 2)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "no record number"),
        (b"# only a comment\n", "no record number"),
        (b"ecg_id\nhello\n5\n", "1 lines that do not begin"),
        (b"5\n=cmd()\n", "do not begin"),
        (b"5\n777\n", "the first is 777"),
        (b"5\n99999999999999999999\n", "do not begin"),
        (b"\xff\xfe5\x00", "no text"),
        (b"5\n" * MAX_BYTES, "At most"),
    ],
)
def test_what_is_no_case_list_is_refused_in_one_sentence(data: bytes, word: str) -> None:
    with pytest.raises(SourceError, match=word) as caught:
        read_case_list(data, SHOWN.index)
    assert str(caught.value).endswith(".")
