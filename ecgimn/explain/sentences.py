"""The reading in plain words: templates filled with numbers of ledger, measurements and edits, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgimn.explain.edits import WaveMasks
from ecgimn.explain.explanation import Explanation
from ecgimn.explain.ledger import Ledger, isoelectric_attribution
from ecgimn.explain.what_if import LIMIT_MV, Edit, EditResult, Flip, FlipSearch, leads_that_follow, st_change_mv
from ecgimn.leads import LIMB_LEADS, STANDARD_LEADS, TERRITORIES
from ecgimn.signal.reading import SignalReading
from ecgimn.signal.waves.find import WAVE_NAMES

ST_AND_T = ("ST", "T")
MINUS = "−"  # as wide as the plus
NOTHING = "—"  # what cannot be measured
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
        That evidence, where positive, over all positive cells; None when there is no positive evidence.
    """

    leads: tuple[str, ...]
    logit: float
    share_of_positive: float | None


def st_elevation_share(ledger: Ledger, class_name: str, leads: tuple[str, ...]) -> StShare:
    """Return the evidence of a class in ST and T of the leads whose ST is elevated."""
    cells = ledger.of(class_name)[:, [WAVE_NAMES.index(wave) for wave in ST_AND_T]]
    chosen = cells[[STANDARD_LEADS.index(lead) for lead in leads]]
    positive = float(np.clip(ledger.of(class_name), 0, None).sum())
    share = float(np.clip(chosen, 0, None).sum()) / positive if positive > 0 else None
    return StShare(leads, float(chosen.sum()), share)


def signed(value: float | None, digits: int = 2) -> str:
    """Return a number with its sign and a true minus; what rounds to zero has no sign, what is not known is a dash."""
    if value is None or not math.isfinite(value):
        return NOTHING
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", MINUS)


def outcome_words(logit: float, *, is_contrast: bool = False) -> str:
    """Return what a logit comes to: a probability, or for a difference of two logits the ratio of their odds."""
    if is_contrast:
        return f"ratio of the odds {np.exp(logit):.2g}"
    return f"probability {1 / (1 + np.exp(-logit)):.2f}"


def describe_evidence(ledger: Ledger, class_name: str, reading: SignalReading) -> tuple[str, ...]:
    """Return the evidence for one class in sentences for the screen.

    The words say what raises or lowers the model's score, never what the patient has.
    """
    k = ledger.classes.index(class_name)
    evidence = float(ledger.cells[k].sum())
    direction = "raise" if evidence >= 0 else "lower"
    # only a model that z-scores each lead has a baseline term worth a word
    baseline = float(ledger.baseline[k])
    offset = f" and an offset of {signed(baseline)} from z-scoring" if abs(baseline) >= 0.005 else ""
    kind = "difference" if ledger.is_contrast else "label"
    sentences = [
        f"For the {kind} {class_name} as used in PTB-XL the tracing contributes {signed(evidence)} logit "
        f"to a starting value (bias) of {signed(ledger.bias[k])}{offset}: logit {signed(ledger.logit[k])}, "
        f"{outcome_words(float(ledger.logit[k]), is_contrast=ledger.is_contrast)}."
    ]
    if reading.waves is None:
        return (*sentences, "No beat was found, so the evidence cannot be named by wave.")
    territories = ledger.by_territory(class_name)
    helping = {name: value for name, value in territories.items() if value * (1 if evidence >= 0 else -1) > 0}
    total = sum(abs(value) for value in helping.values())
    named = sorted(
        (name for name in helping if abs(helping[name]) >= NAMED_SHARE * total), key=lambda n: -abs(helping[n])
    )
    if named:
        parts = []
        for name in named:
            rows = [STANDARD_LEADS.index(lead) for lead in TERRITORIES[name]]
            by_wave = ledger.of(class_name)[rows].sum(axis=0) * (1 if evidence >= 0 else -1)
            wave = WAVE_NAMES[int(by_wave.argmax())]
            leads = "" if name == "aVR" else f" ({', '.join(TERRITORIES[name])})"
            parts.append(f"{name}{leads} {signed(helping[name])}, mostly {wave}")
        sentences.append(f"What {direction}s the score: {'; '.join(parts)}.")
    if reading.st_elevation_leads and reading.measurements:
        share = st_elevation_share(ledger, class_name, reading.st_elevation_leads)
        mean = float(np.mean([reading.j60_mv[lead] for lead in share.leads]))
        part = "" if share.share_of_positive is None else f", {100 * share.share_of_positive:.0f} % of what raises it"
        sentences.append(
            f"ST and T of {', '.join(share.leads)}, whose ST lies beyond the threshold "
            f"(mean at J+60 {signed(mean)} mV), contribute {signed(share.logit)} logit{part}."
        )
    elif reading.measurements and reading.measurements.st:
        sentences.append("No lead lies beyond its ST-elevation threshold.")
    return tuple(sentences)


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


def sum_of_evidence(explanation: Explanation, ledger: Ledger, class_name: str) -> EvidenceSum:
    """Return the sum behind the logit of a class, which both have among theirs."""
    logit = float(explanation.logit[explanation.index(class_name)])
    k = ledger.classes.index(class_name)
    cells, baseline = float(ledger.cells[k].sum()), float(ledger.baseline[k])
    return EvidenceSum(
        class_name=class_name,
        bias=float(ledger.bias[k]),
        evidence=cells + baseline if explanation.offset is None else cells,
        offset=None if explanation.offset is None else baseline,
        logit=logit,
        outcome=outcome_words(logit, is_contrast=ledger.is_contrast),
        probability=None if ledger.is_contrast else float(explanation.probability[explanation.index(class_name)]),
        residual=max(explanation.completeness_error, ledger.residual),
    )


def class_chips(explanation: Explanation, thresholds: Sequence[float] = ()) -> dict[str, str]:
    """Return a short text per class, most telling first: its name, its probability, and * from the threshold on.

    Parameters
    ----------
    explanation : Explanation
    thresholds : sequence of float
        Operating point on the probability per class, in the order of the classes; empty when there is none.
    """
    limits = tuple(thresholds) or (float("inf"),) * len(explanation.classes)
    return {
        name: f"{name} {probability:.2f}" + (" *" if probability >= limit else "")
        for name, probability, limit in zip(explanation.classes, explanation.probability.tolist(), limits, strict=True)
    }


def most_probable(explanation: Explanation) -> str:
    """Return the class with the highest probability."""
    return explanation.classes[int(explanation.probability.argmax())]


def evidence_over_beats(explanation: Explanation, reading: SignalReading, class_name: str) -> BeatEvidence | None:
    """Return the evidence of a class on the alignment of the median beat; None where there is no median beat."""
    if reading.measurements is None or reading.measurements.beat.signal is None:
        return None
    evidence = isoelectric_attribution(explanation, reading.recording, reading.levels)[explanation.index(class_name)]
    windows = reading.measurements.beat.windows
    beats = windows.cut(evidence)  # (n_beats, 12, length), NaN beyond the recording
    seen = np.isfinite(beats).any(axis=0)
    mean, spread = np.zeros(seen.shape), np.zeros(seen.shape)
    mean[seen], spread[seen] = np.nanmean(beats[:, seen], axis=0), np.nanstd(beats[:, seen], axis=0)
    inside = np.zeros(evidence.shape[1], dtype=bool)
    for start in windows.start[windows.used]:
        inside[max(0, int(start)) : max(0, int(start) + windows.length)] = True
    return BeatEvidence(mean, spread, float(evidence[:, ~inside].sum()))


SAME_MV = 0.005  # an ST change this close to the one asked for is that change


def describe_outcome(result: EditResult, class_name: str) -> str:
    """Return what became of one class: probability before and after, change by the map and by the network."""
    k = result.before.index(class_name)
    return (
        f"**{class_name}** probability {result.before.probability[k]:.2f} → **{result.after.probability[k]:.2f}**; "
        f"logit {signed(result.actual[k])} by the network asked again, {signed(result.predicted[k])} by the map alone."
    )


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
        sentences.append(f"Cables of {edit.exchanged} exchanged after all other edits.")
        if "RL" in edit.exchanged:
            sentences.append("The right leg's potential is taken for the left leg's.")
    return tuple(sentences)


def describe_call(search: FlipSearch) -> str:
    """Return whether the original is called, and by how much."""
    sign, word = ("≥", "called") if search.called else ("<", "not called")
    return (
        f"{search.class_name} is {word}: probability {search.probability:.2f} {sign} operating point "
        f"{search.threshold:.2f}. It flips when ST of {', '.join(search.leads)} is"
    )


def flip_table(search: FlipSearch) -> str:
    """Return how far ST would have to move for the call to flip, by network and map, as a table in markdown."""
    rows = [
        f"| {word} | {_by_network(flip)} | {_by_map(flip)} |"
        for word, flip in (("raised by", search.raised), ("lowered by", search.lowered))
    ]
    return "\n".join(["| ST | network re-run | map alone |", "|---|---|---|", *rows])


def _by_network(flip: Flip) -> str:
    if flip.network_mv is None:
        return f"no flip within {LIMIT_MV:g} mV (probability there {flip.farthest_probability:.2f})"
    return f"**{abs(flip.network_mv):.2f} mV** (probability {flip.farthest_probability:.2f})"


def _by_map(flip: Flip) -> str:
    return f"no flip within {LIMIT_MV:g} mV" if flip.map_mv is None else f"{abs(flip.map_mv):.2f} mV"


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


def case_concordance(reading: SignalReading, ledger: Ledger, class_name: str) -> Concordance | None:
    """Compare the ST and T evidence of one case with its measured ST and T.

    None when nothing is measured, when no lead or every lead is abnormal, or when no evidence there is positive.
    """
    abnormal = abnormal_leads(reading)
    if not reading.j60_mv or not 0 < abnormal.sum() < len(abnormal):
        return None
    evidence = ledger.of(class_name)[:, [WAVE_NAMES.index(wave) for wave in ST_AND_T]].sum(axis=1)
    positive = np.clip(evidence, 0.0, None)
    if positive.sum() <= 0:
        return None
    order = np.sign(evidence[abnormal][:, None] - evidence[~abnormal][None, :])  # every abnormal lead with every other
    return Concordance(
        class_name=class_name,
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
