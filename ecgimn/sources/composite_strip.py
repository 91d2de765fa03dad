"""Ten seconds from one mean beat: beats set at breathing intervals, joined along the baseline, with a little noise."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgimn.recording import WINDOW_S
from ecgimn.sources.composite_beats import BEAT_FS, BEFORE

RESPIRATORY_ARRHYTHMIA = 0.03  # of RR, amplitude of its sine; healthy adults at rest have some per cent
BREATHING_HZ = 0.25  # 15 breaths a minute
IRREGULARITY = 0.008  # of RR, standard deviation from beat to beat
NOISE_MV = 0.006  # root mean square per lead
NOISE_BAND_HZ = (0.7, 120.0)  # muscle noise, no baseline wander
TAPER = 30  # samples (60 ms) over which an end of the beat runs into the baseline

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Template:
    """A mean beat with both ends on the baseline.

    Attributes
    ----------
    beat : ndarray of shape (n_leads, n)
        mV.
    r : int
        Column of the common fiducial point of QRS.
    onset, end : int
        Columns of QRS onset and end.
    """

    beat: Float
    r: int
    onset: int
    end: int


def template(mean: Float, onset: int, end: int, *, pq_s: float) -> Template:
    """Cut a mean beat, shape (n_leads, 660), from before P to after T and run its ends into the baseline.

    The baseline is the mean of both ends, lead by lead, so that it meets itself at every join.
    """
    start = max(0, onset - round((pq_s - 0.03) * BEAT_FS))
    stop = t_end(mean, end)
    beat = mean[:, start:stop].copy()
    baseline = (beat[:, :10].mean(axis=1) + beat[:, -10:].mean(axis=1)) / 2.0
    fade = (1.0 - np.cos(np.pi * (np.arange(TAPER) + 0.5) / TAPER)) / 2.0
    weight = np.ones(beat.shape[1])
    weight[:TAPER], weight[-TAPER:] = fade, fade[::-1]
    beat = baseline[:, None] + (beat - baseline[:, None]) * weight
    return Template(beat, BEFORE - start, onset - start, end - start)


def t_end(mean: Float, end: int) -> int:
    """Return the column where T has run out and the taper may end: 80 ms after the mean beat's last steep stretch."""
    velocity = np.sqrt(np.square(np.gradient(mean, axis=1)).sum(axis=0))
    velocity = np.convolve(velocity, np.ones(15) / 15.0, mode="same")
    region = velocity[end + 60 : end + 260]
    top = int(region.argmax())
    quiet = np.flatnonzero(region[top:] < 0.15 * region[top])
    return min(end + 60 + top + (int(quiet[0]) if len(quiet) else 60) + 40, int(mean.shape[1]))


def random_source(name: str) -> np.random.Generator:
    """Return the random numbers of a case: the same for the same name, on every machine."""
    return np.random.default_rng(zlib.crc32(name.encode()))


def beat_times(rr_s: float, shortest: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the samples of R at 500 Hz that cover 10 s and a beat on each side, at least `shortest` samples apart."""
    phase = rng.uniform(0.0, 2.0 * np.pi)
    times = [-round(rng.uniform(0.6, 1.4) * rr_s * BEAT_FS)]
    while times[-1] < (WINDOW_S + 2.0) * BEAT_FS:
        breath = np.sin(2.0 * np.pi * BREATHING_HZ * times[-1] / BEAT_FS + phase)
        rr = rr_s * (1.0 + RESPIRATORY_ARRHYTHMIA * breath + IRREGULARITY * rng.standard_normal())
        times.append(times[-1] + max(shortest, round(rr * BEAT_FS)))
    return np.array(times, dtype=np.int64)


def strip(beat: Template, times: NDArray[np.int64]) -> Float:
    """Set the beat at the given samples of R and hold the baseline between; shape (n_leads, 5000), mV."""
    n_samples = round(WINDOW_S * BEAT_FS)
    signal = np.repeat(beat.beat[:, :1], n_samples, axis=1)
    length = beat.beat.shape[1]
    for time in times:
        start = int(time) - beat.r
        first, last = max(0, start), min(n_samples, start + length)
        if first < last:
            signal[:, first:last] = beat.beat[:, first - start : last - start]
    return signal


def noise(n_leads: int, rng: np.random.Generator) -> Float:
    """Return band-limited noise of `NOISE_MV` root mean square, shape (n_leads, 5000), mV."""
    n_samples = round(WINDOW_S * BEAT_FS)
    spectrum = np.fft.rfft(rng.standard_normal((n_leads, n_samples)), axis=1)
    frequency = np.fft.rfftfreq(n_samples, 1.0 / BEAT_FS)
    spectrum[:, (frequency < NOISE_BAND_HZ[0]) | (frequency > NOISE_BAND_HZ[1])] = 0.0
    white = np.fft.irfft(spectrum, n_samples, axis=1)
    return np.asarray(NOISE_MV * white / white.std(axis=1, keepdims=True))
