"""All that is read off a recording without any model: quality, waves, rhythm, measurements, findings, levels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ecgimn.errors import SignalError
from ecgimn.recording import Recording
from ecgimn.signal.conduction import paced_beats
from ecgimn.signal.findings import Findings, find_findings
from ecgimn.signal.intervals import Measured
from ecgimn.signal.measure import IsoelectricLevels, Measurements, Reference, isoelectric, measure
from ecgimn.signal.quality import Quality, Scope, assess_quality, scope_of
from ecgimn.signal.rhythm import NOT_LOOKED_FOR, Rhythm, find_rhythm, not_determined
from ecgimn.signal.waves.find import Waves, find_waves
from ecgimn.signal.waves.openecg import EINTHOVEN_LIMIT_MV


@dataclass(frozen=True, eq=False)
class SignalReading:
    """A recording, read.

    Attributes
    ----------
    recording : Recording
    quality : Quality
    waves : Waves or None
        None when no beat was found; `reason` then says why.
    measurements, findings : Measurements, Findings or None
        None without waves.
    isoelectric : IsoelectricLevels
    reason : str
        Why there are no waves; empty when there are.
    rhythm : Rhythm
    """

    recording: Recording
    quality: Quality
    waves: Waves | None
    measurements: Measurements | None
    findings: Findings | None
    isoelectric: IsoelectricLevels
    reason: str = ""
    rhythm: Rhythm = NOT_LOOKED_FOR

    @property
    def levels(self) -> NDArray[np.float64]:
        """Isoelectric level per lead in mV, shape (12,)."""
        return self.isoelectric.mv

    @cached_property
    def scope(self) -> Scope:
        """What sets the recording apart from the models' training data."""
        return scope_of(self)

    @property
    def j60_mv(self) -> dict[str, float]:
        """ST level at J+60 per lead in mV; empty when it could not be measured."""
        return {st.lead: st.j60_mv for st in self.measurements.st} if self.measurements else {}

    @property
    def st_elevation_leads(self) -> tuple[str, ...]:
        """Neighbouring leads that meet the ST-elevation threshold for at least one of the groups that may apply."""
        return self.findings.marked("ST elevation") if self.findings else ()

    @property
    def st_depression_leads(self) -> tuple[str, ...]:
        """Neighbouring leads that meet the ST-depression threshold."""
        return self.findings.marked("ST depression") if self.findings else ()

    @property
    def t_inversion_leads(self) -> tuple[str, ...]:
        """Neighbouring leads that meet the T-inversion threshold."""
        return self.findings.marked("T inversion") if self.findings else ()

    @property
    def j_mv(self) -> dict[str, float]:
        """ST level at J per lead in mV, where thresholds are judged; empty when it could not be measured."""
        return {st.lead: st.j_mv for st in self.measurements.st} if self.measurements else {}


def read_signal(recording: Recording, *, quick: bool = False) -> SignalReading:
    """Read a recording of at most a minute: a third of a second a record of 10 s, most of it delineation.

    Parameters
    ----------
    recording : Recording
    quick : bool
        Find waves in five leads only, for thousands of records; see `find_waves`.
    """
    try:
        waves = find_waves(recording, quick=quick)
    except SignalError as exc:
        reason = str(exc)
        return SignalReading(
            recording, assess_quality(recording), None, None, None, isoelectric(recording, None), reason,
            not_determined(reason),
        )  # fmt: skip
    quality = assess_quality(recording, waves)
    measurements = measure(recording, waves)
    rhythm = find_rhythm(recording, waves, measurements, paced_beats(recording, waves))
    measurements = _without_what_is_not_there(measurements, rhythm, quality)
    findings = find_findings(recording, waves, measurements, quality, rhythm)
    levels = isoelectric(recording, waves)
    return SignalReading(recording, quality, waves, measurements, findings, levels, rhythm=rhythm)


def _without_what_is_not_there(measurements: Measurements, rhythm: Rhythm, quality: Quality) -> Measurements:
    """Leave PR out where the rhythm has none, and the axis where the limb leads contradict each other."""
    intervals = measurements.intervals
    if rhythm.why_no_pr:
        intervals = replace(intervals, pr=Measured(None, "ms", rhythm.why_no_pr))
    if quality.einthoven_residual_mv > EINTHOVEN_LIMIT_MV:
        intervals = replace(intervals, axis=Measured(None, "°", "the limb leads contradict each other"))
    return replace(measurements, intervals=intervals)


def with_reference(reading: SignalReading, reference: Reference) -> SignalReading:
    """Return a reading whose ST and T are measured against another level, with the findings that follow from it."""
    before = reading.measurements
    if reading.waves is None or before is None or before.reference == reference:
        return reading
    measurements = measure(reading.recording, reading.waves, beat=before.beat, reference=reference)
    measurements = _without_what_is_not_there(measurements, reading.rhythm, reading.quality)
    findings = find_findings(reading.recording, reading.waves, measurements, reading.quality, reading.rhythm)
    return replace(reading, measurements=measurements, findings=findings)
