"""The colours of .streamlit/config.toml keep the contrast of WCAG 2.2, in light and dark."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

CONFIG = Path(__file__).resolve().parents[2] / ".streamlit" / "config.toml"
SETTINGS = tomllib.loads(CONFIG.read_text(encoding="utf-8"))
TEXT, LINK, SHAPE = 7.0, 4.5, 3.0  # success criteria 1.4.6 (AAA), 1.4.3 (AA), 1.4.11 (AA)


def luminance(colour: str) -> float:
    """Relative luminance of "#RRGGBB" as WCAG 2.2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("ground", ["backgroundColor", "secondaryBackgroundColor"])
def test_text_and_links_can_be_read_on_both_grounds(theme: str, ground: str) -> None:
    colours = SETTINGS["theme"][theme]
    assert contrast(colours["textColor"], colours[ground]) >= TEXT
    assert contrast(colours["linkColor"], colours[ground]) >= LINK
    assert contrast(colours["primaryColor"], colours[ground]) >= SHAPE


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_white_text_can_be_read_on_a_primary_button(theme: str) -> None:
    assert contrast("#FFFFFF", SETTINGS["theme"][theme]["primaryColor"]) >= LINK


def test_the_app_stays_on_this_machine_and_reports_nothing() -> None:
    assert SETTINGS["server"]["address"] == "127.0.0.1"
    assert set(SETTINGS["server"]["allowedHosts"]) == {"127.0.0.1", "localhost"}
    assert SETTINGS["browser"]["gatherUsageStats"] is False
    assert SETTINGS["client"]["showErrorDetails"] == "none"
    assert (SETTINGS["server"]["maxUploadSize"], SETTINGS["server"]["maxMessageSize"]) == (20, 50)
