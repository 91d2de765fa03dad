"""Sentences under two compared maps: sums, rank correlation, faithfulness. Numbers come in, words go out."""

from __future__ import annotations

from ecgimn.draw.charts import signed
from ecgimn.explain.local_fidelity import LocalFidelity
from ecgimn.explain.rank_agreement import RankAgreement
from ecgimn.explain.sides import Side

NOTHING = "—"


def equation_words(side: Side) -> str:
    """Return how the logit of a side comes about."""
    evidence = float(side.evidence.sum())
    rest = "bias" if side.exact else "not booked"
    return (
        f"**{side.title}** · logit {signed(float(side.explanation.logit[0]))} = {rest} "
        f"{signed(float(side.explanation.bias[0]))} + evidence {signed(evidence)} · probability "
        f"{float(side.explanation.probability[0]):.2f}"
    )


def agreement_words(agreement: RankAgreement) -> str:
    """Return the rank correlation of two maps in one line."""
    cells = f"**{_rho(agreement.cells)}** over {agreement.n_cells} cells of lead by wave"
    samples = (
        f"**{_rho(agreement.samples)}** over {agreement.n_samples:,} samples"
        if agreement.n_samples
        else f"{NOTHING} over samples ({agreement.reason})"
    )
    share = (
        f" · {100 * agreement.same_sign:.0f} % of the first one's evidence lies in cells where both have the same sign"
        if agreement.same_sign is not None
        else ""
    )
    return f"Rank correlation (Spearman): {cells} · {samples}{share}"


def fidelity_words(found: LocalFidelity | None) -> str:
    """Return a method's faithfulness on one record in one line."""
    if found is None:
        return f"Faithfulness on this record: {NOTHING} (too few cells to remove)"
    return (
        f"Faithfulness on this record: R² **{found.r2:.2f}**, slope {found.slope:.2f} over {found.n_edits} edits; "
        f"root mean square change predicted {found.rms_predicted:.2f}, actual {found.rms_actual:.2f} logit"
    )


def _rho(value: float | None) -> str:
    return NOTHING if value is None else signed(value)
