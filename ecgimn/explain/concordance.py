"""Does the evidence in ST and T lie where ST and T are measured to be abnormal? For one case."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgimn.explain.ledger import Ledger
from ecgimn.explain.narrative import ST_AND_T
from ecgimn.leads import STANDARD_LEADS
from ecgimn.signal.reading import SignalReading
from ecgimn.signal.waves import WAVE_NAMES

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
