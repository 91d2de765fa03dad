"""Where the waves of each lead lie on the paper, so that a cell of the ledger can be shown on the trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ecgimn.draw.overlay import panel_cell
from ecgimn.draw.paper import PaperLayout
from ecgimn.leads import lead_index
from ecgimn.signal.waves import WAVE_NAMES

if TYPE_CHECKING:
    from ecgimn.recording import Recording
    from ecgimn.signal.waves import Waves

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
