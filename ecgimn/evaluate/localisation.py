"""Does the evidence lie where cardiologists look? Territories of infarction, waves by class, planted changes.

How far what they look for, the textbook criteria, agrees with PTB-XL's statements is counted here as well.

Planted changes are the pointing game of Zhang et al. (arXiv:1608.00507), on what a change adds: the cell (lead x wave)
whose evidence for the class grew most has to lie in the planted leads and waves. Whether a network reacts at all is the
network's own affair, so it is counted beside: a true map cannot show growing evidence for a class whose logit falls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ecgimn.evaluate.fidelity import SIGNS
from ecgimn.evaluate.metrics import auroc, mean, patient_weights, plain, ratio_estimate, rounded, wilson
from ecgimn.evaluate.stability import mean_over, quick_ledgers
from ecgimn.evaluate.subjects import OWN, Array, ComparedRecord, Explained, Subject, composite_case
from ecgimn.explain.edits import LEAD_GROUPS, intervention, masks_from_landmarks
from ecgimn.explain.ledger import QUICK_WAVES
from ecgimn.explain.what_if import exchange_matrix
from ecgimn.leads import STANDARD_LEADS
from ecgimn.model.model import Model
from ecgimn.signal.conduction import possible_lead_reversal
from ecgimn.signal.criteria import BORDERLINE, CRITERIA, PRESENT
from ecgimn.signal.measure import measure
from ecgimn.signal.preprocess import input_change
from ecgimn.signal.reading import read_signal
from ecgimn.signal.rhythm import Rhythm
from ecgimn.signal.waves.find import find_waves
from ecgimn.signal.waves.spans import LANDMARKS
from ecgimn.sources.composites.case import read_composite
from ecgimn.sources.ptbxl import PtbXl
from ecgimn.sources.ptbxl_arrays import SUPERCLASSES, Dataset

#: Leads in which evidence for each kind of infarction is expected (CLINICAL teaching convention).
EXPECTED_LEADS = {
    "AMI": ("V1", "V2", "V3", "V4", "V5"),
    "IMI": ("II", "III", "aVF"),
    "LMI": ("I", "aVL", "V5", "V6"),
}


def lies_in_territory(by_lead: NDArray[np.floating], kind: str) -> NDArray[np.bool_]:
    """Return whether the strongest lead of each record, of evidence (n, 12), is one of those expected."""
    strongest = np.array(STANDARD_LEADS)[np.asarray(by_lead).argmax(axis=-1)]
    return np.asarray(np.isin(strongest, EXPECTED_LEADS[kind]))


def territory_hits(model: Model, data: Dataset, ledgers: NDArray[np.floating], *, threshold: float) -> dict[str, Any]:
    """Share of AMI, IMI and LMI records called MI whose strongest MI lead lies in the expected territory."""
    mi = model.classes.index("MI")
    called = expit(model.logits(data.x)[:, mi]) >= threshold
    result: dict[str, Any] = {}
    for name, expected in EXPECTED_LEADS.items():
        by_lead = ledgers[called & data.with_infarction(name), mi].sum(axis=-1)
        strongest = np.array(STANDARD_LEADS)[by_lead.argmax(axis=1)]
        positive = np.clip(by_lead, 0, None)
        inside = positive[:, np.isin(STANDARD_LEADS, expected)].sum(1) / np.maximum(positive.sum(1), 1e-9)
        result[name] = {
            "n": len(by_lead),
            "hit": plain(mean(lies_in_territory(by_lead, name)), 4),
            "chance": round(len(expected) / 12, 4),
            "share_of_positive_evidence": plain(mean(inside), 4),
            "strongest_lead": {
                lead: int((strongest == lead).sum()) for lead in STANDARD_LEADS if (strongest == lead).any()
            },
        }
    return result


def wave_shares(data: Dataset, ledgers: NDArray[np.floating]) -> dict[str, dict[str, float | None]]:
    """Mean share of absolute lead x wave evidence per wave, over the records that carry each superclass."""
    waves = (*QUICK_WAVES, "other")
    result = {}
    for k, name in enumerate(SUPERCLASSES):
        chosen = np.abs(ledgers[data.labels["superclass"][:, k] == 1, k])
        share = chosen.sum(axis=1) / chosen.sum(axis=(1, 2))[:, None]
        result[name] = dict(zip(waves, rounded(mean(share, axis=0)), strict=True))
    return result


def planted_evidence(model: Model, data: Dataset, *, limit: int = 200, seed: int = 0) -> dict[str, Any]:
    """Plant a change in NORM records and see whether the evidence that appears lies in its leads and wave.

    `pointing`: the cell (lead x wave) whose evidence grew most lies in the planted leads and wave. `mass`: share of the
    growth of positive evidence that lies there. `sign`: the logit of the class that should react rises.
    """
    normal = np.flatnonzero(data.norm_alone)[:limit]
    rng = np.random.default_rng(seed)
    part = data.select(normal)
    before, logit_before = quick_ledgers(model, part), model.logits(part.x)
    result: dict[str, Any] = {}
    for name, sign in SIGNS.items():
        k = model.classes.index(sign.reacting)
        chosen = [sign.groups[int(rng.integers(len(sign.groups)))] for _ in normal]
        x = part.x.astype(np.float64)
        for i, group in enumerate(chosen):
            masks = masks_from_landmarks(part.landmarks[i], x.shape[-1])
            change = intervention(sign.family, x[i], masks, leads=LEAD_GROUPS[group], amount=sign.amount)
            x[i] += input_change(change)
        edited = part.with_x(x)
        growth = (quick_ledgers(model, edited) - before)[:, k]
        wave_mask = np.isin((*QUICK_WAVES, "other"), sign.waves)
        groups = np.array([LEAD_GROUPS[group] for group in chosen], dtype=bool).reshape(-1, 12)
        found = _pointing(growth, groups[:, :, None] & wave_mask)
        result[name] = {
            "class": sign.reacting,
            "n": len(normal),
            "pointing": plain(mean(found.hits), 4),
            "mass": plain(found.inside.sum() / max(found.total.sum(), 1e-9) if len(normal) else np.nan, 4),
            "sign": plain(mean(model.logits(edited.x)[:, k] > logit_before[:, k]), 4),
        }
    return result


@dataclass(frozen=True, eq=False)
class Pointing:
    """Where evidence grew: whether most in the region, and how much of the growth lies inside and in all, (n,) each."""

    hits: NDArray[np.bool_]
    inside: Array
    total: Array


def _pointing(growth: Array, regions: NDArray[np.bool_]) -> Pointing:
    """Compare the growth of evidence (n, 12, n_waves + 1) with the regions where a change was planted."""
    flat = growth.reshape(len(growth), 60)
    hits = regions.reshape(len(growth), 60)[np.arange(len(growth)), flat.argmax(axis=1)]
    grown = np.clip(growth, 0.0, None)
    return Pointing(np.asarray(hits), (grown * regions).sum(axis=(1, 2)), grown.sum(axis=(1, 2)))


ST_ELEVATION = "ST elevation +0.2 mV"
NORMAL = "norm"
#: Composite twins of the normal case with one change, the plant that each belongs to, and the class that should react.
TWINS = {
    "twin-ste-v2-v4": (ST_ELEVATION, "MI"),
    "twin-ste-inferior": (ST_ELEVATION, "MI"),
    "twin-std-v4-v6": ("ST depression -0.15 mV", "STTC"),
    "twin-tinv-v4-v6": ("T inversion", "STTC"),
}


@dataclass(frozen=True, eq=False)
class Plant:
    """One change in one case.

    Attributes
    ----------
    name : str
        Of its kind.
    before, after : ComparedRecord
        The case without and with the change; the landmarks are those without.
    reacting : str
        The class whose logit should rise.
    leads : ndarray of shape (12,), bool
        Leads that were changed.
    waves : tuple of str
        Waves of `QUICK_WAVES` that the change reaches. An ST shift sets in at J, which lies in the last samples of the
        cell of QRS.
    """

    name: str
    before: ComparedRecord
    after: ComparedRecord
    reacting: str
    leads: NDArray[np.bool_]
    waves: tuple[str, ...]

    def region(self, waves: Iterable[str]) -> NDArray[np.bool_]:
        """Return the cells of the changed leads in some waves, (12, n_waves + 1)."""
        return np.asarray(self.leads[:, None] & np.isin((*QUICK_WAVES, "other"), list(waves)))

    @property
    def within(self) -> tuple[str, ...]:
        """The waves without the one in which the change only sets in."""
        return tuple(wave for wave in self.waves if wave != "qrs") or self.waves


def plant(name: str, case: ComparedRecord, group: str) -> Plant:
    """Make one of the changes of `SIGNS` in a group of leads."""
    sign = SIGNS[name]
    change = intervention(sign.family, case.x, case.masks, leads=LEAD_GROUPS[group], amount=sign.amount)
    return Plant(name, case, case.edited(change), sign.reacting, LEAD_GROUPS[group], sign.waves)


def planted_in_records(cases: Sequence[ComparedRecord], *, seed: int = 0) -> list[Plant]:
    """Return every change of `SIGNS` in every record, each in leads drawn from its groups."""
    rng = np.random.default_rng(seed)
    plants = []
    for name, sign in SIGNS.items():
        plants += [plant(name, case, sign.groups[int(rng.integers(len(sign.groups)))]) for case in cases]
    return plants


def planted_in_composites() -> list[Plant]:
    """Return every change of `SIGNS` in every group of leads of the normal composite, and the composite twins.

    The twins were changed at 500 Hz in the mean beat, apart from the code of the edits here.
    """
    normal = replace(composite_case(NORMAL), record=-1)  # a number that no record has, so that its ledger is kept
    plants = [plant(name, normal, group) for name, sign in SIGNS.items() for group in sign.groups]
    for twin, (name, reacting) in TWINS.items():
        card = read_composite(twin).case.planted
        if card is None:
            raise ValueError(f"{twin} has no planted change")
        after = replace(composite_case(twin), landmarks=normal.landmarks)
        waves = SIGNS[name].waves if name in SIGNS else ("qrs", *(wave.lower() for wave in card.waves))
        plants.append(Plant(name, normal, after, reacting, np.isin(STANDARD_LEADS, card.leads), waves))
    return plants


def find_plants(explained: Explained, plants: Sequence[Plant]) -> dict[str, dict[str, Any]]:
    """Score one method on some plants, kind by kind; kinds whose class the network does not have are left out.

    Returns
    -------
    dict
        Per kind `class`, `n`, and as value, low, high: `pointing`, the share of plants of which the cell of largest
        growth lies in the planted leads and waves; `pointing_within`, the same without the wave in which the change
        only sets in; `mass`, the share of the growth of positive evidence that lies there; `sign`, the share in which
        the evidence there grows; `reacted`, the share in which the network's own logit of the class rises; and
        `pointing_reacted`, pointing among those.
    """
    kinds: dict[str, list[Plant]] = {}
    for one in plants:
        if one.reacting in explained.subject.classes:
            kinds.setdefault(one.name, []).append(one)
    return {name: _score(found, *_reaction(explained, found)) for name, found in kinds.items()}


def _reaction(explained: Explained, plants: list[Plant]) -> tuple[Array, Array]:
    """Return what plants of one class add to its evidence, (n, 12, n_waves + 1), and to its logit, (n,)."""
    subject, k = explained.subject, explained.subject.classes.index(plants[0].reacting)
    growth = np.stack([explained.of_class(one.after, k) - explained.of_class(one.before, k) for one in plants])
    before, after = (
        subject.logits(subject.inputs([getattr(one, state) for one in plants]))[:, k] for state in ("before", "after")
    )
    return growth, after - before


def _score(plants: list[Plant], growth: Array, rises: Array) -> dict[str, Any]:
    cases = [one.before for one in plants]
    regions = np.stack([one.region(one.waves) for one in plants])
    found, within = (
        _pointing(growth, part) for part in (regions, np.stack([one.region(one.within) for one in plants]))
    )
    weights = patient_weights(np.array([case.patient for case in cases]))
    figures = {
        "pointing": mean_over(cases, found.hits),
        "pointing_within": mean_over(cases, within.hits),
        "mass": ratio_estimate(found.inside, found.total, weights).as_list(),
        "sign": mean_over(cases, (growth * regions).sum(axis=(1, 2)) > 0),
        "reacted": mean_over(cases, rises > 0),
        "pointing_reacted": mean_over([c for c, up in zip(cases, rises > 0, strict=True) if up], found.hits[rises > 0]),
    }
    return {"class": plants[0].reacting, "n": len(plants), **figures}


def find_st_elevation(subject: Subject, cases: Sequence[ComparedRecord]) -> dict[str, dict[str, Any]] | None:
    """Plant an ST elevation in every group of leads of many records, and look for it in the network's own map.

    Returns
    -------
    dict or None
        Per group of leads, and `all` together, what `find_plants` says; None without a map of its own, or without MI.
    """
    if subject.maps is None or SIGNS[ST_ELEVATION].reacting not in subject.classes:
        return None
    groups = SIGNS[ST_ELEVATION].groups
    plants = [plant(ST_ELEVATION, case, group) for group in groups for case in cases]
    growth, rises = _reaction(Explained(subject, OWN), plants)
    found = {"all": _score(plants, growth, rises)}
    for i, group in enumerate(groups):
        rows = slice(i * len(cases), (i + 1) * len(cases))
        found[group] = _score(plants[rows], growth[rows], rises[rows])
    return found


def territory(explained: Explained, cases: dict[str, list[ComparedRecord]]) -> dict[str, Any]:
    """Share of records with one kind of infarction whose strongest lead for MI lies in its territory.

    Returns
    -------
    dict
        One entry per kind with `n` and `hit`, and `all` together; empty where the network does not know MI.
    """
    if "MI" not in explained.subject.classes:
        return {}
    k, result = explained.subject.classes.index("MI"), {}
    everyone: list[ComparedRecord] = []
    every_hit: list[bool] = []
    for name, found in cases.items():
        hits = [bool(lies_in_territory(explained.of_class(case, k).sum(-1), name)) for case in found]
        result[name] = {"n": len(hits), "hit": mean_over(found, hits)}
        everyone, every_hit = everyone + found, every_hit + hits
    return {**result, "all": {"n": len(every_hit), "hit": mean_over(everyone, every_hit)}}


_ISCHAEMIA = ("INVT", "ISC_", "ISCAL", "ISCAN", "ISCAS", "ISCIL", "ISCIN", "ISCLA")
_INJURY = ("INJAL", "INJAS", "INJIL", "INJIN", "INJLA")
_POSTERIOR = ("PMI", "IPMI", "IPLMI")
_INFARCTION = ("AMI", "ASMI", "ALMI", "IMI", "ILMI", "LMI", *_POSTERIOR)
#: PTB-XL statements that stand for the sign of a criterion; those without one are counted in normal records only.
STATEMENTS_OF: dict[str, tuple[str, ...]] = {
    "ST elevation": ("STE_",),
    "ST depression": ("STD_", *_INJURY),
    "ST depression V1-V3 (posterior)": _POSTERIOR,
    "Sgarbossa": _INFARCTION,
    "Sgarbossa, modified by Smith": _INFARCTION,
    "T inversion": _ISCHAEMIA,
    "T inversion with prominent R": _ISCHAEMIA,
    "Hyperkalaemia-like T": ("EL",),
    "Q waves, inferior": ("IMI", "ILMI", "IPMI", "IPLMI"),
    "Q waves, anterior": ("AMI", "ASMI", "ALMI"),
    "Q waves, lateral": ("LMI", "ALMI", "ILMI", "IPLMI"),
    "Tall R in V1-V2 (posterior)": _POSTERIOR,
    "Poor R progression": ("AMI", "ASMI", "ALMI"),
    "LVH, Sokolow-Lyon": ("LVH", "VCLVH"),
    "LVH, Cornell": ("LVH", "VCLVH"),
    "LVH, Peguero-Lo Presti": ("LVH", "VCLVH"),
    "RVH": ("RVH",),
    "LBBB": ("CLBBB",),
    "LBBB (Strauss)": ("CLBBB",),
    "RBBB": ("CRBBB",),
    "Incomplete LBBB": ("ILBBB",),
    "Incomplete RBBB": ("IRBBB",),
    "LAFB": ("LAFB",),
    "LPFB": ("LPFB",),
    "Pre-excitation": ("WPW",),
    "PR above 200 ms": ("1AVB", "LPR"),
    "Low voltage": ("LVOLT",),
    "Left atrial enlargement": ("LAO/LAE",),
    "Right atrial enlargement": ("RAO/RAE",),
    "Prolonged QTc": ("LNGQT",),
}
#: The same for the rhythm; pacing spikes cannot be seen at 100 Hz.
RHYTHM_STATEMENTS: dict[str, tuple[str, ...]] = {
    "atrial fibrillation or flutter": ("AFIB", "AFLT"),
    "sinus bradycardia": ("SBRAD",),
    "sinus tachycardia": ("STACH",),
    "first degree AV block": ("1AVB",),
    "AV block of second or third degree suspected": ("2AVB", "3AVB"),
    "ventricular ectopic beats": ("PVC", "BIGU", "TRIGU"),
    "supraventricular ectopic beats": ("PAC",),
}


def _rhythms_said(rhythm: Rhythm) -> set[str]:
    """Return which of `RHYTHM_STATEMENTS` a statement on the rhythm says."""
    said = {
        "atrial fibrillation or flutter": rhythm.kind in ("atrial fibrillation", "possible flutter"),
        "AV block of second or third degree suspected": rhythm.kind == "AV block",
        "ventricular ectopic beats": bool(rhythm.ventricular),
        "supraventricular ectopic beats": bool(rhythm.supraventricular),
    }
    by_name = {name: name in rhythm.statement for name in RHYTHM_STATEMENTS}
    return {name for name, here in (by_name | said).items() if here}


def _share(hits: Sequence[bool]) -> dict[str, Any]:
    n = len(hits)
    share = (sum(hits) / n, *wilson(sum(hits), n)) if n else (np.nan,) * 3
    return {"hits": sum(hits), "n": n, "share": rounded(np.array(share))}


def criteria_sample(
    statements: dict[int, frozenset[str]], limit: int | None, least: int, *, seed: int = 0
) -> tuple[list[int], dict[str, list[int]]]:
    """Choose records: a random sample, and per criterion enough records with one of its statements.

    Parameters
    ----------
    statements : dict of ecg_id to codes
        Records with statements.
    limit : int or None
        Size of the random sample; all records without.
    least : int
        Records with a criterion's statements that its sensitivity rests on at least, where there are so many.

    Returns
    -------
    base : list of int
    positives : dict of criterion to list of int
        Those of the base and, where they are too few, further ones drawn at random among all.
    """
    ids = [int(i) for i in np.random.default_rng(seed).permutation(sorted(statements))]
    base = ids if limit is None else ids[:limit]
    positives = {}
    for name, codes in {**STATEMENTS_OF, **RHYTHM_STATEMENTS}.items():
        inside = [i for i in base if statements[i] & set(codes)]
        more = [i for i in ids[len(base) :] if statements[i] & set(codes)]
        positives[name] = inside + more[: max(0, least - len(inside))]
    return base, positives


def criteria_against_statements(
    source: PtbXl,
    folds: Sequence[int],
    *,
    limit: int | None = None,
    least: int = 30,
    report: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Judge the textbook criteria on PTB-XL at 100 Hz and count how they agree with the statements.

    Sensitivity is over records with a statement, specificity and PPV over the random sample. A criterion counts as met
    where the sign is there, whatever its cause ("may be secondary" included); records on which it cannot be judged, or
    does not apply, are left out. Records without any statement are left out, since nothing is known of them.

    Parameters
    ----------
    source : PtbXl
    folds : sequence of int
    limit, least : as in `criteria_sample`
    report : callable, optional
        Called with the number of records done and of all.
    """
    ids = source.ids(folds, fs=100)
    codes = source.table.loc[ids, "scp_codes"]
    statements = {int(i): frozenset(found) for i, found in codes.items() if found}
    base, positives = criteria_sample(statements, limit, least)
    wanted = list(dict.fromkeys([*base, *(i for some in positives.values() for i in some)]))
    found: dict[int, dict[str, str]] = {}
    near: dict[int, set[str]] = {}
    rhythms: dict[int, Rhythm] = {}
    for place, ecg_id in enumerate(wanted):
        reading = read_signal(source.recording(ecg_id, fs=100), quick=True)
        if reading.findings is not None:
            found[ecg_id] = {item.name: item.verdict for item in reading.findings.criteria}
            near[ecg_id] = {item.name for item in reading.findings.criteria if BORDERLINE in item.reason}
            rhythms[ecg_id] = reading.rhythm
        if report is not None:
            report(place + 1, len(wanted))
    rows = []
    for name, cited, _ in CRITERIA:
        own = set(STATEMENTS_OF.get(name, ()))

        def judged(some: Iterable[int], name: str = name) -> list[tuple[int, bool]]:
            return [
                (i, found[i][name] in PRESENT) for i in some
                if i in found and found[i][name] not in ("not measurable", "not applicable")
            ]  # fmt: skip

        with_it = judged(positives.get(name, ()))
        inside = judged(base)
        without = [met for i, met in inside if not statements[i] & own]
        right = [bool(statements[i] & own) for i, met in inside if met]
        normal = [met for i, met in inside if "NORM" in statements[i]]
        rows.append({
            "name": name,
            "source": cited,
            "statements": sorted(own),
            "sensitivity": _share([met for _, met in with_it]) if own else None,
            "specificity": _share([not met for met in without]) if own else None,
            "ppv": _share(right) if own else None,
            "met_in_normal": _share(normal),
            "borderline": _share([name in near[i] for i, _ in inside]),
            "borderline_in_normal": _share([name in near[i] for i, _ in inside if "NORM" in statements[i]]),
            "judged": len(inside),
        })  # fmt: skip
    return {
        "folds": [int(fold) for fold in folds], "limit": limit, "least": least, "records": len(wanted),
        "base": len(base), "available": len(statements), "not_measured": len(wanted) - len(found), "rows": rows,
        "rhythm": _rhythm_rows(statements, base, positives, rhythms),
    }  # fmt: skip


def _rhythm_rows(
    statements: dict[int, frozenset[str]],
    base: Sequence[int],
    positives: dict[str, list[int]],
    rhythms: dict[int, Rhythm],
) -> dict[str, Any]:
    """Count how the rhythm agrees with the statements, and rank by `af_score`, over records where a beat was found."""
    rows = []
    for name, codes in RHYTHM_STATEMENTS.items():
        said = {i: name in _rhythms_said(rhythm) for i, rhythm in rhythms.items()}
        inside = [i for i in base if i in said]
        rows.append({
            "name": name,
            "statements": sorted(codes),
            "sensitivity": _share([said[i] for i in positives[name] if i in said]),
            "specificity": _share([not said[i] for i in inside if not statements[i] & set(codes)]),
            "ppv": _share([bool(statements[i] & set(codes)) for i in inside if said[i]]),
        })  # fmt: skip
    fibrillation = set(RHYTHM_STATEMENTS["atrial fibrillation or flutter"])
    scores = {i: rhythm.af_score for i, rhythm in rhythms.items() if rhythm.af_score is not None}
    ranked = [i for i in dict.fromkeys([*base, *positives["atrial fibrillation or flutter"]]) if i in scores]
    labels = np.array([bool(statements[i] & fibrillation) for i in ranked], dtype=np.int64)
    (area,) = auroc(labels, np.array([scores[i] for i in ranked]))
    return {"rows": rows, "af_score_auroc": plain(area), "ranked": len(ranked), "of_these": int(labels.sum())}


#: Electrodes swapped, by what a hint must name, with the exchange of `what_if`; None reverses the row of chest leads.
REVERSALS: dict[str, str | None] = {
    "left arm and right arm": "RA and LA",
    "right arm and left leg": "RA and LL",
    "left arm and left leg": "LA and LL",
    "right arm and right leg": "RA and RL",
    "left arm and right leg": "LA and RL",
    **{f"V{k} and V{k + 1}": f"V{k} and V{k + 1}" for k in range(1, 6)},
    "V1 to V6 in reverse": None,
}


def reversals_found(
    source: PtbXl, folds: Sequence[int], *, limit: int = 500, report: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """Swap the electrodes of normal records by computation, and count how often a reversal is suspected and named.

    Waves are found once, in the record as it is, and swapped with the leads.

    Parameters
    ----------
    source : PtbXl
    folds : sequence of int
    limit : int
        Size of the random sample of records labelled NORM, at 100 Hz with waves found in five leads.
    report : callable, optional
        Called with the number of records done and of all.
    """
    table = source.table.loc[source.ids(folds, fs=100)]
    normal = table.index[table["NORM"] == 1].to_numpy()
    ids = [int(i) for i in np.random.default_rng(0).permutation(normal)[:limit]]
    row = np.eye(12)
    row[6:] = row[6:][::-1]
    matrices = {name: row if exchange is None else exchange_matrix(exchange) for name, exchange in REVERSALS.items()}
    found: dict[str, list[tuple[str, ...]]] = {name: [] for name in ("", *REVERSALS)}
    for place, ecg_id in enumerate(ids):
        recording = source.recording(ecg_id, fs=100)
        waves = find_waves(recording, quick=True)
        for name, matrix in {"": np.eye(12), **matrices}.items():
            exchanged = recording.with_signal(matrix @ recording.signal)
            came_from = np.abs(matrix).argmax(axis=1)
            moved = replace(
                waves,
                labels=waves.labels[came_from],
                **{landmark: getattr(waves, landmark)[came_from] for landmark in LANDMARKS},
            )
            found[name].append(possible_lead_reversal(exchanged, moved, measure(exchanged, moved)))
        if report is not None:
            report(place + 1, len(ids))
    return {
        "folds": [int(fold) for fold in folds], "records": len(ids), "available": len(normal),
        "false_alarms": _share([bool(hints) for hints in found[""]]),
        "rows": [
            {
                "name": name,
                "suspected": _share([bool(hints) for hints in found[name]]),
                "named": _share([any(f": {name}" in hint for hint in hints) for hints in found[name]]),
            }
            for name in REVERSALS
        ],
    }  # fmt: skip
