"""A sanity check of the map in words, and how its two tracings are drawn."""

from __future__ import annotations

import numpy as np

from ecgimn.draw.charts import signed
from ecgimn.draw.overlay import robust_limit
from ecgimn.draw.view import View
from ecgimn.explain.explanation import Explanation
from ecgimn.explain.self_checks import SelfCheck

GONE = 0.3  # a rank correlation below this is no resemblance
KEPT = 0.9  # and above this the same map


def check_words(check: SelfCheck, kind: str, class_name: str) -> list[tuple[str, bool]]:
    """Return sentences on one check, each with whether it went as it should."""
    k = check.first.index(class_name)
    moved = float(check.second.logit[k] - check.first.logit[k])
    score = f"The logit of {class_name} goes from {signed(check.first.logit[k])} to {signed(check.second.logit[k])}."
    if check.agreement is None:
        return [("The two maps cannot be compared: one of them is constant.", False), (score, True)]
    rho = f"{check.agreement:.2f}".replace("-", "−")
    if kind == "Random weights":
        fine = abs(check.agreement) < GONE
        verdict = "the map is gone, as it must be" if fine else "part of the map survives without what was learned"
        return [(f"Rank correlation with the learned map **{rho}**: {verdict}.", fine), (score, True)]
    if kind == "Time shift":
        fine = check.agreement >= KEPT
        verdict = "the map moves with the trace" if fine else "the map changes with the moment of the cut"
        steady = abs(moved) < 0.5
        return [(f"Rank correlation where both see the same samples **{rho}**: {verdict}.", fine), (score, steady)]
    place = "—" if check.in_place is None else f"{check.in_place:.2f}".replace("-", "−")
    words = (
        f"Rank correlation of the chest leads **{rho}** with the trace each map belonged to, **{place}** with the lead "
        "of the same name."
    )
    reacts = abs(moved) >= 0.1
    return [(words, True), (f"{score} {'It' if reacts else 'It hardly'} depends on which lead is which.", reacts)]


def check_view(
    check: SelfCheck, class_name: str, explanation: Explanation, *, own_scale: bool, dark: bool = False
) -> View:
    """Return how a side is drawn: one limit of colour for both sides, or its own where sizes mean nothing."""
    k = check.first.index(class_name)
    both = (check.first, check.second)
    limits = [robust_limit(np.asarray(one.attribution[k]), one.fs) for one in both]
    limit = limits[0 if explanation is check.first else 1] if own_scale else max(limits)
    return View(layout="12x1", class_index=k, limit=limit, show_st=False, show_t=False, dark=dark)


def logit_rows(check: SelfCheck) -> list[dict[str, str]]:
    """Return logit and probability of every class before and after."""
    return [
        {
            "Class": name,
            "Logit": signed(float(check.first.logit[k])),
            "Logit then": signed(float(check.second.logit[k])),
            "Probability": f"{check.first.probability[k]:.2f}",
            "Probability then": f"{check.second.probability[k]:.2f}",
        }
        for k, name in enumerate(check.first.classes)
    ]
