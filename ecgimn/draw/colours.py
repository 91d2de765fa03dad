"""The colours of a picture: paper, trace, marks, and one diverging scale for signed evidence.

The evidence scale is orange (raises the score) to blue (lowers it), made in OKLab so that equal steps look equal,
with the paper's own colour at exactly 0 and both ends equally far from it. Orange and blue stay apart in every common
colour blindness, and neither is the red of ECG paper (Crameri et al. 2020, doi:10.1038/s41467-020-19160-7; OKLab:
Ottosson 2020, https://bottosson.github.io/posts/oklab/). Colours depend on the evidence only, never on a label.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

FONT = "Source Sans Pro, Source Sans, Helvetica, Arial, sans-serif"  # that of the pages, where it is there
N_STEPS = 63  # colours on each side of 0: steps too small to see, and pictures that compress well
TRANSPARENT = 2 * N_STEPS + 1  # palette entry after the colours of the scale

_POSITIVE_HUE, _NEGATIVE_HUE = np.deg2rad(60.0), np.deg2rad(250.0)  # orange and blue
_PAINT_HUE = np.deg2rad(52.0)  # an orange that stays inside sRGB when it is stronger
_END_LIGHTNESS, _END_CHROMA = 0.66, 0.135  # light enough for a black trace on top, inside sRGB for both hues
_END_LIGHTNESS_DARK = 0.62
#: Ends of the painted scale (lightness and chroma of orange, then of blue): stronger, since a small area is to be seen,
#: and unlike in grey, where orange is the lighter one.
_PAINT_ENDS = ((0.64, 0.165), (0.50, 0.135))
_PAINT_ENDS_DARK = ((0.78, 0.15), (0.60, 0.15))

_OKLAB_TO_LMS = np.array(
    [[1.0, 0.3963377774, 0.2158037573], [1.0, -0.1055613458, -0.0638541728], [1.0, -0.0894841775, -1.2914855480]]
)
_LMS_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


@dataclass(frozen=True)
class Palette:
    """Colours of one page, as CSS strings; the grey grid is a veil, so that it pales no evidence under it."""

    paper: str
    fine: str
    bold: str
    trace: str
    text: str
    muted: str
    outline: str
    st_levels: tuple[str, str, str]  # lowered, level, raised
    t_upright: str
    t_inverted: str


_ST_LEVELS = ("#00665E", "#8C8C8C", "#A0146E")  # teal to magenta, level grey
_ST_LEVELS_DARK = ("#2FC9BA", "#8A8A8A", "#FF5FC0")

_PINK = Palette(
    "#FFFBFA", "#F7D8D5", "#EBA9A4", "#101010", "#1F2328", "#59636E", "#A0146E", _ST_LEVELS, "#788C97", "#7B3FA0"
)
_GREY = Palette(
    "#FFFFFF", "#0000000F", "#0000002A", "#101010", "#1F2328", "#59636E", "#A0146E", _ST_LEVELS, "#788C97", "#7B3FA0"
)
_DARK_RED = Palette(
    "#14181D", "#33262A", "#5A3238", "#F4F4F4", "#E6EAEE", "#A5B0BA", "#FF5FC0", _ST_LEVELS_DARK, "#6F8591", "#C08BE8"
)
_DARK_GREY = Palette(
    "#14181D",
    "#FFFFFF10",
    "#FFFFFF2B",
    "#F4F4F4",
    "#E6EAEE",
    "#A5B0BA",
    "#FF5FC0",
    _ST_LEVELS_DARK,
    "#6F8591",
    "#C08BE8",
)


def palette(*, overlay: bool, dark: bool) -> Palette:
    """Return the page's colours: red paper, or grey while evidence lies on it."""
    if dark:
        return _DARK_GREY if overlay else _DARK_RED
    return _GREY if overlay else _PINK


@cache
def evidence_colours(*, dark: bool = False, paint: bool = False) -> NDArray[np.uint8]:
    """Return the evidence scale, (127, 3) sRGB bytes: row 0 the lowest, 63 the paper, 126 the highest value.

    Parameters
    ----------
    dark : bool
    paint : bool
        The stronger colours of painted areas.
    """
    strength = np.abs(np.linspace(-1.0, 1.0, 2 * N_STEPS + 1))
    raises = np.arange(2 * N_STEPS + 1) > N_STEPS
    hue = np.where(raises, _PAINT_HUE if paint else _POSITIVE_HUE, _NEGATIVE_HUE)
    paper = _srgb_lightness(palette(overlay=True, dark=dark).paper)
    plain = (_END_LIGHTNESS_DARK if dark else _END_LIGHTNESS, _END_CHROMA)
    up, down = (_PAINT_ENDS_DARK if dark else _PAINT_ENDS) if paint else (plain, plain)
    end, chroma = (np.where(raises, up[part], down[part]) for part in (0, 1))
    lightness = paper + (end - paper) * strength
    oklab = np.stack([lightness, chroma * strength * np.cos(hue), chroma * strength * np.sin(hue)], axis=1)  # (127, 3)
    colours = _oklab_to_srgb(oklab)
    colours[N_STEPS] = _hex_bytes(palette(overlay=True, dark=dark).paper)
    colours.setflags(write=False)
    return colours


def evidence_index(values: NDArray[np.floating], limit: float, power: float = 1.0) -> NDArray[np.uint8]:
    """Return the row of the evidence scale of each value; values beyond ±`limit` take the end colours.

    The rounding is symmetric: the rows of v and -v mirror each other about the middle.

    Parameters
    ----------
    values : ndarray
    limit : float
        The value of the end colours.
    power : float
        Of |value| / limit: below 1 the scale is steeper about 0, so that small values are seen.
    """
    scaled = np.clip(np.asarray(values, dtype=np.float64) / limit, -1.0, 1.0)
    steps = np.floor(np.abs(scaled) ** power * N_STEPS + 0.5)
    return (N_STEPS + np.sign(scaled) * steps).astype(np.uint8)


def css(colour: NDArray[np.uint8]) -> str:
    """Return an sRGB colour as a CSS string."""
    red, green, blue = (int(part) for part in colour)
    return f"#{red:02X}{green:02X}{blue:02X}"


def blended(colour: NDArray[np.uint8], opacity: float, *, dark: bool = False) -> NDArray[np.uint8]:
    """Return what the eye sees of a colour laid over the paper at an opacity."""
    paper = _hex_bytes(palette(overlay=True, dark=dark).paper)
    return np.asarray(np.round(opacity * colour.astype(float) + (1 - opacity) * paper), dtype=np.uint8)


def _hex_bytes(colour: str) -> NDArray[np.uint8]:
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], dtype=np.uint8)


def _srgb_lightness(colour: str) -> float:
    """OKLab lightness of a nearly grey colour: the cube root of its linear light."""
    channel = float(_hex_bytes(colour).mean()) / 255
    linear = channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
    return float(np.cbrt(linear))


def _oklab_to_srgb(oklab: NDArray[np.float64]) -> NDArray[np.uint8]:
    linear = np.clip((oklab @ _OKLAB_TO_LMS.T) ** 3 @ _LMS_TO_RGB.T, 0.0, 1.0)
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(np.round(255 * srgb), dtype=np.uint8)
