"""ST level and evidence by lead on polar figures of the frontal and the horizontal plane.

The ring is zero: outside is positive, inside negative. ST level and evidence have different units, so each polygon has
a scale of its own, both printed; a lead that has no value breaks its polygon. Angles: frontal plane clockwise from I
(Einthoven, Goldberger, Cabrera); horizontal plane as in the usual teaching diagram, 30 degrees from lead to lead at the
sides and 15 in front.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from ecgimn.draw.charts.ledger import base_layout
from ecgimn.draw.colours import css, evidence_colours, palette
from ecgimn.explain.sentences import signed

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
