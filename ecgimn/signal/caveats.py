"""What is found beside ST and T, and which verdicts it withholds: wide QRS, block, pacing, voltage, quality."""

from __future__ import annotations

from dataclasses import dataclass

from ecgimn.recording import Recording, Sex
from ecgimn.signal import conduction, thresholds
from ecgimn.signal.lead_reversal import possible_lead_reversal
from ecgimn.signal.measure import Measurements
from ecgimn.signal.qrs_shape import QrsShape
from ecgimn.signal.quality import Quality
from ecgimn.signal.thresholds import Group
from ecgimn.signal.verdicts import Finding
from ecgimn.signal.waves import Waves

MIN_BEATS = 3
LOW_FS = 100.0  # Hz
LOW_FS_NOTE = "fine notching and pacing spikes not resolvable; J point and intervals +/-10 ms"
RBBB_LEADS = ("V1", "V2", "V3")


@dataclass(frozen=True)
class Caveats:
    """What makes ST and T verdicts unsafe: reasons for all leads, reasons per group, and leads lost to RBBB."""

    reasons: tuple[str, ...] = ()
    by_group: tuple[tuple[str, str], ...] = ()
    blocked_leads: tuple[str, ...] = ()

    def of(self, group: Group) -> str:
        """Reason to withhold for one group, or an empty text."""
        return "; ".join([*self.reasons, *(reason for label, reason in self.by_group if label == group.label)])


def lvh_voltage(sums: conduction.Voltages, groups: tuple[Group, ...]) -> Finding:
    """Judge the voltage screens for left ventricular hypertrophy."""
    values = f"Sokolow-Lyon {sums.sokolow_lyon_uv / 1000:.2f} mV, Cornell {sums.cornell_uv / 1000:.2f} mV"
    met = {group.label: sums.met(group.sex) for group in groups}
    leads = ("V1", "V5", "V6", "aVL", "V3")
    names = set(met.values())
    if names == {()}:
        return Finding("LVH voltage", f"does not meet LVH voltage criteria ({values})", (), "does not meet")
    if len(names) == 1:
        which = " and ".join(names.pop())
        return Finding("LVH voltage", f"meets LVH voltage criteria: {which} ({values})", leads, "meets")
    if all(met.values()):
        return Finding("LVH voltage", f"meets LVH voltage criteria ({values})", leads, "meets")
    sexes = {"woman" if group.sex == "female" else "man": bool(met[group.label]) for group in groups}
    parts = [f"{'met' if reached else 'not met'} if {name}" for name, reached in sexes.items()]
    return Finding("LVH voltage", f"LVH voltage criteria: {'; '.join(parts)} ({values})", leads, "depends")


def _qtc(measurements: Measurements, sex: Sex | None, qrs_ms: float) -> list[Finding]:
    """QTc against its limits, Bazett and Fridericia side by side; not judged where QRS is wide."""
    values = {name: measurements.intervals.qtc[name].value for name in ("Bazett", "Fridericia")}
    if thresholds.qrs_verdict(qrs_ms) == "wide":
        return []
    parts = [f"{name} {value:.0f} ms: {thresholds.qtc_verdict(value, sex)}" for name, value in values.items() if value]
    if not parts or all(part.endswith(": within limits") for part in parts):
        return []
    return [Finding("QTc", f"QTc {', '.join(parts)}", (), "note", "Bazett misleads at high and low rates.")]


def find_caveats(
    recording: Recording,
    waves: Waves,
    measurements: Measurements,
    quality: Quality,
    groups: tuple[Group, ...],
) -> tuple[list[Finding], Caveats, dict[str, QrsShape]]:
    """Findings beside ST and T, what they withhold, and the QRS shapes by lead that they rest on."""
    items: list[Finding] = []
    reasons: list[str] = []
    blocked: tuple[str, ...] = ()
    by_group: list[tuple[str, str]] = []
    shapes = conduction.shapes_by_lead(measurements)
    qrs, pr = measurements.intervals.qrs.value, measurements.intervals.pr.value

    def warn(kind: str, text: str, reason: str, leads: tuple[str, ...] = ()) -> None:
        items.append(Finding(kind, text, leads, "note"))
        reasons.append(reason)

    if recording.fs <= LOW_FS:
        items.append(Finding("resolution", LOW_FS_NOTE, (), "note"))
    if quality.refusals:
        warn("quality", "failed the quality check: " + " ".join(quality.refusals), "failed quality check")
    if 0 < measurements.n_beats < MIN_BEATS or not measurements.st:
        warn("beats", measurements.reason or "fewer than 3 usable beats", "fewer than 3 usable beats")
    if qrs is not None and shapes:
        right = conduction.is_rbbb(qrs, shapes)
        if right:
            items.append(Finding("RBBB criteria", f"meets RBBB criteria (QRS {qrs:.0f} ms)", RBBB_LEADS, "meets",
                                 "ST and T verdicts are withheld in V1-V3; read the others with care."))  # fmt: skip
            blocked = RBBB_LEADS
        elif conduction.is_lbbb(qrs, shapes):
            text = f"meets LBBB criteria (QRS {qrs:.0f} ms)"
            items.append(Finding("LBBB criteria", text, ("I", "aVL", "V5", "V6"), "meets"))
            reasons.append("LBBB criteria met")
        elif thresholds.qrs_verdict(qrs) == "wide":
            warn("wide QRS", f"wide QRS ({qrs:.0f} ms)", f"wide QRS ({qrs:.0f} ms)")
        if conduction.is_preexcited(pr, qrs) and not right:
            warn("pre-excitation", "possible pre-excitation: short PR with broad QRS", "possible pre-excitation")
        items.extend(_qtc(measurements, recording.sex, qrs))
    paced = conduction.paced_beats(recording, waves)
    if paced is not None and 2 * paced.sum() >= len(paced):
        text = f"pacing spikes before {int(paced.sum())} of {len(paced)} beats"
        warn("pacing", text, "paced rhythm")
    if shapes:
        sums = conduction.voltages(shapes)
        items.append(lvh_voltage(sums, groups))
        by_group = [(group.label, "LVH voltage criteria met") for group in groups if sums.met(group.sex)]
        for sentence in possible_lead_reversal(recording, waves, measurements):
            warn("lead reversal", sentence, "possible lead reversal")
    return items, Caveats(tuple(dict.fromkeys(reasons)), tuple(by_group), blocked), shapes
