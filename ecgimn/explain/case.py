"""A case: one recording as it was read, what one model says about it, and where the evidence lies.

`open_case` is the only door from a recording to a model: the quality check stands in it, so nobody can forget it.
`Case.of` gives the evidence for one class, or for the difference of two. All pages, the command line, batches, audits
and reports use these two types. A longer recording is cut into windows that tile it, each judged and explained exactly;
a logit belongs to its window, nothing is averaged over windows, and no sample is left out or counted twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ecgimn.errors import QualityError
from ecgimn.explain.explanation import Explanation, explain, explain_many
from ecgimn.explain.ledger import Ledger, contribution, make_ledger
from ecgimn.leads import STANDARD_LEADS, TERRITORIES
from ecgimn.model import MISS_RATE
from ecgimn.recording import WINDOW_S, Recording
from ecgimn.signal.quality import Scope, assess_quality
from ecgimn.signal.reading import SignalReading, read_signal
from ecgimn.signal.waves.find import WAVE_NAMES

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from ecgimn.model.card import ModelCard
    from ecgimn.model.model import Model


OUTSIDE = "outside what the model was taught"
OPERATING_POINT = "youden"  # key of the card's thresholds from which a class counts as called
SINUS = "SR"  # the statement "sinus rhythm"


@dataclass(frozen=True, eq=False)
class Evidence:
    """The evidence for one class, or for the difference of two: what is drawn, listed and put into sentences.

    Attributes
    ----------
    reading : SignalReading
        Of the recording explained.
    name : str
        As printed: the class, or the two classes of a difference ("MI − NORM").
    weights : ndarray of shape (12, n_samples)
        Logit per mV on the raw trace.
    contribution : ndarray of shape (12, n_samples)
        Weight times voltage about the isoelectric level, in logit per sample.
    bias, baseline, logit : float
        `cells.sum() + baseline + bias` is `logit`. The baseline term is what the isoelectric levels themselves add,
        zero up to rounding; with a model that z-scores each lead, the levels about the means.
    probability : float or None
        None for the difference of two logits, which has no probability.
    cells : ndarray of shape (12, n_waves)
        Contribution by lead and wave, in the order of `WAVE_NAMES`.
    beats : ndarray of shape (12, n_beats + 1)
        The same by lead and beat; the last column is what belongs to no beat.
    residual : float
        Largest difference between these sums and the logit that the network computed itself.
    threshold : float or None
        Operating point on the probability, where the card has one.
    zone : str
        "rule out", "uncertain", "rule in" or `OUTSIDE`, at the miss rate of `MISS_RATE`; empty where no zone is known.
    spread : ndarray of shape (12, n_samples) or None
        Standard deviation of the weights over the networks averaged; of a difference, the sum of both, which the true
        one cannot exceed.
    z_scored : bool
        Whether the model z-scores each lead, so that the baseline term is part of the sum and belongs to no sample.
    meaning : str
        The class in words ("myocardial infarction"); empty for a difference.
    """

    reading: SignalReading
    name: str
    weights: NDArray[np.float64]
    contribution: NDArray[np.float64]
    bias: float
    baseline: float
    logit: float
    probability: float | None
    cells: NDArray[np.float64]
    beats: NDArray[np.float64]
    residual: float
    threshold: float | None = None
    zone: str = ""
    spread: NDArray[np.float64] | None = None
    z_scored: bool = False
    meaning: str = ""

    @property
    def recording(self) -> Recording:
        """The samples explained."""
        return self.reading.recording

    @property
    def is_difference(self) -> bool:
        """Whether two logits are subtracted."""
        return self.probability is None

    @property
    def total(self) -> float:
        """Sum of the cells, in logit."""
        return float(self.cells.sum())

    def by_lead(self) -> dict[str, float]:
        """Return the evidence per lead."""
        return dict(zip(STANDARD_LEADS, self.cells.sum(axis=1).tolist(), strict=True))

    def by_wave(self) -> dict[str, float]:
        """Return the evidence per wave."""
        return dict(zip(WAVE_NAMES, self.cells.sum(axis=0).tolist(), strict=True))

    def by_territory(self) -> dict[str, float]:
        """Return the evidence per territory; together they hold every lead once."""
        leads = self.by_lead()
        return {name: sum(leads[lead] for lead in members) for name, members in TERRITORIES.items()}

    def to_dataframe(self) -> pd.DataFrame:
        """Return the map as a table: contribution in logit, a row per sample by its time, a column per lead."""
        import pandas as pd

        times = pd.Index(np.arange(self.recording.n_samples) / self.recording.fs, name="time_s")
        return pd.DataFrame(self.contribution.T, index=times, columns=pd.Index(STANDARD_LEADS, name="lead"))

    def for_and_against(self) -> tuple[float, float]:
        """Return the sums of the positive and of the negative cells."""
        return float(self.cells[self.cells > 0].sum()), float(self.cells[self.cells < 0].sum())


@dataclass(frozen=True, eq=False)
class Case:
    """One recording, read and explained by one model.

    Attributes
    ----------
    reading : SignalReading
        Quality, waves, measurements and findings.
    explanation : Explanation
        Weights, bias and logit of every class.
    ledger : Ledger
        Class by lead by wave; its total is the logit.
    card : ModelCard
        Of the model.
    """

    reading: SignalReading
    explanation: Explanation
    ledger: Ledger
    card: ModelCard

    @property
    def recording(self) -> Recording:
        """The samples."""
        return self.reading.recording

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the model's classes."""
        return self.explanation.classes

    @property
    def most_probable(self) -> str:
        """The class with the highest probability."""
        return self.classes[int(self.explanation.probability.argmax())]

    @property
    def most_telling(self) -> str:
        """The most probable abnormal class that is called, else the most probable of all but sinus rhythm."""
        said = dict(zip(self.classes, self.explanation.probability.tolist(), strict=True))
        called = [name for name in said if name not in ("NORM", SINUS) and said[name] >= self.thresholds.get(name, 1.0)]
        return max(called or said.keys() - {SINUS} or said, key=said.__getitem__)

    def likely(self, n: int) -> tuple[str, ...]:
        """Return the `n` classes to offer first: those that are called, then the others, the most probable first.

        Sinus rhythm comes last of either: nearly every ECG has it, whatever else it shows.
        """
        said = dict(zip(self.classes, self.explanation.probability.tolist(), strict=True))

        def place(name: str) -> tuple[bool, bool, float]:
            return said[name] < self.thresholds.get(name, math.inf), name == SINUS, -said[name]

        return tuple(sorted(said, key=place)[:n])

    @cached_property
    def thresholds(self) -> dict[str, float]:
        """Operating point on the probability by class; empty where the card has none."""
        return dict(zip(self.classes, self.card.thresholds.get(OPERATING_POINT, ()), strict=False))

    @cached_property
    def scope(self) -> Scope:
        """Whether the recording is of the kind that the model learned from; one that names a rhythm was taught it."""
        return self.reading.scope.of_model(self.classes)

    def zones(self, miss_rate: float = MISS_RATE) -> dict[str, str]:
        """Return the decision zone of each class, or `OUTSIDE`; empty words where the card promises nothing.

        Parameters
        ----------
        miss_rate : float
            One of those on the card; the age of the person chooses the limits, where it is known.
        """
        if not self.scope.within:
            return dict.fromkeys(self.classes, OUTSIDE)
        found = self.card.zones_for(self.recording.age, miss_rate)
        said = zip(self.classes, self.explanation.probability.tolist(), strict=True)
        return {name: found.words(k, probability) if found else "" for k, (name, probability) in enumerate(said)}

    def of(self, name: str, minus: str | None = None) -> Evidence:
        """Return the evidence for a class, or for the difference of two logits, which is exact as each of them is.

        The difference of two linear models is the linear model with the differences of weights and biases. It is the
        logarithm of the ratio of the two odds and has no probability, since the classes do not exclude each other.

        Parameters
        ----------
        name : str
            One of `classes`.
        minus : str, optional
            Another class, to be subtracted.
        """
        one = self._of_one(name)
        if minus is None or minus == name:
            return one
        other = self._of_one(minus)
        return Evidence(
            reading=self.reading,
            name=difference_name(name, minus),
            weights=one.weights - other.weights,
            contribution=one.contribution - other.contribution,
            bias=one.bias - other.bias,
            baseline=one.baseline - other.baseline,
            logit=one.logit - other.logit,
            probability=None,
            cells=one.cells - other.cells,
            beats=one.beats - other.beats,
            residual=one.residual + other.residual,
            spread=None if one.spread is None or other.spread is None else one.spread + other.spread,
            z_scored=one.z_scored,
        )

    def _of_one(self, name: str) -> Evidence:
        explanation, ledger = self.explanation, self.ledger
        k = explanation.index(name)
        return Evidence(
            reading=self.reading,
            name=name,
            weights=explanation.weights[k],
            contribution=contribution(explanation.weights[k], self.recording, self.reading.levels),
            bias=float(ledger.bias[k]),
            baseline=float(ledger.baseline[k]),
            logit=float(explanation.logit[k]),
            probability=float(explanation.probability[k]),
            cells=ledger.cells[k],
            beats=ledger.beats[k],
            residual=max(explanation.completeness_error, ledger.residual),
            threshold=self.thresholds.get(name),
            zone=self.zones()[name],
            spread=None if explanation.spread is None else explanation.spread[k],
            z_scored=explanation.offset is not None,
            meaning=self.card.meaning(name),
        )

    def to_dataframe(self) -> pd.DataFrame:
        """Return the ledger in long form; see `Ledger.to_dataframe`."""
        return self.ledger.to_dataframe()

    def to_xarray(self) -> xr.Dataset:
        """Return signal, maps and ledger with names, times and units; needs xarray.

        Returns
        -------
        xarray.Dataset
            `signal` (lead, time) in mV; `weights` in logit/mV and `contribution` in logit (class, lead, time); `cells`
            (class, lead, wave), `bias`, `baseline`, `logit` and `probability` (class). Per class, contributions,
            baseline and bias sum to the logit.
        """
        recording, explanation = self.recording, self.explanation
        times = np.arange(recording.n_samples) / recording.fs
        maps = contribution(explanation.weights, recording, self.reading.levels)
        named = self.ledger.to_xarray().assign_coords(time=("time", times, {"units": "s"}))
        return named.assign(
            signal=(("lead", "time"), recording.signal, {"units": "mV"}),
            weights=(("class", "lead", "time"), explanation.weights, {"units": "logit/mV"}),
            contribution=(("class", "lead", "time"), maps, {"units": "logit"}),
            probability=(("class",), explanation.probability),
        ).assign_attrs(model=explanation.model_name, sha256=explanation.model_sha256)


def difference_name(name: str, minus: str) -> str:
    """Return the printed name of the difference of two classes: "MI − NORM"."""
    return f"{name} − {minus}"


def open_case(
    recording: Recording,
    model: Model,
    *,
    despite_quality: bool = False,
    read: Callable[[Recording], SignalReading] = read_signal,
    explain: Callable[[Recording, Model], Explanation] = explain,
) -> Case:
    """Read a recording, check its quality and explain it.

    Parameters
    ----------
    recording : Recording
        Of at most 10 s; use `Recording.window` on longer ones.
    model : Model
    despite_quality : bool
        Run the model although the quality check refuses.
    read, explain : callable
        In place of `read_signal` and `explain`, for callers that keep what these return.

    Raises
    ------
    QualityError
        The quality check refuses the recording; `refusals` says why. What was measured can still be shown:
        `read_signal` needs no model.
    SignalError
        The recording is longer than the model reads at once.
    """
    reading = read(recording)
    if not reading.quality.usable and not despite_quality:
        raise QualityError(reading.quality.refusals)
    return case_of(reading, explain(recording, model), model.card)


def open_cases(readings: Sequence[SignalReading], model: Model) -> tuple[Case, ...]:
    """Explain readings of one length and rate with one pass through the network; batches use it.

    Raises
    ------
    QualityError
        The quality check refuses one of them.
    """
    for reading in readings:
        if not reading.quality.usable:
            raise QualityError(reading.quality.refusals)
    explanations = explain_many([reading.recording for reading in readings], model)
    return tuple(
        case_of(reading, explanation, model.card) for reading, explanation in zip(readings, explanations, strict=True)
    )


def case_of(reading: SignalReading, explanation: Explanation, card: ModelCard) -> Case:
    """Return the case that a reading and an explanation of the same recording make."""
    ledger = make_ledger(explanation, reading.recording, reading.waves, reading.levels)
    return Case(reading, explanation, ledger, card)


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
