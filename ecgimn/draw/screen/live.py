"""The evidence of one class as pictures and text laid under a trace already drawn, and where each wave lies.

The trace is four fifths of a figure's bytes and of the work of drawing it, and it does not change with the class. Here
is what changes: the raster and the strips for the empty places that `ecg_figure(..., evidence_apart=True)` leaves, the
values that answer the pointer, and the numbers of the colour scale. `paper` names the recording and the paper that it
belongs to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ecgimn.draw.colours import css, palette
from ecgimn.draw.evidence import EvidenceMap, evidence_map, overlay_indices, panel_cell, picture_uri
from ecgimn.draw.paper import PaperLayout
from ecgimn.draw.screen.ecg import MAX_HEADROOM_MM, paper_token
from ecgimn.draw.screen.parts import colour_stops, hover_samples, strips_left_mm, strips_svg, svg_uri
from ecgimn.draw.view import View
from ecgimn.leads import lead_index
from ecgimn.signal.waves.find import WAVE_NAMES

if TYPE_CHECKING:
    from ecgimn.explain.case import Evidence
    from ecgimn.recording import Recording
    from ecgimn.signal.waves.find import Waves


HOVER_STEPS = 4095  # from zero to the largest of the pointer's answers: finer than the four decimals that are shown


def evidence_layer(evidence: Evidence, *, view: View) -> dict[str, Any]:
    """Return the evidence for a class as plain values for JSON.

    Parameters
    ----------
    evidence : Evidence
    view : View
        Its paper must be the paper of the figure underneath.

    Returns
    -------
    dict
        `paper`, the token of the figure underneath; `picture` and `strips`, data URIs ("" where there are none);
        `name`, `quantity`, `unit`, `limit`, `limit_source`, `shown` (0 to 1), `opacity`; `stops`, the colours from the
        lowest to the highest value; `hover`, the map summed over 40 ms at `hover_samples` of each panel in turn, as
        integers times `step`; `grid`, the paper's colours with and without evidence.

    Raises
    ------
    ValueError
        The "blocks" style is asked for where no beat was found.
    """
    recording, waves = evidence.recording, evidence.reading.waves
    layout, _ = view.paper_for(recording, MAX_HEADROOM_MM)
    drawn = evidence_map(evidence, view)
    raster = overlay_indices(drawn, layout, view, recording, waves)
    colours, red = (palette(overlay=overlay, dark=view.dark) for overlay in (True, False))
    strips = ""
    if view.show_strip:
        strips = svg_uri(strips_svg(layout, drawn, view, colours, left_mm=strips_left_mm(layout)))
    return {
        "paper": paper_token(recording, layout),
        "picture": picture_uri(drawn, raster, dark=view.dark),
        "strips": strips,
        "name": drawn.name,
        "quantity": drawn.quantity,
        "unit": drawn.unit,
        "limit": drawn.limit,
        "limit_source": drawn.limit_source,
        "shown": drawn.shown_share(layout),
        "opacity": view.opacity,
        "stops": [css(colour) for colour in colour_stops(drawn, dark=view.dark)],
        "hover": _hover(drawn, layout, recording),
        "grid": [[colours.fine, red.fine], [colours.bold, red.bold]],
    }


def _hover(evidence: EvidenceMap, layout: PaperLayout, recording: Recording) -> dict[str, Any]:
    rows = [
        evidence.sign(panel) * evidence.drawn[lead_index(panel.lead), hover_samples(panel, recording)]
        for panel in layout.panels
    ]
    values = np.concatenate(rows)
    step = float(np.abs(values).max(initial=0.0)) / HOVER_STEPS or 1.0
    return {"step": step, "values": np.round(values / step).astype(int).tolist()}


PER_MM = 10  # places are sent in tenths of a millimetre


def wave_regions(layout: PaperLayout, recording: Recording, waves: Waves | None) -> list[dict[str, Any]]:
    """Return the stretches of every wave in each panel, as plain values for JSON.

    Parameters
    ----------
    layout : PaperLayout
    recording : Recording
    waves : Waves or None
        None when no beat was found: all samples are then "unassigned".

    Returns
    -------
    list of dict
        Per panel `lead`, `label`, `start_s`, `x` (first and last place), `y` (foot and top), all places in tenths of a
        millimetre from the lower left corner of the paper, and `waves`: by wave, in the order of `WAVE_NAMES`, first
        and last place of each stretch in turn. Together the stretches cover the panel once.
    """
    regions = []
    for panel in layout.panels:
        drawn = panel.samples(recording.fs, recording.n_samples)
        labels = np.zeros(drawn.stop - drawn.start) if waves is None else waves.labels[lead_index(panel.lead), drawn]
        edges = np.unique(np.concatenate([[0], np.flatnonzero(np.diff(labels)) + 1, [labels.size]]))
        places = np.round(PER_MM * (panel.x0_mm + edges / recording.fs * layout.speed)).astype(int).tolist()
        stretches: list[list[int]] = [[] for _ in WAVE_NAMES]
        for place, edge in enumerate(edges[:-1].astype(int)):
            stretches[int(labels[edge])] += places[place : place + 2]
        cell = panel_cell(layout, panel)
        regions.append(
            {
                "lead": panel.lead,
                "label": panel.label,
                "start_s": panel.start_s,
                "x": [places[0], places[-1]],
                "y": [round(PER_MM * cell.band_low), round(PER_MM * cell.band_high)],
                "waves": stretches,
            }
        )
    return regions
