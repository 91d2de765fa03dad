"""Makes the composite cases: records by statement, one per patient, their mean beat, ten seconds, teaching twins.

The ten seconds are beats set at breathing intervals, joined along the baseline, with a little noise. A teaching twin is
the normal composite with one known change, planted in known leads and waves.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgimn.errors import SourceError
from ecgimn.leads import INDEPENDENT_LEADS, LIMB_FROM_I_II, STANDARD_LEADS
from ecgimn.recording import WINDOW_S
from ecgimn.sources.composites.beats import (
    BEAT_FS,
    BEFORE,
    MIN_BEATS,
    MIN_MEMBERS,
    BeatGroup,
    PatientBeat,
    align,
    choose,
    median_beat,
)
from ecgimn.sources.composites.case import FOLDER, Composite, CompositeCase, Planted
from ecgimn.sources.composites.kinds import KINDS, Kind
from ecgimn.sources.ptbxl import SUPERCLASSES, PtbXl

RESPIRATORY_ARRHYTHMIA = 0.03  # of RR, amplitude of its sine; healthy adults at rest have some per cent
BREATHING_HZ = 0.25  # 15 breaths a minute
IRREGULARITY = 0.008  # of RR, standard deviation from beat to beat
NOISE_MV = 0.006  # root mean square per lead
NOISE_BAND_HZ = (0.7, 120.0)  # muscle noise, no baseline wander
TAPER = 30  # samples (60 ms) over which an end of the beat runs into the baseline

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Template:
    """A mean beat with both ends on the baseline.

    Attributes
    ----------
    beat : ndarray of shape (n_leads, n)
        mV.
    r : int
        Column of the common fiducial point of QRS.
    onset, end : int
        Columns of QRS onset and end.
    """

    beat: Float
    r: int
    onset: int
    end: int


def template(mean: Float, onset: int, end: int, *, pq_s: float) -> Template:
    """Cut a mean beat, shape (n_leads, 660), from before P to after T and run its ends into the baseline.

    The baseline is the mean of both ends, lead by lead, so that it meets itself at every join.
    """
    start = max(0, onset - round((pq_s - 0.03) * BEAT_FS))
    stop = t_end(mean, end)
    beat = mean[:, start:stop].copy()
    baseline = (beat[:, :10].mean(axis=1) + beat[:, -10:].mean(axis=1)) / 2.0
    fade = (1.0 - np.cos(np.pi * (np.arange(TAPER) + 0.5) / TAPER)) / 2.0
    weight = np.ones(beat.shape[1])
    weight[:TAPER], weight[-TAPER:] = fade, fade[::-1]
    beat = baseline[:, None] + (beat - baseline[:, None]) * weight
    return Template(beat, BEFORE - start, onset - start, end - start)


def t_end(mean: Float, end: int) -> int:
    """Return the column where T has run out and the taper may end: 80 ms after the mean beat's last steep stretch."""
    velocity = np.sqrt(np.square(np.gradient(mean, axis=1)).sum(axis=0))
    velocity = np.convolve(velocity, np.ones(15) / 15.0, mode="same")
    region = velocity[end + 60 : end + 260]
    top = int(region.argmax())
    quiet = np.flatnonzero(region[top:] < 0.15 * region[top])
    return min(end + 60 + top + (int(quiet[0]) if len(quiet) else 60) + 40, int(mean.shape[1]))


def random_source(name: str) -> np.random.Generator:
    """Return the random numbers of a case: the same for the same name, on every machine."""
    return np.random.default_rng(zlib.crc32(name.encode()))


def beat_times(rr_s: float, shortest: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the samples of R at 500 Hz that cover 10 s and a beat on each side, at least `shortest` samples apart."""
    phase = rng.uniform(0.0, 2.0 * np.pi)
    times = [-round(rng.uniform(0.6, 1.4) * rr_s * BEAT_FS)]
    while times[-1] < (WINDOW_S + 2.0) * BEAT_FS:
        breath = np.sin(2.0 * np.pi * BREATHING_HZ * times[-1] / BEAT_FS + phase)
        rr = rr_s * (1.0 + RESPIRATORY_ARRHYTHMIA * breath + IRREGULARITY * rng.standard_normal())
        times.append(times[-1] + max(shortest, round(rr * BEAT_FS)))
    return np.array(times, dtype=np.int64)


def strip(beat: Template, times: NDArray[np.int64]) -> Float:
    """Set the beat at the given samples of R and hold the baseline between; shape (n_leads, 5000), mV."""
    n_samples = round(WINDOW_S * BEAT_FS)
    signal = np.repeat(beat.beat[:, :1], n_samples, axis=1)
    length = beat.beat.shape[1]
    for time in times:
        start = int(time) - beat.r
        first, last = max(0, start), min(n_samples, start + length)
        if first < last:
            signal[:, first:last] = beat.beat[:, first - start : last - start]
    return signal


def noise(n_leads: int, rng: np.random.Generator) -> Float:
    """Return band-limited noise of `NOISE_MV` root mean square, shape (n_leads, 5000), mV."""
    n_samples = round(WINDOW_S * BEAT_FS)
    spectrum = np.fft.rfft(rng.standard_normal((n_leads, n_samples)), axis=1)
    frequency = np.fft.rfftfreq(n_samples, 1.0 / BEAT_FS)
    spectrum[:, (frequency < NOISE_BAND_HZ[0]) | (frequency > NOISE_BAND_HZ[1])] = 0.0
    white = np.fft.irfft(spectrum, n_samples, axis=1)
    return np.asarray(NOISE_MV * white / white.std(axis=1, keepdims=True))


Change = Callable[[Template], tuple[Template, Planted]]

TWIN_OF = "norm"
RISE_S = 0.02  # an ST change sets in around the J point, over the last and first 10 ms
LOW_VOLTAGE = 0.3  # gain; brings every limb lead below 0.5 mV from peak to peak, the usual limit of low voltage


def _st_shape(beat: Template) -> Float:
    """1 from just after J to the top of T, then down to 0 where T ends; in between half cosines."""
    n = beat.beat.shape[1]
    top, stop = _t_top(beat), n - round(0.06 * BEAT_FS)
    half = round(RISE_S * BEAT_FS / 2.0)
    return np.interp(np.arange(n), [beat.end - half, beat.end + half, top, stop], [-1.0, 1.0, 1.0, -1.0],
                     left=-1.0, right=-1.0)  # fmt: skip


def _smooth(shape: Float) -> Float:
    return np.asarray((1.0 + np.sin(np.pi * np.clip(shape, -1.0, 1.0) / 2.0)) / 2.0)


def _t_top(beat: Template) -> int:
    start = beat.end + round(0.08 * BEAT_FS)
    return start + int(np.abs(beat.beat[:, start:]).sum(axis=0).argmax())


def _all_leads(per_independent: dict[str, float]) -> dict[str, float]:
    """Return the change in all twelve leads that follows from one in independent leads; zeros left out."""
    i, ii = per_independent.get("I", 0.0), per_independent.get("II", 0.0)
    values = dict(zip(STANDARD_LEADS, LIMB_FROM_I_II @ np.array([i, ii]), strict=False))
    values |= {lead: value for lead, value in per_independent.items() if lead not in ("I", "II")}
    return {lead: round(float(value), 3) for lead, value in values.items() if abs(value) >= 0.0005}


def _st_change(leads: tuple[str, ...], per_independent: dict[str, float]) -> Change:
    amount = next(iter(per_independent.values()))

    def change(beat: Template) -> tuple[Template, Planted]:
        planted = beat.beat.copy()
        shape = _smooth(_st_shape(beat))
        for lead, mv in per_independent.items():
            planted[INDEPENDENT_LEADS.index(lead)] += mv * shape
        what = f"ST {amount:+.2f} mV in {', '.join(leads)}, from J to the top of T, running out with T"
        return replace(beat, beat=planted), Planted(what, leads, ("ST", "T"), _all_leads(per_independent), TWIN_OF)

    return change


def _t_inversion(leads: tuple[str, ...], peak_mv: float) -> Change:
    def change(beat: Template) -> tuple[Template, Planted]:
        planted = beat.beat.copy()
        n, top = planted.shape[1], _t_top(beat)
        first = beat.end + round(0.04 * BEAT_FS)
        window = _smooth(np.interp(np.arange(n), [first, first + (top - first) // 2], [-1.0, 1.0]))
        amounts = {}
        for lead in leads:
            row = INDEPENDENT_LEADS.index(lead)
            height = planted[row, top] - planted[row, -1]
            moved = planted[row, -1] + (planted[row] - planted[row, -1]) * (peak_mv / height)
            planted[row] = planted[row] * (1.0 - window) + moved * window
            amounts[lead] = round(float(peak_mv - height), 3)
        what = f"T of {', '.join(leads)} inverted to a peak of {peak_mv:+.2f} mV"
        return replace(beat, beat=planted), Planted(what, leads, ("ST", "T"), amounts, TWIN_OF)

    return change


def _low_voltage(beat: Template) -> tuple[Template, Planted]:
    scaled = beat.beat * LOW_VOLTAGE
    loss = np.abs(scaled - beat.beat)
    peaks = loss.argmax(axis=1)
    amounts = {
        lead: round(float(scaled[row, peaks[row]] - beat.beat[row, peaks[row]]), 3)
        for row, lead in enumerate(INDEPENDENT_LEADS)
    }
    what = f"every lead times {LOW_VOLTAGE:g}, noise unchanged; amounts at the highest peak of each independent lead"
    return replace(beat, beat=scaled), Planted(what, STANDARD_LEADS, ("P", "PR", "QRS", "ST", "T"), amounts, TWIN_OF)


def _arms_exchanged(beat: Template) -> tuple[Template, Planted]:
    """RA and LA swapped: I is inverted, II becomes III, aVR becomes aVL (doi:10.5195/ijms.2014.95)."""
    swapped = beat.beat.copy()
    swapped[0], swapped[1] = -beat.beat[0], beat.beat[1] - beat.beat[0]
    what = "arm electrodes swapped: I inverted, II and III swapped, aVR and aVL swapped"
    leads = ("I", "II", "III", "aVR", "aVL")
    return replace(beat, beat=swapped), Planted(what, leads, ("P", "PR", "QRS", "ST", "T"), {}, TWIN_OF)


#: Name, title, what to see, change.
TWINS: tuple[tuple[str, str, str, Change], ...] = (
    ("twin-ste-v2-v4", "ST elevation V2 to V4, +0.2 mV", "ST elevation in V2 to V4 and nowhere else.",
     _st_change(("V2", "V3", "V4"), {"V2": 0.2, "V3": 0.2, "V4": 0.2})),
    ("twin-ste-inferior", "ST elevation II, III, aVF, +0.2 mV",
     "ST elevation in II, III, aVF, with the ST depression in aVL and aVR that must go with it.",
     _st_change(("II", "III", "aVF"), {"II": 0.2})),
    ("twin-std-v4-v6", "ST depression V4 to V6, -0.15 mV", "ST depression in V4 to V6 and nowhere else.",
     _st_change(("V4", "V5", "V6"), {"V4": -0.15, "V5": -0.15, "V6": -0.15})),
    ("twin-tinv-v4-v6", "T inversion V4 to V6, to -0.3 mV", "T inverted in V4 to V6; T of I stays upright.",
     _t_inversion(("V4", "V5", "V6"), -0.3)),
    ("twin-low-voltage", "low voltage, all leads times 0.3", "Small P, QRS and T everywhere, of normal shape.",
     _low_voltage),
    ("twin-arms-exchanged", "arm electrodes swapped", "P, QRS and T inverted in I, aVR upright.",
     _arms_exchanged),
)  # fmt: skip


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
    group: BeatGroup
    beat: Template
    ids: NDArray[np.int64]
    n_candidates: int
    n_high_rate: int


def make_composites(ptbxl: PtbXl, *, names: tuple[str, ...] | None = None) -> tuple[Composite, ...]:
    """Make the composite cases from the records of a PTB-XL folder, fold 10 left out.

    Parameters
    ----------
    ptbxl : PtbXl
    names : tuple of str, optional
        Only these kinds, without teaching twins unless "norm" is among them.

    Raises
    ------
    SourceError
        The folder holds fewer than 30 usable patients of a kind, or there is no such kind.
    """
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
    medians: list[PatientBeat] = []
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


def write_composites(ptbxl: PtbXl, folder: Path = FOLDER) -> tuple[CompositeCase, ...]:
    """Make all composite cases and write them; cases of the folder that are made no more are removed."""
    composites = make_composites(ptbxl)
    folder.mkdir(parents=True, exist_ok=True)
    made = {composite.case.name for composite in composites}
    for path in (*folder.glob("*.json"), *folder.glob("*.npz")):
        if path.stem not in made:
            path.unlink()
    for position, composite in enumerate(composites):
        name = composite.case.name
        card = {"position": position, "record_name": composite.case.record_name, **asdict(composite.case)}
        (folder / f"{name}.json").write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        np.savez_compressed(folder / f"{name}.npz", signal_uv=composite.signal_uv, beat_uv=composite.beat_uv)
    return tuple(composite.case for composite in composites)
