"""Every claim checked on this ECG: what the map books for a wave, and what the network says once it is taken out.

The map of an ECG-IMN is exact for the ECG as it is. Whether it also says what would happen without a wave is another
question, and it is answered here for the recording at hand: each lead x wave cell, each territory x wave, and each
group of waves that the answer names is set to the isoelectric level, and the network is re-run on all of them.
*Booked* is the contribution in the ledger, *measured* the logit with the wave minus the logit without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ecgimn.explain.ledger import territory_cells
from ecgimn.leads import STANDARD_LEADS, TERRITORIES
from ecgimn.recording import bridge_gaps
from ecgimn.signal.measure import MIN_DEFLECTION_MV, MIN_SHARE
from ecgimn.signal.waves.find import WAVE_NAMES

if TYPE_CHECKING:
    from ecgimn.explain.case import Case, Evidence
    from ecgimn.model.card import ModelCard
    from ecgimn.model.predictor import Predictor
    from ecgimn.signal.criteria import Criterion
    from ecgimn.signal.reading import SignalReading

#: What a sample belongs to: the waves of the ledger with QRS split into its deflections.
PARTS = ("unassigned", "P", "PR", "Q", "R", "S", "R'", "QS", "ST", "T", "TP")
AGREES_WITHIN = 0.2  # of the booked contribution: confirmed
AGREES_WITHIN_LOGIT = 0.1  # or this close in logit, whichever is more
LEAST_CLAIM = 0.1  # logit; less is not named
SECOND_CLAIM = 0.15  # of all that speaks in its direction: from here on a further group is named
IN_GROUP = 0.25  # of the strongest lead of a group: leads below are not named
MOST_CLAIMS = 3
BATCH = 64  # ECGs in one pass through the network

Agreement = Literal["confirmed", "about", "not confirmed"]


@dataclass(frozen=True)
class Claim:
    """A group of waves that speaks for a class, or against it.

    Attributes
    ----------
    part : str
        One of `PARTS`.
    leads : tuple of str
    booked : float
        Contribution of these samples, in logit.
    measured : float or None
        Logit with them minus logit without, by the network re-run; None until it was.
    probability_without : float or None
        Of the class, by the network re-run without them.
    """

    part: str
    leads: tuple[str, ...]
    booked: float
    measured: float | None = None
    probability_without: float | None = None

    @property
    def agreement(self) -> Agreement | None:
        """Whether the re-run network confirms it; None until it was re-run."""
        return None if self.measured is None else agreement(self.booked, self.measured)


@dataclass(frozen=True, eq=False)
class MeasuredLedger:
    """What taking out each cell does to every class.

    Attributes
    ----------
    classes : tuple of str
    cells : ndarray of shape (K, 12, n_waves)
        Logit with the cell minus logit without it, by the network re-run; NaN for cells that hold no sample.
    territories : ndarray of shape (K, n_territories, n_waves)
        The same for all leads of a territory at once.
    claims : dict of str to tuple of Claim
        By class, the groups of waves that the answer may name, each measured as a whole.
    n_runs : int
        ECGs that the network read.
    """

    classes: tuple[str, ...]
    cells: NDArray[np.float64]
    territories: NDArray[np.float64]
    claims: dict[str, tuple[Claim, ...]]
    n_runs: int

    def of(self, name: str, minus: str | None = None) -> NDArray[np.float64]:
        """Return the measured cells of a class, or of the difference of two, shape (12, n_waves)."""
        return self._of(self.cells, name, minus)

    def of_territories(self, name: str, minus: str | None = None) -> NDArray[np.float64]:
        """Return the measured territories of a class, or of the difference of two, shape (n_territories, n_waves)."""
        return self._of(self.territories, name, minus)

    def _of(self, values: NDArray[np.float64], name: str, minus: str | None) -> NDArray[np.float64]:
        one = values[self.classes.index(name)]
        return np.asarray(one if minus is None or minus == name else one - values[self.classes.index(minus)])


AGREEMENTS: tuple[Agreement, ...] = ("not confirmed", "about", "confirmed")
AGREEMENT_MARKS = ("✗", "~", "✓")  # as printed, in the same order


def agreement(booked: float, measured: float) -> Agreement:
    """Return whether a measured contribution confirms a booked one; see `agreements`."""
    return AGREEMENTS[int(agreements(np.asarray(booked), np.asarray(measured)))]


def agreements(booked: NDArray[np.floating], measured: NDArray[np.floating]) -> NDArray[np.int8]:
    """Return the place in `AGREEMENTS` for each cell; cells that were not measured are not confirmed.

    Confirmed: within 20 % of the booked one or 0.1 logit. About: the same sign. Otherwise not confirmed.
    """
    booked, measured = np.asarray(booked, dtype=np.float64), np.asarray(measured, dtype=np.float64)
    off = np.abs(measured - booked)
    sure = off <= np.maximum(AGREES_WITHIN * np.abs(booked), AGREES_WITHIN_LOGIT)
    return np.where(sure, 2, np.where(measured * booked > 0, 1, 0)).astype(np.int8)


def margins(card: ModelCard, name: str, booked: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how far what is measured may lie from what is booked, in 90 % of cells like these; NaN where not known.

    Read from the model card, where `python -m ecgimn evaluate` stores a bound per class and wave.

    Parameters
    ----------
    card : ModelCard
    name : str
        A class; nothing is known of the difference of two.
    booked : ndarray of shape (..., n_waves)
        In logit.
    """
    stored = card.metrics.get("taken_out", {})
    of_class = stored.get("classes", {}).get(name, {}).get("bound", {})
    bound = np.array([np.nan if of_class.get(wave) is None else of_class[wave] for wave in WAVE_NAMES], dtype=float)
    return np.asarray(bound * (float(stored.get("floor", 0.0)) + np.abs(np.asarray(booked, dtype=np.float64))))


def parts_of(reading: SignalReading) -> NDArray[np.int8]:
    """Return what each sample belongs to, shape (12, n_samples), as an index into `PARTS`.

    The QRS of each beat and lead is split where the trace crosses the isoelectric level: negative before the first
    positive deflection is Q, then R, S, R'; a QRS without a positive deflection is QS. Deflections below 0.03 mV or 4 %
    of the QRS belong to their neighbour, as for the measured QRS shape.
    """
    recording, waves = reading.recording, reading.waves
    if waves is None:
        return np.zeros(recording.signal.shape, dtype=np.int8)
    parts = np.array([PARTS.index("R" if name == "QRS" else name) for name in WAVE_NAMES], dtype=np.int8)[waves.labels]
    above = bridge_gaps(recording.signal) - reading.levels[:, None]
    in_qrs = waves.labels == WAVE_NAMES.index("QRS")
    for lead, row in enumerate(in_qrs):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(np.int8), [0]])))
        for start, stop in zip(edges[::2], edges[1::2], strict=True):
            parts[lead, start:stop] = _deflections(above[lead, start:stop])
    return parts


def _deflections(span: NDArray[np.float64]) -> NDArray[np.int8]:
    """Return the deflection that each sample of one QRS belongs to."""
    floor = max(MIN_DEFLECTION_MV, MIN_SHARE * float(np.ptp(span)))
    runs = np.split(np.arange(len(span)), np.flatnonzero(np.diff(np.sign(span) > 0)) + 1)
    kept = [run for run in runs if np.abs(span[run]).max() >= floor]
    if not any(span[run][0] > 0 for run in kept):
        return np.full(len(span), PARTS.index("QS"), dtype=np.int8)
    names: list[str] = []
    for run in kept:
        up, seen = span[run][0] > 0, set(names)
        if up:
            names.append("R'" if "S" in seen else "R")
        else:
            names.append("S" if "R" in seen else "Q")
    centres = np.array([run[np.argmax(np.abs(span[run]))] for run in kept])
    found = np.empty(len(span), dtype=np.int8)
    for run in runs:
        nearest = int(np.argmin(np.abs(centres - run.mean())))
        same = [k for k, other in enumerate(kept) if other is run]
        found[run] = PARTS.index(names[same[0] if same else nearest])
    return found


def claims_of(evidence: Evidence, parts: NDArray[np.int8]) -> tuple[Claim, ...]:
    """Return the groups of waves that say most about a class, strongest first, as booked.

    A class that its evidence raises is spoken for by what raises it, else by what lowers it.
    """
    sums = np.stack(
        [
            np.bincount(row, weights=values, minlength=len(PARTS))
            for row, values in zip(parts, evidence.contribution, strict=True)
        ],
    )  # (12, n_parts)
    sign = 1.0 if evidence.total >= 0 else -1.0
    helping = np.clip(sign * sums, 0.0, None)
    total = float(helping.sum())
    claims: list[Claim] = []
    for place, part in enumerate(PARTS[1:], start=1):
        leads = helping[:, place]
        named = np.flatnonzero(leads >= max(IN_GROUP * leads.max(), 1e-9))
        booked = float(sums[named, place].sum())
        if abs(booked) >= max(LEAST_CLAIM, SECOND_CLAIM * total if claims else 0.0):
            claims.append(Claim(part, tuple(STANDARD_LEADS[lead] for lead in named), booked))
    claims.sort(key=lambda claim: -abs(claim.booked))
    return tuple(
        claim for k, claim in enumerate(claims[:MOST_CLAIMS]) if k == 0 or abs(claim.booked) >= SECOND_CLAIM * total
    )


def measure_case(case: Case, predictor: Predictor) -> MeasuredLedger:
    """Take out every cell, every territory x wave and every group of waves that is named, and re-run the network.

    Parameters
    ----------
    case : Case
        With waves; without them there is nothing to take out.
    predictor : Predictor
        The model of the case.

    Raises
    ------
    ValueError
        No beat was found.
    """
    reading = case.reading
    if reading.waves is None:
        raise ValueError("no beat was found, so no wave can be taken out")
    labels, parts = reading.waves.labels, parts_of(reading)
    claims = {name: claims_of(case.of(name), parts) for name in case.classes}
    n_waves = len(WAVE_NAMES)
    cells = [(lead, wave) for lead in range(12) for wave in range(n_waves) if (labels[lead] == wave).any()]
    areas = [
        (k, wave) for k in range(len(TERRITORIES)) for wave in range(n_waves)
        if (labels[[STANDARD_LEADS.index(lead) for lead in list(TERRITORIES.values())[k]]] == wave).any()
    ]  # fmt: skip
    groups = list(dict.fromkeys((claim.part, claim.leads) for of in claims.values() for claim in of))

    def mask(rows: Sequence[int], chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        inside = np.zeros(labels.shape, dtype=bool)
        inside[list(rows)] = chosen[list(rows)]
        return inside

    of_territory = [[STANDARD_LEADS.index(lead) for lead in leads] for leads in TERRITORIES.values()]
    masks = [
        *(mask([lead], labels == wave) for lead, wave in cells),
        *(mask(of_territory[k], labels == wave) for k, wave in areas),
        *(mask([STANDARD_LEADS.index(lead) for lead in leads], parts == PARTS.index(part)) for part, leads in groups),
    ]
    with_it, without = logits_without(case, predictor, masks)
    lost = with_it - without  # (n, K)
    measured = np.full((len(case.classes), 12, n_waves), np.nan)
    for place, (lead, wave) in enumerate(cells):
        measured[:, lead, wave] = lost[place]
    territories = np.full((len(case.classes), len(TERRITORIES), n_waves), np.nan)
    for place, (k, wave) in enumerate(areas, start=len(cells)):
        territories[:, k, wave] = lost[place]
    row_of = {group: place for place, group in enumerate(groups, start=len(cells) + len(areas))}
    checked = {
        name: tuple(
            Claim(
                claim.part,
                claim.leads,
                claim.booked,
                float(lost[row_of[claim.part, claim.leads], k]),
                float(expit(without[row_of[claim.part, claim.leads], k])),
            )
            for claim in claims[name]
        )
        for k, name in enumerate(case.classes)
    }
    return MeasuredLedger(case.classes, measured, territories, checked, len(masks) + 1)


def logits_without(
    case: Case, predictor: Predictor, masks: Sequence[NDArray[np.bool_]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the logits (K,) of the recording, and (n, K) with the samples of each mask at the isoelectric level.

    Parameters
    ----------
    case : Case
    predictor : Predictor
    masks : sequence of ndarray of shape (12, n_samples), bool
    """
    recording = case.recording
    signal = bridge_gaps(recording.signal)
    level = np.broadcast_to(case.reading.levels[:, None], signal.shape)
    prepare = predictor.preprocessing(recording.fs, recording.n_samples)
    with_it = predictor.logits(prepare.forward(signal)[None])[0]
    parts = [
        predictor.logits(
            np.stack([prepare.forward(np.where(inside, level, signal)) for inside in masks[start : start + BATCH]])
        )
        for start in range(0, len(masks), BATCH)
    ]
    return with_it, np.concatenate(parts) if parts else np.empty((0, len(with_it)))


#: By class as labelled in PTB-XL, the criteria that a textbook would give for it (docs/criteria.md).
TEXTBOOK: dict[str, tuple[str, ...]] = {
    "MI": (
        "ST elevation", "ST depression V1-V3 (posterior)", "de Winter",
        "aVR or V1 elevation with diffuse ST depression", "Sgarbossa", "Sgarbossa, modified by Smith",
        "Q waves, inferior", "Q waves, anterior", "Q waves, lateral", "Tall R in V1-V2 (posterior)",
        "Poor R progression",
    ),
    "STTC": ("ST depression", "T inversion", "T inversion with prominent R", "Wellens", "Hyperkalaemia-like T",
             "Prolonged QTc"),
    "CD": ("LBBB", "LBBB (Strauss)", "RBBB", "Incomplete LBBB", "Incomplete RBBB", "LAFB", "LPFB", "Pre-excitation",
           "PR above 200 ms"),
    "HYP": ("LVH, Sokolow-Lyon", "LVH, Cornell", "LVH, Peguero-Lo Presti", "RVH", "Left atrial enlargement",
            "Right atrial enlargement"),
    # Sub-classes and statements of PTB-XL.
    "IMI": ("ST elevation", "Q waves, inferior"),
    **dict.fromkeys(("AMI", "ASMI"), ("ST elevation", "de Winter", "Q waves, anterior", "Poor R progression")),
    "LMI": ("ST elevation", "Q waves, lateral"),
    "PMI": ("ST depression V1-V3 (posterior)", "Tall R in V1-V2 (posterior)"),
    "ISC_": ("ST depression", "T inversion", "Wellens"),
    "ISCA": ("ST depression", "T inversion", "Wellens"),
    "ISCI": ("ST depression", "T inversion"),
    "NST_": ("ST depression",),
    "CLBBB": ("LBBB", "LBBB (Strauss)"), "ILBBB": ("Incomplete LBBB",),
    "CRBBB": ("RBBB",), "IRBBB": ("Incomplete RBBB",),
    "LAFB/LPFB": ("LAFB", "LPFB"), "LAFB": ("LAFB",), "LPFB": ("LPFB",),
    "WPW": ("Pre-excitation",),
    "_AVB": ("PR above 200 ms",), "1AVB": ("PR above 200 ms",), "LPR": ("PR above 200 ms",),
    **dict.fromkeys(("LVH", "VCLVH"), ("LVH, Sokolow-Lyon", "LVH, Cornell", "LVH, Peguero-Lo Presti")), "RVH": ("RVH",),
    "LAO/LAE": ("Left atrial enlargement",), "RAO/RAE": ("Right atrial enlargement",),
    "INVT": ("T inversion",), "STD_": ("ST depression",), "STE_": ("ST elevation",), "LNGQT": ("Prolonged QTc",),
    "ALMI": ("ST elevation", "de Winter", "Q waves, anterior", "Q waves, lateral", "Poor R progression"),
    "ILMI": ("ST elevation", "Q waves, inferior", "Q waves, lateral"),
    "IPMI": ("ST elevation", "Q waves, inferior", "ST depression V1-V3 (posterior)", "Tall R in V1-V2 (posterior)"),
    "IPLMI": ("ST elevation", "Q waves, inferior", "Q waves, lateral", "ST depression V1-V3 (posterior)",
              "Tall R in V1-V2 (posterior)"),
    **dict.fromkeys(("ISCAL", "ISCAN", "ISCAS"), ("ST depression", "T inversion", "Wellens")),
    **dict.fromkeys(("ISCIL", "ISCIN", "ISCLA"), ("ST depression", "T inversion")),
    **dict.fromkeys(("INJAL", "INJAS", "INJIL", "INJIN", "INJLA", "DIG"), ("ST depression",)),
    **dict.fromkeys(("NDT", "NT_", "TAB_"), ("T inversion",)),
    "ANEUR": ("ST elevation",), "EL": ("Hyperkalaemia-like T", "Prolonged QTc"), "LVOLT": ("Low voltage",),
    "QWAVE": ("Q waves, inferior", "Q waves, anterior", "Q waves, lateral"),
}  # fmt: skip
_INFERIOR, _LATERAL = TERRITORIES["inferior"], TERRITORIES["lateral"]
_ANTERIOR = (*TERRITORIES["septal"], *TERRITORIES["anterior"])
#: Where the leads of a criterion must lie, for classes that name a place: leads elsewhere are not their sign.
PLACES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("IMI", "ISCI", "ISCIN", "INJIN"), _INFERIOR),
    **dict.fromkeys(("LMI", "ISCLA", "INJLA"), _LATERAL),
    **dict.fromkeys(("AMI", "ASMI", "ISCAN", "ISCAS", "INJAS"), _ANTERIOR),
    **dict.fromkeys(("ALMI", "ISCA", "ISCAL", "INJAL"), (*_ANTERIOR, *_LATERAL)),
    **dict.fromkeys(("ILMI", "ISCIL", "INJIL"), (*_INFERIOR, *_LATERAL)),
    "IPMI": (*_INFERIOR, *_ANTERIOR),  # the posterior wall is seen from the front
    "IPLMI": (*_INFERIOR, *_LATERAL, *_ANTERIOR),
}
USED_SHARE = 0.1  # of all that raises the class: from here on a criterion counts as used (project choice)

Use = Literal["used", "hardly used", "counted against"]


@dataclass(frozen=True)
class Reason:
    """One criterion that is on the ECG, beside what the model made of its leads and wave.

    Attributes
    ----------
    criterion : Criterion
    booked : float
        Contribution of the criterion's wave in its leads to the class, in logit.
    measured : float or None
        The same by the network re-run without each of these cells, added up; None where it was not re-run.
    share : float
        Booked contribution over all that raises the class; 0 where it raises nothing.
    """

    criterion: Criterion
    booked: float
    measured: float | None
    share: float

    @property
    def use(self) -> Use:
        """Whether the class rests on it: booked, and not contradicted by the network re-run."""
        if self.booked <= -LEAST_CLAIM:
            return "counted against"
        contradicted = self.measured is not None and self.measured <= 0
        return "used" if self.booked >= LEAST_CLAIM and self.share >= USED_SHARE and not contradicted else "hardly used"


@dataclass(frozen=True)
class Reasons:
    """The textbook criteria of a class on one ECG beside what the model used.

    Attributes
    ----------
    class_name : str
    called : bool or None
        Whether the probability is at or above the operating point; None where the card has none.
    reasons : tuple of Reason
        The criteria that are on the ECG, in the order of the list.
    absent : int
        Criteria of the class that could be judged and are not on the ECG.
    decisive : (str, str, float) or None
        Territory, wave and contribution of what raises the class most; None where nothing does.
    """

    class_name: str
    called: bool | None
    reasons: tuple[Reason, ...]
    absent: int
    decisive: tuple[str, str, float] | None

    @property
    def verdict(self) -> Literal["right reasons", "other reasons", "no criterion", "not judged"]:
        """Whether one criterion at least that is on the ECG was used."""
        if not self.reasons:
            return "no criterion" if self.absent else "not judged"
        return "right reasons" if any(reason.use == "used" for reason in self.reasons) else "other reasons"


def reasons_of(evidence: Evidence, measured: NDArray[np.float64] | None = None) -> Reasons | None:
    """Compare a class's evidence with its textbook criteria on this ECG; None for a class that has none, such as NORM.

    Parameters
    ----------
    evidence : Evidence
        For one class, not a difference.
    measured : ndarray of shape (12, n_waves), optional
        What taking out each cell did, as `MeasuredLedger.of` gives it.
    """
    names = TEXTBOOK.get(evidence.name)
    if names is None or evidence.is_difference or evidence.reading.findings is None:
        return None
    judged = [item for item in evidence.reading.findings.criteria if item.name in names]
    raising = evidence.for_and_against()[0]
    reasons = []
    for item in judged:
        rows = [STANDARD_LEADS.index(lead) for lead in item.leads if lead in PLACES.get(evidence.name, STANDARD_LEADS)]
        if not item.present or not rows:
            continue
        column = WAVE_NAMES.index(item.wave)
        booked = float(evidence.cells[rows, column].sum())
        again = None if measured is None else float(np.nansum(measured[rows, column]))
        reasons.append(Reason(item, booked, again, max(booked, 0.0) / raising if raising > 0 else 0.0))
    areas = {
        (area, wave): float(value)
        for area, row in zip(TERRITORIES, territory_cells(evidence.cells), strict=True)
        for wave, value in zip(WAVE_NAMES, row, strict=True) if wave != "unassigned"
    }  # fmt: skip
    top = max(areas, key=areas.__getitem__)
    probability, threshold = evidence.probability, evidence.threshold
    return Reasons(
        evidence.name,
        None if threshold is None or probability is None else probability >= threshold,
        tuple(reasons),
        sum(item.verdict == "not met" for item in judged),
        (*top, areas[top]) if areas[top] > 0 else None,
    )
