"""Signal quality and scope before any prediction: reasons to refuse the model, warnings, what is unlike its training.

Limits follow the project's clinical conventions; those marked as a project choice were set on PTB-XL so that its good
records pass. Nothing here needs a beat to be found; the heart-rate check is added where waves are given. The models
learned from folds 1 to 8 of PTB-XL: 17,418 recordings of 10 s, of which 111 (0.6 %) are of people under 18. Padding
with one value and leads that follow each other are found as well.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, find_peaks, sosfiltfilt

from ecgimn.leads import INDEPENDENT_LEADS, STANDARD_LEADS, lead_index
from ecgimn.recording import WINDOW_S, Recording, bridge_gaps
from ecgimn.signal.waves.openecg import EINTHOVEN_LIMIT_MV, resample

if TYPE_CHECKING:
    from ecgimn.signal.reading import SignalReading
    from ecgimn.signal.waves.find import Waves


MIN_TURN_SHARE = 0.1  # of the recording, for a lead to be there in turns and not merely lost
MIN_STILL_S = 0.5  # all twelve leads at rest together for longer is no diastole: noise alone moves one of them


def still_stretches(signal: NDArray[np.floating], fs: float) -> tuple[tuple[float, float], ...]:
    """Find where all leads keep exactly one value each for `MIN_STILL_S` or longer, as files are padded.

    Parameters
    ----------
    signal : ndarray of shape (12, n_samples)
        mV; NaN for gaps, which are no padding.
    fs : float
        Hz.

    Returns
    -------
    tuple of (start_s, stop_s)
    """
    still = (np.diff(signal, axis=1) == 0).all(axis=0)
    edges = np.diff(np.concatenate([[0], still.astype(np.int8), [0]]))
    starts, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) + 1
    return tuple(
        (float(start / fs), float(stop / fs))
        for start, stop in zip(starts, stops, strict=True)
        if stop - start >= MIN_STILL_S * fs
    )


def padding_warning(signal: NDArray[np.floating], fs: float) -> str | None:
    """Say where a recording holds no signal, or return None."""
    found = still_stretches(signal, fs)
    if not found:
        return None
    where = ", ".join(f"{start:.1f} to {stop:.1f} s" for start, stop in found[:4]) + (" ..." if len(found) > 4 else "")
    total = sum(stop - start for start, stop in found)
    return (
        f"No signal in any lead for {total:.1f} s ({where}): all leads are flat there, as zero padding is. The model "
        "reads these seconds too. Choose a window without them."
    )


def one_after_another(signal: NDArray[np.floating]) -> bool:
    """Whether leads were recorded in turns, as a 3 x 4 print has them: at no time are all twelve there.

    Parameters
    ----------
    signal : ndarray of shape (12, n_samples)
        mV; NaN where a lead was not recorded.
    """
    there = np.isfinite(signal)
    return not bool(there.all(axis=0).any()) and bool((there.mean(axis=1) > MIN_TURN_SHARE).all())


MAX_GAP_SHARE = 0.01  # of a lead's samples
MIN_SWING_MV, MAX_SWING_MV = 0.05, 20.0  # peak to peak of a lead
MAX_CONSTANT_SHARE = 0.5  # a lead that stays at one value for longer than half of the recording is flat
PLATEAU_S, PLATEAU_SAMPLES, PLATEAU_RUNS = (
    0.008,
    3,
    3,
)  # a value held at a lead's extreme, in how many beats (project choices)
BEATS_APART_S = 0.2  # plateaus that are nearer belong to one beat
SHOULDER_S = 0.02  # at most so far beside a plateau, and half its length, the trace must have left it by
PLATEAU_FALL_STEPS, PLATEAU_FALL_SHARE = 10.0, 0.02  # so many of the recorder's steps and such a share of the swing
QRS_REACH_S, QRS_STANDS_OUT = 0.04, 1.4  # a QRS swings so many times more than its lead between beats (project choice)
CLEAR_QRS_MV, MIN_BEATS_SEEN = 0.2, 4  # of the other leads, for one without QRS to be off (project choices)
MIN_STEP_MV = 1e-5  # nearer values differ by the rounding of 32-bit numbers
WANDER_HZ, WANDER_LIMIT_MV = 0.5, 0.8  # peak to peak below 0.5 Hz (project choice)
HUM_LIMIT_MV = 0.03  # amplitude of a 50 or 60 Hz sine (project choice)
MUSCLE_HZ, MUSCLE_LIMIT_MV = 30.0, 0.02  # robust deviation above 30 Hz, mains left out (project choice)
SUDDEN_SHARE = 0.75  # of a step, between two halves of a second (project choice)
STEP_LIMIT_MV, STEADY_SHARE = 0.5, 0.2  # a jump between two steady seconds (project choice)
RATE_LIMITS = (30.0, 220.0)  # per minute


@dataclass(frozen=True)
class Quality:
    """Result of the quality gate.

    Attributes
    ----------
    refusals : tuple of str
        Why the model must not be asked; the tracing may still be drawn. One sentence group each: found, needed, do.
    warnings : tuple of str
        What the reader should know before going on.
    einthoven_residual_mv : float
        Largest of |I + III - II| and |aVR + aVL + aVF| over the recording. Above 0.05 mV, names, units or filters are
        mixed up in the file; swapped electrodes do not show here.
    gap_share : float
        Largest share of missing samples in a lead.
    wander_mv, hum_mv, muscle_mv : float
        Worst lead: peak to peak below 0.5 Hz, amplitude of mains hum, deviation above 30 Hz.
    """

    refusals: tuple[str, ...]
    warnings: tuple[str, ...]
    einthoven_residual_mv: float
    gap_share: float
    wander_mv: float
    hum_mv: float
    muscle_mv: float

    @property
    def usable(self) -> bool:
        """Whether nothing speaks against asking the model."""
        return not self.refusals


def einthoven_residual_mv(signal: NDArray[np.floating]) -> float:
    """Largest of |I + III - II| and |aVR + aVL + aVF| in mV over a (12, n_samples) signal; gaps are left out."""
    one, two, three, avr, avl, avf = np.asarray(signal[:6], dtype=np.float64)
    residuals = np.abs(np.stack([one + three - two, avr + avl + avf]))
    return float(np.nanmax(residuals)) if np.isfinite(residuals).any() else float("nan")


def _runs(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Start and stop of each run of True, shape (n_runs, 2)."""
    edges = np.diff(np.concatenate([[0], mask.astype(np.int8), [0]]))
    return np.stack([np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)], axis=1)


def longest_constant_s(row: NDArray[np.floating], fs: float) -> float:
    """Longest stretch over which a lead keeps exactly one value, in seconds."""
    changes = np.flatnonzero(np.diff(row) != 0)
    longest = int(np.diff(np.concatenate([[-1], changes, [len(row) - 1]])).max())
    return longest / fs if longest > 1 else 0.0


def is_clipped(row: NDArray[np.floating], fs: float) -> bool:
    """Whether a lead is cut off: its highest or lowest value is held in several beats and left steeply on both sides.

    The rounded top of a wave in coarse steps holds its value too, but leaves it slowly. A parabola that stays within
    one step for a time has fallen by about four steps half that time later, and by 5.5 in the worst rounding; a trace
    that is cut off arrives and leaves with the slope that it had there.
    """
    needed = max(PLATEAU_SAMPLES, round(PLATEAU_S * fs))
    highest, lowest = np.fmax.reduce(row), np.fmin.reduce(row)
    values = np.unique(row[np.isfinite(row)]).astype(np.float64)
    steps = np.diff(values)
    steps = steps[steps > MIN_STEP_MV]
    if not len(steps):
        return False
    fall = max(PLATEAU_FALL_STEPS * float(steps.min()), PLATEAU_FALL_SHARE * float(highest - lowest))
    for extreme in (highest, lowest):
        held = row == extreme
        if np.count_nonzero(held) < needed * PLATEAU_RUNS:
            continue
        cut: list[int] = []  # where plateaus begin, one per beat
        for first, stop in _runs(held).tolist():
            length, last = stop - first, stop - 1
            beyond = max(1, min(length // 2, round(SHOULDER_S * fs)))
            if length < needed or first < beyond or last + beyond >= len(row):
                continue
            steep = np.abs(extreme - row[[first - beyond, last + beyond]]) > fall
            if steep.all() and (not cut or first - cut[-1] >= BEATS_APART_S * fs):
                cut.append(first)
        if len(cut) >= PLATEAU_RUNS:
            return True
    return False


def without_heartbeat(signal: NDArray[np.float64], fs: float) -> NDArray[np.bool_]:
    """Whether each lead shows nothing at the QRS of the others: noise and steps, as a lead that is off leaves.

    At each steep moment of the other leads its swing within 80 ms is compared with its swing between beats; medians
    over beats leave steps out. A low QRS swings more than its lead does elsewhere; a lead without heartbeat does not,
    and by less than 0.05 mV.

    Parameters
    ----------
    signal : ndarray of shape (12, n_samples)
        mV, without NaN.
    fs : float
    """
    half, reach = max(1, round(0.01 * fs)), max(1, round(QRS_REACH_S * fs))
    squares = np.square(signal[:, 2 * half :] - signal[:, : -2 * half])
    dead = np.zeros(len(signal), dtype=bool)
    for lead, row in enumerate(signal):
        steep = np.sqrt(np.delete(squares, lead, axis=0).sum(axis=0))
        beats, _ = find_peaks(steep, height=0.4 * np.percentile(steep, 99.5), distance=max(1, round(0.25 * fs)))
        beats += half
        beats = beats[(beats >= reach) & (beats < len(row) - reach)]
        if len(beats) < MIN_BEATS_SEEN:
            continue
        between = (beats[1:] + beats[:-1]) // 2
        around = np.arange(-reach, reach + 1)
        at_beats, elsewhere = (np.ptp(signal[:, at[:, None] + around], axis=2) for at in (beats, between))
        own, quiet = float(np.median(at_beats[lead])), float(np.median(elsewhere[lead]))
        others = float(np.median(np.delete(np.median(at_beats, axis=1), lead)))
        dead[lead] = own < MIN_SWING_MV and own < QRS_STANDS_OUT * quiet and others > CLEAR_QRS_MV
    return dead


def _refusals(recording: Recording) -> list[str]:
    signal, fs = recording.signal, recording.fs
    found: list[str] = []
    if one_after_another(signal):
        return [
            "The leads were recorded one after the other: at no time are all 12 there. The model reads leads recorded "
            "at the same time. Choose a simultaneous 12-lead strip."
        ]
    gaps = np.isnan(signal).mean(axis=1)
    swings = np.fmax.reduce(signal, axis=1) - np.fmin.reduce(signal, axis=1)  # gaps left out
    dead = without_heartbeat(bridge_gaps(signal), fs)
    for lead, row, gap, swing, off in zip(
        STANDARD_LEADS, signal, gaps.tolist(), swings.tolist(), dead.tolist(), strict=True
    ):
        if gap > MAX_GAP_SHARE:
            found.append(
                f"Lead {lead} has gaps in {100 * gap:.1f} % of its samples. At most 1 % is allowed. "
                "Choose another stretch or record again."
            )
        if swing < MIN_SWING_MV or longest_constant_s(row, fs) > MAX_CONSTANT_SHARE * recording.duration_s:
            found.append(
                f"Lead {lead} is flat ({swing:.2f} mV peak to peak). A swing of at least {MIN_SWING_MV:g} mV is "
                "needed. Check the electrode and record again."
            )
        elif swing > MAX_SWING_MV:
            found.append(
                f"Lead {lead} swings by {swing:.1f} mV. At most {MAX_SWING_MV:g} mV is possible in an ECG. "
                "Check the unit of the file or the electrode."
            )
        elif off:
            found.append(
                f"{lead} shows no heartbeat, while the other leads do. A trace in every lead is needed. "
                "Check the electrode and record again."
            )
        elif is_clipped(row, fs):
            found.append(
                f"Lead {lead} is cut off at {np.nanmax(np.abs(row)):.2f} mV (a plateau at its peaks). "
                "An undistorted trace is needed. Record again with a larger range."
            )
    return found


def _sine_amplitude(signal: NDArray[np.float64], fs: float, frequency: float) -> NDArray[np.float64]:
    """Amplitude of a sine in each lead, the median over stretches of one second."""
    if frequency >= 0.48 * fs:
        return np.zeros(len(signal))
    length = round(fs)
    count = signal.shape[1] // length
    time = np.arange(length) / fs
    wave = np.exp(-2j * np.pi * frequency * time) * np.hanning(length)
    parts = signal[:, : count * length].reshape(len(signal), count, length)
    parts = parts - parts.mean(axis=2, keepdims=True)
    return np.asarray(np.median(np.abs(parts @ wave), axis=1) * 2.0 / np.hanning(length).sum())


def _muscle(signal: NDArray[np.float64], fs: float) -> NDArray[np.float64]:
    """Robust deviation of each lead between 30 Hz and 45 Hz (below mains), or up to what the rate holds."""
    high = min(45.0, 0.48 * fs)
    if high <= MUSCLE_HZ:
        return np.zeros(len(signal))
    band = sosfiltfilt(_band_pass(MUSCLE_HZ, high, fs), signal, axis=1)
    return np.asarray(1.4826 * np.median(np.abs(band), axis=1))


@lru_cache(maxsize=8)
def _band_pass(low_hz: float, high_hz: float, fs: float) -> NDArray[np.float64]:
    return np.asarray(butter(3, [low_hz, high_hz], "bandpass", fs=fs, output="sos"))


@lru_cache(maxsize=8)
def _low_pass(cutoff_hz: float, fs: float) -> NDArray[np.float64]:
    return np.asarray(butter(2, cutoff_hz, "lowpass", fs=fs, output="sos"))


def _wander(signal: NDArray[np.float64], fs: float) -> NDArray[np.float64]:
    """Peak to peak of each lead below 0.5 Hz; half a second at either end is left out."""
    low = sosfiltfilt(_low_pass(WANDER_HZ, fs), signal, axis=1)
    edge = round(0.5 * fs)
    return np.asarray(np.ptp(low[:, edge:-edge], axis=1))


def _largest_step(signal: NDArray[np.float64], fs: float) -> NDArray[np.float64]:
    """Largest jump of each lead's level: medians of successive seconds, steady before and after the jump, else 0.

    Most of it must lie between two successive halves of a second: the baseline wanders over a second or more.
    """
    every = max(1, round(0.1 * fs))
    apart = round(1.0 * fs / every)
    length = every * apart  # a second to within 0.05 s at any rate: whole steps, so that four of them fit four windows
    seconds = np.median(np.lib.stride_tricks.sliding_window_view(signal, length, axis=1)[:, ::every], axis=2)
    n_starts = seconds.shape[1] - 3 * apart
    if n_starts <= 0:
        return np.zeros(len(signal))
    first, second, third, fourth = (seconds[:, k * apart : k * apart + n_starts] for k in range(4))
    jump = np.abs(third - second)
    steady = (np.abs(second - first) < STEADY_SHARE * jump) & (np.abs(fourth - third) < STEADY_SHARE * jump)
    half = every * max(1, apart // 2)
    halves = np.median(np.lib.stride_tricks.sliding_window_view(signal, half, axis=1)[:, ::every], axis=2)
    places = [apart + k * max(1, apart // 2) for k in range(4)]
    around = np.stack([halves[:, place : place + n_starts] for place in places])
    sudden = np.abs(np.diff(around, axis=0)).max(axis=0) >= SUDDEN_SHARE * jump
    return np.asarray((jump * (steady & sudden)).max(axis=1))


def _names(values: NDArray[np.float64], limit: float) -> str:
    return ", ".join(lead for lead, value in zip(STANDARD_LEADS, values, strict=True) if value > limit)


def assess_quality(recording: Recording, waves: Waves | None = None) -> Quality:
    """Assess a recording.

    Parameters
    ----------
    recording : Recording
    waves : Waves or None
        When given, the heart rate is checked too.
    """
    signal, fs = bridge_gaps(recording.signal), recording.fs
    warnings: list[str] = []
    residual = einthoven_residual_mv(recording.signal)
    if residual > EINTHOVEN_LIMIT_MV:
        warnings.append(
            f"The limb leads contradict each other by up to {residual:.2f} mV (at most {EINTHOVEN_LIMIT_MV:g} mV is "
            "expected): names, units or filters of the file may be mixed up. Check the export."
        )
    if padded := padding_warning(recording.signal, fs):
        warnings.append(padded)
    wander, muscle, step = _wander(signal, fs), _muscle(signal, fs), _largest_step(signal, fs)
    if names := _names(wander, WANDER_LIMIT_MV):
        warnings.append(f"Baseline wander of up to {wander.max():.1f} mV in {names}: ST levels are less sure.")
    hums = {frequency: _sine_amplitude(signal, fs, frequency) for frequency in (50.0, 60.0)}
    mains, hum = max(hums.items(), key=lambda item: item[1].max())
    if names := _names(hum, HUM_LIMIT_MV):
        warnings.append(f"Power-line interference at {mains:.0f} Hz of up to {hum.max():.2f} mV in {names}.")
    if names := _names(muscle, MUSCLE_LIMIT_MV):
        warnings.append(f"Muscle noise in {names}: small waves and J points are less sure.")
    if names := _names(step, STEP_LIMIT_MV):
        warnings.append(f"Sudden steps of up to {step.max():.1f} mV in {names}: a loose electrode is likely.")
    rr = waves.rr_s if waves is not None else np.empty(0)
    if len(rr):
        rate = 60.0 / float(np.median(rr))
        if not RATE_LIMITS[0] <= rate <= RATE_LIMITS[1]:
            warnings.append(f"The heart rate is {rate:.0f}/min, outside {RATE_LIMITS[0]:.0f}-{RATE_LIMITS[1]:.0f}/min.")
    return Quality(
        refusals=tuple(_refusals(recording)),
        warnings=tuple(warnings),
        einthoven_residual_mv=residual,
        gap_share=float(np.isnan(recording.signal).mean(axis=1).max()),
        wander_mv=float(wander.max()),
        hum_mv=float(hum.max()),
        muscle_mv=float(muscle.max()),
    )


ADULT_AGE = 18
ROUNDING_S = 0.05  # a recorder may stop a few samples early


#: What is compared with the training data, by name: middle (median) and spread (half of what lies between the 16th and
#: the 84th percentile) over 1,600 records of folds 1 to 8 of PTB-XL at 100 Hz, drawn with seed 0;
#: tests/signal/test_scope.py draws them anew.
TYPICAL = {
    "amplitude of limb leads": (-0.076, 0.295),
    "amplitude of chest leads": (0.459, 0.308),
    "range of amplitudes": (1.213, 0.408),
    "how steep QRS stands out": (3.004, 0.295),
    "what three directions leave over": (-3.951, 0.856),
    "speed of change": (4.155, 0.230),
    "likeness of neighbouring chest leads": (0.772, 0.098),
    "likeness of II and V6": (0.791, 0.248),
}
#: Root mean square of the eight departures, in spreads; the 99th percentile of those records. Of 500 of fold 9, 0.8 %
#: lie beyond; white noise is at 4.9, a sine in every lead at 5.7, ten times the voltage at 4.1 and a tenth at 3.8.
MOST_UNLIKE = 2.63
NAMED_DEPARTURE = 3.0  # spreads, from which a departure is named


def departures(recording: Recording) -> dict[str, float]:
    """Return how far each feature of `TYPICAL` lies from the training data, in spreads.

    The features are logarithms of amplitudes, of their ratio, of the peakedness of the squared slope and of its mean
    over the mean square; the logarithm of the share of variance that three principal directions leave over; and two
    correlations. They need no beat to be found.
    """
    signal = resample(bridge_gaps(recording.signal), recording.fs, 100.0)
    x = signal[[lead_index(lead) for lead in INDEPENDENT_LEADS]]
    x = x - np.median(x, axis=1, keepdims=True)
    swing = np.percentile(x, 99.5, axis=1) - np.percentile(x, 0.5, axis=1) + 1e-4
    energy = np.square(np.diff(x, axis=1) * 100.0).sum(axis=0) + 1e-12
    power = np.linalg.eigvalsh(x @ x.T)[::-1]
    apart = x - x.mean(axis=1, keepdims=True)
    length = np.maximum(np.linalg.norm(apart, axis=1), 1e-9)
    alike = (apart @ apart.T) / np.outer(length, length)
    found = (
        np.log(np.median(swing[:2])),
        np.log(np.median(swing[2:])),
        np.log(swing.max() / swing.min()),
        np.log(np.square(energy).mean() / energy.mean() ** 2),
        np.log(max(power[3:].sum() / max(power.sum(), 1e-12), 1e-5)),
        0.5 * np.log(energy.mean() / max(np.square(x).sum(axis=0).mean(), 1e-12)),
        np.mean([alike[k, k + 1] for k in range(2, 7)]),
        alike[1, 7],
    )
    return {
        name: float((value - middle) / spread)
        for value, (name, (middle, spread)) in zip(found, TYPICAL.items(), strict=True)
    }


#: SCP-ECG statements of a rhythm other than sinus rhythm, by its kind: a model that names one of them was taught it.
TAUGHT_BY = {
    "atrial fibrillation": ("AFIB",),
    "possible flutter": ("AFLT",),
    "paced": ("PACE",),
    "supraventricular tachycardia": ("SVTAC", "PSVT"),
    "AV block": ("2AVB", "3AVB"),
}
ECTOPY_TAUGHT_BY = ("PVC", "PAC")


@dataclass(frozen=True)
class Scope:
    """Whether a recording is of the kind that the models learned from.

    Attributes
    ----------
    reasons : tuple of str
        What sets it apart, one plain sentence each; empty within the scope.
    names : tuple of str
        The same in a word or two each, for a badge: "atrial fibrillation", "age 11".
    distance : float
        From the training data, as `departures` gives it; above `MOST_UNLIKE` it is a reason of its own.
    taught_by : tuple of tuple of str
        Of each reason the classes of which a model that names one was taught it after all; mostly none.
    """

    reasons: tuple[str, ...]
    names: tuple[str, ...]
    distance: float
    taught_by: tuple[tuple[str, ...], ...]

    def of_model(self, classes: Collection[str]) -> Scope:
        """Return what sets the recording apart from what a model with these classes was taught."""
        kept = [k for k, names in enumerate(self.taught_by) if not set(names) & set(classes)]
        return Scope(
            tuple(self.reasons[k] for k in kept),
            tuple(self.names[k] for k in kept),
            self.distance,
            tuple(self.taught_by[k] for k in kept),
        )

    @property
    def within(self) -> bool:
        """Whether nothing sets it apart."""
        return not self.reasons


def scope_of(reading: SignalReading) -> Scope:
    """Return what sets a recording apart from the models' training data.

    Parameters
    ----------
    reading : SignalReading
        Of the window that a model is asked about.
    """
    recording, rhythm = reading.recording, reading.rhythm
    found: list[tuple[str, str]] = []  # name, sentence
    taught_by: dict[str, tuple[str, ...]] = {}
    taught = "are outside the scope of the models: they learned mainly from sinus rhythm"
    if rhythm.kind == "undetermined":
        found.append(("rhythm undetermined", f"The rhythm could not be determined ({rhythm.grounds[0].rstrip('.')})."))
    elif rhythm.kind != "sinus":
        name = rhythm.statement.split(",")[0]
        found.append((name, f"{name[0].upper()}{name[1:]} is outside the scope of the models: they learned mainly from "
                            "sinus rhythm."))  # fmt: skip
        taught_by[name] = TAUGHT_BY.get(rhythm.kind, ())
    if rhythm.often_ectopic:
        taught_by["frequent ectopic beats"] = ECTOPY_TAUGHT_BY
        count = len(rhythm.supraventricular) + len(rhythm.ventricular)
        found.append(("frequent ectopic beats", f"Frequent ectopic beats ({count} of {rhythm.n_beats}) {taught}."))
    if recording.age is not None and recording.age < ADULT_AGE:
        words = f"they learned from adults (0.6 % were under {ADULT_AGE})"
        age = f"Age {recording.age}"
        found.append((age.lower(), f"{age} is outside the scope of the models: {words}."))
    if recording.duration_s < WINDOW_S - ROUNDING_S:
        seconds = f"{recording.duration_s:.1f} s"
        found.append((f"only {seconds}", f"{seconds} are outside the scope of the models: they learned from "
                                         f"{WINDOW_S:g} s."))  # fmt: skip
    if not reading.quality.usable:
        found.append(("poor quality", "The quality check refuses the recording: " + " ".join(reading.quality.refusals)))
    if reading.quality.einthoven_residual_mv > EINTHOVEN_LIMIT_MV:
        found.append(("contradicting limb leads", "The limb leads contradict each other."))
    if reversal := reading.findings.of("lead reversal") if reading.findings else ():
        found.append(("possible lead reversal", " ".join(item.text for item in reversal)))
    away = departures(recording)
    distance = float(np.sqrt(np.mean(np.square(list(away.values())))))
    if distance > MOST_UNLIKE:
        named = [name for name, value in away.items() if abs(value) >= NAMED_DEPARTURE]
        words = f"distance {distance:.1f}, at most {MOST_UNLIKE:g}: {', '.join(named)}"
        found.append(
            ("unlike the training data", f"The signal is unlike those that the models learned from ({words}).")
        )
    names = tuple(name for name, _ in found)
    sentences = tuple(sentence for _, sentence in found)
    return Scope(sentences, names, distance, tuple(taught_by.get(name, ()) for name in names))
