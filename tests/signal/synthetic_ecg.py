"""A 12-lead ECG out of Gaussian waves whose every landmark and level is known, for tests without data."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ecgimn.leads import INDEPENDENT_LEADS, LIMB_FROM_I_II, order_leads
from ecgimn.recording import Recording

#: Peak heights in mV of P, Q, R, S, T in the eight independent leads of an ordinary tracing.
ORDINARY: dict[str, tuple[float, float, float, float, float]] = {
    "I": (0.08, -0.05, 0.70, -0.10, 0.22),
    "II": (0.14, -0.06, 1.00, -0.12, 0.30),
    "V1": (0.05, 0.00, 0.25, -0.90, 0.12),
    "V2": (0.06, 0.00, 0.45, -1.20, 0.45),
    "V3": (0.07, 0.00, 0.80, -0.80, 0.45),
    "V4": (0.08, -0.04, 1.30, -0.45, 0.40),
    "V5": (0.08, -0.06, 1.20, -0.25, 0.32),
    "V6": (0.07, -0.07, 0.95, -0.10, 0.25),
}
CENTRES_S = (-0.170, -0.028, 0.0, 0.030, 0.270)  # of P, Q, R, S, T, from R
WIDTHS_S = (0.022, 0.008, 0.010, 0.010, 0.045)  # standard deviations


@dataclass(frozen=True)
class Tracing:
    """What to draw.

    Attributes
    ----------
    rr_s : float
        Distance of beats; `beats_at` overrides it.
    st_mv : dict of str to float
        Height of a plateau from J to the end of T, by independent lead.
    waves : dict of str to tuple of float
        Heights of P, Q, R, S, T by independent lead.
    beats_at : tuple of float or None
        Times of R in seconds.
    stretch_qrs : float
        Factor on the width of QRS.
    """

    fs: float = 500.0
    duration_s: float = 10.0
    rr_s: float = 0.85
    first_r_s: float = 0.4
    st_mv: dict[str, float] = field(default_factory=dict)
    waves: dict[str, tuple[float, float, float, float, float]] = field(default_factory=lambda: dict(ORDINARY))
    beats_at: tuple[float, ...] | None = None
    noise_mv: float = 0.005
    stretch_qrs: float = 1.0
    seed: int = 0

    def r_times(self) -> NDArray[np.float64]:
        """Times of R in seconds."""
        if self.beats_at is not None:
            return np.array(self.beats_at)
        return np.arange(self.first_r_s, self.duration_s + 0.3, self.rr_s)

    def signal(self) -> NDArray[np.float64]:
        """Millivolts, shape (12, n_samples)."""
        n = round(self.duration_s * self.fs)
        time = np.arange(n) / self.fs
        rng = np.random.default_rng(self.seed)
        rows = np.zeros((len(INDEPENDENT_LEADS), n))
        for row, lead in zip(rows, INDEPENDENT_LEADS, strict=True):
            for r in self.r_times():
                for k, height in enumerate(self.waves[lead]):
                    factor = self.stretch_qrs if k in (1, 2, 3) else 1.0
                    away = (time - r - CENTRES_S[k] * factor) / (WIDTHS_S[k] * factor)
                    row += height * np.exp(-0.5 * away**2)
                rise = expit((time - r - 0.038) / 0.003)
                fall = expit((time - r - 0.33) / 0.02)
                row += self.st_mv.get(lead, 0.0) * (rise - fall)
            row += rng.normal(0.0, self.noise_mv, n)
        return np.asarray(order_leads(rows, INDEPENDENT_LEADS)[0])

    def recording(self, **about: object) -> Recording:
        """The tracing as a recording; `about` is passed on (age, sex, ...)."""
        return Recording(self.signal(), self.fs, **about)  # type: ignore[arg-type]


def fibrillating(stretch_qrs: float, seed: int, f_mv: float = 0.05) -> tuple[Recording, Recording]:
    """Irregular beats without P on f waves at 6 Hz, and the same beats with P on a quiet baseline."""
    rng = np.random.default_rng(seed)
    at = tuple(r for r in np.cumsum(rng.uniform(0.45, 1.0, 20)) if r < 10.3)
    no_p = {lead: (0.0, *heights[1:]) for lead, heights in ORDINARY.items()}
    phase = 2 * np.pi * np.cumsum(6.0 + 0.02 * rng.normal(0.0, 0.6, 5000).cumsum()) / 500.0
    rows = np.array(
        [f_mv * size * np.sin(phase + 0.3 * k) for k, size in enumerate((0.3, 1, 1.2, 0.6, 0.3, 0.2, 0.2, 0.2))]
    )
    f_waves = np.concatenate([LIMB_FROM_I_II @ rows[:2], rows[2:]])
    signal = Tracing(beats_at=at, stretch_qrs=stretch_qrs, waves=no_p).signal() + f_waves
    return Recording(signal, 500.0), Tracing(beats_at=at, stretch_qrs=stretch_qrs).recording()
