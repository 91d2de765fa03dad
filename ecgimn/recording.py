"""A 12-lead ECG in millivolts: the only type that a file reader returns and that everything else starts from."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ecgimn.errors import SignalError
from ecgimn.leads import STANDARD_LEADS, order_leads

MIN_FS, MAX_FS = 50.0, 2000.0  # Hz; below, an ECG has no usable ST segment, above, no clinical recorder writes
MIN_DURATION_S = 2.0  # shorter strips hold too few beats to measure or explain
WINDOW_S = 10.0  # the length of a standard 12-lead recording, and what a model reads at once

#: Millivolts per unit; spellings are compared in lower case, with both micro signs.
MILLIVOLT_PER_UNIT: dict[str, float] = {
    "mv": 1.0, "millivolt": 1.0, "millivolts": 1.0,
    "uv": 1e-3, "\u00b5v": 1e-3, "\u03bcv": 1e-3, "microvolt": 1e-3, "microvolts": 1e-3,
    "v": 1e3, "volt": 1e3, "volts": 1e3,
    "nv": 1e-6, "nanovolt": 1e-6, "nanovolts": 1e-6,
}  # fmt: skip

_UNIT = re.compile(
    r"(?:(\d{1,9}(?:\.\d{1,9})?(?:e[-+]?\d{1,2})?)\s{0,2}\*?\s{0,2})?([a-z\u00b5\u03bc]{1,12})", re.ASCII
)

PLAUSIBLE_MV = (0.05, 20.0)  # peak to peak of a typical lead; QRS complexes on the skin have 0.2 to 5 mV


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
        The array is not (12, n_samples), holds infinities or only gaps in a lead, is too short, far too large for
        millivolts, or `fs` is out of range.
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
        if float(np.median(np.nanmax(signal, axis=1) - np.nanmin(signal, axis=1))) > PLAUSIBLE_MV[1]:
            check_amplitude(signal, least=0.0)  # an edit may flatten leads, and no ECG spans this much
        if self.age is not None and not 0 <= self.age <= 150:
            raise SignalError(f"Age {self.age} is not possible. 0 to 150 years is needed. Correct it or leave it out.")
        signal.setflags(write=False)
        object.__setattr__(self, "signal", signal)
        object.__setattr__(self, "fs", float(self.fs))
        if self.age is not None:
            object.__setattr__(self, "age", min(int(self.age), 90))

    @classmethod
    def from_numpy(
        cls,
        signal: NDArray[Any],
        fs: float,
        *,
        unit: str = "mV",
        leads: Sequence[str] = STANDARD_LEADS,
        record_name: str = "unnamed",
        source: str = "array",
        age: int | None = None,
        sex: Sex | None = None,
    ) -> Recording:
        """Return the recording that an array holds.

        Parameters
        ----------
        signal : ndarray of shape (n_leads, n_samples)
            One row per entry of `leads`; NaN marks a gap.
        fs : float
            Sampling frequency in Hz.
        unit : str
            Of the samples: "mV", "uV", "V", or a multiple such as "1e-4 V".
        leads : sequence of str
            Names of the rows in any order and any usual spelling. III, aVR, aVL and aVF are computed from I and II
            where they are missing, and rows with other names are left out.
        record_name, source : str
        age : int, optional
            Years; used for thresholds only, as `sex` is.
        sex : {"male", "female"}, optional

        Raises
        ------
        LeadError
            A standard lead is missing or doubled.
        SignalError
            The array has another shape, or its amplitude is not that of an ECG in this unit.
        """
        rows = np.asarray(signal, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[0] != len(leads):
            turn = " Transpose it." if rows.ndim == 2 and rows.shape[1] == len(leads) else ""
            raise SignalError(
                f"The array has shape {rows.shape}. ({len(leads)}, n_samples) is needed, a row per lead.{turn}"
            )
        ordered, derived = order_leads(rows * millivolt_factor(unit), leads)
        check_amplitude(ordered)
        with np.errstate(over="ignore"):  # beyond float32 becomes infinite, which the recording refuses
            samples = ordered.astype(np.float32)
        return cls(samples, fs, record_name=record_name, source=source, age=age, sex=sex, derived_leads=derived)

    @classmethod
    def from_wfdb(cls, record: Any, *, age: int | None = None, sex: Sex | None = None) -> Recording:
        """Return the recording that a `wfdb.Record` holds; `ecgimn.read_recording` reads files.

        Parameters
        ----------
        record : wfdb.Record
            With physical or digital samples, as `wfdb.rdrecord` returns it.
        age, sex
            As in `from_numpy`; what the header's comments say is not used.

        Raises
        ------
        LeadError, SignalError
            As in `from_numpy`; also where the record holds no samples of one rate.
        """
        samples = record.p_signal
        if samples is None and record.d_signal is not None:
            samples = record.dac()
        if samples is None:
            raise SignalError(
                "The WFDB record holds no samples of one rate. They are needed. Read it with wfdb.rdrecord(name)."
            )
        factors = np.array([millivolt_factor(unit) if unit_of_voltage(unit) else 1.0 for unit in record.units])
        name = str(record.record_name)
        return cls.from_numpy(
            np.asarray(samples).T * factors[:, None], float(record.fs), leads=record.sig_name, record_name=name,
            source="WFDB", age=age, sex=sex,
        )  # fmt: skip

    @classmethod
    def from_mne(cls, raw: Any, *, age: int | None = None, sex: Sex | None = None) -> Recording:
        """Return the recording that an `mne.io.Raw` holds, in volts as MNE keeps all channels.

        Parameters
        ----------
        raw : mne.io.Raw
            With the leads among its channels, by their names.
        age, sex
            As in `from_numpy`.

        Raises
        ------
        LeadError, SignalError
            As in `from_numpy`.
        """
        return cls.from_numpy(
            raw.get_data(), float(raw.info["sfreq"]), unit="V", leads=raw.ch_names, source="MNE", age=age, sex=sex
        )

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


def millivolt_factor(unit: str) -> float:
    """Return the number of millivolts in one `unit`, such as "uV", or of a multiple of it, such as "1e-4 V".

    Raises
    ------
    SignalError
        It is no unit of voltage.
    """
    match = _UNIT.fullmatch(unit.strip().lower())
    multiple = float(match[1]) if match and match[1] else 1.0
    if match is None or match[2] not in MILLIVOLT_PER_UNIT or not multiple > 0:
        raise SignalError(
            "The unit of a lead is unknown: it is none of V, mV, uV and nV. One of these is needed. "
            "Export the recording in millivolts."
        )
    return multiple * MILLIVOLT_PER_UNIT[match[2]]


def unit_of_voltage(unit: str) -> bool:
    """Whether `millivolt_factor` knows a unit."""
    match = _UNIT.fullmatch(unit.strip().lower())
    return match is not None and match[2] in MILLIVOLT_PER_UNIT


def check_amplitude(signal: NDArray[np.floating], *, least: float = PLAUSIBLE_MV[0]) -> None:
    """Refuse a signal whose typical lead is far too large or too small for an ECG: its unit must be wrong.

    Parameters
    ----------
    signal : ndarray of shape (n_leads, n_samples)
        Millivolts; NaN for gaps. Flat leads do not count; a wholly flat signal passes (the quality check names it).
    least : float
        The smallest range that passes, in mV.

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
    most = PLAUSIBLE_MV[1]
    if not least <= typical <= most:
        raise SignalError(
            f"A typical lead spans {typical:.3g} mV from peak to peak. {PLAUSIBLE_MV[0]:g} to {most:g} mV is needed "
            "for an ECG, so the unit or gain must be wrong. Export the recording in millivolts, or name the unit."
        )
