"""The explanation of one recording as plain values: the stable JSON of `python -m ecgimn explain`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ecgimn import __version__
from ecgimn.about import INTENDED_USE
from ecgimn.explain.case import Case
from ecgimn.explain.difference import CaseDifference, difference_sentences
from ecgimn.explain.ledger import territory_cells
from ecgimn.explain.measured import MeasuredLedger, Reasons, agreement, margins, reasons_of
from ecgimn.explain.sentences import describe_evidence, reasons_sentences
from ecgimn.leads import STANDARD_LEADS, TERRITORIES
from ecgimn.model import MISS_RATE
from ecgimn.signal.intervals import Measured
from ecgimn.signal.quality import MOST_UNLIKE, Scope
from ecgimn.signal.reading import SignalReading
from ecgimn.signal.waves.find import WAVE_NAMES

#: Version of the JSON, described by docs/explanation.schema.json. Fields may be added within a version; one that is
#: removed or changes its meaning makes the next.
SCHEMA = 1

#: What a model would say, where none was run: null for what there is one of, empty for what there are many of.
_WITHOUT_MODEL: dict[str, Any] = {
    "model": None, "sha256": None, "classes": [], "logits": [], "probabilities": [], "zones": {}, "bias": [],
    "baseline": [], "completeness_error": None, "ledger": [], "reading": {}, "reasons": {}, "taken_out": None,
}  # fmt: skip


def explanation_json(case: Case, measured: MeasuredLedger | None = None) -> dict[str, Any]:
    """Return everything that is said about one window of a recording; names and header text of the file are not in it.

    Per class the ledger's rows plus `baseline` plus `bias` sum to the logit. With `measured`, what taking each of them
    out does is in it, too, under "taken_out"; without, that is null.
    """
    explanation, ledger = case.explanation, case.ledger
    return {
        **measured_json(case.reading),
        "scope": _scope_json(case.scope),
        "model": explanation.model_name,
        "sha256": explanation.model_sha256,
        "classes": list(explanation.classes),
        "logits": explanation.logit.tolist(),
        "probabilities": explanation.probability.tolist(),
        "zones": {"miss_rate": MISS_RATE, "classes": case.zones()},
        "bias": explanation.bias.tolist(),
        "baseline": ledger.baseline.tolist(),
        "completeness_error": max(explanation.completeness_error, ledger.residual),
        "ledger": [
            {"class": row.class_name, "lead": row.lead, "wave": row.wave, "logit": row.logit} for row in ledger.rows()
        ],
        "reading": {name: list(describe_evidence(case.of(name))) for name in case.classes},
        "taken_out": None if measured is None else taken_out_json(case, measured),
        "reasons": {name: _reasons(found) for name in case.classes if (found := reasons_of(case.of(name))) is not None},
    }


def _reasons(found: Reasons) -> dict[str, Any]:
    """Return a class's criteria on this ECG beside what the model used, booked in logit."""
    return {
        "verdict": found.verdict,
        "called": found.called,
        "decisive": None
        if found.decisive is None
        else dict(zip(("territory", "wave", "logit"), found.decisive, strict=True)),
        "present": [
            {
                "criterion": reason.criterion.name,
                "leads": list(reason.criterion.leads),
                "wave": reason.criterion.wave,
                "booked": reason.booked,
                "share": reason.share,
                "use": reason.use,
            }
            for reason in found.reasons
        ],
        "sentences": list(reasons_sentences(found)),
    }


def taken_out_json(case: Case, measured: MeasuredLedger) -> dict[str, Any]:
    """Return booked beside measured: by lead and wave, by territory and wave, and for the waves that the answer names.

    `measured` is the logit with the wave minus the logit without it, by the network re-run; `margin` the bound for 90 %
    of cells like it, from the model card, null where the card has none.
    """
    cells, areas, claims = [], [], []
    for name in case.classes:
        booked, found = case.ledger.of(name), measured.of(name)
        bound = margins(case.card, name, booked)
        for row, lead in enumerate(STANDARD_LEADS):
            cells += [
                {"class": name, "lead": lead, "wave": wave, **_checked(booked[row, k], found[row, k])}
                | {"margin": float(bound[row, k]) if np.isfinite(bound[row, k]) else None}
                for k, wave in enumerate(WAVE_NAMES) if np.isfinite(found[row, k])
            ]  # fmt: skip
        for area, *both in zip(TERRITORIES, territory_cells(booked), measured.of_territories(name), strict=True):
            areas += [
                {"class": name, "territory": area, "wave": wave, **_checked(whole, out)}
                for wave, whole, out in zip(WAVE_NAMES, *both, strict=True) if np.isfinite(out)
            ]  # fmt: skip
        claims += [
            {"class": name, "part": claim.part, "leads": list(claim.leads), **_checked(claim.booked, claim.measured)}
            | {"probability_without": claim.probability_without}
            for claim in measured.claims[name] if claim.measured is not None
        ]  # fmt: skip
    return {"runs": measured.n_runs, "cells": cells, "territories": areas, "claims": claims}


def _checked(booked: float, found: float) -> dict[str, Any]:
    return {"booked": float(booked), "measured": float(found), "agreement": agreement(float(booked), float(found))}


def difference_json(found: CaseDifference, since: str = "") -> dict[str, Any]:
    """Return what changed between two ECGs; names and header text of the files are not in it.

    Per class `voltage` plus `weights` over all rows, plus `bias` and `baseline`, sum to the change of the logit.

    Parameters
    ----------
    found : CaseDifference
    since : str
        Date of the earlier ECG, where it is known.
    """
    first, second = found.earlier.explanation, found.later.explanation
    return {
        "version": __version__,
        "intended_use": INTENDED_USE,
        "model": second.model_name,
        "sha256": second.model_sha256,
        "since": since or None,
        "earlier": {"digest": first.recording_digest, "logits": first.logit.tolist()},
        "later": {"digest": second.recording_digest, "logits": second.logit.tolist()},
        "classes": list(found.classes),
        "logits": found.logit.tolist(),
        "probabilities": [first.probability.tolist(), second.probability.tolist()],
        "bias": found.bias.tolist(),
        "baseline": found.baseline.tolist(),
        "completeness_error": found.residual,
        "ledger": [
            {"class": name, "lead": lead, "wave": wave, "voltage": float(v), "weights": float(w)}
            for name in found.classes
            for lead, *parts in zip(
                STANDARD_LEADS, found.cells(name, "voltage"), found.cells(name, "weights"), strict=True
            )
            for wave, v, w in zip(WAVE_NAMES, *parts, strict=True)
        ],
        "measurements": [
            {
                "name": row.kind,
                "lead": row.lead or None,
                "unit": row.unit,
                "earlier": row.earlier,
                "later": row.later,
                "change": row.change,
                "limit": row.limit,
                "beyond": row.beyond,
                "source": row.source or None,
            }
            for row in found.changes
        ],
        "named": [
            {
                "kind": one.kind,
                "text": one.text,
                "new": one.is_new,
                "leads": list(one.leads),
                "secondary": one.secondary,
            }
            for one in found.named
        ],
        "mimics": [{"kind": one.kind, "text": one.text} for one in found.mimics],
        "reading": {
            name: list(difference_sentences(found, name, since or "the earlier ECG")) for name in found.classes
        },
    }


def measured_json(reading: SignalReading) -> dict[str, Any]:
    """Return what is measured on one window without any model; all that a model would say is null or empty."""
    recording, measurements, findings = reading.recording, reading.measurements, reading.findings
    return {
        "schema": SCHEMA,
        "version": __version__,
        "intended_use": INTENDED_USE,
        "recording": {
            "digest": recording.digest,
            "source": recording.source,
            "duration_s": recording.duration_s,
            "derived_leads": list(recording.derived_leads),
            "notes": list(recording.notes),
        },
        "fs": recording.fs,
        **_WITHOUT_MODEL,
        "st": [
            {
                "lead": st.lead,
                "j_mv": st.j_mv,
                "j60_mv": st.j60_mv,
                "j80_mv": st.j80_mv,
                "slope_mv_per_s": st.slope_mv_per_s,
                "shape": st.shape,
                "reference": st.reference,
            }
            for st in (measurements.st if measurements else ())
        ],
        "st_elevation_leads": list(reading.st_elevation_leads),
        "t": [
            {"lead": t.lead, "amplitude_mv": t.amplitude_mv, "grade": t.grade}
            for t in (measurements.t_waves if measurements else ())
        ],
        "intervals": _intervals(reading),
        "rhythm": {
            "statement": reading.rhythm.statement,
            "grounds": list(reading.rhythm.grounds),
            "af_score": reading.rhythm.af_score,
            "beats": [
                {"at_s": float(reading.waves.r_samples[beat] / reading.waves.fs), "kind": letter}
                for beat, letter in sorted(reading.rhythm.beat_letters.items())
            ]
            if reading.waves is not None
            else [],
            "pauses": [{"start_s": start, "length_s": length} for start, length in reading.rhythm.pauses],
        },
        "scope": _scope_json(reading.scope),
        "findings": [
            {
                "kind": item.kind,
                "verdict": item.verdict,
                "text": item.text,
                "leads": list(item.leads),
                "territories": list(item.territories),
                "reason": item.reason,
            }
            for item in (findings.items if findings else ())
        ],
        "criteria": [
            {
                "name": item.name,
                "verdict": item.verdict,
                "numbers": item.numbers,
                "leads": list(item.leads),
                "wave": item.wave,
                "reason": item.reason,
                "source": item.source,
            }
            for item in (findings.criteria if findings else ())
        ],
        "waves": None
        if reading.waves is None
        else {"method": reading.waves.method, "beats": len(reading.waves.r_samples)},
        "reason": reading.reason,
        "quality": {
            "usable": reading.quality.usable,
            "refusals": list(reading.quality.refusals),
            "warnings": list(reading.quality.warnings),
            "einthoven_residual_mv": reading.quality.einthoven_residual_mv,
            "gap_share": reading.quality.gap_share,
        },
    }


def _intervals(reading: SignalReading) -> dict[str, Any]:
    if reading.measurements is None:
        return {}
    intervals = reading.measurements.intervals
    named: dict[str, Measured] = {
        "heart_rate": intervals.heart_rate,
        "rr": intervals.rr,
        "rr_shortest": intervals.rr_range[0],
        "rr_longest": intervals.rr_range[1],
        "pr": intervals.pr,
        "qrs": intervals.qrs,
        "qt": intervals.qt,
        **{f"qtc_{formula.lower()}": value for formula, value in intervals.qtc.items()},
        "axis": intervals.axis,
    }
    return {
        name: {"value": item.value, "unit": item.unit, "reason": item.reason or item.note}
        for name, item in named.items()
    }


def _scope_json(scope: Scope) -> dict[str, Any]:
    return {
        "within": scope.within,
        "reasons": list(scope.reasons),
        "distance": scope.distance,
        "most_distance": MOST_UNLIKE,
    }
