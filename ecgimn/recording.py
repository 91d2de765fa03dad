"""A 12-lead ECG in millivolts: the only type that a file reader returns and that everything else starts from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ecgimn.errors import SignalError
from ecgimn.leads import STANDARD_LEADS

MIN_FS, MAX_FS = 50.0, 2000.0  # Hz; below, an ECG has no usable ST segment, above, no clinical recorder writes
MIN_DURATION_S = 2.0  # shorter strips hold too few beats to measure or explain
WINDOW_S = 10.0  # the length of a standard 12-lead recording, and what a model reads at once

Sex = Literal["male", "female"]


@dataclass(frozen=True, eq=False)
class Recording:
    """A 12-lead ECG.

    Attributes
    ----------
    signal : ndarray of shape (12, n_samples), float32
        Millivolts; rows in the order of `STANDARD_LEADS`; NaN marks a gap in the recording. Read-only.
    fs : float
        Sampling frequency in Hz.
    record_name : str
        A public record's name, a composite's title, or a random case name for an upload.
    source : str
        Where it comes from, as shown to the reader: "PTB-XL", "composite", "upload" and the like.
    age : int or None
        Years; 90 stands for "90 or older". None when unknown.
    sex : {"male", "female"} or None
    derived_leads : tuple of str
        Limb leads that were computed from I and II because the file does not hold them.
    notes : tuple of str
        What the reader must know about how the file was read ("3 header comments hidden").

    Raises
    ------
    SignalError
        The array is not (12, n_samples), holds infinities or only gaps in a lead, is too short, or `fs` is out of
        range.
    """

    signal: NDArray[np.float32]
    fs: float
    record_name: str = "unnamed"
    source: str = "array"
    age: int | None = None
    sex: Sex | None = None
    derived_leads: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        signal = np.array(self.signal, dtype=np.float32)
        if signal.ndim != 2 or signal.shape[0] != len(STANDARD_LEADS):
            raise SignalError(f"The signal has shape {signal.shape}. 12 rows, one per standard lead, are needed.")
        if not (np.isfinite(self.fs) and MIN_FS <= self.fs <= MAX_FS):
            raise SignalError(
                f"The sampling frequency is {self.fs:g} Hz. {MIN_FS:g} to {MAX_FS:g} Hz is needed. "
                "Export the recording at its original rate."
            )
        if signal.shape[1] < MIN_DURATION_S * self.fs:
            raise SignalError(
                f"The recording lasts {signal.shape[1] / self.fs:.1f} s. At least {MIN_DURATION_S:g} s is needed. "
                "Export a longer strip."
            )
        if np.isinf(signal).any():
            raise SignalError("The signal holds infinite values. Finite millivolts are needed. Export the file again.")
        empty = [lead for lead, row in zip(STANDARD_LEADS, signal, strict=True) if np.isnan(row).all()]
        if empty:
            raise SignalError(
                f"Lead {', '.join(empty)} holds no sample at all. All 12 leads are needed. Export the recording again."
            )
        if self.age is not None and not 0 <= self.age <= 150:
            raise SignalError(f"Age {self.age} is not possible. 0 to 150 years is needed. Correct it or leave it out.")
        signal.setflags(write=False)
        object.__setattr__(self, "signal", signal)
        object.__setattr__(self, "fs", float(self.fs))
        if self.age is not None:
            object.__setattr__(self, "age", min(int(self.age), 90))

    @property
    def n_samples(self) -> int:
        """Number of samples per lead."""
        return int(self.signal.shape[1])

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.n_samples / self.fs

    @cached_property
    def digest(self) -> str:
        """SHA-256 of signal bytes, sampling frequency and leads: the identity of a recording."""
        identity = hashlib.sha256()
        identity.update(repr((self.fs, self.signal.shape, STANDARD_LEADS)).encode())
        identity.update(np.ascontiguousarray(self.signal).tobytes())
        return identity.hexdigest()

    def lead(self, name: str) -> NDArray[np.float32]:
        """Return one lead's samples in mV, by its standard name."""
        return self.signal[STANDARD_LEADS.index(name)]  # type: ignore[no-any-return]

    def window(self, start_s: float, duration_s: float = WINDOW_S) -> Recording:
        """Return the part that starts at `start_s`, at most `duration_s` long, as a recording of its own.

        Raises
        ------
        SignalError
            The window does not lie within the recording.
        """
        if not np.isfinite(start_s):
            raise SignalError("The window has no start. A number of seconds is needed. Choose where it starts.")
        start = round(start_s * self.fs)
        stop = min(start + round(duration_s * self.fs), self.n_samples)
        if start < 0 or stop - start < MIN_DURATION_S * self.fs:
            raise SignalError(
                f"A window from {start_s:g} s does not lie within the {self.duration_s:g} s of the recording. "
                "Choose an earlier start."
            )
        if start == 0 and stop == self.n_samples:
            return self
        return replace(self, signal=self.signal[:, start:stop])

    def with_signal(self, signal: NDArray[np.floating]) -> Recording:
        """Return the same recording with other samples: an edited ECG."""
        return replace(self, signal=np.asarray(signal, dtype=np.float32))


def bridge_gaps(signal: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the signal with gaps (NaN) bridged by straight lines, for algorithms that need every sample.

    Parameters
    ----------
    signal : ndarray of shape (n_leads, n_samples)
        Each lead holds at least one finite sample; the recording's own check guarantees it.
    """
    bridged = np.array(signal, dtype=np.float64)
    for row in bridged:
        gap = np.isnan(row)
        if gap.any():
            row[gap] = np.interp(np.flatnonzero(gap), np.flatnonzero(~gap), row[~gap])
    return bridged
