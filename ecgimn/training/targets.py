"""What a network learns of each record: its labels and, beside them, what teachers say of the window it sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Targets:
    """What every record should score.

    Attributes
    ----------
    labels : ndarray of shape (n, K), float32
    share : ndarray of shape (K,), float32
        Weight of the teachers against the labels.
    lessons : mapping of int to ndarray of shape (n, n_windows, K), float16
        By the samples of a window: mean logits of the teachers at windows evenly placed over a record.
    """

    labels: NDArray[np.float32]
    share: NDArray[np.float32] = field(default_factory=lambda: np.zeros(1, np.float32))
    lessons: Mapping[int, NDArray[np.float16]] = field(default_factory=dict)

    def of(self, rows: NDArray[np.integer], starts: NDArray[np.integer], crop: int, last: int) -> Tensor:
        """Return the targets (B, K), from 0 to 1, of windows of `crop` samples; the last one could start at `last`."""
        labels = self.labels[rows]
        if crop not in self.lessons:
            return torch.from_numpy(labels)
        said = self.lessons[crop]
        place = starts * ((said.shape[1] - 1) / max(1, last))
        before = place.astype(int)
        after = np.minimum(before + 1, said.shape[1] - 1)
        logits = torch.lerp(
            torch.from_numpy(said[rows, before]).float(),
            torch.from_numpy(said[rows, after]).float(),
            torch.from_numpy(place - before).float()[:, None],
        )
        return torch.lerp(torch.from_numpy(labels), logits.sigmoid(), torch.from_numpy(self.share))
