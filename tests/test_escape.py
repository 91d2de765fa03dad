"""Foreign text is shown as text: no image, link, tag, formula or path comes of it, whatever it holds."""

from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ecgimn.escape import for_csv, for_file_name, for_html, for_markdown, for_plotly

HOST = "192.0.2.7"  # of the range for documentation: nobody answers there
MARKED = (
    f"![x](http://{HOST}/a.png)", f"[x](http://{HOST})", f"<img src=http://{HOST}/b.png>", f"<http://{HOST}>",
    f"http://{HOST}/c", f"www.{HOST}.example.org", "a@example.org", "# head", "> quote", "- item", "+ item", "1. item",
    "12) item", "`code`", "**bold** _it_", "$x^2$", "~~gone~~", "| a | b |", "&lt;b&gt;", "\\![x](y)", ":red[x]",
    ":material/home:", ":smile:", "a\n\n# b", "    code", "[x]: http://e.org\n[x]", "=cmd()|' /C calc'!A0",
    "</script><script>x</script>", "%{x}", "../../etc/passwd", "CON", "-", "<br>", "===",
)  # fmt: skip
TEXTS = st.one_of(st.sampled_from(MARKED), st.text(max_size=60), st.lists(st.sampled_from(MARKED)).map(" ".join))
PLAIN = {"inline", "text", "text_special", "paragraph_open", "paragraph_close", "softbreak"}


def kinds_of(markdown: str) -> set[str]:
    """The kinds of token that a reader of GitHub's Markdown, autolinks and tables too, finds in a text."""
    found: set[str] = set()
    todo = list(MarkdownIt("gfm-like", {"linkify": False}).enable("table").parse(markdown))
    while todo:
        token = todo.pop()
        found.add(token.type)
        todo += token.children or []
    return found


@given(TEXTS)
def test_markdown_shows_the_text_and_nothing_comes_of_it(text: str) -> None:
    written = for_markdown(text)
    assert kinds_of(written) <= PLAIN
    assert kinds_of(f"**{written}** and {written}.") <= PLAIN | {"strong_open", "strong_close"}
    # What runs over the text after it was read: links without brackets, mail addresses, directives, emoji, icons.
    assert not re.search(r"https?:/|www\.\w|\w@\w|(?<!\\):[A-Za-z+]", written, re.IGNORECASE)
    assert "\n" not in written


@given(TEXTS)
def test_html_and_plotly_show_the_text_and_no_tag(text: str) -> None:
    class Reader(HTMLParser):
        tags: list[str] = []
        seen = ""

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.tags = [*self.tags, tag]

        def handle_data(self, data: str) -> None:
            self.seen += data

    for written in (for_html(text), for_plotly(text)):
        reader = Reader()
        reader.feed(f"<p title='x'>{written}</p>")
        assert reader.tags == ["p"]
    assert '"' not in for_html(text)
    assert "'" not in for_html(text)
    assert not {"<", "$"} & set(for_plotly(text))
    assert "%{" not in for_plotly(text)


@given(TEXTS)
def test_no_spreadsheet_takes_a_cell_for_a_formula_and_the_text_is_all_there(text: str) -> None:
    written = for_csv(text)
    assert not written.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow([written, "end"])
    assert next(csv.reader(io.StringIO(out.getvalue(), newline="")))[-1] == "end"


@given(TEXTS)
def test_a_file_name_is_a_name_in_any_folder(text: str) -> None:
    written = for_file_name(text)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._ -]{0,90}", written)
    assert written[-1] not in " ."


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("ST elevation, V2-V4: 0.2 mV (J point)", "ST elevation, V2-V4: 0.2 mV (J point)"),
        ("Müller's rounds 1.5", "Müller's rounds 1.5"),
        ("10:30", "10:30"),
    ],
)
def test_ordinary_text_stays_as_it_is(text: str, written: str) -> None:
    assert for_markdown(text) == for_csv(text) == written
    assert for_plotly(text) == written
    assert for_file_name("case 12_a.hea") == "case 12_a.hea"
