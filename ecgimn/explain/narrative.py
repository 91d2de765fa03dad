"""The reading in plain words: templates filled with numbers of the ledger and the measurements, nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecgimn.explain.ledger import Ledger
from ecgimn.leads import STANDARD_LEADS, TERRITORIES
from ecgimn.signal.reading import SignalReading
from ecgimn.signal.waves import WAVE_NAMES

ST_AND_T = ("ST", "T")
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


def signed(value: float) -> str:
    """Return a number with its sign and two decimals; the minus is a real one, as wide as the plus."""
    return f"{value:+.2f}".replace("-", "−")


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
