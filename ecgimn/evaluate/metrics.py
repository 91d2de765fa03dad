"""The measures of this project: discrimination, calibration, and intervals from resampling patients.

What scikit-learn computes is taken from there. Two things are computed here: the area under the ROC curve of a thousand
bootstrap samples at once, and reliability in bins of equal mass. A measure of nothing, as of a class without a record,
is NaN, and None once it is rounded for JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

N_BOOTSTRAPS = 1000
N_BINS = 15
MIN_POSITIVES = 10  # fewer cannot carry two parameters

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def as_list(self) -> list[float | None]:
        """Return value, low and high, rounded; None where undefined."""
        return [plain(v) for v in (self.value, self.low, self.high)]


def plain(value: float, digits: int = 5) -> float | None:
    """Return a value rounded for JSON; None where it is undefined."""
    return round(float(value), digits) if np.isfinite(value) else None


def rounded(values: NDArray[np.floating], digits: int = 4) -> list[float | None]:
    """Return values as plain numbers for JSON; None where undefined."""
    return [plain(value, digits) for value in values]


def mean(values: ArrayLike, axis: int | None = None) -> Any:
    """Return the mean of some values; NaN, without a warning, where there are none."""
    array = np.asarray(values, dtype=np.float64)
    count = array.size if axis is None else array.shape[axis]
    return array.mean(axis=axis) if count else np.full(array.sum(axis=axis).shape, np.nan)[()]


def auroc(target: NDArray[np.integer], score: Array, weight: Array | None = None) -> Array:
    """Area under the ROC curve, with ties counted half.

    Parameters
    ----------
    target : ndarray of shape (n,)
        0 or 1.
    score : ndarray of shape (n,)
    weight : ndarray of shape (m, n), optional
        How often each record counts, one row per bootstrap sample.

    Returns
    -------
    ndarray of shape (m,)
        NaN where a sample lacks positives or negatives. Without weights m is 1.
    """
    weight = np.ones((1, len(target))) if weight is None else weight
    positive, negative = weight * target, weight * (1 - target)
    _, group = np.unique(score, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    p = np.add.reduceat(positive[:, order], starts, axis=1)
    n = np.add.reduceat(negative[:, order], starts, axis=1)
    below = np.cumsum(n, axis=1) - n
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((p * (below + n / 2)).sum(axis=1) / pairs)


def average_precision(target: NDArray[np.integer], score: Array) -> float:
    """Return the step-wise area under the precision-recall curve; NaN without positives."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(target, score)) if target.sum() else float("nan")


def patient_weights(patients: NDArray[np.integer], n: int = N_BOOTSTRAPS, seed: int = 0) -> Array:
    """Return how often each record counts in each bootstrap sample of patients, shape (n, n_records)."""
    names, patient = np.unique(patients, return_inverse=True)
    n_patients = len(names)
    if n_patients == 0:
        return np.zeros((n, 0))
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(n_patients, np.full(n_patients, 1 / n_patients), size=n)
    return np.asarray(drawn[:, patient], dtype=np.float64)


def estimate(figure: Callable[[Array], Array], weights: Array) -> Estimate:
    """Return a figure with its 95 % percentile interval; both are NaN where they are undefined.

    There is no interval where there is nothing to resample, as of one patient, or where the figure is undefined in more
    than half of the samples.

    Parameters
    ----------
    figure : callable
        From weights, (m, n), to one value per row, (m,): how often each of n records counts.
    weights : ndarray of shape (m, n)
        Bootstrap samples.
    """
    samples = figure(weights)
    defined = samples[np.isfinite(samples)]
    resampled = bool((weights != weights[:1]).any()) and 2 * len(defined) >= len(samples)
    low, high = np.percentile(defined, [2.5, 97.5]) if resampled else (np.nan, np.nan)
    return Estimate(float(figure(np.ones((1, weights.shape[1])))[0]), float(low), float(high))


def ratio(part: Array, whole: Array, weights: Array) -> Array:
    """Return the weighted sum of `part` over that of `whole`, (n,) each, per row of weights; of `whole` one, a mean."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((weights @ part) / (weights @ whole))


def ratio_estimate(part: Array, whole: Array, weights: Array) -> Estimate:
    """Return `ratio` with its interval."""
    return estimate(lambda w: ratio(part, whole, w), weights)


def macro(
    targets: NDArray[np.integer],
    scores: Array,
    weight: Array | None = None,
    *,
    known: NDArray[np.bool_] | None = None,
    least: int = 1,
) -> Array:
    """Return the mean AUROC over classes, per row of weights; NaN where no class counts.

    Parameters
    ----------
    targets, scores : ndarray of shape (n, K)
    weight : ndarray of shape (m, n), optional
    known : ndarray of shape (n, K), optional
        Which targets are known; records whose target of a class is not are left out of its AUROC.
    least : int
        Positives that a class needs to count, beside a negative.
    """
    known = np.ones(targets.shape, dtype=bool) if known is None else known
    weight = np.ones((1, len(targets))) if weight is None else weight
    positive, negative = ((targets == value) & known for value in (1, 0))
    kept = np.flatnonzero((positive.sum(axis=0) >= least) & negative.any(axis=0))
    if not len(kept):
        return np.full(len(weight), np.nan)
    areas = np.array([auroc(*_known(known[:, k], targets[:, k], scores[:, k], weight)) for k in kept])
    there = np.isfinite(areas)  # a bootstrap sample may lack the positives of a class
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(there, areas, 0.0).sum(axis=0) / there.sum(axis=0))


def _known(
    known: NDArray[np.bool_], target: NDArray[np.integer], score: Array, weight: Array
) -> tuple[NDArray[np.integer], Array, Array]:
    """Return target, score and weights of the records whose target is known."""
    return (target, score, weight) if known.all() else (target[known], score[known], weight[:, known])


def discrimination(
    targets: NDArray[np.integer],
    logits: Array,
    patients: NDArray[np.integer],
    classes: Sequence[str],
    *,
    known: NDArray[np.bool_] | None = None,
    least: int = 1,
) -> dict[str, Any]:
    """Return macro AUROC and, by class, n, AUROC and average precision, as plain values; AUROCs with intervals.

    Parameters
    ----------
    targets, logits : ndarray of shape (n, K)
    patients : ndarray of shape (n,)
    classes : sequence of str
        Names of the K columns.
    known, least
        As `macro` takes them.
    """
    known = np.ones(targets.shape, dtype=bool) if known is None else known
    weights = patient_weights(patients)
    found = {}
    for k, name in enumerate(classes):
        here = known[:, k]

        def area(w: Array, k: int = k, here: NDArray[np.bool_] = here) -> Array:
            return auroc(*_known(here, targets[:, k], logits[:, k], w))

        found[name] = {
            "n": int(targets[here, k].sum()),
            "auroc": estimate(area, weights).as_list(),
            "average_precision": plain(average_precision(targets[here, k], logits[here, k])),
        }
    return {
        "macro_auroc": estimate(lambda w: macro(targets, logits, w, known=known, least=least), weights).as_list(),
        "classes": found,
    }


def bias_share(bias: Array, logit: Array, weights: Array | None = None) -> Array:
    """Return the share of the bias in the variance of the logit, (n, K) each, per row of weights, (m, K)."""
    w = np.ones((1, len(logit))) if weights is None else weights

    def variance(values: Array) -> Array:
        values, total = values - values.mean(axis=0), w.sum(axis=1, keepdims=True)
        return np.asarray(w @ values**2 / total - (w @ values / total) ** 2)

    return np.asarray(variance(bias) / np.maximum(variance(logit), 1e-12))


@dataclass(frozen=True, eq=False)
class Reliability:
    """Observed frequency against predicted probability in bins of equal mass."""

    predicted: Array
    observed: Array
    ece: float
    brier: float


def reliability(target: NDArray[np.integer], probability: Array, n_bins: int = N_BINS) -> Reliability:
    """Return the reliability curve, the expected calibration error and the Brier score; few records give few bins."""
    from sklearn.metrics import brier_score_loss

    order = np.argsort(probability, kind="stable")
    bins = np.array_split(order, min(n_bins, len(order))) if len(order) else []
    predicted = np.array([probability[b].mean() for b in bins])
    observed = np.array([target[b].mean() for b in bins])
    size = np.array([len(b) for b in bins]) / max(1, len(target))
    ece = float((size * np.abs(predicted - observed)).sum()) if bins else float("nan")
    brier = float(brier_score_loss(target, probability, pos_label=1)) if bins else float("nan")
    return Reliability(predicted, observed, ece, brier)


def fit_affine(target: NDArray[np.integer], logit: Array) -> tuple[float, float]:
    """Return scale and offset of the logit that minimise the log loss (Platt scaling, without regularisation).

    The scale stays positive: a class with too few records of either kind, or a reversed one, keeps (1, 0).
    """
    from sklearn.linear_model import LogisticRegression

    if min(target.sum(), len(target) - target.sum()) < MIN_POSITIVES:
        return 1.0, 0.0
    fitted = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10).fit(logit[:, None], target)
    scale, offset = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    return (scale, offset) if 0.05 < scale < 20.0 else (1.0, 0.0)


def youden_threshold(target: NDArray[np.integer], probability: Array) -> float:
    """Return the probability at which sensitivity + specificity is largest; 0.5 without positives or negatives."""
    from sklearn.metrics import roc_curve

    if not 0 < target.sum() < len(target):
        return 0.5
    false, hits, thresholds = roc_curve(target, probability, drop_intermediate=False)
    return float(thresholds[1:][int(np.argmax((hits - false)[1:]))])  # the first point calls nothing


def sensitivity_threshold(target: NDArray[np.integer], probability: Array, sensitivity: float = 0.9) -> float:
    """Return the largest probability at which at least `sensitivity` of the positives are found."""
    found = np.sort(probability[target == 1])[::-1]
    if len(found) == 0:
        return 0.5
    return float(found[int(np.ceil(sensitivity * len(found))) - 1])


@dataclass(frozen=True)
class Calibration:
    """The affine change of each logit and the operating points on its probability, one value per class."""

    scale: tuple[float, ...]
    offset: tuple[float, ...]
    thresholds: dict[str, tuple[float, ...]]


def calibrate(
    targets: NDArray[np.integer],
    logits: Array,
    unit: Array | None = None,
    *,
    known: NDArray[np.bool_] | None = None,
) -> Calibration:
    """Fit scale and offset of logits (n, K) to targets (n, K), and choose thresholds on what they give.

    Parameters
    ----------
    unit : ndarray of shape (K,), optional
        Logits are fitted in this unit, for those that are of another order than one; the result is for the logits.
    known : ndarray of shape (n, K), optional
        Which targets are known; the others are left out.
    """
    unit = np.ones(logits.shape[1]) if unit is None else unit
    rows = np.ones(targets.shape, dtype=bool) if known is None else known
    columns = range(logits.shape[1])
    scale, offset = np.array([fit_affine(targets[rows[:, k], k], logits[rows[:, k], k] / unit[k]) for k in columns]).T
    scale = scale / unit
    told = [targets[rows[:, k], k] for k in columns]
    probability = [expit(scale[k] * logits[rows[:, k], k] + offset[k]) for k in columns]
    return Calibration(
        scale=tuple(scale.tolist()),
        offset=tuple(offset.tolist()),
        thresholds={
            "youden": tuple(youden_threshold(told[k], probability[k]) for k in columns),
            "sensitivity_90": tuple(sensitivity_threshold(told[k], probability[k]) for k in columns),
        },
    )


def conformal_limits(target: NDArray[np.integer], probability: Array, miss_rate: float) -> tuple[float, float]:
    """Return the probabilities below which a class is ruled out and above which it is ruled in.

    Split-conformal prediction with one threshold per label (Vovk 2012, doi:10.1007/s10994-013-5355-6; Sadinle, Lei and
    Wasserman 2019, doi:10.1080/01621459.2017.1395341): of n people with the label the floor(rate * (n + 1))-th lowest
    probability has, for a new one of them, at most that rate below it; likewise from above for people without it.
    Where too few are known for any promise the limits are 0 and 1, which nothing passes.
    """

    def order(scores: Array) -> float:
        rank = int(np.floor(miss_rate * (len(scores) + 1)))
        return float(np.sort(scores)[rank - 1]) if rank else 0.0

    return order(probability[target == 1]), 1.0 - order(1.0 - probability[target == 0])


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927, J Am Stat Assoc 22:209); 0 to 1 for none."""
    from scipy.stats import binomtest

    if n == 0:
        return 0.0, 1.0
    interval = binomtest(hits, n).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def operating_point(target: NDArray[np.integer], probability: Array, threshold: float) -> dict[str, float]:
    """Return sensitivity, specificity, precision and F1 at a threshold."""
    called = probability >= threshold
    tp, fp = float((called & (target == 1)).sum()), float((called & (target == 0)).sum())
    fn, tn = float((~called & (target == 1)).sum()), float((~called & (target == 0)).sum())
    return {
        "threshold": round(threshold, 5),
        "sensitivity": round(tp / max(1.0, tp + fn), 5),
        "specificity": round(tn / max(1.0, tn + fp), 5),
        "precision": round(tp / max(1.0, tp + fp), 5),
        "f1": round(2 * tp / max(1.0, 2 * tp + fp + fn), 5),
    }
