"""Every textbook criterion on both sides of its limits, on levels and deflections written down by hand."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from synthetic_ecg import Tracing

from ecgimn.leads import STANDARD_LEADS
from ecgimn.signal.criteria import CRITERIA, Conditions, Criterion, find_criteria
from ecgimn.signal.findings import find_findings
from ecgimn.signal.intervals import Intervals, Measured
from ecgimn.signal.measure import Measurements, QrsShape, StMeasurement, TWave, st_shape
from ecgimn.signal.waves.find import find_waves

FS, ONSET, J = 500.0, 100, 145  # QRS of 90 ms
WOMAN, MAN = Conditions("female", 60), Conditions("male", 60)
R_S = {
    "I": (0.7, -0.1),
    "II": (1.0, -0.1),
    "III": (0.4, -0.1),
    "aVR": (0.0, -0.8),
    "aVL": (0.4, -0.1),
    "aVF": (0.7, -0.1),
    "V1": (0.2, -0.9),
    "V2": (0.4, -1.1),
    "V3": (0.8, -0.8),
    "V4": (1.2, -0.4),
    "V5": (1.1, -0.2),
    "V6": (0.9, -0.1),
}


def ms(value):
    return Measured(value, "ms", "" if value is not None else "not found")


def tracing(
    *, j=(), t=(), qrs=(), slope=0.0, qrs_ms=90.0, pr=160.0, axis=50.0, rate=75.0, qt=380.0, p_mv=0.1, signal=()
):
    """Measurements of an ordinary ECG with some leads changed.

    j: level by lead in mV; t: (positive, negative) by lead; qrs: fields of `QrsShape` by lead; signal: QRS by lead.
    """
    j, t, qrs = dict(j), dict(t), dict(qrs)
    beat = np.zeros((12, 400))
    beat[:, 40:80] = p_mv * np.hanning(40)
    for row, lead in enumerate(STANDARD_LEADS):
        up, down = t.get(lead, (0.3, 0.0))
        beat[row, 200:260] = (up if up >= -down else down) * np.hanning(60)
        if lead in dict(signal):
            beat[row, ONSET : ONSET + len(dict(signal)[lead])] = dict(signal)[lead]
    bordered = {name: np.full(12, at) for name, at in (("t_onset", 200.0), ("t_offset", 260.0))}
    common = {"qrs_onset": ONSET, "qrs_offset": J, "p_onset": 40.0, "p_offset": 80.0}
    rr = 60.0 / rate
    qtc = {"Bazett": ms(qt / rr**0.5), "Fridericia": ms(qt / rr ** (1 / 3))}
    intervals = Intervals(Measured(rate, "/min"), ms(1000 * rr), (ms(1000 * rr),) * 2, ms(pr), ms(qrs_ms), ms(qt), qtc,
                          Measured(axis, "degrees"))  # fmt: skip
    shapes = tuple(
        replace(QrsShape(lead, r_mv=R_S[lead][0], s_mv=R_S[lead][1], r_ms=40.0, s_ms=20.0), **qrs.get(lead, {}))
        for lead in STANDARD_LEADS
    )
    st = tuple(
        StMeasurement(lead, j.get(lead, 0.0), j.get(lead, 0.0), j.get(lead, 0.0), slope, st_shape(slope), "PQ", 0.0, 10)
        for lead in STANDARD_LEADS
    )
    waves = []
    for lead in STANDARD_LEADS:
        up, down = t.get(lead, (0.3, 0.0))
        grade = "biphasic +/-" if up > 0.1 and down < -0.1 else "positive" if up >= -down else "inverted"
        waves.append(TWave(lead, up if up >= -down else down, up, down, grade))
    return Measurements(intervals, st, tuple(waves), shapes, "PQ", "J+80", 10, 10, "",
                        SimpleNamespace(signal=beat, landmarks=bordered, common=common, j=float(J), fs=FS))  # fmt: skip


def raised(leads, verdict="met"):
    """Stand-ins for the findings on ST and T."""

    def judged(kind):
        return Criterion(kind, "", "", verdict if kind == "ST elevation" else "not met", "", leads, "ST")

    return judged


def criterion(name, given=MAN, judged=None, **changed):
    return next(item for item in find_criteria(tracing(**changed), given, judged) if item.name == name)


CHEST_INVERTED = {"V2": (0.0, -0.3), "V3": (0.0, -0.4)}
LBBB = Conditions("male", 60, block="LBBB")
LEFT = {"V1": {"s_mv": -2.0}, "V2": {"s_mv": -2.0}, "V3": {"s_mv": -2.0}, "V5": {"r_mv": 1.5}}
NOTCHED = np.interp(np.arange(75), [0, 22, 30, 38, 74], [0.0, 1.0, 0.7, 1.0, 0.0])


@pytest.mark.parametrize(
    ("name", "changed", "given", "verdict"),
    [
        ("ST depression V1-V3 (posterior)", {"j": {"V2": -0.05, "V3": -0.05}}, MAN, "met"),
        ("ST depression V1-V3 (posterior)", {"j": {"V2": -0.049, "V3": -0.05}}, MAN, "not met"),
        ("ST depression V1-V3 (posterior)", {"j": {"V2": -0.1, "V3": -0.1}, "t": CHEST_INVERTED}, MAN, "not met"),
        ("ST depression V1-V3 (posterior)", {"j": {"V2": -0.1, "V3": -0.1}}, Conditions("male", 60, block="RBBB"),
         "may be secondary"),
        ("de Winter", {"j": {"V3": -0.1, "V4": -0.1}, "t": {"V3": (0.5, 0), "V4": (0.5, 0)}, "slope": 1.1}, MAN, "met"),
        ("de Winter", {"j": {"V3": -0.1, "V4": -0.1}, "t": {"V3": (0.5, 0), "V4": (0.5, 0)}, "slope": 0.0}, MAN,
         "not met"),
        ("de Winter", {"j": {"V3": -0.1, "V4": -0.1}, "t": {"V3": (0.5, 0), "V4": (0.49, 0)}, "slope": 1.1}, MAN,
         "not met"),
        ("aVR or V1 elevation with diffuse ST depression",
         {"j": {"aVR": 0.1, **dict.fromkeys(("I", "II", "aVF", "V4", "V5", "V6"), -0.1)}}, MAN, "met"),
        ("aVR or V1 elevation with diffuse ST depression",
         {"j": {"aVR": 0.1, **dict.fromkeys(("I", "II", "aVF", "V4", "V5"), -0.1)}}, MAN, "not met"),
        ("Brugada type 1", {"j": {"V1": 0.2}, "t": {"V1": (0.0, -0.2)}, "slope": -1.0}, MAN, "met"),
        ("Brugada type 1", {"j": {"V1": 0.199}, "t": {"V1": (0.0, -0.2)}, "slope": -1.0}, MAN, "not met"),
        ("Brugada type 1", {"j": {"V1": 0.2}, "slope": -1.0}, MAN, "not met"),
        ("Early repolarisation", {"j": {"V4": 0.1, "V5": 0.1}}, MAN, "met"),
        ("Early repolarisation", {"j": {"V4": 0.1, "V5": 0.1}, "qrs_ms": 120.0}, MAN, "not met"),
        ("Early repolarisation", {"j": {"V2": 0.1, "V3": 0.1}}, MAN, "not met"),
        ("Pericarditis-like ST", {"j": dict.fromkeys(("I", "II", "aVF", "V3", "V4", "V5", "V6"), 0.08)}, MAN, "met"),
        ("Pericarditis-like ST", {"j": dict.fromkeys(("I", "II", "aVF", "V3", "V4", "V5", "V6"), 0.06)}, MAN,
         "not met"),
        ("Wellens", {"t": CHEST_INVERTED}, MAN, "met"),
        ("Wellens", {"t": {"V2": (0.2, -0.2), "V3": (0.2, -0.2)}}, MAN, "met"),
        ("Wellens", {"t": CHEST_INVERTED, "j": {"V3": 0.1}}, MAN, "not met"),
        ("T inversion with prominent R", {"t": {"V5": (0, -0.101), "V6": (0, -0.101)}}, MAN, "met"),
        ("T inversion with prominent R", {"t": {"V5": (0, -0.1), "V6": (0, -0.1)}}, MAN, "not met"),
        ("T inversion with prominent R", {"t": {"V1": (0, -0.4), "V2": (0, -0.4)}}, MAN, "not met"),
        ("Hyperkalaemia-like T", {"t": {"V3": (1.2, 0), "V4": (1.2, 0)}}, MAN, "met"),
        ("Hyperkalaemia-like T", {"t": {"V3": (0.9, 0), "V4": (0.9, 0)}}, MAN, "not met"),
        ("Sgarbossa", {"j": {"V5": 0.1}}, MAN, "not applicable"),
        ("Sgarbossa", {"j": {"V5": 0.1}, "qrs": LEFT}, LBBB, "met"),
        ("Sgarbossa", {"j": {"V2": -0.1}, "qrs": LEFT}, LBBB, "met"),
        ("Sgarbossa", {"j": {"V2": 0.49}, "qrs": LEFT}, LBBB, "not met"),
        ("Sgarbossa", {"j": {"V2": 0.5}, "qrs": LEFT}, LBBB, "not met"),  # two points are too few
        ("Sgarbossa, modified by Smith", {"j": {"V2": 0.5}, "qrs": LEFT}, LBBB, "met"),
        ("Sgarbossa, modified by Smith", {"j": {"V2": 0.49}, "qrs": LEFT}, LBBB, "not met"),
        ("Sgarbossa, modified by Smith", {"j": {"V5": 0.1}, "qrs": LEFT}, Conditions("male", 60, paced=True), "met"),
        ("Q waves, inferior", {"qrs": {lead: {"q_mv": -0.1, "q_ms": 30.0} for lead in ("III", "aVF")}}, MAN, "met"),
        ("Q waves, inferior", {"qrs": {lead: {"q_mv": -0.1, "q_ms": 29.0} for lead in ("III", "aVF")}}, MAN, "not met"),
        ("Q waves, inferior", {"qrs": {"III": {"q_mv": -0.3, "q_ms": 40.0}}}, MAN, "not met"),
        ("Q waves, anterior", {"qrs": {"V2": {"r_mv": 0.0}}}, MAN, "met"),
        ("Q waves, anterior", {"qrs": {"V3": {"q_mv": -0.05, "q_ms": 20.0}}}, MAN, "not met"),
        ("Q waves, anterior", {"qrs": {"V2": {"r_mv": 0.0}}}, LBBB, "may be secondary"),
        ("Q waves, lateral", {"qrs": {lead: {"q_mv": -0.2, "q_ms": 40.0} for lead in ("I", "aVL")}}, MAN, "met"),
        ("Tall R in V1-V2 (posterior)", {"qrs": {"V1": {"r_mv": 1.0}, "V2": {"r_mv": 1.2}}}, MAN, "met"),
        ("Tall R in V1-V2 (posterior)", {"qrs": {"V1": {"r_mv": 1.0, "r_ms": 39.0}, "V2": {"r_mv": 1.2}}}, MAN,
         "not met"),
        ("Poor R progression", {"qrs": {"V3": {"r_mv": 0.3}}}, MAN, "met"),
        ("Poor R progression", {"qrs": {"V3": {"r_mv": 0.31}}}, MAN, "not met"),
        ("LVH, Sokolow-Lyon", {"qrs": {"V5": {"r_mv": 2.6}}}, MAN, "met"),
        ("LVH, Sokolow-Lyon", {"qrs": {"V5": {"r_mv": 2.599}}}, MAN, "not met"),
        ("LVH, Sokolow-Lyon", {"qrs": {"V5": {"r_mv": 2.6}}}, LBBB, "may be secondary"),
        ("LVH, Cornell", {"qrs": {"aVL": {"r_mv": 1.5}}}, WOMAN, "met"),
        ("LVH, Cornell", {"qrs": {"aVL": {"r_mv": 1.5}}}, MAN, "not met"),
        ("LVH, Cornell", {"qrs": {"aVL": {"r_mv": 1.5}}}, Conditions(None, 60), "depends"),
        ("LVH, Peguero-Lo Presti", {"qrs": {"V4": {"s_mv": -1.2}}}, WOMAN, "met"),
        ("LVH, Peguero-Lo Presti", {"qrs": {"V4": {"s_mv": -1.2}}}, MAN, "not met"),
        ("RVH", {"qrs": {"V1": {"r_mv": 0.8, "s_mv": -0.2}, "V6": {"s_mv": -0.4}}, "axis": 110.0}, MAN, "met"),
        ("RVH", {"axis": 110.0}, MAN, "not met"),
        ("Low voltage", {"qrs": {lead: {"r_mv": 0.3, "s_mv": -0.1} for lead in STANDARD_LEADS[:6]}}, MAN, "met"),
        ("Low voltage", {}, MAN, "not met"),
        ("Incomplete RBBB", {"qrs_ms": 112.0, "qrs": {"V1": {"r2_mv": 0.3}, "I": {"s_ms": 50.0}, "V6": {"s_ms": 50.0}}},
         MAN, "met"),
        ("Incomplete RBBB", {"qrs_ms": 109.0, "qrs": {"V1": {"r2_mv": 0.3}, "I": {"s_ms": 50.0}, "V6": {"s_ms": 50.0}}},
         MAN, "not met"),
        ("LAFB", {"axis": -45.0, "qrs": {"aVL": {"q_mv": -0.1}, "III": {"s_mv": -1.0}, "aVF": {"s_mv": -1.0}}}, MAN,
         "met"),
        ("LAFB", {"axis": -44.0, "qrs": {"aVL": {"q_mv": -0.1}, "III": {"s_mv": -1.0}, "aVF": {"s_mv": -1.0}}}, MAN,
         "not met"),
        ("LPFB", {"axis": 110.0, "qrs": {"I": {"s_mv": -0.9}, "aVL": {"s_mv": -0.9}, "III": {"q_mv": -0.1},
                                         "aVF": {"q_mv": -0.1}}}, MAN, "met"),
        ("Pre-excitation", {}, replace(MAN, preexcited=True), "met"),
        ("Pre-excitation", {"pr": None}, MAN, "not measurable"),
        ("PR above 200 ms", {"pr": 201.0}, MAN, "met"),
        ("PR above 200 ms", {"pr": 200.0}, MAN, "not met"),
        ("Left axis deviation", {"axis": -31.0}, MAN, "met"),
        ("Left axis deviation", {"axis": -30.0}, MAN, "not met"),
        ("Right axis deviation", {"axis": 91.0}, MAN, "met"),
        ("Right atrial enlargement", {"p_mv": 0.26}, MAN, "met"),
        ("Right atrial enlargement", {"p_mv": 0.1}, MAN, "not met"),
        ("Left atrial enlargement", {"p_mv": -0.1}, MAN, "met"),
        ("Left atrial enlargement", {"p_mv": 0.1}, MAN, "not met"),
        ("Left atrial enlargement", {"pr": None}, MAN, "not measurable"),
        ("Prolonged QTc", {"rate": 60.0, "qt": 450.0}, MAN, "met"),
        ("Prolonged QTc", {"rate": 60.0, "qt": 450.0}, WOMAN, "not met"),
        ("Prolonged QTc", {"rate": 60.0, "qt": 450.0}, Conditions(None, 60), "depends"),
        ("Prolonged QTc", {"rate": 60.0, "qt": 512.0, "qrs_ms": 130.0}, MAN, "not met"),
        ("Prolonged QTc", {"rate": 60.0, "qt": 514.0, "qrs_ms": 130.0}, MAN, "met"),
        ("Short QTc", {"rate": 60.0, "qt": 360.0}, MAN, "met"),
        ("Short QTc", {"rate": 60.0, "qt": 361.0}, MAN, "not met"),
    ],
)  # fmt: skip
def test_a_criterion_on_both_sides_of_its_limits(name, changed, given, verdict):
    assert criterion(name, given, **changed).verdict == verdict


def test_strauss_needs_falling_v1_and_v2_width_by_sex_and_two_notched_leads():
    falls = LEFT | {"V1": {"s_mv": -2.0, "r_mv": 0.1}, "V2": {"s_mv": -2.0, "r_mv": 0.1}}
    beat = {"V5": NOTCHED[:46], "V6": NOTCHED[:46]}
    smooth = {"V5": np.hanning(46), "V6": np.hanning(46)}
    name = "LBBB (Strauss)"
    assert criterion(name, qrs_ms=140.0, qrs=falls, signal=beat).verdict == "met"
    assert criterion(name, qrs_ms=139.0, qrs=falls, signal=beat).verdict == "not met"
    assert criterion(name, WOMAN, qrs_ms=139.0, qrs=falls, signal=beat).verdict == "met"
    assert criterion(name, Conditions(), qrs_ms=139.0, qrs=falls, signal=beat).verdict == "depends"
    assert criterion(name, qrs_ms=140.0, qrs=falls, signal=smooth).verdict == "not met"


def test_reciprocal_change_is_looked_for_opposite_the_elevation():
    name, inferior = "Reciprocal ST depression", raised(("II", "III", "aVF"))
    found = criterion(name, judged=inferior, j={"aVL": -0.05})
    assert (found.verdict, found.leads) == ("met", ("aVL",))
    assert criterion(name, judged=inferior, j={"V2": -0.2}).verdict == "not met"
    assert criterion(name, judged=raised((), "not met"), j={"aVL": -0.2}).verdict == "not applicable"


@pytest.mark.parametrize(("rate", "qt", "numbers"), [(120.0, 340.0, (428, 481)), (90.0, 370.0, (424, 453))])
def test_qtc_is_judged_by_fridericia_and_bazett_stands_beside_it(rate, qt, numbers):
    found = criterion("Prolonged QTc", rate=rate, qt=qt)
    assert found.numbers == f"Fridericia {numbers[0]} ms, Bazett {numbers[1]} ms"
    assert found.verdict == "not met"


def test_what_a_wide_qrs_adds_to_qt_is_taken_off_and_said():
    found = criterion("Prolonged QTc", rate=60.0, qt=480.0, qrs_ms=160.0)
    assert found.numbers == "Fridericia 480 ms, Bazett 480 ms; Fridericia without 48.5 % of QRS 402 ms"
    assert (found.verdict, found.reason) == ("not met", "QRS of 160 ms lengthens QT.")


def test_an_interval_within_10_ms_of_its_limit_is_called_borderline():
    for name, key, near, far in (("Prolonged QTc", "qt", (440.0, 460.0), (439.0, 461.0)),
                                 ("PR above 200 ms", "pr", (190.0, 210.0), (189.0, 211.0))):  # fmt: skip
        assert all("Borderline" in criterion(name, rate=60.0, **{key: value}).reason for value in near)
        assert not any("Borderline" in criterion(name, rate=60.0, **{key: value}).reason for value in far)


def test_leads_that_disagree_on_the_end_of_t_leave_qtc_unmeasured_below_500_ms():
    for qt, verdict in ((470.0, "not measurable"), (510.0, "met")):
        measured = tracing(rate=60.0, qt=qt)
        measured.beat.landmarks["t_offset"] = np.repeat([230.0, 260.0], 6)
        found = {item.name: item for item in find_criteria(measured, MAN)}["Prolonged QTc"]
        assert found.verdict == verdict
        assert "disagree on the end of T" in found.reason


def test_nothing_is_judged_under_18_and_that_is_said():
    found = find_criteria(tracing(j={"V2": 0.5, "V3": 0.5}), Conditions("male", 17))
    assert {item.verdict for item in found} == {"not measurable"}
    assert all("under 18" in item.reason for item in found)
    assert criterion("LVH, Sokolow-Lyon", Conditions("male", 18), qrs={"V5": {"r_mv": 3.0}}).verdict == "met"


def test_every_criterion_is_listed_once_in_its_order_with_a_source():
    names = [name for name, _, _ in CRITERIA]
    assert [item.name for item in find_criteria(tracing(), MAN, raised((), "not met"))] == names
    assert [item.name for item in find_criteria(tracing(), replace(MAN, withheld="failed"))] == names
    assert all(item.source for item in find_criteria(tracing(), MAN))


def test_criteria_on_st_and_t_say_what_the_findings_say():
    recording = Tracing(st_mv={"V2": 0.35, "V3": 0.35, "V4": 0.25}).recording(sex="male", age=60)
    found = find_findings(recording, find_waves(recording))
    by_name = {item.name: item for item in found.criteria}
    assert by_name["ST elevation"].verdict == "met"
    assert by_name["ST elevation"].leads == found.marked("ST elevation") == ("V2", "V3", "V4")
    assert "V2 +0.3" in by_name["ST elevation"].numbers
    assert by_name["ST depression"].verdict == "not met"


def test_limb_leads_that_contradict_each_other_withhold_the_verdicts():
    recording = Tracing().recording(sex="male", age=60)
    signal = recording.signal.copy()
    signal[2] += 0.2 * np.sin(np.arange(signal.shape[1]) / 40)
    broken = recording.with_signal(signal)
    found = find_findings(broken, find_waves(recording))
    assert "the limb leads contradict each other" in found.withheld
