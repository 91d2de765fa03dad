"""The patient's earlier ECG: what changed on the tracing, and what the change did to each logit, exactly.

Each sample belongs to a wave of its lead, and within the wave to a phase: P, PR, QRS, ST, T and the rest are cut into
as many bins of equal length on every beat, so that a bin of one ECG has its like in the other, whatever the rates. In a
bin of one lead, W is the sum of the weights and u the mean voltage about the isoelectric level; the bin contributes W u
plus the covariance of the two inside the bin. Between two ECGs this changes by

    mean(W) * change(u)    what came from the voltage,
    mean(u) * change(W) + change of the covariance    what came from the weights.

The two, the change of the bias and that of the baseline term add up to the change of the logit. Swapping the two ECGs
negates every part, because means are symmetric and changes are not. A wave that only one of the two has (P in atrial
fibrillation) is a change of voltage: all that it contributed is booked there.

A change counts as beyond day-to-day variability from the limits in `LIMITS` on, each with its source.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ecgimn.explain.case import Case
from ecgimn.explain.sentences import NOTHING, leads_text, percent, signed
from ecgimn.explain.what_if import EXCHANGES, exchange_matrix
from ecgimn.leads import STANDARD_LEADS, lead_index
from ecgimn.recording import bridge_gaps
from ecgimn.signal.conduction import is_lbbb, is_preexcited, is_rbbb, shapes_by_lead, voltages
from ecgimn.signal.criteria import WIDE_QRS_MS, contiguous_runs, has_q
from ecgimn.signal.intervals import Measured, frontal_axis
from ecgimn.signal.measure import Measurements, QrsShape
from ecgimn.signal.reading import SignalReading
from ecgimn.signal.waves.find import WAVE_NAMES

#: Bins per wave, in the order of `WAVE_NAMES`: about 4 ms of QRS, 8 ms of P and T, 10 ms of PR and ST.
BINS = (1, 12, 6, 24, 10, 24, 10)
FIRST_BIN = tuple(int(at) for at in np.concatenate([[0], np.cumsum(BINS)]))
N_BINS = FIRST_BIN[-1]
BEAT_FS = 500.0  # Hz, of the two mean beats

Part = Literal["voltage", "weights"]


@dataclass(frozen=True)
class Limit:
    """How much of a change day-to-day variability may explain.

    Attributes
    ----------
    value : float
        In the unit of the measurement; a larger change is beyond it.
    share : float
        Of the mean of the two values; where it gives more than `value`, it counts.
    source : str
        Where it comes from, as printed.
    """

    value: float
    source: str
    share: float = 0.0

    def of(self, earlier: float, later: float) -> float:
        """Return the limit for two values."""
        return max(self.value, self.share * (abs(earlier) + abs(later)) / 2)


_GELLERT = "minimal detectable change over two visits, Gellert et al. 2014, doi:10.1016/j.jelectrocard.2014.03.002"
_HOOGEN = (
    "day-to-day coefficient of variation of 10 %, times 2.8 for two ECGs, van den Hoogen et al., "
    "Eur Heart J 1992;13:1606"
)
_UNIVERSAL = "new ST elevation, Fourth Universal Definition 2018, doi:10.1016/j.jacc.2018.08.1038"
_PTBXL = "95 % of the changes between two normal ECGs of one patient in PTB-XL, docs/earlier-ecg.md"
DAY_TO_DAY_SHARE = 0.28  # 1.96 * sqrt(2) * 10 %: two ECGs of one patient, 95 % of the days

#: By kind of measurement. Where no published limit was found, PTB-XL's own unchanged pairs give it.
LIMITS: dict[str, Limit] = {
    "PR": Limit(28.0, _PTBXL),
    "QRS": Limit(16.0, _PTBXL),
    "QT": Limit(32.0, _GELLERT),
    "QTc": Limit(26.0, _GELLERT),
    "axis": Limit(19.0, _PTBXL),
    "QRS-T angle": Limit(22.0, _PTBXL),
    "voltage": Limit(0.3, _HOOGEN, DAY_TO_DAY_SHARE),
    "Q": Limit(0.1, _UNIVERSAL.replace("new ST elevation", "depth of a Q wave"), DAY_TO_DAY_SHARE),
    "R": Limit(0.3, _HOOGEN, DAY_TO_DAY_SHARE),
    "S": Limit(0.3, _HOOGEN, DAY_TO_DAY_SHARE),
    "ST": Limit(0.1, _UNIVERSAL),
    "T": Limit(0.21, _PTBXL),
}
RATE_MIMICS = 15.0  # per minute; from here on ST, T, QT and PR also follow the rate (project choice)
GAIN_MIMICS = 1.25  # one factor for all leads, up or down, from here on (project choice)
SAME_SHAPE = 0.97  # correlation of the two mean beats from which a common factor explains them (project choice)
EXCHANGE_EXPLAINS = 0.5  # an exchange of two electrodes must leave at most this share of the difference
LEAST_DIFFERENCE = 0.15  # of the beats' energy; below, there is nothing an exchange should explain
NOT_READ_FOR_Q = ("aVR", "V1")  # what is deep there is no sign of infarction
T_INVERTED_MV = -0.1
MOST_NAMED = 3  # in a sentence
LEAST_SHARE = 0.05  # logit; a smaller part is not put into words


@dataclass(frozen=True)
class Change:
    """One measurement in both ECGs.

    Attributes
    ----------
    kind : str
        "heart rate", or a key of `LIMITS`.
    lead : str
        Empty for what is measured over all leads.
    unit : str
    earlier, later : float or None
        None where it could not be measured.
    change : float or None
        Later minus earlier; of an angle, the shorter way round.
    limit : float or None
        Day-to-day variability; None where there is no limit.
    source : str
        Of the limit.
    """

    kind: str
    lead: str
    unit: str
    earlier: float | None
    later: float | None
    change: float | None
    limit: float | None
    source: str

    @property
    def beyond(self) -> bool:
        """Whether the change is beyond day-to-day variability."""
        return self.change is not None and self.limit is not None and abs(self.change) > self.limit

    @property
    def ratio(self) -> float:
        """Size of the change in limits; 0 where either is not known."""
        return abs(self.change) / self.limit if self.change is not None and self.limit else 0.0

    @property
    def share(self) -> float | None:
        """Size of the change over the mean of the two sizes; None where either is not known or both are 0."""
        if self.change is None or self.earlier is None or self.later is None:
            return None
        middle = (abs(self.earlier) + abs(self.later)) / 2
        return abs(self.change) / middle if middle else None

    @property
    def name(self) -> str:
        """As printed: "ST in V2", "QRS"."""
        return f"{self.kind} in {self.lead}" if self.lead else self.kind


@dataclass(frozen=True)
class Named:
    """A change as a reader says it.

    Attributes
    ----------
    kind : {"conduction", "Q", "ST", "T", "voltage", "axis", "PR", "QTc"}
    text : str
        "Q in III and aVF".
    is_new : bool
        True where the later ECG has it, False where only the earlier one had.
    leads : tuple of str
        Leads it stands on.
    waves : tuple of str
        Waves of the ledger that it lies in; empty where it lies in none.
    size : float
        In limits, over all its leads; the largest is named first.
    secondary : bool
        ST or T that follow a changed conduction.
    """

    kind: str
    text: str
    is_new: bool
    leads: tuple[str, ...]
    waves: tuple[str, ...]
    size: float
    secondary: bool = False


@dataclass(frozen=True)
class Mimic:
    """What can look like a change of the heart and is none: its kind, and a sentence with the numbers."""

    kind: Literal["rate", "rhythm", "gain", "lead placement", "sampling rate", "length", "quality"]
    text: str


@dataclass(frozen=True, eq=False)
class MeanBeats:
    """The two mean beats on the later one's time; the earlier one is fitted to its wave borders.

    Attributes
    ----------
    fs : float
        Hz.
    earlier_mv, later_mv : ndarray of shape (12, length)
        Voltage about the isoelectric level; NaN where a beat was not recorded.
    qrs_onset : float
        Sample.
    """

    fs: float
    earlier_mv: NDArray[np.float64]
    later_mv: NDArray[np.float64]
    qrs_onset: float


@dataclass(frozen=True, eq=False)
class CaseDifference:
    """What changed between two ECGs of one patient, and what that did to each logit.

    Attributes
    ----------
    earlier, later : Case
        Explained by the same model.
    voltage, weights : ndarray of shape (K, 12, N_BINS)
        Parts of the change by class, lead and phase of a wave, in logit.
    bias, baseline : ndarray of shape (K,)
        Changes of the bias and of the ledger's baseline term; both are the network's doing, like `weights`.
    changes : tuple of Change
        Every measurement side by side.
    named : tuple of Named
        What a reader would name, the most important first.
    mimics : tuple of Mimic
    beats : MeanBeats or None
        None where one of the two has no mean beat.
    """

    earlier: Case
    later: Case
    voltage: NDArray[np.float64]
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    baseline: NDArray[np.float64]
    changes: tuple[Change, ...]
    named: tuple[Named, ...]
    mimics: tuple[Mimic, ...]
    beats: MeanBeats | None

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the model's classes."""
        return self.later.classes

    @property
    def logit(self) -> NDArray[np.float64]:
        """Change of each logit, (K,), as the network computed both."""
        return self.later.explanation.logit - self.earlier.explanation.logit

    @property
    def residual(self) -> float:
        """Largest difference between the sum of the parts and the change of the logit."""
        parts = self.voltage.sum(axis=(1, 2)) + self.weights.sum(axis=(1, 2)) + self.bias + self.baseline
        return float(np.abs(parts - self.logit).max())

    def cells(self, name: str, part: Part | None = None) -> NDArray[np.float64]:
        """Return the change of a class by lead and wave, (12, n_waves): one part of it, or both together."""
        k = self.classes.index(name)
        found = {"voltage": self.voltage[k], "weights": self.weights[k], None: self.voltage[k] + self.weights[k]}[part]
        return np.stack([found[:, first:stop].sum(axis=1) for first, stop in pairwise(FIRST_BIN)], axis=1)

    def share_of(self, name: str, named: Named, part: Part | None = None) -> float:
        """Return what a named change has of the change of a class's logit: the cells of its leads and waves."""
        cells = self.cells(name, part)
        rows = [lead_index(lead) for lead in named.leads]
        columns = [WAVE_NAMES.index(wave) for wave in named.waves]
        return float(cells[np.ix_(rows, columns)].sum())

    @property
    def most_changed(self) -> str:
        """The class whose probability changed most."""
        change = self.later.explanation.probability - self.earlier.explanation.probability
        return self.classes[int(np.abs(change).argmax())]


def difference(earlier: Case, later: Case) -> CaseDifference:
    """Compare two ECGs of one patient.

    Parameters
    ----------
    earlier, later : Case
        Of the same model; who pairs them says that they are of one patient.

    Raises
    ------
    ValueError
        The two were explained by different models.
    """
    if earlier.card.sha256 != later.card.sha256:
        raise ValueError("the two cases were explained by different models")
    before, after = _phases(earlier), _phases(later)
    total = after.contribution - before.contribution
    both = before.seen & after.seen
    voltage = np.where(both, (before.weight + after.weight) / 2 * (after.level - before.level), total)
    beats = mean_beats(earlier.reading, later.reading)
    changes = measured_changes(earlier.reading, later.reading)
    return CaseDifference(
        earlier=earlier,
        later=later,
        voltage=voltage,
        weights=total - voltage,
        bias=later.ledger.bias - earlier.ledger.bias,
        baseline=later.ledger.baseline - earlier.ledger.baseline,
        changes=changes,
        named=_named(earlier.reading, later.reading, changes),
        mimics=tuple(_mimics(earlier.reading, later.reading, beats)),
        beats=beats,
    )


@dataclass(frozen=True, eq=False)
class _Phases:
    """Per bin: sum of weights and contribution (K, 12, N_BINS), mean voltage (12, N_BINS), and whether it is there."""

    weight: NDArray[np.float64]
    contribution: NDArray[np.float64]
    level: NDArray[np.float64]
    seen: NDArray[np.bool_]


def _phases(case: Case) -> _Phases:
    """Sum weights, voltages and contributions over the phases of all beats; a sample over two bins is shared."""
    reading, weights = case.reading, case.explanation.weights
    above = bridge_gaps(case.recording.signal) - np.asarray(reading.levels, dtype=np.float64)[:, None]
    n, n_classes = above.shape[1], len(weights)
    labels = np.zeros((12, n), dtype=np.int64) if reading.waves is None else reading.waves.labels.astype(np.int64)
    said, weight = np.zeros((2, n_classes, 12, N_BINS))
    volts, length = np.zeros((2, 12, N_BINS))
    bins, first_bin = np.array(BINS), np.array(FIRST_BIN)
    for lead in range(12):
        edges = np.concatenate([[0], np.flatnonzero(np.diff(labels[lead])) + 1, [n]])
        wave = labels[lead, edges[:-1]]
        n_bins = bins[wave]
        step = np.arange(n_bins.sum()) - np.repeat(np.cumsum(n_bins) - n_bins, n_bins)  # 0, 1 ... in each wave
        at = np.repeat(first_bin[wave], n_bins) + step
        first = np.repeat(edges[:-1], n_bins) + np.repeat(np.diff(edges), n_bins) * step / np.repeat(n_bins, n_bins)
        cuts = np.append(first, n)
        rows = np.concatenate([weights[:, lead], weights[:, lead] * above[lead], above[lead][None]])
        spans = np.diff(_integral(rows, cuts))
        booked = np.array([np.bincount(at, row, N_BINS) for row in spans])
        weight[:, lead], said[:, lead], volts[lead] = booked[:n_classes], booked[n_classes:-1], booked[-1]
        length[lead] = np.bincount(at, np.diff(cuts), N_BINS)
    seen = length > 0
    return _Phases(weight, said, np.divide(volts, length, out=np.zeros_like(volts), where=seen), seen)


def _integral(rows: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of each row's samples up to a place between samples, (n_rows, n_places)."""
    running = np.concatenate([np.zeros((len(rows), 1)), np.cumsum(rows, axis=1)], axis=1)
    whole = np.minimum(at.astype(np.intp), rows.shape[1] - 1)
    return np.asarray(running[:, whole] + (at - whole) * rows[:, whole])


KNOTS = ("p_onset", "p_offset", "qrs_onset", "qrs_offset", "t_offset")


def mean_beats(earlier: SignalReading, later: SignalReading) -> MeanBeats | None:
    """Fit the earlier mean beat to the wave borders that both have; None where one of the two has no mean beat."""
    if earlier.measurements is None or later.measurements is None:
        return None
    before, after = earlier.measurements.beat, later.measurements.beat
    if before.signal is None or after.signal is None:
        return None
    knots = [name for name in KNOTS if np.isfinite(before.common[name] + after.common[name])]
    new = np.array([after.common[name] for name in knots]) / after.fs
    old = np.array([before.common[name] for name in knots]) / before.fs
    if "qrs_onset" not in knots or (np.diff(new) <= 0).any() or (np.diff(old) <= 0).any():
        return None
    time_s = np.arange(after.windows.length) / after.fs
    fitted = np.interp(time_s, new, old)
    fitted = np.where(time_s < new[0], old[0] + time_s - new[0], fitted)
    fitted = np.where(time_s > new[-1], old[-1] + time_s - new[-1], fitted) * before.fs
    fitted = np.round(fitted, 6)  # a sample is not beyond the beat for a rounding error
    above = before.signal - earlier.levels[:, None]
    samples = np.arange(above.shape[1])
    earlier_mv = np.stack([np.interp(fitted, samples, row, left=np.nan, right=np.nan) for row in above])
    return MeanBeats(after.fs, earlier_mv, after.signal - later.levels[:, None], float(after.common["qrs_onset"]))


def measured_changes(earlier: SignalReading, later: SignalReading) -> tuple[Change, ...]:
    """Put every measurement of the two side by side, without any model; empty where one of the two has none."""
    return tuple(_changes(earlier.measurements, later.measurements))


def _changes(before: Measurements | None, after: Measurements | None) -> list[Change]:
    if before is None or after is None:
        return []
    old, new = before.intervals, after.intervals
    rows = [
        _change("heart rate", "", old.heart_rate, new.heart_rate),
        _change("PR", "", old.pr, new.pr),
        _change("QRS", "", old.qrs, new.qrs),
        _change("QT", "", old.qt, new.qt),
        _change("QTc", "", old.qtc["Fridericia"], new.qtc["Fridericia"]),
        _change("axis", "", old.axis, new.axis),
        _change("QRS-T angle", "", _qrs_t_angle(before), _qrs_t_angle(after)),
    ]
    if not before.st or not after.st:
        return rows
    earlier_shapes, later_shapes = shapes_by_lead(before), shapes_by_lead(after)
    for kind, name in (("Sokolow-Lyon", "sokolow_lyon_uv"), ("Cornell", "cornell_uv")):
        sums = [getattr(voltages(shapes), name) / 1000.0 for shapes in (earlier_shapes, later_shapes)]
        rows.append(_change("voltage", kind, *(Measured(value, "mV") for value in sums)))
    st = [{row.lead: row.j_mv for row in measured.st} for measured in (before, after)]
    t = [{row.lead: row.amplitude_mv for row in measured.t_waves} for measured in (before, after)]
    rows += [_change("ST", lead, *(Measured(row[lead], "mV") for row in st)) for lead in STANDARD_LEADS]
    rows += [_change("T", lead, *(Measured(row[lead], "mV") for row in t)) for lead in STANDARD_LEADS]
    for lead in STANDARD_LEADS:
        a, b = earlier_shapes[lead], later_shapes[lead]
        pairs = {
            "Q": (_q(a), _q(b)),
            "R": (a.highest_r_mv, b.highest_r_mv),
            "S": (a.s_mv if a.r_mv else 0.0, b.s_mv if b.r_mv else 0.0),
        }
        rows += [_change(kind, lead, Measured(one, "mV"), Measured(two, "mV")) for kind, (one, two) in pairs.items()]
    return rows


def _change(kind: str, lead: str, earlier: Measured, later: Measured) -> Change:
    limit = LIMITS.get(kind)
    if earlier.value is None or later.value is None:
        return Change(kind, lead, later.unit, earlier.value, later.value, None, None, limit.source if limit else "")
    change = later.value - earlier.value
    if kind == "axis" and abs(change) > 180.0:
        change -= float(np.copysign(360.0, change))
    size = None if limit is None else limit.of(earlier.value, later.value)
    return Change(
        kind, lead, later.unit, earlier.value, later.value, change, size, limit.source if limit else ""
    )  # fmt: skip


def _q(shape: QrsShape) -> float:
    """Depth in mV of a lead's Q wave, or of its QS; 0 where there is none."""
    return shape.q_mv if shape.r_mv else shape.s_mv


def _qrs_t_angle(measured: Measurements) -> Measured:
    """Frontal angle between the axes of QRS and T, 0 to 180 degrees; T's axis from its amplitudes in I and aVF."""
    axis = measured.intervals.axis
    t = {wave.lead: wave.amplitude_mv for wave in measured.t_waves}
    first, second = t.get("I"), t.get("aVF")
    if axis.value is None or first is None or second is None:
        return Measured(None, "degrees", axis.reason or "no T wave was found in I or aVF")
    if max(abs(first), abs(second)) < 0.05:
        return Measured(None, "degrees", "T is near zero in both I and aVF")
    apart = abs(axis.value - frontal_axis(first, second))
    return Measured(min(apart, 360.0 - apart), "degrees")


def _named(earlier: SignalReading, later: SignalReading, changes: Sequence[Change]) -> tuple[Named, ...]:
    """Name the changes beyond day-to-day variability: conduction first, then Q, ST and T by size, then the rest."""
    before, after = earlier.measurements, later.measurements
    if before is None or after is None or not before.st or not after.st:
        return ()
    conduction = _conduction(before, after)
    rest = [*_q_waves(before, after), *_st_and_t(changes)]
    rest = [
        Named(one.kind, one.text, one.is_new, one.leads, one.waves, one.size, bool(conduction) and one.kind != "Q")
        for one in rest
    ]
    rest.sort(key=lambda one: (one.secondary, -one.size))
    return (*conduction, *rest, *_global_changes(changes, earlier, later))


def _pattern(measured: Measurements) -> str:
    qrs = measured.intervals.qrs.value
    if qrs is None:
        return ""
    if is_preexcited(measured.intervals.pr.value, qrs):
        return "pre-excitation pattern"
    shapes = shapes_by_lead(measured)
    if is_lbbb(qrs, shapes):
        return "left bundle branch block pattern"
    if is_rbbb(qrs, shapes):
        return "right bundle branch block pattern"
    return "wide QRS" if round(qrs) >= WIDE_QRS_MS else ""


def _conduction(before: Measurements, after: Measurements) -> list[Named]:
    old, new = _pattern(before), _pattern(after)
    widths = before.intervals.qrs.value, after.intervals.qrs.value
    if old == new or widths[0] is None or widths[1] is None:
        return []
    size = abs(widths[1] - widths[0]) / LIMITS["QRS"].value
    if size <= 1.0 and "wide QRS" in (old or "wide QRS", new or "wide QRS"):  # around 120 ms without a change
        return []
    text = f"{new or old} (QRS {widths[0]:.0f} to {widths[1]:.0f} ms)"
    return [Named("conduction", text, bool(new), STANDARD_LEADS, ("QRS",), size)]


def _q_waves(before: Measurements, after: Measurements) -> list[Named]:
    old, new = _q_leads(before), _q_leads(after)
    earlier, later = shapes_by_lead(before), shapes_by_lead(after)
    found = []
    for is_new, leads in ((True, new - old), (False, old - new)):
        depths = {
            lead: _change("Q", lead, *(Measured(_q(shapes[lead]), "mV") for shapes in (earlier, later)))
            for lead in leads
        }
        beyond = tuple(lead for lead in STANDARD_LEADS if lead in depths and depths[lead].beyond)
        if beyond:
            size = float(np.sqrt(sum(depths[lead].ratio ** 2 for lead in beyond)))
            found.append(Named("Q", f"Q in {leads_text(beyond)}", is_new, beyond, ("QRS",), size))
    return found


def _q_leads(measured: Measurements) -> set[str]:
    """Leads with a Q wave that counts, where a neighbour has one too."""
    counting = [shape.lead for shape in measured.qrs_shapes if shape.lead not in NOT_READ_FOR_Q and has_q(shape)]
    return {lead for run in contiguous_runs(counting) for lead in run}


def _st_and_t(changes: Sequence[Change]) -> list[Named]:
    """Group the leads whose ST, or T, moved the same way beyond the limit; aVR is left to the leads it mirrors."""
    found = []
    for kind in ("ST", "T"):
        for up in (True, False):
            moved = [
                row for row in changes
                if row.kind == kind and row.beyond and row.lead != "aVR" and ((row.change or 0.0) > 0) == up
            ]  # fmt: skip
            if not moved:
                continue
            leads = tuple(row.lead for row in moved)
            size = float(np.sqrt(sum(row.ratio**2 for row in moved)))
            text, is_new = _st_text(moved, up) if kind == "ST" else _t_text(moved, up)
            found.append(Named(kind, f"{text} in {leads_text(leads)}", is_new, leads, (kind,), size))
    return found


def _st_text(moved: Sequence[Change], up: bool) -> tuple[str, bool]:
    """Say whether ST left its level or came back to it; on a swap the two change places."""
    old = float(np.mean([row.earlier or 0.0 for row in moved]))
    new = float(np.mean([row.later or 0.0 for row in moved]))
    is_new = abs(new) >= abs(old)
    return ("ST elevation" if (new if is_new else old) > 0 else "ST depression"), is_new


def _t_text(moved: Sequence[Change], up: bool) -> tuple[str, bool]:
    if all(min(row.earlier or 0.0, row.later or 0.0) <= T_INVERTED_MV for row in moved):
        return "T inversion", not up
    return ("taller T" if up else "lower T"), True


def _global_changes(changes: Sequence[Change], earlier: SignalReading, later: SignalReading) -> list[Named]:
    found = []
    for row in changes:
        if not row.beyond or row.change is None or row.kind not in ("PR", "QTc", "axis", "voltage"):
            continue
        waves = {"PR": ("P", "PR"), "QTc": ("ST", "T"), "axis": ("QRS",), "voltage": ("QRS",)}[row.kind]
        leads = STANDARD_LEADS if row.kind != "axis" else STANDARD_LEADS[:6]
        more = row.change > 0
        way = {
            "PR": f"{'longer' if more else 'shorter'} PR",
            "QTc": f"{'longer' if more else 'shorter'} QTc",
            "axis": "axis turned",
            "voltage": f"{'higher' if more else 'lower'} {row.lead} voltage",
        }[row.kind]
        size = f"{signed(row.change, 2 if row.unit == 'mV' else 0)} {row.unit}"
        found.append(Named(row.kind, f"{way} ({size})", True, leads, waves, row.ratio))
    return sorted(found, key=lambda one: -one.size)


def _mimics(earlier: SignalReading, later: SignalReading, beats: MeanBeats | None) -> list[Mimic]:
    """Name what mimics a change; the same for the two in either order, but for the numbers' order."""
    found: list[Mimic] = []
    before, after = earlier.measurements, later.measurements
    if before is not None and after is not None:
        old, new = before.heart_rate.value, after.heart_rate.value
        if old is not None and new is not None and abs(new - old) >= RATE_MIMICS:
            found.append(Mimic("rate", f"Rate {old:.0f} then {new:.0f}/min: ST, T, QT and PR follow the rate."))
    if earlier.rhythm.kind != later.rhythm.kind:
        words = f"Rhythm: {earlier.rhythm.statement}, then {later.rhythm.statement}: P, PR and the baseline differ."
        found.append(Mimic("rhythm", words))
    if beats is not None:
        found += _gain(beats) + _placement(beats)
    notes = [_notes(reading) for reading in (earlier, later)]
    for own, other, when in ((notes[0], notes[1], "Earlier"), (notes[1], notes[0], "Later")):
        found += [Mimic(note.kind, f"{when} ECG: {note.text}") for note in own if note not in other]
    rates = earlier.recording.fs, later.recording.fs
    if rates[0] != rates[1]:
        words = f"Sampled at {rates[0]:g} then {rates[1]:g} Hz: narrow R, S and Q are lower at the slower rate."
        found.append(Mimic("sampling rate", words))
    lengths = earlier.recording.duration_s, later.recording.duration_s
    if abs(lengths[0] - lengths[1]) > 0.05:
        words = f"{lengths[0]:.1f} then {lengths[1]:.1f} s long: the network's weights scale with the length."
        found.append(Mimic("length", words))
    return found


def _notes(reading: SignalReading) -> list[Mimic]:
    """What one ECG says of itself that an ECG beside it may not."""
    items = reading.findings.items if reading.findings else ()
    notes = [Mimic("lead placement", item.text) for item in items if item.kind == "lead reversal"]
    if reading.waves is None:
        notes.append(Mimic("quality", "No beat was found; waves are not compared."))
    return [*notes, *(Mimic("quality", warning) for warning in reading.quality.warnings)]


def _overlapping(beats: MeanBeats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    there = np.flatnonzero(np.isfinite(beats.earlier_mv + beats.later_mv).all(axis=0))
    there = there[there >= int(beats.qrs_onset)]
    return beats.earlier_mv[:, there], beats.later_mv[:, there]


def _gain(beats: MeanBeats) -> list[Mimic]:
    a, b = _overlapping(beats)
    sizes = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    if min(sizes) == 0 or float((a * b).sum()) < SAME_SHAPE * sizes[0] * sizes[1]:
        return []
    factor = sizes[1] / sizes[0]
    if 1 / GAIN_MIMICS < factor < GAIN_MIMICS:
        return []
    return [
        Mimic(
            "gain",
            f"All leads have the same shape and {factor:.2f} times the height: gain, body build or electrode contact "
            "may have changed, and not the heart.",
        )
    ]


def _placement(beats: MeanBeats) -> list[Mimic]:
    """Say which exchange of two electrodes in one of the two would explain most of the difference."""
    a, b = _overlapping(beats)
    energy = float(np.square(a).sum() + np.square(b).sum()) / 2
    apart = float(np.square(b - a).sum())
    if not energy or apart < LEAST_DIFFERENCE * energy:
        return []
    left = {
        name: min(float(np.square(matrix @ a - b).sum()), float(np.square(a - matrix @ b).sum()))
        for name, matrix in ((name, exchange_matrix(name)) for name in EXCHANGES)
    }
    name = min(left, key=left.__getitem__)
    if left[name] > EXCHANGE_EXPLAINS * apart:
        return []
    words = f"{name} swapped in one of the two would explain {100 * (1 - left[name] / apart):.0f} % of the difference."
    return [Mimic("lead placement", words)]


def change_line(row: Change) -> str:
    """Return a measurement as one line: "ST in V2 0.02 to 0.22 mV, +0.20 (limit 0.10)"."""
    digits = 2 if row.unit == "mV" else 0
    old, new = (
        NOTHING if value is None else f"{value:z.{digits}f}".replace("-", "−") for value in (row.earlier, row.later)
    )
    limit = "" if row.limit is None else f" (limit {row.limit:.{digits}f})"
    return f"{row.name} {old} to {new} {row.unit}, {signed(row.change, digits)}{limit}"


def _share_text(share: float, total: float, name: str, *, logits: bool, first: bool) -> str:
    """Say what a named change has of the change of the score; nothing where that is next to nothing."""
    if abs(share) < LEAST_SHARE:
        return ""
    if logits:
        return f", {signed(share, 1)}" + (f" of {signed(total, 1)} logit for {name}" if first else "")
    if abs(total) < LEAST_SHARE or share * total < 0:
        return f" ({'raises' if share > 0 else 'lowers'} {name})"
    return f" ({min(100 * share / total, 100):.0f} % of the change for {name})"


def _overlap_text(found: CaseDifference, name: str, counted: Sequence[Named], *, logits: bool) -> str:
    """Say why the shares that a reader sees do not add up; empty where they may."""
    cells = [{(lead, wave) for lead in one.leads for wave in one.waves} for one in counted]
    if any(one & other for place, one in enumerate(cells) for other in cells[:place]):
        return "These shares overlap and do not add up: they are counted on the same waves."
    total = float(found.logit[found.classes.index(name)])
    shares = [found.share_of(name, one) / total for one in counted if not logits]
    return "Other waves moved it the other way, so these shares pass 100 %." if sum(shares) > 1.005 else ""


def difference_sentences(
    found: CaseDifference, name: str, since: str = "the earlier ECG", *, logits: bool = True
) -> tuple[str, ...]:
    """Put a difference into words: the probability, what is new, what is gone, and what mimics a change.

    Parameters
    ----------
    found : CaseDifference
    name : str
        Class.
    since : str
        What "new since" is followed by: the date of the earlier ECG where it is known.
    logits : bool
        Give parts of the change in logit; in percent of it otherwise.
    """
    k = found.classes.index(name)
    old, new = found.earlier.explanation.probability[k], found.later.explanation.probability[k]
    total = float(found.logit[k])
    head = f"{name} {percent(old)} → {percent(new)}"
    first = [mimic.text for mimic in found.mimics if mimic.kind in ("lead placement", "gain")]
    last = [mimic.text for mimic in found.mimics if mimic.kind not in ("lead placement", "gain")]
    if not found.named:
        nothing = f"No measured change since {since} is beyond day-to-day variability"
        size = f" ({signed(total, 1)} logit for {name})" if logits else ""
        return (f"{head}.", *first, f"{nothing}{size}.", *last)
    sentences = []
    primary = [one for one in found.named if not one.secondary]
    counted: list[Named] = []  # those whose share a reader sees
    for is_new, words in ((True, f"New since {since}"), (False, f"No longer there since {since}")):
        parts: list[str] = []
        for one in [one for one in primary if one.is_new == is_new][:MOST_NAMED]:
            share = _share_text(found.share_of(name, one), total, name, logits=logits, first=not parts)
            counted += [one] if "%" in share or (logits and share) else []
            parts.append(one.text + share)
        if parts:
            sentences.append(f"{words}: {'; '.join(parts)}.")
    sentences += [words] if (words := _overlap_text(found, name, counted, logits=logits)) else []
    secondary = [one.text for one in found.named if one.secondary]
    if secondary:
        sentences.append(f"With the changed conduction: {'; '.join(secondary[:MOST_NAMED])}.")
    return (f"{head}.", *first, *sentences, *last)
