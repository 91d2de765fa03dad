"""Foreign text made harmless where it is shown or written: one function for each place, and none of them elsewhere.

Foreign is whatever this project did not write itself: names and notes of files, columns of a data set, names in an
imported study, pseudonyms, remarks, model cards.
"""

from __future__ import annotations

import html
import re

_MARKDOWN = re.compile(r"[\\`*_\[\]<>|~$&#^]|(?<=^)[+=-]|(?<=^\d)[.)]|(?<=^\d\d)[.)]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
#: A colon before a word is an emoji or an address to what runs after the Markdown was read, escaped or not.
_JOINED = re.compile(r"(?<=:)(?=[A-Za-z/+_-])|(?<=@)(?=\w)|(?<=\bwww)(?=\.)", re.IGNORECASE)
_WORD_JOINER = "\u2060"
_FORMULA = ("=", "+", "-", "@", "\t", "\n")  # what spreadsheets take for a formula (OWASP, CSV injection)
_FILE_NAME = re.compile(r"[^A-Za-z0-9._ -]+")
_DEVICE = re.compile(r"(CON|PRN|AUX|NUL|(COM|LPT)[0-9])(\.|$)", re.IGNORECASE)  # names that Windows keeps for itself
MAX_FILE_NAME = 80


def for_markdown(text: object) -> str:
    """Return text that Markdown shows as it is: no image, link, markup, emoji or formula, on one line."""
    plain = _JOINED.sub(_WORD_JOINER, _one_line(text))
    return _MARKDOWN.sub(r"\\\g<0>", plain.strip())


def for_html(text: object) -> str:
    """Return text that HTML and SVG show as it is, between tags and in quoted attributes."""
    return html.escape(_one_line(text), quote=True)


def for_plotly(text: object) -> str:
    """Return text that a title, label or hover of Plotly shows as it is: no tag, no formula, no field of the hover."""
    return html.escape(_one_line(text), quote=False).replace("$", "&#36;").replace("%{", "%&#123;")


def for_csv(text: object) -> str:
    """Return text that no spreadsheet takes for a formula, with line feeds and tabs as they are.

    A carriage return becomes a blank: writers that end their lines with a line feed do not quote it.
    """
    plain = _one_line(text, kept="\t\n")
    return f"'{plain}" if plain.startswith(_FORMULA) else plain


def for_file_name(text: object) -> str:
    """Return text that is the name of a file in any folder: no path, no device, nothing hidden, never empty."""
    plain = _FILE_NAME.sub("-", _one_line(text)).strip(" .-")[:MAX_FILE_NAME].rstrip(" .-")
    return f"file-{plain}" if not plain or _DEVICE.match(plain) else plain


def _one_line(text: object, *, kept: str = "") -> str:
    """Return text without control characters and signs that turn the direction of writing."""
    return _CONTROL.sub(lambda found: "".join(c for c in found.group() if c in kept) or " ", str(text))
