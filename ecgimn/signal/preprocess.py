"""The linear way from a recording to the network's input, and the exact way back for the weights.

`P = H R C`: project the leads onto those that satisfy the limb-lead relations (C), resample to 100 Hz and leave out
60 ms at the start and 120 ms at the end (R), remove the baseline (H). Every step is linear and has no per-record
constant, so

    <w, P x> = <P' w, x>

and `P' w`, with P' the adjoint, is the weight map in logit per millivolt on the raw trace at its own rate. C makes that
map the canonical one: the minimum-norm weights among all that treat consistent limb leads alike.

H is the smoothness-prior high-pass `I - (I + lam D'D)^-1` with D the second difference (Tarvainen et al. 2002,
doi:10.1109/10.979357): symmetric, hence zero-phase and its own adjoint; away from the edges its response
`lam d^4 / (1 + lam d^4)`, d = 2 sin(w/2), is that of a second-order Butterworth filter run forward and backward;
constants and straight drifts are removed exactly, edges included. The published ECG-IMN reads unfiltered traces: for it
H is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ecgimn.errors import SignalError
from ecgimn.leads import CANONICAL_PROJECTION
from ecgimn.recording import MAX_FS, MIN_DURATION_S, MIN_FS, WINDOW_S

MODEL_FS = 100.0  # Hz
# The ends of PTB-XL's 100 Hz copies are not the ECG: against the 500 Hz originals they are off by 0.08 mV in the first
# sample, by 0.1 to 0.3 mV in the last ten, and by 0.0003 mV in between. No rate shows these ends to the network.
TRIM_START, TRIM_END = 6, 12  # samples at 100 Hz
MODEL_SAMPLES = 1000 - TRIM_START - TRIM_END  # of a 10 s recording
HIGH_PASS_HZ = 0.5  # half amplitude; ST segments survive because the filter is zero-phase
# PTB-XL's 100 Hz copies, measured against its 500 Hz originals over 60 records: flat to 40 Hz, half amplitude at 44.5
# Hz, and sampled 1.25 ms late. The same pass-band and the same sampling instants make both copies of a record meet the
# network alike.
RESAMPLING_CUTOFF = 0.89  # of the lower of the two Nyquist frequencies
RESAMPLING_HALF_WIDTH = 18  # zero crossings of the windowed sinc on each side
RESAMPLING_KAISER_BETA = 5.65  # 60 dB stop-band
SAMPLING_OFFSET_S = 0.00125


def high_pass_matrix(n_samples: int, fs: float = MODEL_FS, cutoff_hz: float = HIGH_PASS_HZ) -> NDArray[np.float64]:
    """Return the symmetric (n_samples, n_samples) smoothness-prior high-pass with half amplitude at `cutoff_hz`."""
    lam = (2.0 * np.sin(np.pi * cutoff_hz / fs)) ** -4
    second = np.diff(np.eye(n_samples), n=2, axis=0)
    trend = np.linalg.inv(np.eye(n_samples) + lam * second.T @ second)
    high_pass = np.eye(n_samples) - (trend + trend.T) / 2.0
    high_pass.setflags(write=False)
    return high_pass


def resampling_matrix(fs: float, n_samples: int, n_out: int) -> sparse.csr_array:
    """Return the sparse (n_out, n_samples) Kaiser-windowed sinc interpolation from `fs` to 100 Hz.

    Rows are scaled to sum to one, so a constant stays that constant, edges included. At 100 Hz it is the identity.
    """
    if fs == MODEL_FS:
        return sparse.eye_array(n_out, n_samples, k=TRIM_START, format="csr")
    cutoff = RESAMPLING_CUTOFF * min(fs, MODEL_FS) / 2.0
    half_width_s = RESAMPLING_HALF_WIDTH / (2.0 * cutoff)
    times = SAMPLING_OFFSET_S + (TRIM_START + np.arange(n_out)) / MODEL_FS
    reach = int(np.ceil(half_width_s * fs))
    columns = np.round(times * fs).astype(int)[:, None] + np.arange(-reach, reach + 1)
    lag = columns / fs - times[:, None]
    inside = (columns >= 0) & (columns < n_samples) & (np.abs(lag) <= half_width_s)
    window = np.i0(RESAMPLING_KAISER_BETA * np.sqrt(np.clip(1.0 - (lag / half_width_s) ** 2, 0.0, None)))
    values = np.where(inside, np.sinc(2.0 * cutoff * lag) * window, 0.0)
    values /= values.sum(axis=1, keepdims=True)
    rows = np.broadcast_to(np.arange(n_out)[:, None], columns.shape)
    return sparse.csr_array((values[inside], (rows[inside], columns[inside])), shape=(n_out, n_samples))


@dataclass(frozen=True, eq=False)
class Preprocessing:
    """The linear map P for windows of `n_samples` samples at `fs`, and its adjoint; build with `preprocessing`.

    Attributes
    ----------
    fs : float
        Sampling frequency of the recording in Hz.
    n_samples : int
        Samples per lead of the window, 10 s at most.
    n_out : int
        Samples of the network's input: 982 for 10 s, fewer for a shorter window, which is never padded.
    high_pass : bool
        Whether the baseline is removed.
    """

    fs: float
    n_samples: int
    n_out: int
    high_pass: bool
    _resampling: sparse.csr_array

    def forward(self, signal: NDArray[np.floating]) -> NDArray[np.float64]:
        """Map a window in mV, shape (..., 12, n_samples), onto the network's input, shape (..., 12, n_out)."""
        return self.each_lead(CANONICAL_PROJECTION @ np.asarray(signal, dtype=np.float64))

    def each_lead(self, signal: NDArray[np.floating]) -> NDArray[np.float64]:
        """Resample and remove the baseline of each row by itself, (..., n_samples) -> (..., n_out): H R without C."""
        signal = np.asarray(signal, dtype=np.float64)
        x: NDArray[np.float64] = (self._resampling @ signal.reshape(-1, self.n_samples).T).T
        if self.high_pass:
            x = x @ _high_pass_of(self.n_out)
        return x.reshape(*signal.shape[:-1], self.n_out)

    def adjoint(self, weights: NDArray[np.floating]) -> NDArray[np.float64]:
        """Map weights on the input, shape (..., 12, n_out), onto weights per mV, shape (..., 12, n_samples)."""
        weights = np.asarray(weights, dtype=np.float64)
        flat = weights.reshape(-1, self.n_out)
        if self.high_pass:
            flat = flat @ _high_pass_of(self.n_out)
        back = (self._resampling.T @ flat.T).T
        return CANONICAL_PROJECTION @ back.reshape(*weights.shape[:-1], self.n_samples)  # type: ignore[no-any-return]


@lru_cache(maxsize=8)
def preprocessing(fs: float, n_samples: int, *, high_pass: bool = True) -> Preprocessing:
    """Return the preprocessing of windows of `n_samples` samples at `fs` Hz; built once and kept.

    Raises
    ------
    SignalError
        The rate is out of range or the window is longer than 10 s.
    """
    if not MIN_FS <= fs <= MAX_FS:
        raise SignalError(f"The sampling frequency is {fs:g} Hz. {MIN_FS:g} to {MAX_FS:g} Hz is needed.")
    if not MIN_DURATION_S * fs <= n_samples <= round(WINDOW_S * fs):
        raise SignalError(
            f"The window has {n_samples} samples at {fs:g} Hz. At most {WINDOW_S:g} s can be read at once, "
            f"and {MIN_DURATION_S:g} s are needed. "
            "Choose a window of the recording."
        )
    offset_s = 0.0 if fs == MODEL_FS else SAMPLING_OFFSET_S
    n_there = int(np.floor(((n_samples - 1) / fs - offset_s) * MODEL_FS)) + 1
    n_out = min(MODEL_SAMPLES, n_there - TRIM_START - TRIM_END)
    n_out -= n_out % 2  # the network's maps have half this rate
    return Preprocessing(fs, n_samples, n_out, high_pass, resampling_matrix(fs, n_samples, n_out))


def input_change(change: NDArray[np.floating], *, high_pass: bool = True) -> NDArray[np.float64]:
    """Return what a change of an already preprocessed ECG, shape (..., 12, n), does to the input: C and H again."""
    consistent = CANONICAL_PROJECTION @ np.asarray(change, dtype=np.float64)
    return np.asarray(consistent @ _high_pass_of(change.shape[-1]) if high_pass else consistent)


@lru_cache(maxsize=8)
def _high_pass_of(n_samples: int) -> NDArray[np.float64]:
    return high_pass_matrix(n_samples)
