"""ST segments, T waves, J points and kinds of beats in mm, for screen and print. They mark; they measure nothing.

What a mark says is what the verdict says: a lead is "raised", "lowered" or "inverted" where its threshold is met, and a
beat has the letter that the rhythm's statement counts it under.

Segments are marked by bars under the baseline, or under the trace where it lies lower: the trace and what is painted
beside it stay free, and rules and evidence are told apart at a glance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ecgimn.draw.paper import Panel, PaperLayout
from ecgimn.leads import lead_index

if TYPE_CHECKING:
    from ecgimn.recording import Recording
    from ecgimn.signal.reading import SignalReading
    from ecgimn.signal.waves.find import Waves

LOWERED, LEVEL, RAISED = 0, 1, 2  # places in `Palette.st_levels`
J_TICK_MM = 1.6  # half height of the tick at a J point
BAR_BELOW_MM = 1.2  # from the lower of baseline and trace to the middle of a bar

BEAT_HALF_S = 0.12  # about R, where a beat's letter keeps clear of the trace
LETTER_CLEAR_MM, LETTER_MM = 0.8, 3.5  # between trace and letter; height that a letter needs
BEAT_WORDS = {"V": "ventricular", "S": "supraventricular", "P": "paced"}

Line = tuple[NDArray[np.float32], NDArray[np.float32]]  # x and y in mm, NaN between strokes


@dataclass(frozen=True)
class StMarks:
    """What the verdicts say of ST and T, lead by lead.

    Attributes
    ----------
    outlined : tuple of str
        Leads that meet the ST-elevation threshold: raised, and outlined on the paper.
    lowered : tuple of str
        Leads that meet the ST-depression threshold.
    inverted : tuple of str
        Leads that meet the T-inversion threshold.
    measured : bool
        Whether ST was measured at all; the legend then names the colours.
    reference : str
        Reference level ("PQ" or "TP").
    beats : tuple of (float, str)
        Time of R in s and letter of every beat that is no beat of the basic rhythm.
    pauses : tuple of (float, float)
        Start and length in s.
    """

    outlined: tuple[str, ...] = ()
    lowered: tuple[str, ...] = ()
    inverted: tuple[str, ...] = ()
    measured: bool = False
    reference: str = "PQ"
    beats: tuple[tuple[float, str], ...] = ()
    pauses: tuple[tuple[float, float], ...] = ()

    @property
    def beats_key(self) -> str:
        """Say what the letters mean; empty where there are none."""
        used = {letter for _, letter in self.beats}
        words = ", ".join(f"{letter} {word}" for letter, word in BEAT_WORDS.items() if letter in used)
        return f"beats: {words}" if words else ""

    def step(self, lead: str) -> int:
        """Return `RAISED`, `LOWERED` or `LEVEL` for a lead."""
        return RAISED if lead in self.outlined else LOWERED if lead in self.lowered else LEVEL


def st_marks(reading: SignalReading) -> StMarks:
    """Return what the verdicts of a recording say as marks for a figure."""
    if reading.measurements is None or reading.waves is None:
        return StMarks()
    at_s = reading.waves.r_samples / reading.waves.fs
    return StMarks(
        reading.st_elevation_leads,
        reading.st_depression_leads,
        reading.t_inversion_leads,
        measured=bool(reading.measurements.st),
        reference=reading.measurements.reference,
        beats=tuple((float(at_s[beat]), letter) for beat, letter in sorted(reading.rhythm.beat_letters.items())),
        pauses=reading.rhythm.pauses,
    )


def beat_words(layout: PaperLayout, recording: Recording, st: StMarks) -> list[tuple[float, float, str]]:
    """Return what stands over the rhythm strip: middle and foot in mm, and the letter of a beat or a pause's length.

    Without a strip of lead II they stand over the top row.
    """
    panels = [panel for panel in layout.panels if panel.rhythm and panel.lead == "II"]
    panels = panels or [panel for panel in layout.panels if panel.row == 0]
    said = [*st.beats, *((start + length / 2, f"pause {length:.1f} s") for start, length in st.pauses)]
    words = []
    for panel in panels:
        drawn, row = panel.samples(recording.fs, recording.n_samples), recording.signal[lead_index(panel.lead)]
        for middle_s, word in said:
            if panel.start_s <= middle_s < panel.stop_s:
                first, last = (round((middle_s + side) * recording.fs) for side in (-BEAT_HALF_S, BEAT_HALF_S))
                near = row[max(first, drawn.start) : min(last, drawn.stop)]
                mm = np.append(np.asarray(layout.voltage_mm(panel, near[np.isfinite(near)])), panel.baseline_mm)
                foot = min(float(mm.max()) + LETTER_CLEAR_MM, layout.height_mm - LETTER_MM)
                words.append((float(layout.time_mm(panel, middle_s)), foot, word))
    return words


def st_lines(layout: PaperLayout, recording: Recording, waves: Waves, st: StMarks) -> dict[int, Line]:
    """Return a bar under each ST segment, J point to T onset, by what the verdict says of the lead."""
    strokes: dict[int, list[Line]] = {}
    for panel in layout.panels:
        lead = lead_index(panel.lead)
        step = st.step(panel.lead)
        for start, stop in zip(waves.qrs_offset[lead], waves.t_onset[lead], strict=True):
            stroke = _bar(layout, panel, recording, start, stop)
            if stroke:
                strokes.setdefault(step, []).append(stroke)
    return {step: _joined(lines) for step, lines in sorted(strokes.items())}


def t_lines(layout: PaperLayout, recording: Recording, waves: Waves, st: StMarks) -> dict[bool, Line]:
    """Return a bar under each T wave, onset to offset: under True where T inversion meets its threshold."""
    strokes: dict[bool, list[Line]] = {}
    for panel in layout.panels:
        lead = lead_index(panel.lead)
        for start, stop in zip(waves.t_onset[lead], waves.t_offset[lead], strict=True):
            stroke = _bar(layout, panel, recording, start, stop)
            if stroke:
                strokes.setdefault(panel.lead in st.inverted, []).append(stroke)
    return {down: _joined(lines) for down, lines in sorted(strokes.items())}


def j_ticks(layout: PaperLayout, recording: Recording, waves: Waves) -> Line:
    """Return a short upright tick at each J point."""
    ticks: list[Line] = []
    for panel in layout.panels:
        lead = lead_index(panel.lead)
        drawn = panel.samples(recording.fs, recording.n_samples)
        for j_sample in waves.qrs_offset[lead]:
            if np.isfinite(j_sample) and drawn.start <= round(j_sample) < drawn.stop:
                x = layout.time_mm(panel, j_sample / recording.fs)
                y = layout.voltage_mm(panel, float(recording.signal[lead, round(j_sample)]))
                ticks.append(
                    (np.array([x, x], np.float32), np.array([y - J_TICK_MM, y + J_TICK_MM], np.float32)),
                )
    return _joined(ticks)


def _bar(layout: PaperLayout, panel: Panel, recording: Recording, start: float, stop: float) -> Line | None:
    """Return a level line under the trace from one sample to another, as far as the panel shows it.

    The baseline is the median of the lead, which is near enough for a mark that measures nothing.
    """
    if not (np.isfinite(start) and np.isfinite(stop)) or stop <= start:
        return None
    drawn = panel.samples(recording.fs, recording.n_samples)
    first, last = max(round(start), drawn.start), min(round(stop), drawn.stop - 1)
    if last <= first:
        return None
    row = recording.signal[lead_index(panel.lead)]
    heights = np.asarray(layout.voltage_mm(panel, np.append(row[first : last + 1], np.nanmedian(row))))
    y = float(np.nanmin(heights)) - BAR_BELOW_MM
    x = np.asarray(layout.time_mm(panel, np.array([first, last]) / recording.fs), dtype=np.float32)
    return x, np.full(2, y, dtype=np.float32)


def _joined(strokes: list[Line]) -> Line:
    gap = np.array([np.nan], np.float32)
    x = [part for stroke in strokes for part in (stroke[0], gap)]
    y = [part for stroke in strokes for part in (stroke[1], gap)]
    empty = np.empty(0, np.float32)
    return (np.concatenate(x), np.concatenate(y)) if strokes else (empty, empty)
