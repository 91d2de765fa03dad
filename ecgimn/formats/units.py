"""Voltage units as files spell them, and whether a signal's size is that of an ECG at all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ecgimn.errors import SignalError
from ecgimn.formats.limits import shown

#: Millivolts per unit; spellings are compared in lower case, with both micro signs.
MILLIVOLT_PER_UNIT: dict[str, float] = {
    "mv": 1.0, "millivolt": 1.0, "millivolts": 1.0,
    "uv": 1e-3, "\u00b5v": 1e-3, "\u03bcv": 1e-3, "microvolt": 1e-3, "microvolts": 1e-3,
    "v": 1e3, "volt": 1e3, "volts": 1e3,
    "nv": 1e-6, "nanovolt": 1e-6, "nanovolts": 1e-6,
}  # fmt: skip

PLAUSIBLE_MV = (0.05, 20.0)  # peak to peak of a typical lead; QRS complexes on the skin have 0.2 to 5 mV


def millivolt_factor(unit: str) -> float:
    """Return the number of millivolts in one `unit`; raises `SignalError` for anything but a voltage unit."""
    try:
        return MILLIVOLT_PER_UNIT[unit.strip().lower()]
    except KeyError as exc:
        raise SignalError(
            f"The unit of a lead is {shown(unit)}. V, mV, uV or nV is needed. Export the recording in millivolts."
        ) from exc


def check_amplitude(signal: NDArray[np.floating]) -> None:
    """Refuse a signal whose typical lead is far too large or too small for an ECG: its unit must be wrong.

    Parameters
    ----------
    signal : ndarray of shape (n_leads, n_samples)
        Millivolts; NaN for gaps. Flat leads do not count; a wholly flat signal passes (the quality check names it).

    Raises
    ------
    SignalError
        The median over the leads of the range between the 0.5th and 99.5th percentile is outside `PLAUSIBLE_MV`.
    """
    signal = signal[np.isfinite(signal).any(axis=1)]
    if not signal.size:
        return
    if np.isfinite(signal).all():
        high, low = np.percentile(signal, [99.5, 0.5], axis=1)
    else:
        rows = [row[np.isfinite(row)] for row in signal]
        high, low = np.array([np.percentile(row, [99.5, 0.5]) for row in rows]).T
    spreads = (high - low)[high > low]
    if not spreads.size:
        return
    typical = float(np.median(spreads))
    least, most = PLAUSIBLE_MV
    if not least <= typical <= most:
        raise SignalError(
            f"A typical lead spans {typical:.3g} mV from peak to peak. {least:g} to {most:g} mV is needed for an ECG, "
            "so the unit or gain in the file must be wrong. Export the recording in millivolts."
        )
