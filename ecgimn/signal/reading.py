"""All that is read off a recording without any model: quality, waves, measurements, findings, isoelectric levels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecgimn.errors import SignalError
from ecgimn.leads import STANDARD_LEADS
from ecgimn.recording import Recording
from ecgimn.signal.findings import Findings, find_findings
from ecgimn.signal.measure import IsoelectricLevels, Measurements, Reference, isoelectric, measure
from ecgimn.signal.quality import Quality, assess_quality
from ecgimn.signal.waves.find import Waves, find_waves


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
    """

    recording: Recording
    quality: Quality
    waves: Waves | None
    measurements: Measurements | None
    findings: Findings | None
    isoelectric: IsoelectricLevels
    reason: str = ""

    @property
    def levels(self) -> NDArray[np.float64]:
        """Isoelectric level per lead in mV, shape (12,)."""
        return self.isoelectric.mv

    @property
    def j60_mv(self) -> dict[str, float]:
        """ST level at J+60 per lead in mV; empty when it could not be measured."""
        return {st.lead: st.j60_mv for st in self.measurements.st} if self.measurements else {}

    @property
    def st_elevation_leads(self) -> tuple[str, ...]:
        """Leads at or above their own ST-elevation threshold for at least one of the groups that may apply."""
        if self.findings is None:
            return ()
        found = {*self.findings.st_elevation_leads, *self.findings.st_elevation_leads_depending}
        return tuple(lead for lead in STANDARD_LEADS if lead in found)


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
        return SignalReading(
            recording, assess_quality(recording), None, None, None, isoelectric(recording, None), str(exc)
        )
    quality = assess_quality(recording, waves)
    measurements = measure(recording, waves)
    findings = find_findings(recording, waves, measurements, quality)
    return SignalReading(recording, quality, waves, measurements, findings, isoelectric(recording, waves))


def with_reference(reading: SignalReading, reference: Reference) -> SignalReading:
    """Return a reading whose ST and T are measured against another level, with the findings that follow from it."""
    before = reading.measurements
    if reading.waves is None or before is None or before.reference == reference:
        return reading
    measurements = measure(reading.recording, reading.waves, beat=before.beat, reference=reference)
    findings = find_findings(reading.recording, reading.waves, measurements, reading.quality)
    return replace(reading, measurements=measurements, findings=findings)
