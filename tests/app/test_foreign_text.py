"""Marked text in every foreign field that a page shows: nothing of it is interpreted."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf.message import Message
from streamlit.testing.v1 import AppTest

from ecgimn.leads import STANDARD_LEADS
from ecgimn.model import DEFAULT_MODEL
from ecgimn.model.card import read_card
from ecgimn.sources.composites.case import load_composite
from ecgimn.study.cases import audit_case
from ecgimn.study.definition import KIND, Arm, Audit
from ecgimn.study.session import Reading
from ecgimn.study.store import Store
from tests.app.test_audit import WORDS, as_coordinator, signed_in
from tests.app.test_reading_room import NORMAL, opened_with
from tests.test_escape import HOST, kinds_of

pytestmark = pytest.mark.usefixtures("visited")

MARK = f"![x](http://{HOST}/a.png) <img src=http://{HOST}/b.png> http://{HOST}"
#: Fields of what is sent that a browser shows as they are: choices of a list, cells of a table, names for machines.
AS_THEY_ARE = {"options", "data", "id", "key", "url", "default", "raw_values", "set_value", "placeholder"}
INTERPRETED = {"image", "link_open", "html_inline", "html_block", "code_inline", "heading_open"}


def texts(message: Message, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a message, with the name of its field."""
    for field, value in message.ListFields():
        if field.name in AS_THEY_ARE:
            continue
        for one in [value] if isinstance(value, (str, bytes, bool, int, float, Message)) else value:
            if isinstance(one, Message):
                yield from texts(one, f"{path}.{field.name}")
            elif isinstance(one, str):
                yield f"{path}.{field.name}", one


def marked(app: AppTest) -> list[tuple[str, str]]:
    """The texts of a page that hold the mark, wherever they are."""

    def walk(node: Any) -> Iterator[tuple[str, str]]:
        proto = getattr(node, "proto", None)
        if isinstance(proto, Message):
            kind = type(proto).__name__
            if kind != "Text":  # plain by itself
                yield from ((f"{kind}{path}", text) for path, text in texts(proto))
        for child in getattr(node, "children", {}).values():
            yield from walk(child)

    return [(path, text) for path, text in walk(app._tree) if HOST in text]


def assert_shown_as_text(found: list[tuple[str, str]]) -> None:
    for path, text in found:
        assert not kinds_of(text) & INTERPRETED, path
        assert f"http://{HOST}" not in text, path  # a browser makes a link of it without being asked


def test_the_name_and_selection_of_an_imported_audit_are_text_on_every_part_of_its_page(
    small_app: AppTest, store: Store, models_folder: Path
) -> None:
    card = read_card(models_folder / f"{DEFAULT_MODEL}.json")
    case = audit_case("composite:imi", None)
    audit = Audit(MARK, card.name, card.sha256, card.classes, (case,), MARK, (Arm(MARK, model=False, method="none"),))
    store.add_study(audit.uid, audit.name, KIND, audit.text)
    reading = Reading(store, audit, store.sign_in("Ada")[0])
    reading.commit(1, "blind", {"primary": "MI", "confidence": 5, "boxes": [], "flags": []})
    store.set_coordinator(WORDS)
    found = marked(signed_in(small_app))
    assert found
    found += marked(as_coordinator(small_app, "results"))
    assert len({path for path, _ in found}) > 1
    assert_shown_as_text(found)


def test_names_of_columns_in_a_visitors_table_are_text(small_app: AppTest) -> None:
    signal = load_composite(NORMAL).signal.T
    names = [*STANDARD_LEADS[:11], MARK]
    table = io.StringIO()
    np.savetxt(table, signal, delimiter=",", header=",".join(names), comments="", fmt="%.4f")
    opened_with(small_app, [(f"{MARK.replace('/', '')}.csv", table.getvalue().encode(), "text/csv")])
    small_app.number_input(key="fact_fs").set_value(500.0).run()
    found = marked(small_app)
    assert_shown_as_text(found)
    assert not small_app.exception
