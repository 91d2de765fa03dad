"""The reading in plain words: templates filled with numbers of ledger, measurements and edits, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgimn.explain.case import OUTSIDE, Case, Evidence
from ecgimn.explain.edits import WaveMasks
from ecgimn.explain.measured import Claim, Reasons
from ecgimn.explain.what_if import LIMIT_MV, Edit, EditResult, Flip, FlipSearch, leads_that_follow, st_change_mv
from ecgimn.leads import LIMB_LEADS, STANDARD_LEADS, TERRITORIES
from ecgimn.model import MISS_RATE
from ecgimn.signal.reading import SignalReading
from ecgimn.signal.waves.find import WAVE_NAMES

ST_AND_T = ("ST", "T")
MINUS = "−"  # as wide as the plus
NOTHING = "—"  # what cannot be measured
LEAST_USED = 0.1  # logit; evidence in ST and T below this is hardly used
NAMED_SHARE = 0.15  # a territory is named when it holds at least this share of the evidence in its direction


@dataclass(frozen=True)
class StShare:
    """How much of a class's evidence lies on the measured ST elevation.

    Attributes
    ----------
    leads : tuple of str
        Leads beyond their own ST-elevation threshold.
    logit : float
        Evidence in ST and T of these leads.
    share_of_positive : float or None
        That evidence over all positive cells; None where it raises nothing, and when there is no positive evidence.
    """

    leads: tuple[str, ...]
    logit: float
    share_of_positive: float | None


def st_elevation_share(evidence: Evidence) -> StShare:
    """Return the evidence in ST and T of the leads whose ST is elevated."""
    leads = evidence.reading.st_elevation_leads
    cells = evidence.cells[:, [WAVE_NAMES.index(wave) for wave in ST_AND_T]]
    chosen = cells[[STANDARD_LEADS.index(lead) for lead in leads]]
    positive, _ = evidence.for_and_against()
    logit = float(chosen.sum())
    share = min(logit / positive, 1.0) if positive > 0 and logit > 0 else None
    return StShare(leads, logit, share)


def signed(value: float | None, digits: int = 2) -> str:
    """Return a number with its sign and a true minus; what rounds to zero has no sign, what is not known is a dash."""
    if value is None or not math.isfinite(value):
        return NOTHING
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", MINUS)


def with_bound(value: float, margin: float = math.nan, digits: int = 2) -> str:
    """Return a booked cell with how far taking it out may lie from it, "+0.80 ± 0.30"; none where no bound is known."""
    return signed(value, digits) + (f" ± {margin:.{digits}f}" if math.isfinite(margin) else "")


def outcome_text(evidence: Evidence) -> str:
    """Return what a logit comes to: a probability, or for a difference of two logits the ratio of their odds."""
    if evidence.probability is None:
        return f"ratio of the odds {np.exp(evidence.logit):.2g}"
    return f"probability {evidence.probability:.2f}"


def describe_evidence(evidence: Evidence, *, logits: bool = True) -> tuple[str, ...]:
    """Return the evidence in sentences for the screen and for exports.

    They say what raises or lowers the model's score, never what the patient has; `logits` adds the sum behind it.
    """
    reading, total, name = evidence.reading, evidence.total, evidence.name
    if evidence.probability is None:
        head = f"{name}: {outcome_text(evidence)}."
    else:
        calls = "" if evidence.threshold is None else f" (calls {name} from {percent(evidence.threshold)})"
        if evidence.zone:
            calls = f", {OUTSIDE}" if evidence.zone == OUTSIDE else f"{calls}, {evidence.zone}"
        head = f"Model: {name} {percent(evidence.probability)}{calls}."
    # only a model that z-scores each lead has a baseline term worth a word
    offset = f" and an offset of {signed(evidence.baseline)} from z-scoring" if abs(evidence.baseline) >= 0.005 else ""
    sentences = [head]
    if logits:
        sentences.append(
            f"The tracing adds {signed(total)} to a starting value of {signed(evidence.bias)}{offset}: "
            f"logit {signed(evidence.logit)}."
        )
    if reading.waves is None:
        return (*sentences, "No beat was found, so the evidence cannot be named by wave.")
    sign = 1 if total >= 0 else -1
    helping = {area: value for area, value in evidence.by_territory().items() if sign * value > 0}
    least = NAMED_SHARE * sum(abs(value) for value in helping.values())
    named = sorted((area for area in helping if abs(helping[area]) >= least), key=lambda area: -abs(helping[area]))
    if named:
        parts = []
        for area in named:
            rows = [STANDARD_LEADS.index(lead) for lead in TERRITORIES[area]]
            wave = WAVE_NAMES[int((sign * evidence.cells[rows].sum(axis=0)).argmax())]
            parts.append(f"{area} {wave} ({signed(helping[area])})")
        sentences.append(f"Evidence {'for' if sign > 0 else 'against'} {name}: mainly {', then '.join(parts)}.")
    return (*sentences, *st_sentences(evidence))


def st_sentences(evidence: Evidence) -> tuple[str, ...]:
    """Say whether the ST-elevation threshold is met and what the model makes of it, from the verdict and its J points.

    Nothing where ST was not measured; where the verdict is withheld, that and why.
    """
    reading = evidence.reading
    verdicts = reading.findings.of("ST elevation") if reading.findings else ()
    if reading.measurements is None or not reading.measurements.st or not verdicts:
        return ()
    verdict = verdicts[0]
    if verdict.verdict == "withheld":
        return (f"ST elevation not judged ({'; '.join(reading.findings.withheld if reading.findings else ())}).",)
    leads = reading.st_elevation_leads
    if not leads:
        return ("No two neighbouring leads meet their ST-elevation threshold (J point).",)
    share = st_elevation_share(evidence)
    part = "" if share.share_of_positive is None else f", {100 * share.share_of_positive:.0f} % of what raises it"
    use = "The model hardly uses it" if abs(share.logit) < LEAST_USED else "ST and T there add"
    if share.logit <= -LEAST_USED:
        use = f"ST and T there lower {evidence.name}"
    whom = " (depends on sex or age)" if verdict.verdict == "depends" else ""
    secondary = " It may be secondary." if "may be secondary" in verdict.text else ""
    mean = float(np.mean([reading.j_mv[lead] for lead in leads]))
    return (
        f"ST elevation in {leads_text(leads)}{whom}, mean {signed(mean)} mV at J.{secondary} "
        f"{use} ({signed(share.logit)}{part}).",
    )


SUM_TOLERANCE = 1e-4  # logit; a larger residual is shown as a fault


@dataclass(frozen=True)
class EvidenceSum:
    """How the logit of one class comes about.

    Attributes
    ----------
    class_name : str
    bias, evidence, logit : float
        `bias + evidence` is `logit`, with `offset` in between where there is one; the evidence is the sum of the
        ledger, its baseline term included.
    outcome : str
        What the logit comes to: the probability, or the ratio of the odds where the class is the difference of two.
    probability : float or None
        None for a difference.
    residual : float
        Largest difference between the sums and the logit that the network computed itself, in logit.
    offset : float or None
        Of a model that z-scores each lead: the ledger's baseline term, which belongs to no sample and is then no part
        of the evidence.
    """

    class_name: str
    bias: float
    evidence: float
    logit: float
    outcome: str
    probability: float | None
    residual: float
    offset: float | None = None

    @property
    def exact(self) -> bool:
        """Whether the sum is the logit up to rounding."""
        return self.residual < SUM_TOLERANCE

    @property
    def offset_line(self) -> tuple[tuple[str, float], ...]:
        """The offset as a line of a table, where there is one."""
        return () if self.offset is None else (("z-score offset", self.offset),)

    @property
    def equation(self) -> str:
        """The sum in words: "logit +2.31 = bias −1.02 + evidence +3.33"."""
        words = f"logit {signed(self.logit)} = bias {signed(self.bias)} + evidence {signed(self.evidence)}"
        return words if self.offset is None else f"{words} + z-score offset {signed(self.offset)}"


@dataclass(frozen=True, eq=False)
class BeatEvidence:
    """Evidence of one class laid over the beats of the median beat.

    Attributes
    ----------
    mean, spread : ndarray of shape (12, length)
        Mean and standard deviation over the beats used, logit per sample.
    remainder : float
        Evidence that lies in no window of a beat used: excluded beats, stretches between beats, edges. Logit.
    """

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    remainder: float


def sum_of_evidence(evidence: Evidence) -> EvidenceSum:
    """Return the sum behind a logit."""
    return EvidenceSum(
        class_name=evidence.name,
        bias=evidence.bias,
        evidence=evidence.total if evidence.z_scored else evidence.total + evidence.baseline,
        offset=evidence.baseline if evidence.z_scored else None,
        logit=evidence.logit,
        outcome=outcome_text(evidence),
        probability=evidence.probability,
        residual=evidence.residual,
    )


def class_chips(case: Case, *, starred: bool = True) -> dict[str, str]:
    """Return a short text per class: its name, its probability, and * where it is called; outside the scope none is.

    Parameters
    ----------
    case : Case
    starred : bool
        Star the classes at or above the card's operating point.
    """
    return {
        name: f"{name} {percent(probability)}"
        + (" *" if starred and case.scope.within and probability >= case.thresholds.get(name, np.inf) else "")
        for name, probability in zip(case.classes, case.explanation.probability.tolist(), strict=True)
    }


def evidence_over_beats(evidence: Evidence) -> BeatEvidence | None:
    """Return the evidence on the alignment of the median beat; None where there is no median beat."""
    measurements = evidence.reading.measurements
    if measurements is None or measurements.beat.signal is None:
        return None
    windows = measurements.beat.windows
    beats = windows.cut(evidence.contribution)  # (n_beats, 12, length), NaN beyond the recording
    seen = np.isfinite(beats).any(axis=0)
    mean, spread = np.zeros(seen.shape), np.zeros(seen.shape)
    mean[seen], spread[seen] = np.nanmean(beats[:, seen], axis=0), np.nanstd(beats[:, seen], axis=0)
    inside = np.zeros(evidence.recording.n_samples, dtype=bool)
    for start in windows.start[windows.used]:
        inside[max(0, int(start)) : max(0, int(start) + windows.length)] = True
    return BeatEvidence(mean, spread, float(evidence.contribution[:, ~inside].sum()))


SAME_MV = 0.005  # an ST change this close to the one asked for is that change


def describe_outcome(
    result: EditResult, class_name: str, threshold: float | None = None, *, logits: bool = False
) -> str:
    """Return what became of one class: probability before and after, whether the call changes, what the map expected.

    Parameters
    ----------
    result : EditResult
    class_name : str
    threshold : float, optional
        On the probability; nothing is said of the call without one.
    logits : bool
        Add the change of the logit, by the network and by the map alone.
    """
    k = result.before.index(class_name)
    before, after = (float(each.probability[k]) for each in (result.before, result.after))
    words = f"Model re-run: {class_name} {percent(before)} → **{percent(after)}**"
    if threshold is not None:
        was, is_now = before >= threshold, after >= threshold
        call = ("still called" if was else "now called") if is_now else ("no longer called" if was else "not called")
        words += f", {call} (threshold {percent(threshold)})"
    logit = float(result.before.logit[k]) + float(result.predicted[k])
    words += f". The map alone expected {percent(1.0 / (1.0 + math.exp(-logit)))}."
    if logits:
        words += f" Logit {signed(result.actual[k])}, by the map alone {signed(result.predicted[k])}."
    return words


def describe_edit(result: EditResult, masks: WaveMasks, edit: Edit) -> tuple[str, ...]:
    """Return what was done to the trace beyond what was asked for, and where what was asked for cannot be done."""
    sentences = []
    asked = tuple(dict.fromkeys((*edit.leads, *edit.removed)))
    if edit.st_mv and edit.exchanged is None:
        moved = st_change_mv(result.change, masks)
        made = ", ".join(f"{lead} {signed(value)}" for lead, value in moved.items())
        sentences.append(f"ST moved by, in mV: {made or 'nothing, since no ST segment was found'}.")
        short = [lead for lead in edit.leads if abs(moved.get(lead, 0.0) - edit.st_mv) > SAME_MV]
        if short and moved and _only_st(edit):
            sentences.append(
                f"{', '.join(short)} cannot move by {signed(edit.st_mv)} mV together with the others asked for: six "
                "limb leads show two electrode differences. The nearest possible change was made."
            )
    follow = leads_that_follow(result.change, asked)
    if follow and edit.exchanged is None and not edit.noise_mv and not edit.drift_mv:
        word = "follows" if len(follow) == 1 else "follow"
        sentences.append(f"{', '.join(follow)} {word}, as limb leads are differences of the same three electrodes.")
    if set(edit.removed) & set(LIMB_LEADS):
        sentences.append(
            "A limb lead cannot vanish alone: it was made flat by the smallest change of the electrodes' potentials."
        )
    if edit.exchanged is not None:
        sentences.append(f"Electrodes {edit.exchanged} swapped after all other edits.")
        if "RL" in edit.exchanged:
            sentences.append("The right leg's potential is taken for the left leg's.")
    return tuple(sentences)


def describe_call(search: FlipSearch, other: FlipSearch | None = None, condition: str = "") -> str:
    """Return which change of ST, if any, changes the call of a class, and which does under another condition.

    Parameters
    ----------
    search : FlipSearch
        From the original.
    other : FlipSearch, optional
        The same from an ECG that is edited otherwise.
    condition : str
        What is edited there: "RA and LA swapped".
    """
    leads, name = leads_text(search.leads), search.class_name
    change = f"stop calling {name}" if search.called else f"call {name}"
    found = _st_changes(search)
    if found:
        words = f"ST {found} mV in {leads} makes the model {change}."
    else:
        words = f"No ST change up to ±{LIMIT_MV:g} mV in {leads} makes the model {change}."
    if other is None:
        return words
    if other.called != search.called:
        verb = "stops calling" if search.called else "calls"
        return f"{words} With {condition} it {verb} {name} at unchanged ST ({percent(other.probability)})."
    then = _st_changes(other)
    if then:
        return f"{words} With {condition}, {then} mV does."
    return f"{words} With {condition}, no change up to ±{LIMIT_MV:g} mV does{'' if found else ' either'}."


def _st_changes(search: FlipSearch) -> str:
    """Return the ST changes that change the call: "+0.21 or −0.30"; empty where none does."""
    return " or ".join(
        signed(flip.network_mv) for flip in (search.raised, search.lowered) if flip.network_mv is not None
    )


def condition_words(edit: Edit) -> str:
    """Return what an edit does, apart from its ST shift: "T × −1 and QRS × 0.5 in V3 and V4, RA and LA swapped"."""
    leads, waves = leads_text(edit.leads), []
    waves += [f"{' and '.join(edit.flattened)} flat"] if edit.flattened else []
    waves += [
        f"{wave} × {factor:.1f}".replace("-", MINUS)
        for wave, factor in (("T", edit.t_factor), ("QRS", edit.qrs_factor))
        if factor != 1.0
    ]
    parts = [f"{' and '.join(waves)} in {leads}"] if waves else []
    parts += [f"{leads_text(edit.removed)} flat"] if edit.removed else []
    parts += [f"{edit.exchanged} swapped"] if edit.exchanged is not None else []
    parts += [f"noise of {edit.noise_mv:g} mV"] if edit.noise_mv else []
    parts += [f"drift of {edit.drift_mv:g} mV"] if edit.drift_mv else []
    return ", ".join(parts)


def flip_table(search: FlipSearch) -> str:
    """Return how far ST would have to move for the call to change, by network and map, as a table in markdown."""
    rows = [
        f"| {word} | {_by_network(flip)} | {_by_map(flip)} |"
        for word, flip in (("raised by", search.raised), ("lowered by", search.lowered))
    ]
    return "\n".join(["| ST | network re-run | map alone |", "|---|---|---|", *rows])


def _by_network(flip: Flip) -> str:
    if flip.network_mv is None:
        return f"not within {LIMIT_MV:g} mV ({percent(flip.farthest_probability)} there)"
    return f"**{abs(flip.network_mv):.2f} mV** ({percent(flip.farthest_probability)})"


def _by_map(flip: Flip) -> str:
    return f"not within {LIMIT_MV:g} mV" if flip.map_mv is None else f"{abs(flip.map_mv):.2f} mV"


def _only_st(edit: Edit) -> bool:
    return Edit(leads=edit.leads, st_mv=edit.st_mv, seed=edit.seed) == edit


ST_MV = 0.1  # an ST level beyond this, up or down, counts as abnormal here; one small square


@dataclass(frozen=True)
class Concordance:
    """How one case's ST and T evidence for a class agrees with its measured ST and T.

    Attributes
    ----------
    class_name : str
    leads : tuple of str
        Leads with ST beyond 0.1 mV at J+60, or whose T meets the T-inversion threshold.
    share : float
        Part of the positive ST and T evidence that lies on these leads.
    expected : float
        Their part of the twelve leads: what evidence without any idea of ST and T would give.
    auroc : float
        How well the ST and T evidence ranks these leads before the others; 0.5 is chance.
    """

    class_name: str
    leads: tuple[str, ...]
    share: float
    expected: float
    auroc: float


def abnormal_leads(reading: SignalReading) -> NDArray[np.bool_]:
    """Return which leads show ST beyond 0.1 mV at J+60 or meet the T-inversion threshold, shape (12,)."""
    inverted = reading.findings.t_inversion_leads if reading.findings else ()
    level = reading.j60_mv
    return np.array([abs(level.get(lead, 0.0)) >= ST_MV or lead in inverted for lead in STANDARD_LEADS])


def case_concordance(evidence: Evidence) -> Concordance | None:
    """Compare the ST and T evidence of one case with its measured ST and T.

    None when nothing is measured, when no lead or every lead is abnormal, or when no evidence there is positive.
    """
    abnormal = abnormal_leads(evidence.reading)
    if not evidence.reading.j60_mv or not 0 < abnormal.sum() < len(abnormal):
        return None
    by_lead = evidence.cells[:, [WAVE_NAMES.index(wave) for wave in ST_AND_T]].sum(axis=1)
    positive = np.clip(by_lead, 0.0, None)
    if positive.sum() <= 0:
        return None
    order = np.sign(by_lead[abnormal][:, None] - by_lead[~abnormal][None, :])  # every abnormal lead with every other
    return Concordance(
        class_name=evidence.name,
        leads=tuple(lead for lead, found in zip(STANDARD_LEADS, abnormal, strict=True) if found),
        share=float(positive[abnormal].sum() / positive.sum()),
        expected=float(abnormal.mean()),
        auroc=float((order.mean() + 1.0) / 2.0),
    )


def describe_concordance(found: Concordance | None) -> str:
    """Return the comparison as a sentence; empty where there is nothing to compare."""
    if found is None:
        return ""
    part, of_all = round(100 * found.share), round(100 * found.expected)
    return (
        f"Of what raises {found.class_name} in ST and T, {part} % lies on the leads whose ST is 0.1 mV or more off at "
        f"J+60 or whose T is inverted ({', '.join(found.leads)}), {of_all} % of the leads; the evidence ranks them "
        f"before the others with AUROC {found.auroc:.2f} (chance 0.50)."
    )


PART_NAMES = {
    "P": "P waves", "PR": "PR segments", "Q": "Q waves", "R": "R waves", "S": "S waves", "R'": "R' waves",
    "QS": "QS complexes", "ST": "ST segments", "T": "T waves", "TP": "TP segments",
}  # fmt: skip
MOST_LEADS = 9  # from here on leads are not listed


@dataclass(frozen=True)
class Answer:
    """What the model answers about one class, in clinical words made of numbers on the page.

    Attributes
    ----------
    name, full_name : str
        "MI", "myocardial infarction".
    text : str
        "MI 95 %, above its threshold (23 %)".
    sentences : tuple of str
        The reason: which waves in which leads, what ST does, and what the network says without those waves. Empty until
        the claims were measured.
    """

    name: str
    full_name: str
    text: str
    sentences: tuple[str, ...]


def percent(probability: float) -> str:
    """Return a probability in whole percent; what rounds to 0 or 100 is said to be below 1 or above 99."""
    if probability < 0.01:
        return "<1 %"
    return ">99 %" if probability > 0.99 else f"{100 * probability:.0f} %"


def leads_text(leads: Sequence[str]) -> str:
    """Return leads as a reader says them: "III and aVF", "I, aVL, V4–V6"."""
    if len(leads) >= MOST_LEADS:
        return "most leads"
    names: list[str] = []
    run: list[str] = []
    for lead in (*(lead for lead in STANDARD_LEADS if lead in leads), ""):
        if run and lead.startswith("V") and int(lead[1:]) == int(run[-1][1:]) + 1:
            run.append(lead)
            continue
        names += [f"{run[0]}–{run[-1]}"] if len(run) > 2 else run
        run = [lead] if lead.startswith("V") else []
        if lead and not run:
            names.append(lead)
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def claim_text(claim: Claim, reading: SignalReading) -> str:
    """Return what a claim names: "Q waves in III and aVF", "ST elevation in V2–V4", "T-wave inversion in V4–V6"."""
    kind, leads = PART_NAMES[claim.part], set(claim.leads)
    if claim.part == "ST" and leads <= set(reading.st_elevation_leads):
        kind = "ST elevation"
    elif claim.part == "ST" and leads <= set(reading.st_depression_leads):
        kind = "ST depression"
    elif claim.part == "T" and leads <= set(reading.t_inversion_leads):
        kind = "T-wave inversion"
    return f"{kind} in {leads_text(claim.leads)}"


def answer(evidence: Evidence, claims: Sequence[Claim]) -> Answer:
    """Put the model's answer for one class into words.

    Parameters
    ----------
    evidence : Evidence
        For one class, not a difference.
    claims : sequence of Claim
        What the map says decides, as `measured.measure_case` checked it; only what the re-run network confirms, or
        confirms about, is named. Claims that were not measured are not named.
    """
    probability, threshold = evidence.probability or 0.0, evidence.threshold
    text = f"{evidence.name} {percent(probability)}"
    if evidence.zone == OUTSIDE:
        text += f", {OUTSIDE}"
    elif threshold is not None:
        text += f", {'above' if probability >= threshold else 'below'} its threshold ({percent(threshold)})"
        if evidence.zone:
            text += f": {evidence.zone} (miss rate {percent(MISS_RATE)})"
    return Answer(
        evidence.name,
        evidence.meaning,
        text,
        tuple(_reasons(evidence, claims, probability)),
    )


def _reasons(evidence: Evidence, claims: Sequence[Claim], probability: float) -> list[str]:
    if any(claim.measured is None for claim in claims):
        return []
    reading, total = evidence.reading, evidence.total
    named = [claim for claim in claims if claim.agreement in ("confirmed", "about")]
    if reading.waves is None:
        return ["No beat was found, so the evidence cannot be named by wave."]
    if not named:
        return ["No wave that the map names is confirmed when the network is re-run without it."]
    verb = "Mostly" if total >= 0 else "Lowered mostly by"
    parts = [
        f"{claim_text(claim, reading)} ({signed(claim.booked, 1)}{f' of {signed(total, 1)}' if k == 0 else ''})"
        for k, claim in enumerate(named)
    ]
    sentences = [f"{verb} {', '.join(parts[:-1])} and {parts[-1]}." if len(parts) > 1 else f"{verb} {parts[0]}."]
    sentences += st_sentences(evidence)
    first = named[0]
    if first.probability_without is not None:
        sentences.append(
            f"Without the {claim_text(first, reading)}, network re-run: "
            f"{percent(probability)} → {percent(first.probability_without)}."
        )
    return sentences


MOST_REASONS = 3  # sentences; the table holds the rest


def reasons_sentences(reasons: Reasons | None) -> tuple[str, ...]:
    """Say whether a class rests on its textbook criteria; where it does not, what is there and what decided.

    Empty for a class without criteria, and for one that is neither called nor has a criterion on the ECG.
    """
    if reasons is None:
        return ()
    name, decisive = reasons.class_name, reasons.decisive
    decides = f"{decisive[0]} {decisive[1]} decisive ({signed(decisive[2], 1)})" if decisive else ""
    if reasons.verdict in ("no criterion", "not judged"):
        if not reasons.called or not decides:
            return ()
        why = "is on this ECG" if reasons.verdict == "no criterion" else "could be judged on this ECG"
        return (f"No textbook criterion of {name} {why}; {decides}.",)
    present = sorted(reasons.reasons, key=lambda reason: -abs(reason.booked))
    used = [reason for reason in present if reason.use == "used"]
    unused = [reason for reason in present if reason.use != "used"]
    sentences = []
    if used:
        parts = [f"{reason.criterion.name} in {leads_text(reason.criterion.leads)}" for reason in used[:MOST_REASONS]]
        sentences.append(f"Textbook criteria of {name} present and used: {'; '.join(parts)}.")
    for reason in unused[: MOST_REASONS if not used else 1]:
        words = "not used" if reason.use == "hardly used" else f"counted against {name}"
        numbers = f" ({reason.criterion.numbers})" if reason.criterion.numbers else ""
        rest = f"; {decides}" if decides and not used else ""
        sentences.append(f"{reason.criterion.name}{numbers} present, {words} ({signed(reason.booked, 1)}){rest}.")
    return tuple(sentences)
