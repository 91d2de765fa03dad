"""The lines of the figure on the screen: leads, calibration pulses, and the invisible lines that answer the pointer."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecgimn.draw.colours import Palette
from ecgimn.draw.overlay import EvidenceMap
from ecgimn.draw.paper import Panel, PaperLayout
from ecgimn.leads import lead_index

if TYPE_CHECKING:
    from ecgimn.recording import Recording

HOVER_S = 0.02  # one point of the invisible hover line every 20 ms


def lead_traces(layout: PaperLayout, recording: Recording, colours: Palette) -> list[dict[str, Any]]:
    """Return one line per panel: the samples of the file in mm, gaps left open."""
    traces = []
    for panel in layout.panels:
        drawn = panel.samples(recording.fs, recording.n_samples)
        y = np.asarray(layout.voltage_mm(panel, recording.signal[lead_index(panel.lead), drawn]), dtype=np.float32)
        x0 = float(layout.time_mm(panel, drawn.start / recording.fs))
        name = f"{panel.label} rhythm" if panel.rhythm else panel.label
        line = {"color": colours.trace, "width": 1.1, "simplify": False}
        traces.append(_line(name, line, x0=x0, dx=layout.speed / recording.fs, y=y) | {"connectgaps": False})
    return traces


def pulse_trace(layout: PaperLayout, colours: Palette) -> dict[str, Any]:
    """Return the calibration pulses of all rows as one line."""
    corners = np.array(layout.pulse_mm, dtype=np.float32)  # (6, 2)
    gap = np.full((1, 2), np.nan, dtype=np.float32)
    pulses = np.concatenate(
        [part for y in layout.baselines_mm for part in (corners + np.array([0, y], np.float32), gap)]
    )
    line = {"color": colours.trace, "width": 1.0, "simplify": False}
    return _line("calibration pulse", line, x=pulses[:, 0].copy(), y=pulses[:, 1].copy())


def hover_samples(panel: Panel, recording: Recording) -> NDArray[np.intp]:
    """Return the samples of a panel at which the pointer is answered."""
    drawn = panel.samples(recording.fs, recording.n_samples)
    wanted = drawn.start / recording.fs + np.arange(0, (drawn.stop - drawn.start) / recording.fs, HOVER_S)
    return np.asarray(np.minimum(np.round(wanted * recording.fs), drawn.stop - 1), dtype=np.intp)


def hover_traces(
    layout: PaperLayout, recording: Recording, evidence: EvidenceMap | None, *, bare: bool = False
) -> list[dict[str, Any]]:
    """Return one invisible line per panel that answers the pointer: time, voltage, contribution.

    A bare line holds places only, a quarter of the bytes; its `meta` says how time and voltage follow from the panel's
    own line, the one at the place `lead`, for a page that fills the answers in.
    """
    traces: list[dict[str, Any]] = []
    for place, panel in enumerate(layout.panels):
        drawn = panel.samples(recording.fs, recording.n_samples)
        lead = lead_index(panel.lead)
        samples = hover_samples(panel, recording)
        voltage = panel.sign * recording.signal[lead, samples]
        height = np.nan_to_num(np.asarray(layout.voltage_mm(panel, recording.signal[lead, samples])), nan=-1.0)
        missing = height < 0
        height = np.where(missing, panel.baseline_mm, np.clip(height, 0, layout.height_mm))
        line = {
            "type": "scatter",
            "mode": "lines",
            "name": f"hover {panel.label}",
            "x0": float(layout.time_mm(panel, samples[0] / recording.fs)) if samples.size else panel.x0_mm,
            "dx": HOVER_S * layout.speed,
            "y": np.round(height).astype(np.uint16 if layout.height_mm > 255 else np.uint8),
            "opacity": 0,
        }
        if bare:
            words = "%{customdata[0]:.0f} ms<br>%{customdata[1]:.2f} mV"
            answers = {
                "customdata": [0],  # an array, so that Plotly looks here for what the page fills in
                "hovertemplate": f"{panel.label} · {words}<extra></extra>",
                "meta": {
                    "lead": place,
                    "first_ms": 1000 * drawn.start / recording.fs,
                    "step_ms": 1000 * HOVER_S,
                    "step": HOVER_S * recording.fs,
                    "baseline_mm": panel.baseline_mm,
                    "mm_per_mv": layout.gain,
                },
            }
            traces.append(line | answers)
            continue
        text = f"{panel.label} · %{{text}} ms<br>%{{customdata[0]:.2f}} mV"
        columns = [voltage]
        if evidence is not None:
            columns.append(evidence.sign(panel) * evidence.density[lead, samples])
            what = html.escape(f"{evidence.quantity} · {evidence.name}")
            text += f"<br>{what}<br>%{{customdata[1]:+.4f}} {evidence.unit}"
        answers = {
            "text": np.round(1000 * samples / recording.fs).astype(
                np.uint32 if drawn.stop > 65 * recording.fs else np.uint16
            ),
            "customdata": np.stack(columns, axis=1).astype(np.float32),
            "hovertemplate": text + "<extra></extra>",
        }
        traces.append(line | answers)
    return traces


def _line(name: str, line: dict[str, Any], **points: Any) -> dict[str, Any]:
    return {"type": "scatter", "mode": "lines", "name": name, "line": line, "hoverinfo": "skip", **points}
