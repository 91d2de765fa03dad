"""A recording longer than the model reads at once: cut into windows that tile it, each explained exactly.

A logit belongs to its window. Nothing is averaged over windows, and no sample is left out or counted twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ecgimn.explain.explanation import explain
from ecgimn.recording import WINDOW_S, Recording
from ecgimn.signal.quality import assess_quality

if TYPE_CHECKING:
    from ecgimn.model.model import Model

SHORTEST_S = WINDOW_S / 2  # a shorter rest is shared with the window before it; the models were trained on 5 s too


@dataclass(frozen=True)
class Window:
    """A stretch of a recording, in seconds from its start."""

    start_s: float
    stop_s: float

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.stop_s - self.start_s

    @property
    def words(self) -> str:
        """The stretch as printed: "10 to 20 s"."""
        return f"{self.start_s:.4g} to {self.stop_s:.4g} s"


@dataclass(frozen=True, eq=False)
class WindowLogits:
    """What a model says about each window of a recording.

    Attributes
    ----------
    classes : tuple of str
    windows : tuple of Window
        They tile the recording, in order.
    logit, probability : ndarray of shape (n_windows, K)
        NaN where the quality check refused the window.
    completeness_error : ndarray of shape (n_windows,)
        As in `Explanation`; NaN where refused.
    refusals, warnings : tuple of tuple of str
        Per window, why the model was not asked (empty where it was), and what the reader should know of it.
    model_name, model_sha256 : str
    """

    classes: tuple[str, ...]
    windows: tuple[Window, ...]
    logit: NDArray[np.float64]
    probability: NDArray[np.float64]
    completeness_error: NDArray[np.float64]
    refusals: tuple[tuple[str, ...], ...]
    model_name: str
    model_sha256: str
    warnings: tuple[tuple[str, ...], ...] = ()

    @property
    def highest_class(self) -> str:
        """The class with the highest logit in any window; the first one when none was explained."""
        highest = np.nan_to_num(self.logit, nan=-np.inf).max(axis=0)
        return self.classes[int(highest.argmax())]

    def strongest(self, class_name: str) -> int | None:
        """Return the place of the window with the highest logit of a class, or None when none was explained."""
        logits = self.logit[:, self.classes.index(class_name)]
        return int(np.nanargmax(logits)) if np.isfinite(logits).any() else None


def tile(recording: Recording) -> tuple[Window, ...]:
    """Cut a recording into windows of 10 s; a rest below 5 s is shared evenly with the window before it.

    The windows begin and end on samples, follow each other without gap or overlap and cover the recording.
    """
    full, n_samples = round(WINDOW_S * recording.fs), recording.n_samples
    edges = [*range(0, n_samples, full), n_samples]
    if len(edges) > 2 and edges[-1] - edges[-2] < SHORTEST_S * recording.fs:
        edges[-2] = (edges[-3] + edges[-1] + 1) // 2
    return tuple(Window(start / recording.fs, stop / recording.fs) for start, stop in pairwise(edges))


def explain_windows(
    recording: Recording,
    model: Model,
    *,
    double: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> WindowLogits:
    """Explain every window of a recording that passes the quality check.

    Parameters
    ----------
    recording : Recording
        Of any length.
    model : Model
    double : bool, default=False
        Whether the network runs in float64.
    progress : callable, optional
        Called with the number of windows done and of all windows.
    """
    windows = tile(recording)
    logit = np.full((len(windows), len(model.classes)), np.nan)
    error = np.full(len(windows), np.nan)
    qualities = []
    for place, window in enumerate(windows):
        part = recording.window(window.start_s, window.duration_s)
        qualities.append(assess_quality(part))
        if qualities[-1].usable:
            explanation = explain(part, model, double=double)
            logit[place], error[place] = explanation.logit, explanation.completeness_error
        if progress is not None:
            progress(place + 1, len(windows))
    return WindowLogits(
        classes=model.classes,
        windows=windows,
        logit=logit,
        probability=expit(logit),
        completeness_error=error,
        refusals=tuple(quality.refusals for quality in qualities),
        warnings=tuple(quality.warnings for quality in qualities),
        model_name=model.card.name,
        model_sha256=model.card.sha256,
    )
