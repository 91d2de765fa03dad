"""Measurements as rows of text for the screen: unmeasurable is "—", every value has its unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecgimn.leads import CHEST_LEADS, LIMB_LEADS
from ecgimn.signal.intervals import Measured
from ecgimn.signal.reading import SignalReading
from ecgimn.signal.thresholds import possible_groups

MM_PER_MV = 10.0  # in ST tables 1 mm is 0.1 mV at every display gain
MINUS = "−"
NOTHING = "—"


@dataclass(frozen=True)
class Value:
    """One measurement as shown: name, value with unit or "—", and why or what to know."""

    name: str
    text: str
    note: str = ""


def interval_values(reading: SignalReading) -> tuple[Value, ...]:
    """Return rate, intervals and axis in the order in which a reader expects them."""
    if reading.measurements is None:
        return ()
    intervals = reading.measurements.intervals
    return (
        _value("Heart rate", intervals.heart_rate, unit="/min"),
        _value("PR", intervals.pr),
        _value("QRS", intervals.qrs),
        _value("QT", intervals.qt),
        _value("QTc Bazett", intervals.qtc["Bazett"]),
        _value("QTc Fridericia", intervals.qtc["Fridericia"]),
        _value("Axis", intervals.axis, unit="°"),
    )


def st_grid(reading: SignalReading) -> str:
    """Return the ST level at J+60 of all leads as a small Markdown table, in mV; leads beyond threshold in bold."""
    if not reading.j60_mv:
        return ""
    lines = []
    for leads in (LIMB_LEADS, CHEST_LEADS):
        marked = [f"**{lead} ▲**" if lead in reading.st_elevation_leads else f"**{lead}**" for lead in leads]
        values = [
            f"**{_signed(reading.j60_mv[lead])}**"
            if lead in reading.st_elevation_leads
            else _signed(reading.j60_mv[lead])
            for lead in leads
        ]
        lines.append("| " + " | ".join(marked) + " |")
        if len(lines) == 1:
            lines.append("|" + " :---: |" * len(leads))
        lines.append("| " + " | ".join(values) + " |")
    return "\n".join(lines)


def st_rows(reading: SignalReading) -> list[dict[str, str]]:
    """Return the ST table, one row per lead: levels in mV and mm, slope, shape; and the T wave."""
    if reading.measurements is None:
        return []
    waves = {wave.lead: wave for wave in reading.measurements.t_waves}
    rows = []
    for st in reading.measurements.st:
        wave = waves[st.lead]
        rows.append(
            {
                "Lead": st.lead,
                "J": _level(st.j_mv),
                "J+60": _level(st.j60_mv),
                "J+80": _level(st.j80_mv),
                "Slope (mV/s)": _signed(st.slope_mv_per_s),
                "ST shape": st.shape,
                "T (mV)": _signed(wave.amplitude_mv),
                "T grade": wave.grade,
            }
        )
    return rows


def subject_words(reading: SignalReading) -> str:
    """Say for whom the thresholds are judged."""
    recording = reading.recording
    age = None if recording.age is None else "90+ y" if recording.age >= 90 else f"{recording.age} y"
    known = ", ".join(part for part in (recording.sex, age) if part)
    groups = possible_groups(recording.sex, recording.age)
    if len(groups) == 1:
        return known
    missing = " and ".join(name for name, value in (("sex", recording.sex), ("age", age)) if value is None)
    return f"{known + ', ' if known else ''}{missing} unknown"


def _value(name: str, measured: Measured, *, unit: str = "") -> Value:
    if measured.value is None:
        return Value(name, NOTHING, measured.reason)
    number = f"{measured.value:.0f}".replace("-", MINUS)
    space = "" if unit.startswith(("/", "°")) else " "
    return Value(name, f"{number}{space}{unit or measured.unit}", measured.note)


def _level(value_mv: float) -> str:
    """Print a level in mV and in mm of standard paper: "+0.11 mV, 1.1 mm"."""
    if not np.isfinite(value_mv):
        return NOTHING
    return f"{_signed(value_mv)} mV, {_signed(MM_PER_MV * value_mv, 1).lstrip('+')} mm"


def _signed(value: float | None, digits: int = 2) -> str:
    if value is None or not np.isfinite(value):
        return NOTHING
    words = f"{value:+.{digits}f}"
    return words[1:] if float(words) == 0 else words.replace("-", MINUS)
