"""Charts of one case: ledger and class probabilities, polar view, windows over time; sum and ledger as HTML tables.

A table costs the browser a hundredth of a chart and can be walked by a screen reader. The sign never depends on colour:
every number is printed with its sign, and a bar that lowers the score is hatched. The tables carry no style but
colours, which depend on numbers and theme; the page that shows them lays them out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from ecgimn.draw.colours import FONT, N_STEPS, Palette, css, evidence_colours, evidence_index, palette
from ecgimn.escape import for_html, for_plotly
from ecgimn.explain.case import WindowLogits
from ecgimn.explain.measured import AGREEMENT_MARKS, agreement, agreements
from ecgimn.explain.sentences import NOTHING, percent, signed, with_bound
from ecgimn.leads import TERRITORIES

N_STOPS = 17


def ledger_figure(
    cells: NDArray[np.floating],
    leads: Sequence[str],
    waves: Sequence[str],
    *,
    limit: float | None = None,
    unit: str = "logit",
    dark: bool = False,
    height_px: float = 330.0,
) -> go.Figure:
    """Draw the ledger as a heat table with its sums; every cell prints its number, so the sign never depends on colour.

    Parameters
    ----------
    cells : ndarray of shape (n_leads, n_waves)
        Logit.
    leads, waves : sequence of str
        Names of rows and columns.
    limit : float, optional
        End of the symmetric colour scale; the largest |cell| when None. Sums are printed and not coloured.
    unit : str
        Printed under the pointer; empty for none.
    dark : bool
    height_px : float

    Returns
    -------
    plotly.graph_objects.Figure
        `layout.meta["total"]` is the sum of the cells.
    """
    cells = np.asarray(cells, dtype=np.float64)
    limit = limit if limit is not None else float(np.abs(cells).max(initial=0.0)) or 1.0
    total = float(cells.sum())
    with_sums = np.vstack([np.hstack([cells, cells.sum(axis=1, keepdims=True)]), [*cells.sum(axis=0), total]])
    colours = palette(overlay=True, dark=dark)
    coloured = with_sums.copy()
    coloured[-1, :] = coloured[:, -1] = np.nan
    text = [[signed(value) for value in row] for row in with_sums]
    bold = [[f"<b>{word}</b>" if r == len(leads) or c == len(waves) else word for c, word in enumerate(row)]
            for r, row in enumerate(text)]  # fmt: skip
    names_y = [f"<b>{for_plotly(lead)}</b>" for lead in leads] + ["<b>sum</b>"]
    names_x = [for_plotly(wave) for wave in waves] + ["<b>sum</b>"]
    heat = {
        "type": "heatmap",
        "z": coloured,
        "x": names_x,
        "y": names_y,
        "zmin": -limit,
        "zmax": limit,
        "colorscale": colour_scale(dark=dark),
        "showscale": False,
        "xgap": 1,
        "ygap": 1,
        "hovertemplate": f"%{{y}} %{{x}}: %{{text}} {unit}".rstrip() + "<extra></extra>",
        "text": text,
    }
    labels = {
        "type": "scatter",
        "mode": "text",
        "x": [name for _ in names_y for name in names_x],
        "y": [name for name in names_y for _ in names_x],
        "text": [word for row in bold for word in row],
        "textfont": {"size": 11, "color": colours.text},
        "hoverinfo": "skip",
    }
    layout = base_layout(colours, height_px=height_px) | {
        "margin": {"l": 44, "r": 4, "t": 24, "b": 4},
        "xaxis": {"side": "top", "showgrid": False, "zeroline": False, "fixedrange": True, "ticks": "",
                  "tickfont": {"size": 11}},
        "yaxis": {"autorange": "reversed", "showgrid": False, "zeroline": False, "fixedrange": True, "ticks": "",
                  "tickfont": {"size": 11}},
        "meta": {"total": total, "limit": limit},
    }  # fmt: skip
    return go.Figure({"data": [heat, labels], "layout": layout}, _validate=False)


def colour_scale(*, dark: bool = False) -> list[list[Any]]:
    """Return the evidence scale as Plotly takes it: stops from 0 to 1, the paper's colour at 0.5."""
    scale = evidence_colours(dark=dark)
    places = np.linspace(0, len(scale) - 1, N_STOPS).round().astype(int)
    return [[index / (N_STOPS - 1), css(scale[place])] for index, place in enumerate(places)]


def base_layout(colours: Palette, *, height_px: float) -> dict[str, Any]:
    """Return what all small charts share."""
    return {
        "template": {},
        "height": height_px,
        "font": {"family": FONT, "size": 12, "color": colours.text},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": colours.paper,
        "hoverlabel": {"bgcolor": colours.paper, "font": {"color": colours.text}},
        "showlegend": False,
        "uirevision": "chart",
    }


REMAINDER_FROM = 1e-4  # logit; a smaller one is rounding
#: Relative luminance up to which the dark theme's text, and white, keep a contrast of 4.5 : 1; black does from there.
LIGHT_TEXT_UP_TO, WHITE_TEXT_UP_TO = 0.14, 0.179


def sum_html(
    name: str,
    bias: float,
    parts: Sequence[tuple[str, float]],
    logit: float,
    *,
    outcome: str,
    probability: float | None = None,
    threshold: float | None = None,
    dark: bool = False,
) -> str:
    """Return how the logit comes about as a table: the bias, part by part, the logit, and what that comes to.

    Parameters
    ----------
    name : str
        The class, or the difference of two.
    bias, logit : float
    parts : sequence of (name, logit)
        Territories, say. What bias and parts leave open is a last part, "remainder", if it is not rounding.
    outcome : str
        What the logit comes to, in words.
    probability : float, optional
        A bar on a scale of its own, 0 to 1 over the width of the bars.
    threshold : float, optional
        Operating point on the probability, a tick.
    dark : bool
    """
    colours = palette(overlay=True, dark=dark)
    scale = evidence_colours(dark=dark)
    remainder = logit - bias - sum(value for _, value in parts)
    steps = [("bias", bias), *parts, *([("remainder", remainder)] if abs(remainder) > REMAINDER_FROM else [])]
    ends = np.cumsum([value for _, value in steps])
    low, high = min(0.0, float(ends.min())), max(0.0, float(ends.max()))
    span = (high - low) or 1.0

    def row(label: str, start: float, value: float, colour: str, kind: str = "") -> str:
        left = 100 * (min(start, start + value) - low) / span
        down = " down" if value < 0 and kind != "logit" else ""
        leads = f" data-leads='{' '.join(TERRITORIES[label])}' tabindex='0'" if label in TERRITORIES else ""
        return (
            f"<tr class='{kind}'{leads}><th scope='row'>{for_html(label)}</th><td class='bars'>"
            f"<i class='zero' style='left:{-100 * low / span:.1f}%'></i>"
            f"<b class='bar{down}' style='left:{left:.1f}%;width:{100 * abs(value) / span:.1f}%;"
            f"background-color:{colour}'></b></td><td class='number'>{signed(value)}</td></tr>"
        )

    tints = [colours.muted, *(css(scale[-1] if value >= 0 else scale[0]) for _, value in steps[1:])]
    rows = [
        row(label, float(end) - value, value, tint)
        for (label, value), end, tint in zip(steps, ends, tints, strict=True)
    ]
    rows.append(row("logit", 0.0, logit, colours.text, "logit"))
    rows.append(_outcome_row(outcome, probability, threshold, colours.bold, colours.outline))
    title = f"From bias to logit of {for_html(name)} by territory"
    return f"<table class='sum' aria-label='{title}'><tbody>{''.join(rows)}</tbody></table>"


def _outcome_row(outcome: str, probability: float | None, threshold: float | None, bar: str, tick: str) -> str:
    """Return the last row: the outcome in words over its bar from 0 to 1, with the threshold as a tick."""
    words = for_html(outcome) + (f" · threshold {threshold:.2f}" if threshold is not None else "")
    marks = ""
    if probability is not None:
        marks += f"<b class='bar' style='left:0;width:{100 * probability:.1f}%;background-color:{bar}'></b>"
    if threshold is not None:
        marks += f"<i class='tick' style='left:{100 * threshold:.1f}%;background-color:{tick}'></i>"
    return f"<tr class='outcome'><th></th><td colspan='2'><span>{words}</span><div class='bars'>{marks}</div></td></tr>"


def ledger_html(
    name: str,
    cells: NDArray[np.floating],
    leads: Sequence[str],
    waves: Sequence[str],
    *,
    measured: NDArray[np.floating] | None = None,
    margins: NDArray[np.floating] | None = None,
    limit: float | None = None,
    dark: bool = False,
) -> str:
    """Return the ledger as a heat table with its sums; every cell prints its number.

    Once each cell was taken out and the network re-run, what it measured stands below what is booked and its bound,
    with a mark: ✓ confirmed, ~ about, ✗ not confirmed. Cells that are not confirmed are hatched (class "unsure").

    Parameters
    ----------
    name : str
        The class, or the difference of two.
    cells : ndarray of shape (n_leads, n_waves)
        Logit.
    leads, waves : sequence of str
        Names of rows and columns; a row may be a territory, of which all leads are taken out at once.
    measured : ndarray of shape (n_leads, n_waves), optional
        Logit with the cell minus logit without it; NaN where there was nothing to take out.
    margins : ndarray of shape (n_leads, n_waves), optional
        How far measured may lie from booked in most records; NaN where not known.
    limit : float, optional
        End of the symmetric colour scale; the largest |cell| when None. Sums are printed and not coloured.
    dark : bool
    """
    cells = np.asarray(cells, dtype=np.float64)
    limit = limit if limit is not None else float(np.abs(cells).max(initial=0.0)) or 1.0
    steps = evidence_index(cells, limit)
    found = np.full(cells.shape, np.nan) if measured is None else np.asarray(measured, dtype=np.float64)
    grades = agreements(cells, found)

    def cell(row: int, column: int) -> str:
        value, step = float(cells[row, column]), int(steps[row, column])
        tint = f" style='{_tint(step, dark=dark)}'" if step != N_STEPS else ""  # N_STEPS is the paper's own colour
        seen = float(found[row, column])
        if not np.isfinite(seen):
            return f"<td{tint}>{signed(value)}</td>"
        margin = np.nan if margins is None else float(margins[row, column])
        said = checked_words(value, seen, margin)
        booked, _, bound = with_bound(value, margin).partition(" ")
        bound = f" <i>{bound}</i>" if bound else ""
        unsure = " class='unsure'" if grades[row, column] == 0 else ""
        return (
            f"<td{unsure}{tint} title='{said}' data-said='{said}'>{booked}{bound}"
            f"<small>{signed(seen)} {AGREEMENT_MARKS[grades[row, column]]}</small></td>"
        )

    head = "".join(f"<th scope='col'>{for_html(wave)}</th>" for wave in (*waves, "sum"))
    rows = [
        f"<tr data-leads='{for_html(' '.join(TERRITORIES.get(lead, (lead,))))}'>"
        f"<th scope='row'>{for_html(lead)}</th>{''.join(cell(row, column) for column in range(len(waves)))}"
        f"<td>{signed(float(cells[row].sum()))}</td></tr>"
        for row, lead in enumerate(leads)
    ]
    sums = "".join(f"<td>{signed(float(value))}</td>" for value in (*cells.sum(axis=0), cells.sum()))
    by = "territory" if leads[0] in TERRITORIES else "lead"
    told = "" if measured is None else "; below: taken out. ✓ confirmed, ~ about, ✗ hatched: not confirmed"
    told += "; ± for 90 % of cells like it" if margins is not None and np.isfinite(margins).any() else ""
    return (
        f"<table class='ledger' role='grid'><caption><b>Ledger of {for_html(name)}</b>, logit by {by} and wave{told}"
        f"</caption><thead><tr><td></td>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"
        f"<tfoot><tr><th scope='row'>sum</th>{sums}</tr></tfoot></table>"
    )


def checked_words(booked: float, measured: float, margin: float = np.nan) -> str:
    """Return "booked +0.80 ± 0.30, taken out +0.71: confirmed"; no bound where the model card has none."""
    return f"booked {with_bound(booked, margin)}, taken out {signed(measured)}: {agreement(booked, measured)}"


def _tint(step: int, *, dark: bool) -> str:
    """Return background and, where the theme's own text would be hard to read on it, text colour of a cell."""
    colour = evidence_colours(dark=dark)[step]
    brightness = _luminance(colour) if dark else 0.0
    words = "" if brightness <= LIGHT_TEXT_UP_TO else ";color:#FFF" if brightness <= WHITE_TEXT_UP_TO else ";color:#000"
    return f"background:{css(colour)}{words}"


def _luminance(colour: NDArray[np.uint8]) -> float:
    """Relative luminance of an sRGB colour (WCAG 2.2), 0 to 1."""
    channel = colour.astype(float) / 255
    linear = np.where(channel <= 0.04045, channel / 12.92, ((channel + 0.055) / 1.055) ** 2.4)
    return float(linear @ np.array([0.2126, 0.7152, 0.0722]))


#: Degrees clockwise from lead I (to the patient's left). -aVR stands for aVR.
FRONTAL_DEGREES = {"aVL": -30.0, "I": 0.0, "-aVR": 30.0, "II": 60.0, "aVF": 90.0, "III": 120.0}
#: Degrees from V6 (to the patient's left) to the front and right.
HORIZONTAL_DEGREES = {"V1": 120.0, "V2": 90.0, "V3": 75.0, "V4": 60.0, "V5": 30.0, "V6": 0.0}
ZERO_RADIUS = 1.0  # radius of the ring of zero; the limits lie at 0 and 2


def polar_figure(
    st_mv: Mapping[str, float],
    evidence: Mapping[str, float],
    *,
    st_limit_mv: float = 0.3,
    evidence_limit: float | None = None,
    st_name: str = "ST level",
    dark: bool = False,
    height_px: float = 300.0,
) -> go.Figure:
    """Draw ST level and evidence by lead, frontal plane left, horizontal plane right.

    Parameters
    ----------
    st_mv : mapping of lead to mV
        aVR is shown as -aVR: its level changes sign.
    evidence : mapping of lead to logit
        Contribution of each lead; that of aVR is shown at -aVR unchanged, since turning a lead over changes voltage and
        weight together.
    st_limit_mv : float
        ST level at the rim.
    evidence_limit : float, optional
        Contribution at the rim; the largest |contribution| when None.
    st_name : str
        "ST level at J+60", say.
    dark : bool
    height_px : float
    """
    colours = palette(overlay=True, dark=dark)
    known = [abs(value) for value in evidence.values() if np.isfinite(value)]
    limit = evidence_limit if evidence_limit is not None else max(known, default=0.0) or 1.0
    contribution_colour = css(evidence_colours(dark=dark)[-1])
    data = []
    layout = base_layout(colours, height_px=height_px) | {
        "margin": {"l": 24, "r": 24, "t": 44, "b": 44},
        "showlegend": True,
        "legend": {"orientation": "h", "y": -0.12, "x": 0.5, "xanchor": "center", "font": {"size": 11}},
    }
    planes = (("frontal plane", FRONTAL_DEGREES, "polar", (0.0, 0.46)),
              ("horizontal plane, front up", HORIZONTAL_DEGREES, "polar2", (0.54, 1.0)))  # fmt: skip
    annotations = []
    for title, degrees, subplot, domain in planes:
        labels = list(degrees)
        angles = [degrees[label] for label in labels]
        st_values = [-st_mv.get("aVR", np.nan) if label == "-aVR" else st_mv.get(label, np.nan) for label in labels]
        parts = [evidence.get(label.lstrip("-"), np.nan) for label in labels]
        series = (
            (f"{st_name}, rim ±{st_limit_mv:g} mV", st_values, st_limit_mv, colours.outline, "solid", "mV"),
            (f"contribution, rim ±{limit:.2g} logit", parts, limit, contribution_colour, "dash", "logit"),
        )
        for name, values, rim, colour, dash, unit in series:
            radius = [ZERO_RADIUS * (1 + float(np.clip(value / rim, -1, 1))) for value in values]
            data.append(
                {
                    "type": "scatterpolar",
                    "mode": "lines+markers",
                    "subplot": subplot,
                    "theta": angles,
                    "r": radius,
                    "name": name,
                    "legendgroup": unit,
                    "showlegend": subplot == "polar",
                    "connectgaps": False,
                    "line": {"color": colour, "width": 2, "dash": dash},
                    "marker": {"size": 6, "symbol": "circle" if unit == "mV" else "diamond", "color": colour},
                    "text": [f"{label}: {signed(value)} {unit}" if np.isfinite(value) else f"{label}: —"
                             for label, value in zip(labels, values, strict=True)],
                    "hovertemplate": "%{text}<extra></extra>",
                }
            )  # fmt: skip
        ring = np.linspace(0, 360, 73)
        data.append(
            {
                "type": "scatterpolar",
                "mode": "lines",
                "subplot": subplot,
                "theta": ring,
                "r": np.full(ring.size, ZERO_RADIUS),
                "name": "zero",
                "showlegend": False,
                "hoverinfo": "skip",
                "line": {"color": colours.muted, "width": 1},
            }
        )
        layout[subplot] = {
            "domain": {"x": list(domain)},
            "bgcolor": colours.paper,
            "radialaxis": {"range": [0, 2 * ZERO_RADIUS], "showticklabels": False, "ticks": "", "showline": False,
                           "gridcolor": colours.fine},
            "angularaxis": {
                "direction": "clockwise" if subplot == "polar" else "counterclockwise",
                "rotation": 0,
                "tickvals": [angle % 360 for angle in angles],
                "ticktext": labels,
                "gridcolor": colours.bold,
            },
        }  # fmt: skip
        annotations.append({"text": title, "x": sum(domain) / 2, "y": 1.24, "xref": "paper", "yref": "paper",
                            "showarrow": False, "font": {"size": 12}})  # fmt: skip
    layout["annotations"] = annotations
    layout["meta"] = {"st_limit_mv": st_limit_mv, "evidence_limit": limit}
    return go.Figure({"data": data, "layout": layout}, _validate=False)


MANY_CLASSES = 8  # of more, the class shown and the strongest are drawn
MARKER_PX = 9
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")  # a class is told by its dash and its name, not by colour


def timeline_figure(
    found: WindowLogits,
    *,
    shown: str,
    chosen: int | None = None,
    logits: bool = True,
    dark: bool = False,
    height_px: float = 200.0,
) -> go.Figure:
    """Draw the logits, or the probabilities, over time, the class shown on top and strongest.

    Parameters
    ----------
    found : WindowLogits
    shown : str
        The class whose line is thick.
    chosen : int, optional
        Place of the window on the screen; it is shaded.
    logits : bool
        Else probabilities in percent.
    dark : bool
    height_px : float

    Returns
    -------
    plotly.graph_objects.Figure
        One trace per class drawn, named after it; `customdata` of a marker is the place of its window. Windows without
        a logit are gaps, marked by a cross on the line of zero in a trace of their own.
    """
    colours = palette(overlay=True, dark=dark)
    middle = np.array([(window.start_s + window.stop_s) / 2 for window in found.windows])
    spans = [window.words for window in found.windows]
    data = []
    for place, name in enumerate(reversed(_drawn(found, shown))):
        column = found.classes.index(name)
        heights = found.logit[:, column] if logits else 100 * found.probability[:, column]
        said = [_words(y) for y in heights] if logits else [_percent(y / 100) for y in heights]
        bold = name == shown
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": for_plotly(name),
                "x": middle,
                "y": heights,
                "customdata": list(range(len(middle))),
                "text": [f"{for_plotly(name)} {word}, {span}" for word, span in zip(said, spans, strict=True)],
                "hovertemplate": "%{text}<extra></extra>",
                "line": {"color": colours.outline if bold else colours.muted, "width": 2.5 if bold else 1.2,
                         "dash": "solid" if bold else _DASHES[place % len(_DASHES)]},
                "marker": {"size": MARKER_PX if bold else MARKER_PX - 3},
                "connectgaps": False,
            }
        )  # fmt: skip
    refused = [place for place, reasons in enumerate(found.refusals) if reasons]
    if refused:
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "model not run",
                "x": middle[refused],
                "y": [0.0] * len(refused),
                "customdata": refused,
                "text": [f"model not run, {spans[place]}: {for_plotly(found.refusals[place][0])}" for place in refused],
                "hovertemplate": "%{text}<extra></extra>",
                "marker": {"symbol": "x-thin", "size": MARKER_PX, "line": {"width": 2, "color": colours.muted}},
            }
        )
    shapes = []
    if chosen is not None:
        window = found.windows[chosen]
        shapes.append(
            {"type": "rect", "xref": "x", "yref": "paper", "x0": window.start_s, "x1": window.stop_s, "y0": 0, "y1": 1,
             "fillcolor": colours.bold, "opacity": 0.4, "line": {"width": 0}, "layer": "below"}
        )  # fmt: skip
    layout = base_layout(colours, height_px=height_px) | {
        "margin": {"l": 48, "r": 8, "t": 8, "b": 36},
        "showlegend": True,
        "legend": {"traceorder": "reversed", "font": {"size": 11}},
        "hovermode": "closest",
        "clickmode": "event+select",
        "dragmode": False,
        "xaxis": {"title": {"text": "time in the recording (s)", "font": {"size": 11}},
                  "range": [0, found.windows[-1].stop_s], "gridcolor": colours.fine, "zeroline": False,
                  "fixedrange": True},
        "yaxis": {"title": {"text": "logit" if logits else "probability (%)", "font": {"size": 11}},
                  "range": None if logits else [-4, 104], "gridcolor": colours.fine,
                  "zerolinecolor": colours.muted, "fixedrange": True},
        "shapes": shapes,
    }  # fmt: skip
    return go.Figure({"data": data, "layout": layout}, _validate=False)


def window_rows(found: WindowLogits, *, logits: bool = True) -> list[dict[str, str]]:
    """Return one row of text per window: its time, logit or percent of every class, and why there is none."""
    return [
        {
            "Window": window.words,
            **{
                name: _words(logit) if logits else _percent(probability)
                for name, logit, probability in zip(found.classes, row, shares, strict=True)
            },
            "Quality": " ".join(reasons) or "usable",
        }
        for window, row, shares, reasons in zip(
            found.windows, found.logit, found.probability, found.refusals, strict=True
        )
    ]


def _words(logit: float) -> str:
    return NOTHING if np.isnan(logit) else signed(float(logit))


def _percent(probability: float) -> str:
    return NOTHING if np.isnan(probability) else percent(float(probability))


def _drawn(found: WindowLogits, shown: str) -> list[str]:
    """Return the classes to draw, the one shown first, then those with the highest logit anywhere."""
    others = [name for name in found.classes if name != shown]
    if len(found.classes) > MANY_CLASSES and np.isfinite(found.logit).any():
        highest = dict(zip(found.classes, np.nanmax(found.logit, axis=0).tolist(), strict=True))
        others = sorted(others, key=highest.__getitem__, reverse=True)[: MANY_CLASSES - 1]
    return [shown, *others]
