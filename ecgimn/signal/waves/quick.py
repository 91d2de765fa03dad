"""Quick landmarks on the network's own 100 Hz input: R peaks and nominal wave spans, a millisecond or two per record.

Training and fold-wide evaluation edit tens of thousands of recordings beat by beat, where the delineator that serves
the reader (`find`) would take hours. These spans are approximate and are never shown or measured from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.signal import find_peaks

from ecgimn.signal.preprocess import MODEL_FS

REFRACTORY_S = 0.28
QRS_ENERGY_WINDOW_S = 0.07
QRS_BEFORE_S, QRS_AFTER_S = 0.10, 0.14  # how far the ends of QRS are looked for around its centre
QRS_EDGE_FRACTION = 0.18  # of the largest spatial velocity of the mean beat
PQ_LEVEL_S = 0.02
QT_AT_60_PER_MIN_S = 0.40  # usual QT, scaled with the square root of RR


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Beats of one recording at 100 Hz.

    Attributes
    ----------
    centres : ndarray of shape (n_beats,), int
        Sample of largest QRS energy of each beat.
    qrs_before, qrs_after : int
        Samples from the centre back to QRS onset and on to QRS end; one pair per record.
    rr : float
        Median distance of beats in samples.
    level : ndarray of shape (12,)
        Voltage just before QRS onset per lead, median over beats, in the unit of the input.
    """

    centres: NDArray[np.int64]
    qrs_before: int
    qrs_after: int
    rr: float
    level: NDArray[np.float64]

    @property
    def t_end(self) -> int:
        """Samples from the centre to the nominal end of T."""
        qt = QT_AT_60_PER_MIN_S * MODEL_FS * np.sqrt(self.rr / MODEL_FS)
        return int(min(qt - self.qrs_before, 0.65 * self.rr))


def quick_landmarks(x: NDArray[np.floating]) -> Landmarks:
    """Find the beats of a preprocessed 12-lead window, shape (12, n_samples) at 100 Hz.

    A window without a beat gives no centres; nothing is invented.
    """
    x = np.asarray(x, dtype=np.float64)
    slope = np.zeros_like(x)
    slope[:, 1:-1] = (x[:, 2:] - x[:, :-2]) / 2.0
    velocity = np.sqrt((slope**2).sum(axis=0))
    energy = np.sqrt(np.clip(uniform_filter1d(velocity**2, round(QRS_ENERGY_WINDOW_S * MODEL_FS)), 0.0, None))
    block = round(1.5 * MODEL_FS)
    tallest = [energy[i : i + block].max() for i in range(0, max(1, len(energy) - block // 2), block)]
    reference = float(np.median(tallest))
    centres, _ = find_peaks(energy, height=0.4 * reference, distance=round(REFRACTORY_S * MODEL_FS))
    before, after = round(QRS_BEFORE_S * MODEL_FS), round(QRS_AFTER_S * MODEL_FS)
    inner = centres[(centres >= before) & (centres < x.shape[1] - after)]
    if reference <= 0.0 or len(inner) == 0:
        return Landmarks(np.zeros(0, dtype=np.int64), 5, 5, MODEL_FS, np.zeros(12))
    beat = velocity[inner[:, None] + np.arange(-before, after + 1)].mean(axis=0)
    quiet = beat < QRS_EDGE_FRACTION * beat.max()
    left, right = np.flatnonzero(quiet[:before]), np.flatnonzero(quiet[before:])
    qrs_before = before - int(left[-1]) if len(left) else before
    qrs_after = int(right[0]) if len(right) else after
    onset = inner - qrs_before
    width = round(PQ_LEVEL_S * MODEL_FS)
    columns = np.clip(onset[:, None] - np.arange(1, width + 1), 0, None)
    level = np.median(x[:, columns].mean(axis=2), axis=1)
    rr = float(np.median(np.diff(centres))) if len(centres) > 1 else MODEL_FS
    return Landmarks(centres.astype(np.int64), max(2, qrs_before), max(2, qrs_after), rr, level)
