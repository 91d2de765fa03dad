"""How far the regions that a reader marked agree with a map, or with those of another reader.

All are taken over cells of lead by 40 ms; a map is signed, and only what raises the class counts as pointing there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from ecgimn.leads import STANDARD_LEADS, lead_index
from ecgimn.study.answers import read_box
from ecgimn.study.evidence import BIN_MS

Cells = NDArray[np.bool_]
Map = NDArray[np.float64]


def cells_of(boxes: Iterable[Mapping[str, Any]], n_bins: int, bin_ms: float = BIN_MS) -> Cells:
    """Return the cells whose middle lies in a box, shape (12, n_bins); a box marks one cell at least."""
    cells = np.zeros((len(STANDARD_LEADS), n_bins), dtype=bool)
    middles = (np.arange(n_bins) + 0.5) * bin_ms
    for content in boxes:
        box = read_box(content)
        row = cells[lead_index(box.lead)]
        row |= (middles >= box.start_ms) & (middles <= box.stop_ms)
        row[min(int((box.start_ms + box.stop_ms) / 2 / bin_ms), n_bins - 1)] = True
    return cells


def point_auroc(cells: Cells, values: Map) -> float | None:
    """Return the probability that a cell inside the boxes has more evidence than one outside, ties counted half.

    The area under the ROC curve of the map's values for the marked cells (Hanley and McNeil 1982,
    doi:10.1148/radiology.143.1.7063747). None where nothing or everything is marked.
    """
    inside, n = int(cells.sum()), cells.size
    if inside in (0, n):
        return None
    ranks = rankdata(values.ravel())[cells.ravel()]
    return float((ranks.sum() - inside * (inside + 1) / 2) / (inside * (n - inside)))


def dice(first: Cells, second: Cells) -> float | None:
    """Return twice the common cells over the cells of both (Dice 1945, doi:10.2307/1932409); None if both are empty."""
    total = int(first.sum() + second.sum())
    return float(2 * (first & second).sum() / total) if total else None


def strongest(values: Map, n: int) -> Cells:
    """Return the `n` cells with the largest values; of equal ones the earlier."""
    cells = np.zeros(values.size, dtype=bool)
    cells[np.argsort(-values.ravel(), kind="stable")[:n]] = True
    return cells.reshape(values.shape)


def dice_with_map(cells: Cells, values: Map) -> float | None:
    """Return the Dice coefficient of the marked cells and as many of the map's strongest; no threshold to choose."""
    return dice(cells, strongest(values, int(cells.sum()))) if cells.any() else None


def pointing_hit(cells: Cells, values: Map) -> bool | None:
    """Return whether the cell with the largest value is marked (Zhang et al. 2018, doi:10.1007/s11263-017-1059-x)."""
    return bool(cells[np.unravel_index(int(values.argmax()), values.shape)]) if cells.any() else None


def mass_inside(cells: Cells, values: Map) -> float | None:
    """Return the share of the absolute evidence that lies in the marked cells."""
    total = float(np.abs(values).sum())
    return float(np.abs(values[cells]).sum() / total) if cells.any() and total > 0 else None
