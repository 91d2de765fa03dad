"""Two maps side by side, and checks of one: predicted against actual changes, agreement, and sanity checks.

What is compared is one class of one recording as one method explains one network, in a form that all methods share.
The exact map and every post-hoc method (`methods.METHODS`) come out alike: evidence in logit per sample of the trace,
its sums over lead and wave, and the change that the method predicts when a cell is removed. Post-hoc methods explain
the network's 100 Hz input; their weights are carried back to the trace by the same adjoint as the exact map's, so
their predictions lose nothing on the way, and their pictures are spread over the trace's samples.

Local fidelity sets one wave of one lead, on every beat, to the lead's isoelectric level and re-runs the network. A map
predicts that the logit then loses what the map booked there; the network says what it really loses. Fold-wide figures
are on the model's card (`evaluate.fidelity`); these are for the tracing on the screen, and for any method that claims
to explain it. Two maps are compared by Spearman's rank correlation, over cells of lead by wave and over samples. Sanity
checks ask what must destroy the map, what must move it, and what must leave it alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import spearmanr

from ecgimn.errors import SignalError
from ecgimn.explain.case import Case, Evidence, case_of
from ecgimn.explain.explanation import explain
from ecgimn.explain.ledger import book, contribution
from ecgimn.explain.what_if import reading_of_edit
from ecgimn.leads import CHEST_LEADS, STANDARD_LEADS
from ecgimn.recording import Recording, bridge_gaps
from ecgimn.signal.beat import MIN_BEATS
from ecgimn.signal.preprocess import MODEL_FS, TRIM_START, Preprocessing
from ecgimn.signal.reading import SignalReading
from ecgimn.signal.waves.find import WAVE_NAMES, Waves
from ecgimn.signal.waves.quick import quick_landmarks
from ecgimn.signal.waves.spans import LANDMARKS

if TYPE_CHECKING:
    from ecgimn.model.model import Model
    from ecgimn.model.predictor import Predictor

EXACT = "exact map"


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two that are compared.

    Attributes
    ----------
    title : str
    evidence : Evidence
        Of one class. Its bias is all of the logit that the method books nowhere.
    predicted : ndarray of shape (12, n_waves)
        Change of the logit that the method predicts when a cell of lead by wave is removed.
    exact : bool
        Whether evidence and bias are the network's own sum, and not a method's account of it.
    network : str
        `key` of the network explained.
    """

    title: str
    evidence: Evidence
    predicted: NDArray[np.float64]
    exact: bool
    network: str

    @property
    def reading(self) -> SignalReading:
        """The recording explained, read."""
        return self.evidence.reading

    @property
    def recording(self) -> Recording:
        """The samples explained."""
        return self.evidence.recording


def method_names() -> tuple[str, ...]:
    """Return the post-hoc methods there are, by their names on screen."""
    from ecgimn.explain.methods import METHODS

    return tuple(METHODS)


def exact_side(case: Case, class_name: str, title: str) -> Side:
    """Return the exact map of one class."""
    evidence = case.of(class_name)
    return Side(title, evidence, -evidence.cells, exact=True, network=case.card.sha256)


def post_hoc_side(method: str, network: Predictor, reading: SignalReading, class_name: str, title: str) -> Side:
    """Explain one class of a recording by a post-hoc method.

    Parameters
    ----------
    method : str
        One of `method_names()`.
    network : Predictor
    reading : SignalReading
        With waves: occlusion by cells, KernelSHAP and the controls need them.
    class_name : str
    title : str

    Raises
    ------
    ValueError
        The recording holds no beat.
    """
    from ecgimn.explain.methods import METHODS, Input

    recording, waves = reading.recording, reading.waves
    if waves is None:
        raise ValueError("post-hoc methods need the waves of the recording")
    prepare = network.preprocessing(recording.fs, recording.n_samples)
    x, k = prepare.forward(bridge_gaps(recording.signal)), network.classes.index(class_name)
    times_s = (TRIM_START + np.arange(x.shape[-1])) / MODEL_FS
    at = np.minimum(np.round(times_s * recording.fs).astype(np.intp), recording.n_samples - 1)
    cells = np.arange(12)[:, None] * len(WAVE_NAMES) + waves.labels[:, at]
    record = Input(x, quick_landmarks(x).level, cells)
    said = METHODS[method].attribute(network, record, only=k)
    logit = float(network.logits(x[None])[0, k])
    weights = prepare.adjoint(said.weights)
    contributions = spread_over_trace(said.attribution, times_s, recording)[0]
    booked, beats = book(contributions, waves)
    evidence = Evidence(
        reading=reading,
        name=class_name,
        weights=weights[0],
        contribution=contributions,
        bias=logit - float(contributions.sum()),
        baseline=0.0,
        logit=logit,
        probability=float(expit(logit)),
        cells=booked,
        beats=beats,
        residual=0.0,
    )
    predicted, _ = book(contribution(weights[0], recording, reading.levels), waves)
    return Side(title, evidence, -predicted, exact=False, network=network.key)


def spread_over_trace(
    attribution: NDArray[np.floating], times_s: NDArray[np.floating], recording: Recording
) -> NDArray[np.float64]:
    """Spread a map over the network's input, (..., 12, L), over the samples of the trace; lead sums stay the same."""
    edges_s = np.concatenate([times_s - 0.5 / MODEL_FS, times_s[-1:] + 0.5 / MODEL_FS])
    own_s = (np.arange(recording.n_samples + 1) - 0.5) / recording.fs
    own_s[0], own_s[-1] = min(own_s[0], edges_s[0]), max(own_s[-1], edges_s[-1])
    spread = np.empty((*attribution.shape[:-1], recording.n_samples))
    for place in np.ndindex(attribution.shape[:-1]):
        running = np.concatenate([[0.0], np.cumsum(attribution[place])])
        spread[place] = np.diff(np.interp(own_s, edges_s, running))
    return spread


@dataclass(frozen=True, eq=False)
class Changes:
    """Predicted and actual changes in logit under edits, (n, K) each."""

    predicted: NDArray[np.float64]
    actual: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ChangeFit:
    """How well predicted changes agree with actual ones, each of shape (m, K).

    Attributes
    ----------
    r2 : ndarray
        1 - SSE / SST of the actual change given the predicted one; below 0 the mean would have been the better guess.
    r2_rescaled : ndarray
        The same after the best line: the squared correlation.
    slope : ndarray
        Of actual on predicted change, least squares; 1 where the size is right.
    """

    r2: NDArray[np.float64]
    r2_rescaled: NDArray[np.float64]
    slope: NDArray[np.float64]


def fit_changes(changes: Changes, weights: NDArray[np.float64] | None = None) -> ChangeFit:
    """Return R2 and slope of actual on predicted change per class.

    Parameters
    ----------
    changes : Changes
    weights : ndarray of shape (m, n), optional
        How often each record counts, one row per bootstrap sample; without them m is 1 and each counts once.
    """
    w = np.ones((1, len(changes.actual))) if weights is None else weights
    total = w.sum(axis=1, keepdims=True)
    error = w @ (changes.actual - changes.predicted) ** 2
    actual, predicted = (part - part.mean(axis=0) for part in (changes.actual, changes.predicted))  # for precision

    def covariance(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(w @ (a * b) - (w @ a) * (w @ b) / total)

    aa, pp, ap = covariance(actual, actual), covariance(predicted, predicted), covariance(actual, predicted)
    return ChangeFit(
        r2=1.0 - error / np.maximum(aa, 1e-12),
        r2_rescaled=ap**2 / np.maximum(aa * pp, 1e-12),
        slope=ap / np.maximum(pp, 1e-12),
    )


LEAST_VALUES = 8


@dataclass(frozen=True)
class RankAgreement:
    """Rank correlation of two maps.

    Attributes
    ----------
    cells, samples : float or None
        Spearman's rho; None where it cannot be computed, and `reason` says why for the samples.
    n_cells, n_samples : int
        Values compared.
    same_sign : float or None
        Share of the first map's absolute evidence that lies in cells where the second has the same sign.
    reason : str
    """

    cells: float | None
    samples: float | None
    n_cells: int
    n_samples: int
    same_sign: float | None
    reason: str = ""


def spearman(first: NDArray[np.floating], second: NDArray[np.floating]) -> float | None:
    """Return Spearman's rho of two arrays of the same shape; None for too few values or for a constant."""
    first, second = np.ravel(first), np.ravel(second)
    if first.size < LEAST_VALUES or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(spearmanr(first, second).statistic)


def rank_agreement(
    first_cells: NDArray[np.floating],
    second_cells: NDArray[np.floating],
    first: NDArray[np.floating],
    second: NDArray[np.floating],
    *,
    same_recording: bool,
) -> RankAgreement:
    """Compare two maps.

    Parameters
    ----------
    first_cells, second_cells : ndarray of shape (12, n_waves)
        Sums over lead and wave; cells that are zero in both, waves that neither recording holds, are left out.
    first, second : ndarray of shape (12, n_samples)
        Contribution per sample.
    same_recording : bool
        Samples are compared on one recording only: those of two hold different moments.
    """
    held = (first_cells != 0) | (second_cells != 0)
    weight = np.abs(first_cells[held])
    same = weight[np.sign(first_cells[held]) == np.sign(second_cells[held])].sum()
    return RankAgreement(
        cells=spearman(first_cells[held], second_cells[held]),
        samples=spearman(first, second) if same_recording else None,
        n_cells=int(held.sum()),
        n_samples=int(first.size) if same_recording else 0,
        same_sign=float(same / weight.sum()) if weight.sum() > 0 else None,
        reason="" if same_recording else "two recordings share no moment",
    )


LEAST_EDITS = 8  # fewer say nothing about agreement


@dataclass(frozen=True)
class LocalFidelity:
    """How well predicted changes agree with actual ones on one recording and one class.

    Attributes
    ----------
    n_edits : int
        Cells of lead by wave that were removed.
    r2 : float
        1 - SSE / SST of the actual change given the predicted one; below 0 the mean would have been the better guess.
    slope : float
        Of actual on predicted change, least squares; 1 where the size is right.
    rms_predicted, rms_actual : float
        Logit.
    """

    n_edits: int
    r2: float
    slope: float
    rms_predicted: float
    rms_actual: float


def removal_changes(
    logits: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    prepare: Preprocessing,
    recording: Recording,
    waves: Waves,
    levels: NDArray[np.floating],
) -> NDArray[np.float64]:
    """Return the actual change of every logit when one cell is removed: up to 84 runs of the network.

    Parameters
    ----------
    logits : callable
        The network: inputs (n, 12, L) to logits (n, K).
    prepare : Preprocessing
        From this recording to the network's input.
    recording : Recording
    waves : Waves
    levels : ndarray of shape (12,)
        Isoelectric level per lead in mV.

    Returns
    -------
    ndarray of shape (12, n_waves, K)
        NaN for cells that hold no sample.
    """
    signal = bridge_gaps(recording.signal)
    x, above = prepare.forward(signal), signal - np.asarray(levels, dtype=np.float64)[:, None]
    before = logits(x[None])[0]
    changes = np.full((*signal.shape[:1], len(WAVE_NAMES), len(before)), np.nan)
    for lead in range(len(signal)):
        present = np.unique(waves.labels[lead])
        edits = np.zeros((len(present), *signal.shape))
        for place, wave in enumerate(present):
            edits[place, lead] = np.where(waves.labels[lead] == wave, -above[lead], 0.0)
        changes[lead, present] = logits(x + prepare.forward(edits)) - before
    return changes


def local_fidelity(predicted: NDArray[np.floating], actual: NDArray[np.floating]) -> LocalFidelity | None:
    """Return how well a method predicted what removing each cell does; None where there are too few cells.

    Parameters
    ----------
    predicted, actual : ndarray of shape (12, n_waves)
        Changes of one class in logit; cells that are NaN in `actual` are left out.
    """
    made = np.isfinite(actual)
    if made.sum() < LEAST_EDITS:
        return None
    changes = Changes(np.asarray(predicted)[made][:, None], np.asarray(actual)[made][:, None])
    fit = fit_changes(changes)
    return LocalFidelity(
        n_edits=int(made.sum()),
        r2=fit.r2.item(),
        slope=fit.slope.item(),
        rms_predicted=float(np.sqrt((changes.predicted**2).mean())),
        rms_actual=float(np.sqrt((changes.actual**2).mean())),
    )


BIN_S = 0.04  # one small square: maps are compared in sums over it, lead by lead
MOST_SHIFT_S = 0.5


@dataclass(frozen=True, eq=False)
class SelfCheck:
    """One check: two cases and how alike their maps are.

    Attributes
    ----------
    first, second : Case
        Of recordings of the same length: by the model, and by the model or what was made of it.
    agreement : float or None
        Spearman's rank correlation of the two maps of the class asked for, sample against the sample it should be.
    in_place : float or None
        The same, lead against lead of the same name, where leads were exchanged.
    """

    first: Case
    second: Case
    agreement: float | None
    in_place: float | None = None


def check_random_weights(case: Case, changed: Model, class_name: str) -> SelfCheck:
    """Compare the map with that of the same network with random weights: it should not survive."""
    second = case_of(case.reading, explain(case.recording, changed), case.card)
    return SelfCheck(case, second, _alike(_map(case, class_name), _map(second, class_name), case.recording.fs))


def check_shuffled_leads(case: Case, model: Model, class_name: str, *, seed: int) -> SelfCheck:
    """Exchange the chest leads at random and explain again.

    The limb leads stay: they are bound to one another. Evidence that follows the shape of a trace moves with it; what
    the network knows of each place on the chest stays.
    """
    order, recording = shuffled_chest(seed), case.recording
    second = _explained(case, recording.with_signal(recording.signal[order]), model, order=order)
    chest = [STANDARD_LEADS.index(lead) for lead in CHEST_LEADS]
    old, new = _map(case, class_name), _map(second, class_name)
    return SelfCheck(
        case,
        second,
        agreement=_alike(old[order][chest], new[chest], recording.fs),
        in_place=_alike(old[chest], new[chest], recording.fs),
    )


def shuffled_chest(seed: int) -> NDArray[np.int64]:
    """Return rows of a 12-lead signal with the chest leads in another order; none stays in its place."""
    rng, chest = np.random.default_rng(seed), np.arange(6, 12)
    order = rng.permutation(chest)
    while (order == chest).any():
        order = rng.permutation(chest)
    return np.concatenate([np.arange(6), order])


def check_time_shift(case: Case, model: Model, class_name: str, *, shift_s: float) -> SelfCheck:
    """Explain a window and the same window a moment later: the map should move with the trace.

    Raises
    ------
    SignalError
        The shift leaves too little of the recording.
    """
    recording = case.recording
    shift = round(shift_s * recording.fs)
    if not 0 < shift <= round(MOST_SHIFT_S * recording.fs):
        raise SignalError(f"The shift is {shift_s:g} s. More than 0 and at most {MOST_SHIFT_S:g} s is needed.")
    length = recording.n_samples - shift
    first = _explained(case, recording.with_signal(recording.signal[:, :length]), model)
    second = _explained(case, recording.with_signal(recording.signal[:, shift:]), model, start=shift)
    same_old, same_new = _map(first, class_name)[:, shift:], _map(second, class_name)[:, : length - shift]
    return SelfCheck(first, second, _alike(same_old, same_new, recording.fs))


def _explained(
    case: Case, recording: Recording, model: Model, *, start: int = 0, order: NDArray[np.int64] | None = None
) -> Case:
    """Explain what was made of a case's recording, with the waves of the original: none are looked for again."""
    return case_of(_moved(case.reading, recording, start, order), explain(recording, model), case.card)


def _moved(reading: SignalReading, recording: Recording, start: int, order: NDArray[np.int64] | None) -> SignalReading:
    """Return a reading for a stretch of its recording from the sample `start` on, its leads in another order."""
    order = np.arange(12) if order is None else order
    isoelectric = replace(reading.isoelectric, mv=reading.levels[order])
    waves, measured = reading.waves, reading.measurements
    if waves is None or measured is None:
        return replace(reading, recording=recording, isoelectric=isoelectric, findings=None)
    marks: dict[str, Any] = {f"global_{name}": getattr(waves, f"global_{name}") - start for name in LANDMARKS}
    marks |= {name: getattr(waves, name)[order] - start for name in LANDMARKS}
    stop, beat = start + recording.n_samples, measured.beat
    moved = replace(
        waves,
        n_samples=recording.n_samples,
        r_samples=waves.r_samples - start,
        labels=waves.labels[order, start:stop],
        beat=waves.beat[start:stop],
        **marks,
    )
    begin, length = beat.windows.start, beat.windows.length
    lost = np.maximum(start - np.maximum(begin, 0), 0) + np.maximum(
        np.minimum(begin + length, waves.n_samples) - stop, 0
    )
    windows = replace(beat.windows, start=begin - start, used=beat.windows.used & (lost == 0))
    landmarks = {name: borders[order] for name, borders in beat.landmarks.items()}
    beat = replace(beat, windows=windows, landmarks=landmarks)
    if windows.used.sum() < MIN_BEATS:
        beat = replace(beat, signal=None, reason="Too few beats lie wholly in it.")
    made = reading_of_edit(replace(reading, measurements=replace(measured, beat=beat)), recording)
    return replace(made, waves=moved, isoelectric=isoelectric)


def _map(case: Case, class_name: str) -> NDArray[np.float64]:
    return case.of(class_name).contribution


def _alike(first: NDArray[np.floating], second: NDArray[np.floating], fs: float) -> float | None:
    """Return the rank correlation of two maps (n_leads, n) in sums over small squares."""
    width = max(1, round(BIN_S * fs))
    n = first.shape[-1] // width * width
    sums = [part[:, :n].reshape(len(part), -1, width).sum(axis=-1) for part in (first, second)]
    return spearman(*sums)
