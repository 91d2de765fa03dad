"""Makes the composite cases: records by statement, one per patient, their mean beat, ten seconds, teaching twins."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgimn.errors import SourceError
from ecgimn.leads import INDEPENDENT_LEADS
from ecgimn.sources.composite_beats import (
    BEAT_FS,
    MIN_BEATS,
    MIN_MEMBERS,
    Group,
    MedianBeat,
    align,
    choose,
    median_beat,
)
from ecgimn.sources.composite_kinds import KINDS, Kind
from ecgimn.sources.composite_strip import Template, beat_times, noise, random_source, strip, template
from ecgimn.sources.composite_twins import TWINS
from ecgimn.sources.composites import Composite, CompositeCase
from ecgimn.sources.ptbxl import SUPERCLASSES, PtbXl

FOLDS = tuple(range(1, 10))  # fold 10 is for reporting results and lends nothing to what ships
MAX_CANDIDATES = 600  # per kind, those with the lowest numbers; more would change the means by little
RR_RANGE_S = (0.62, 1.30)  # beyond, P meets T or the beat does not fit
SINUS = frozenset({"SR", "SBRAD", "SARRH", "STACH"})
NO_SINUS = frozenset({"AFIB", "AFLT", "PACE", "SVTAC", "PSVT", "BIGU", "TRIGU", "SVARR"})
DISTURBED = ("electrodes_problems", "pacemaker")
NOISY = ("static_noise", "burst_noise")
MIN_PAUSE = 20  # samples (40 ms) of level baseline kept between two beats
SHORTEST_SHARE = 0.95  # of the mean RR: what breathing leaves of the shortest
LOWEST_RR_S = 0.7  # a composite beats at most 86 times a minute, so that T and P stay apart

METHOD = (
    "Per record the median of its ordinary beats (baseline through the PQ levels; premature beats and beats with a "
    "correlation below 0.9 left out), 100 Hz records interpolated band-limited to 500 Hz. Over patients: QRS aligned "
    "by cross-correlation, PQ and ST-T stretched to the group's median length, amplitudes untouched, then the mean. "
    "Ten seconds: that one beat at intervals with 3 % respiratory and 0.8 % random variation, baseline between, noise "
    "of 6 microvolt root mean square added."
)


@dataclass(frozen=True, eq=False)
class _Mean:
    """What the making of one kind gives: the beat, its rhythm and where it comes from."""

    kind: Kind
    group: Group
    beat: Template
    ids: NDArray[np.int64]
    n_candidates: int
    n_high_rate: int


def make(ptbxl: PtbXl, names: tuple[str, ...] | None) -> tuple[Composite, ...]:
    """Make the named kinds, or all; see `ecgimn.sources.composites.make_composites`."""
    known = [kind.name for kind in KINDS]
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise SourceError(f"There is no kind of composite {unknown[0]!r}. Choose from {', '.join(known)}.")
    here = {fs: set(ptbxl.ids(FOLDS, fs=fs).tolist()) for fs in (100, 500)}
    composites: list[Composite] = []
    twins: list[Composite] = []
    for kind in KINDS:
        if names is None or kind.name in names:
            mean = _mean_of(ptbxl, kind, here)
            composite = _composite(ptbxl, mean)
            composites.append(composite)
            if kind.name == "norm":
                twins = [_twin(mean, composite, position) for position in range(len(TWINS))]
    return (*composites, *twins)


def candidates(ptbxl: PtbXl, kind: Kind, here: set[int]) -> NDArray[np.int64]:
    """Return the records of a kind that are here, sinus rhythm and undisturbed, one per patient, the first of each."""
    table = ptbxl.table[ptbxl.folds.isin(FOLDS)]
    table = table[[ecg_id in here for ecg_id in table.index]]
    fits = [_fits(kind, codes, sub, rhythm) for codes, sub, rhythm in
            zip(table["scp_codes"], table["diagnostic_subclass"], table["rhythm"], strict=True)]  # fmt: skip
    table = table[fits]
    table = table[table[kind.superclass] == 1]
    if kind.alone:
        table = table[table[list(SUPERCLASSES)].sum(axis=1) == 1]
    for column in DISTURBED if kind.noisy else (*DISTURBED, *NOISY):
        if column in table.columns:
            table = table[table[column].isna()]
    first = table[~table["patient_id"].duplicated()].index[:MAX_CANDIDATES]
    return np.array(first, dtype=np.int64)


def _fits(kind: Kind, codes: dict[str, float], subclasses: tuple[str, ...], rhythm: tuple[str, ...]) -> bool:
    if NO_SINUS & set(rhythm) or (rhythm and not SINUS & set(rhythm)):
        return False
    if not codes:  # some copies of the table keep only the subclass of a record
        return kind.subclass is not None and kind.subclass in subclasses
    if any(code in codes for code in kind.without):
        return False
    return any(code in codes and codes[code] >= kind.likelihood for code in kind.codes)


def _mean_of(ptbxl: PtbXl, kind: Kind, here: dict[int, set[int]]) -> _Mean:
    """Return the mean beat of the typical patients of a kind."""
    ids = candidates(ptbxl, kind, here[100] | here[500])
    medians: list[MedianBeat] = []
    usable: list[int] = []
    for fs in (500, 100):
        chosen = [ecg_id for ecg_id in ids if (ecg_id in here[500]) == (fs == 500)]
        for ecg_id, signal in zip(chosen, ptbxl.signals(chosen, fs), strict=True):
            median = median_beat(signal / 1000.0, fs)
            if median is not None and RR_RANGE_S[0] <= median.rr_s <= RR_RANGE_S[1]:
                medians.append(median)
                usable.append(ecg_id)
    if len(medians) < MIN_MEMBERS:
        raise SourceError(
            f"{len(medians)} usable patients with {', '.join(kind.codes)} are in the PTB-XL folder. At least "
            f"{MIN_MEMBERS} are needed for a composite. Use the complete data set."
        )
    group = align(medians, pq_s=kind.pq_s)
    rows = choose(group, kind.strength(group), strongest=kind.strongest, typical=kind.typical)
    group = align([medians[row] for row in rows], pq_s=kind.pq_s)
    members = np.array(usable)[rows]
    beat = template(group.mean, group.onset, group.end, pq_s=kind.pq_s)
    return _Mean(kind, group, beat, members, len(medians), sum(int(i) in here[500] for i in members))


def _composite(ptbxl: PtbXl, mean: _Mean) -> Composite:
    kind, group = mean.kind, mean.group
    rng = random_source(kind.name)
    times = _beat_times(mean, rng)
    signal = _microvolts(strip(mean.beat, times) + noise(len(INDEPENDENT_LEADS), rng))
    rows = ptbxl.table.loc[mean.ids]
    case = CompositeCase(
        name=kind.name,
        title=kind.title,
        codes=kind.codes,
        superclass=kind.superclass,
        n_patients=group.n_patients,
        hallmark=kind.hallmark,
        label_definition=_label_definition(kind),
        selection=_selection(kind, mean.n_candidates, group.n_patients),
        method=METHOD,
        made_from=_made_from(rows, mean),
        rr_s=round(float(np.diff(times).mean()) / BEAT_FS, 4),
        beat={"r": mean.beat.r, "qrs_onset": mean.beat.onset, "j": mean.beat.end},
        r_samples=tuple(int(time) for time in times if 0 <= time < signal.shape[1]),
        digest="",
    )
    return _with_digest(Composite(case, signal, _microvolts(mean.beat.beat)))


def _twin(mean: _Mean, normal: Composite, position: int) -> Composite:
    """Plant a change in the normal composite; beats, times and noise are those of the normal composite."""
    name, title, hallmark, change = TWINS[position]
    beat, planted = change(mean.beat)
    rng = random_source(mean.kind.name)
    times = _beat_times(mean, rng)
    signal = _microvolts(strip(beat, times) + noise(len(INDEPENDENT_LEADS), rng))
    case = replace(
        normal.case, name=name, title=title, hallmark=hallmark, planted=planted,
        selection=f"The members of {normal.case.name!r}. {normal.case.selection}",
        method=f"Composite with planted change: {planted.change}. {METHOD}",
    )  # fmt: skip
    return _with_digest(Composite(case, signal, _microvolts(beat.beat)))


def _beat_times(mean: _Mean, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return when beats come: at the members' median rate, slower where the beat would not fit at varied intervals."""
    shortest = mean.beat.beat.shape[1] + MIN_PAUSE
    rr_s = max(LOWEST_RR_S, float(np.median(mean.group.rr_s)), shortest / BEAT_FS / SHORTEST_SHARE)
    return beat_times(rr_s, shortest, rng)


def _with_digest(composite: Composite) -> Composite:
    return replace(composite, case=replace(composite.case, digest=composite.recording.digest))


def _microvolts(signal: NDArray[np.float64]) -> NDArray[np.int16]:
    return np.round(signal * 1000.0).astype(np.int16)


def _label_definition(kind: Kind) -> str:
    wanted = f"{' or '.join(kind.codes)} in scp_codes with a likelihood of at least {kind.likelihood:g} %"
    if kind.subclass is not None:
        wanted += f" (or diagnostic_subclass {kind.subclass} where no codes are stored)"
    others = "no other diagnostic superclass" if kind.alone else "other superclasses allowed"
    without = f"; none of {', '.join(kind.without)}" if kind.without else ""
    return f"PTB-XL folds 1 to 9, {wanted}; superclass {kind.superclass}, {others}{without}."


def _selection(kind: Kind, n_candidates: int, n_patients: int) -> str:
    entries = "electrodes or pacemaker" if kind.noisy else "noise, electrodes or pacemaker"
    strong = f"the {kind.strongest:.0%} with the largest {kind.selected_by} were kept; of these "
    return (
        f"Sinus rhythm, no entry for {entries}, RR {RR_RANGE_S[0]:g} to {RR_RANGE_S[1]:g} s, at least {MIN_BEATS} "
        f"ordinary beats, the first record of each patient, {MAX_CANDIDATES} at most: {n_candidates} patients. Of them "
        f"{strong if kind.strongest < 1.0 else ''}the {kind.typical:.0%} most like their mean were averaged, at least "
        f"{MIN_MEMBERS} at each step: {n_patients} patients. The composite is a textbook case, not the average patient "
        "with this label."
    )


def _made_from(rows: pd.DataFrame, mean: _Mean) -> dict[str, Any]:
    folds = rows["strat_fold"].astype(int)
    return {
        "data_set": "PTB-XL 1.0.3",
        "folds": sorted({int(fold) for fold in folds}),
        "n_in_training_folds": int((folds <= 8).sum()),
        "n_candidates": mean.n_candidates,
        "n_at_500_hz": mean.n_high_rate,
        "median_age": float(rows["age"].median()),
        "share_women": round(float((rows["sex"] == 1).mean()), 2),
        "median_rr_s": round(float(np.median(mean.group.rr_s)), 3),
    }
