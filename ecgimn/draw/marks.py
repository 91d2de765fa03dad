"""ST segments, T waves and J points as lines in mm, for the screen and for print. They mark; they measure nothing.

Segments are marked by bars under the baseline, or under the trace where it lies lower: the trace and what is painted
beside it stay free, and rules and evidence are told apart at a glance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ecgimn.draw.paper import Panel, PaperLayout
from ecgimn.leads import lead_index

if TYPE_CHECKING:
    from ecgimn.recording import Recording
    from ecgimn.signal.waves.find import Waves

ST_STEPS_MV = (-0.1, -0.05, 0.05, 0.1)  # half a millimetre and one millimetre, the steps of the ST criteria
ST_STEP_WORDS = ("lowered ≥ 0.1 mV", "lowered", "level", "raised", "raised ≥ 0.1 mV")
LEVEL = 2  # the step of a level that is neither raised nor lowered, or unknown
J_TICK_MM = 1.6  # half height of the tick at a J point
BAR_BELOW_MM = 1.2  # from the lower of baseline and trace to the middle of a bar

Line = tuple[NDArray[np.float32], NDArray[np.float32]]  # x and y in mm, NaN between strokes


@dataclass(frozen=True)
class StMarks:
    """The measured ST levels to show on the trace.

    Attributes
    ----------
    level_mv : mapping of str to float
        ST level of each lead in mV; a lead without a finite level keeps the colour of "level" unless others are known.
    outlined : tuple of str
        Leads beyond the ST-elevation threshold, outlined on the paper.
    point : str
        Where the level was taken ("J", "J+60", "J+80").
    reference : str
        Reference level ("PQ" or "TP").
    """

    level_mv: Mapping[str, float] = field(default_factory=dict)
    outlined: tuple[str, ...] = ()
    point: str = "J+60"
    reference: str = "PQ"


def st_step(level_mv: float | None) -> int:
    """Return which of the five steps of `ST_STEP_WORDS` a level belongs to, in whole microvolts; unknown is "level"."""
    if level_mv is None or not np.isfinite(level_mv):
        return LEVEL
    microvolts = round(1000 * level_mv)
    limits = [round(1000 * step) for step in ST_STEPS_MV]
    return (microvolts > limits[0]) + (microvolts > limits[1]) + (microvolts >= limits[2]) + (microvolts >= limits[3])


def st_lines(layout: PaperLayout, recording: Recording, waves: Waves, st: StMarks) -> dict[int, Line]:
    """Return a bar under each ST segment, J point to T onset, by step of the lead's ST level."""
    strokes: dict[int, list[Line]] = {}
    for panel in layout.panels:
        lead = lead_index(panel.lead)
        step = st_step(st.level_mv.get(panel.lead))
        for start, stop in zip(waves.qrs_offset[lead], waves.t_onset[lead], strict=True):
            stroke = _bar(layout, panel, recording, start, stop)
            if stroke:
                strokes.setdefault(step, []).append(stroke)
    return {step: _joined(lines) for step, lines in sorted(strokes.items())}


def t_lines(layout: PaperLayout, recording: Recording, waves: Waves) -> dict[bool, Line]:
    """Return a bar under each T wave, onset to offset: under False the upright, under True the inverted ones.

    A T wave points down when its peak, as drawn, lies below the straight line between its ends.
    """
    strokes: dict[bool, list[Line]] = {}
    for panel in layout.panels:
        lead = lead_index(panel.lead)
        rows = (waves.t_onset[lead], waves.t_peak[lead], waves.t_offset[lead])
        for start, peak, stop in zip(*rows, strict=True):
            stroke = _bar(layout, panel, recording, start, stop)
            if stroke and np.isfinite(peak) and start < peak < stop:
                down = _below_chord(panel.sign * recording.signal[lead], start, peak, stop)
                strokes.setdefault(down, []).append(stroke)
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


def _below_chord(row: NDArray[np.floating], start: float, peak: float, stop: float) -> bool:
    begin, middle, end = (float(row[min(round(at), row.size - 1)]) for at in (start, peak, stop))
    return middle < begin + (end - begin) * (peak - start) / (stop - start)
