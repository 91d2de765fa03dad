"""The rhythm of a recording from RR intervals, P waves, the shape of each QRS and pacing spikes, with its grounds.

Atrial fibrillation or flutter: openecg's own judgement, lowered by every P wave found and raised by RR that varies.
Flutter is told from fibrillation by one sharp line between 220 and 350/min in the spectrum of II, III, aVF or V1 with
QRS bridged. How each statement agrees with PTB-XL's is counted by `python -m ecgimn criteria`: docs/criteria.md. A
screen, not a diagnosis: it sees ten seconds. Rates and PR limits are those of the AHA/ACCF/HRS recommendations as
taught, for adults; limits marked so are project choices, set on PTB-XL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, find_peaks, sosfiltfilt

from ecgimn.leads import lead_index
from ecgimn.recording import Recording, bridge_gaps
from ecgimn.signal.intervals import whole_rr
from ecgimn.signal.quality import ADULT_AGE
from ecgimn.signal.waves.openecg import RHYTHM_KINDS

if TYPE_CHECKING:
    from ecgimn.signal.measure import Measurements
    from ecgimn.signal.waves.find import Waves

Kind = Literal[
    "sinus", "ectopic atrial", "junctional", "AV block", "supraventricular tachycardia", "atrial fibrillation",
    "possible flutter", "paced", "undetermined",
]  # fmt: skip

P_SHARE, RR_VARIATION = 0.5, 0.06  # P in fewer beats and RR more variable than this: atrial fibrillation
FEW_P = 0.25  # with P in fewer beats, intervals about early beats count as irregular too
P_SHARE_SCALE, RR_VARIATION_SCALE = 0.12, 0.3  # how gradually `af_score` goes from 0 to 1 (project choices)
#: Logistic model of `af_score` with openecg's judgement: constant, log odds of fibrillation, P per beat, P per beat and
#: lead, logarithm of RR variation over 6 %. Set once on records of PTB-XL, the constant so that .5 is specific.
AF_MODEL = (0.4, 1.2, -1.0, -1.0, 0.3)
FLUTTER_HZ, FLUTTER_BAND_HZ, FLUTTER_SHARE = (3.7, 5.9), (2.5, 11.0), 0.55  # of atrial activity (project choices)
LEAST_FLUTTER_SCORE = 0.2  # regular flutter is like other tachycardias to openecg: the line decides from here on
FLUTTER_LEADS = ("II", "III", "aVF", "V1")
FLUTTER_RATE = (130.0, 170.0)  # per minute; 2:1 conduction of 260 to 340
JUNCTIONAL_RATE, JUNCTIONAL_PR_MS = (30.0, 100.0), 120.0  # per minute, accelerated included; PR of an inverted P wave
#: AV block of second and third degree (project choices): P waves on time, to within this share of their interval; a PR
#: that grows by so much before a dropped beat; and one that varies so much while RR does not.
ON_TIME, PR_GROWS_S, PR_LOOSE_S, RR_STEADY = 0.15, 0.04, 0.06, 0.08
LEAST_ON_TIME, SLOWER = 0.75, 1.15  # share of P intervals that fit; how much longer RR is than PP in third degree
FASTEST_P = 130.0  # per minute, in second degree; U waves taken for P between two of them make more (project choice)
LEAST_SEEN = 0.3  # of the dropped beats, share whose P is seen and not only counted on (project choice)
FAINT_P_MV = 0.02  # a P wave whose mean stays below in every lead is noise
P_HALF_S, P_ALIKE, P_SCALE, LEAST_P_MV = 0.07, 0.8, (0.4, 2.5), 0.03  # of a P wave found by its shape: see `p_waves`
LONGEST_PR_S, LEAST_PR_S = 0.6, 0.06  # from the middle of P to the onset of QRS
RR_REGULAR = 0.02  # RR that varies by less is not fibrillation, whatever is seen of P (project choice)
WIDE_TACHYCARDIA_MS = 120.0
BRADYCARDIA, TACHYCARDIA = 60.0, 100.0  # per minute, below and above
ARRHYTHMIA_S = 0.16  # between shortest and longest RR of sinus beats (taught from 0.12 s; project choice)
PREMATURE, MEAN_SHARE = 0.85, 0.92  # RR before a beat, as share of the RR before that and of the mean RR
MOST_RR = 1.15  # of the median RR: the beat after a pause is not early for having come sooner than the pause lasted
WIDE_BEAT_MS, WIDER_MS = 110.0, 20.0  # a ventricular ectopic beat lasts so long, and so much longer than the others
UNLIKE, VERY_UNLIKE = 0.9, 0.75  # correlation of a beat's QRS with the median beat's, below
PAUSE_S = 2.0  # a pause is longer than this,
PAUSE_RR, LEAST_PAUSE_S = 2.0, 1.2  # or, outside atrial fibrillation, than twice the median RR and 1.2 s
MISSED_BEAT = 0.5  # of the usual steepness of QRS: where a pause holds as much, a beat may have been missed
AV_BLOCK_PR_MS = 200.0  # first degree, above
INVERTED_P_MV = -0.05  # of P in II and aVF, at most, for an ectopic atrial origin
OFTEN = 0.3  # share of ectopic beats from which the recording is no longer mainly sinus rhythm (project choice)
MIN_BEATS = 3


@dataclass(frozen=True)
class Rhythm:
    """The rhythm, as far as it can be told.

    Attributes
    ----------
    kind : Kind
    statement : str
        For the head of an ECG: "sinus bradycardia, first degree AV block, 2 ventricular ectopic beats".
    grounds : tuple of str
        What the statement rests on, one sentence each.
    af_score : float or None
        0 to 1; atrial fibrillation is stated from .5 where no pacing is seen. None where too few beats were found.
    supraventricular, ventricular : tuple of int
        Numbers of the ectopic beats.
    pauses : tuple of (float, float)
        Start and length of each pause in seconds.
    n_beats : int
        Beats found.
    spiked : tuple of int
        Numbers of the beats with a pacing spike; none too where spikes cannot be seen.
    """

    kind: Kind
    statement: str
    grounds: tuple[str, ...]
    af_score: float | None = None
    supraventricular: tuple[int, ...] = ()
    ventricular: tuple[int, ...] = ()
    pauses: tuple[tuple[float, float], ...] = ()
    n_beats: int = 0
    spiked: tuple[int, ...] = ()

    @property
    def beat_letters(self) -> dict[int, Literal["V", "S", "P"]]:
        """Return a letter for each beat that the statement sets apart, by its number; other beats need none."""
        letters: dict[int, Literal["V", "S", "P"]] = dict.fromkeys(self.spiked, "P") if self.kind == "paced" else {}
        letters |= dict.fromkeys(self.supraventricular, "S")
        return letters | dict.fromkeys(self.ventricular, "V")

    @property
    def often_ectopic(self) -> bool:
        """Whether ectopic beats make up so much of the recording that it is no longer mainly its basic rhythm."""
        return self.n_beats > 0 and len(self.supraventricular) + len(self.ventricular) >= OFTEN * self.n_beats

    @property
    def why_no_pr(self) -> str:
        """Why PR must not be printed; empty where it may."""
        return {
            "atrial fibrillation": "atrial fibrillation has no P waves",
            "possible flutter": "possible atrial flutter: P waves cannot be told from flutter waves",
            "AV block": "not every P wave is followed by a QRS"
            if "third" not in self.statement
            else "P waves and QRS go their own ways",
        }.get(self.kind, "")


def not_determined(reason: str, n_beats: int = 0) -> Rhythm:
    """Return the rhythm of a recording that allows no statement."""
    return Rhythm("undetermined", "rhythm undetermined", (reason,), n_beats=n_beats)


def _sigmoid(x: float) -> float:
    return float(1.0 / (1.0 + np.exp(-np.clip(x, -50.0, 50.0))))


def af_score(
    p_share: float, rr_variation: float, *, p_in_leads: float = 0.0, judged: NDArray[np.float64] | None = None
) -> float:
    """Return a score from 0 to 1 for atrial fibrillation or flutter.

    Parameters
    ----------
    p_share, p_in_leads : float
        Share of beats with a P wave, and of beats and leads.
    rr_variation : float
        Of RR, as share of its mean.
    judged : ndarray of shape (6,), optional
        openecg's probability of each of its `RHYTHM_KINDS`. Without it the score reaches .5 where P is in half of the
        beats or fewer and RR varies by 6 %.
    """
    if judged is not None and len(judged):
        fibrillation = float(np.clip(judged[RHYTHM_KINDS.index("atrial fibrillation")], 1e-4, 1 - 1e-4))
        irregular = float(np.log(np.clip(rr_variation, 0.005, 0.4) / RR_VARIATION))
        terms = (1.0, np.log(fibrillation / (1 - fibrillation)), p_share, p_in_leads, irregular)
        return _sigmoid(float(np.dot(AF_MODEL, terms)))
    no_p = _sigmoid((P_SHARE - p_share) / P_SHARE_SCALE)
    irregular = _sigmoid(np.log(max(rr_variation, 1e-3) / RR_VARIATION) / RR_VARIATION_SCALE)
    return min(no_p, irregular)


def flutter_rate(recording: Recording, waves: Waves) -> float | None:
    """Return the rate of flutter waves per minute, or None where no sharp line in the spectrum gives them away.

    QRS is bridged by straight lines. In the lead that shows it best, the strongest frequency of 220 to 350/min with its
    double must hold more than half of the power at 2.5 to 11 Hz; fibrillation spreads over many frequencies.
    """
    fs = waves.fs
    rows = [lead_index(lead) for lead in FLUTTER_LEADS]
    band = butter(2, [2.5, 12.0], "bandpass", fs=fs, output="sos")
    signal = sosfiltfilt(band, bridge_gaps(recording.signal)[rows], axis=1)
    for start, stop in zip(waves.global_qrs_onset, waves.global_qrs_offset, strict=True):
        first, last = max(0, int(start) - 1), min(signal.shape[1], int(stop) + 1)
        signal[:, first:last] = np.linspace(signal[:, first], signal[:, last - 1], last - first, axis=1)
    n = signal.shape[1]
    frequency = np.fft.rfftfreq(4 * n, 1.0 / fs)
    power = np.square(np.abs(np.fft.rfft((signal - signal.mean(axis=1, keepdims=True)) * np.hanning(n), 4 * n)))
    atrial = np.flatnonzero((frequency >= FLUTTER_HZ[0]) & (frequency <= FLUTTER_HZ[1]))
    whole = power[:, (frequency >= FLUTTER_BAND_HZ[0]) & (frequency <= FLUTTER_BAND_HZ[1])].sum(axis=1)
    found = []
    for row, total in zip(power, whole, strict=True):
        peak = float(frequency[atrial[row[atrial].argmax()]])
        line = (np.abs(frequency - peak) < 0.3) | (np.abs(frequency - 2 * peak) < 0.3)
        found.append((float(row[line].sum() / max(total, 1e-12)), 60.0 * peak))
    share, rate = max(found)
    return rate if share >= FLUTTER_SHARE else None


@dataclass(frozen=True)
class _Block:
    """A block of second or third degree, as far as P waves show it."""

    name: str
    ground: str


def p_waves(recording: Recording, waves: Waves) -> NDArray[np.float64]:
    """Return the middle in seconds of every P wave, those without a QRS among them.

    openecg finds few P waves that no QRS follows. Those that it found give a mean P wave over all leads, and what is
    shaped and sized like it outside QRS and T is another.
    """
    fs, signal = waves.fs, bridge_gaps(recording.signal)
    half, n = round(P_HALF_S * fs), signal.shape[1]
    seeds = np.round(waves.p_samples).astype(int)
    seeds = seeds[(seeds >= half) & (seeds < n - half)]
    if len(seeds) < MIN_BEATS:
        return np.empty(0)

    def levelled(windows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Take the straight line between the ends of each window off it."""
        share = np.linspace(0.0, 1.0, windows.shape[-1])
        first, last = windows[..., :1], windows[..., -1:]
        return np.asarray(windows - (first + (last - first) * share))

    around = np.arange(-half, half + 1)
    template = np.median(levelled(signal[:, seeds[:, None] + around]), axis=1)  # (12, width)
    size = float(np.square(template).sum())
    if np.abs(template).max() < LEAST_P_MV:
        return np.empty(0)
    step = max(1, round(0.01 * fs))
    centres = np.arange(half, n - half, step)
    windows = levelled(signal[:, centres[:, None] + around])
    scale = np.einsum("lcw,lw->c", windows, template) / size
    alike = scale * np.sqrt(size) / np.sqrt(np.square(windows).sum(axis=(0, 2)) + 1e-12)
    free = np.ones(n, dtype=bool)
    for start, stop in zip(waves.global_qrs_onset, waves.global_qrs_offset, strict=True):
        free[max(0, int(start - 0.02 * fs)) : int(stop + 0.06 * fs)] = False
    for start, stop in zip(waves.global_t_onset, waves.global_t_offset, strict=True):
        if np.isfinite(start + stop):
            free[max(0, int(start)) : int(stop)] = False
    good = np.where(free[centres] & (scale > P_SCALE[0]) & (scale < P_SCALE[1]), alike, 0.0)
    peaks, _ = find_peaks(np.concatenate([[0.0], good, [0.0]]), height=P_ALIKE, distance=max(1, round(0.2 * fs / step)))
    return np.asarray(centres[peaks - 1] / fs)


def _av_block(
    recording: Recording, waves: Waves, whole: NDArray[np.bool_], ectopic: NDArray[np.bool_]
) -> _Block | None:
    """Return what P waves without QRS, or P waves that march through, suggest.

    P waves must come on time: one that is early and not conducted is an ectopic beat and no block. Third degree: P and
    QRS each regular, more P than QRS, and no PR that holds. Second degree: a P on time without QRS of its own; of the
    kind with growing PR (Mobitz I, Wenckebach), every second or third P conducted, or with a constant PR (Mobitz II).
    P waves that QRS or T hide are put in between those seen, but a third of the dropped beats must show theirs. RR
    beside an ectopic beat counts for nothing.
    """
    own = ~(ectopic[1:] | ectopic[:-1])
    if len(waves.r_samples) < MIN_BEATS or own.sum() < MIN_BEATS - 1 or not whole.all():
        return None
    p, onset = p_waves(recording, waves), waves.global_qrs_onset / waves.fs
    if len(p) < MIN_BEATS + 1:
        return None
    pp = np.diff(p)
    for usual in (float(np.quantile(pp, 0.25)), float(np.sort(pp)[:2].mean())):  # the shortest, where most P are hidden
        count = np.round(pp / usual)
        on_time = (count >= 1) & (np.abs(pp - count * usual) <= ON_TIME * usual)
        if on_time.mean() >= LEAST_ON_TIME:
            break
    else:
        return None
    hidden = [first + gap * k / n for first, gap, n in zip(p, pp, count, strict=False) for k in range(1, int(n))]
    every = np.sort([*p, *hidden])  # with those that QRS and T hide, for what marches through
    pr = _pr(every, onset)
    rr = np.diff(onset)
    mean = float(rr[own].mean())
    rates = f"P {60.0 / usual:.0f}/min, QRS {60.0 / float(np.median(rr[own])):.0f}/min"
    steady = float(rr[own].std()) <= RR_STEADY * mean
    known = pr[np.isfinite(pr) & ~ectopic]
    if steady and len(known) >= MIN_BEATS and known.std() > PR_LOOSE_S and mean > SLOWER * usual:
        ground = f"{rates}, each regular; PR varies by {1000.0 * known.std():.0f} ms: no P wave is tied to a QRS."
        return _Block("third degree AV block suspected", ground)

    def without_qrs(waves_of_p: NDArray[np.float64]) -> NDArray[np.int64]:
        """Count the P waves in each RR beyond the one that is conducted; 0 beside an ectopic beat."""
        before = np.searchsorted(np.sort(waves_of_p), onset - LEAST_PR_S, side="right")
        return np.where(own, np.maximum(np.diff(before) - 1, 0), 0)

    lost, seen = without_qrs(every), without_qrs(p)
    dropped = np.flatnonzero(lost > 0)
    if (
        60.0 / usual > FASTEST_P
        or not len(dropped)
        or len(known) < MIN_BEATS
        or LEAST_SEEN * len(dropped) > (seen > 0).sum()
    ):
        return None
    times = round(mean / usual)
    if steady:
        holds = times >= 2 and abs(mean / usual - times) <= ON_TIME and (lost[own] == times - 1).all()
        if not holds or known.std() >= PR_GROWS_S:
            return None
        which = {2: "second", 3: "third"}.get(times, f"{times}th")
        ground = f"{rates}; only every {which} P wave is followed by a QRS."
        return _Block(f"{times}:1 AV block suspected", ground)
    grows = [pr[k] - pr[k + 1] for k in dropped if np.isfinite(pr[k] + pr[k + 1])]
    if not grows:
        return None
    said = f"A P wave on time without QRS after the beat at {', '.join(f'{onset[k]:.1f} s' for k in dropped)}"
    longer = float(np.median(grows))
    if longer >= PR_GROWS_S:
        ground = f"{said}; PR is {1000.0 * longer:.0f} ms longer before it than after it."
        return _Block("second degree AV block (Wenckebach) suspected", ground)
    if all(abs(rr[k] - 2 * usual) <= ON_TIME * 2 * usual for k in dropped) and known.std() < PR_GROWS_S:
        return _Block("second degree AV block (Mobitz II) suspected", f"{said}; PR is constant.")
    return None


def _pr(p: NDArray[np.float64], onset: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the seconds from the last P wave before each QRS to its onset; NaN where there is none near enough."""
    last = np.searchsorted(p, onset - LEAST_PR_S) - 1
    pr = np.where(last >= 0, onset - p[np.maximum(last, 0)], np.nan)
    return np.where(pr > LONGEST_PR_S, np.nan, pr)


def _irregularity(rr: NDArray[np.float64]) -> float:
    """Variation of RR as share of its mean; what repeats every second or third beat, as in bigeminy, does not count."""
    found = [float(rr.std())]
    found += [float((rr[lag:] - rr[:-lag]).std() / np.sqrt(2.0)) for lag in (2, 3) if len(rr) >= 2 * lag]
    return min(found) / float(rr.mean())


def _ectopy(
    waves: Waves, measurements: Measurements, rr: NDArray[np.float64], whole: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Supraventricular and ventricular ectopic beats, each (n_beats,).

    Ventricular: RR before it short against the mean, and very unlike the median beat, or unlike it and wide; borders
    of single ectopic beats are too unsure to ask for width alone. Supraventricular: any other beat that comes early
    against the mean and against the RR before, so that a slow change of rate gives none.
    """
    nothing = np.zeros(len(rr) + 1, dtype=bool)
    if not whole.any():
        return nothing, nothing
    mean, most = float(rr[whole].mean()), MOST_RR * float(np.median(rr[whole]))
    short, early = nothing.copy(), nothing.copy()
    for k in range(1, len(short)):
        before = rr[k - 2] if k >= 2 and whole[k - 2] else mean
        short[k] = whole[k - 1] and rr[k - 1] < MEAN_SHARE * mean
        early[k] = short[k] and rr[k - 1] < PREMATURE * min(before, most)
    width = (waves.global_qrs_offset - waves.global_qrs_onset) / waves.fs * 1000.0
    windows = measurements.beat.windows
    typical = float(np.nanmedian(width[windows.used] if windows.used.any() else width))
    wide = width >= max(WIDE_BEAT_MS, typical + WIDER_MS)
    unlike, very_unlike = ~(windows.correlation >= UNLIKE), ~(windows.correlation >= VERY_UNLIKE)
    ventricular = short & (very_unlike | (unlike & wide))
    return early & ~ventricular, ventricular


def _pauses(
    recording: Recording, waves: Waves, rr: NDArray[np.float64], whole: NDArray[np.bool_], *, irregular: bool
) -> list[tuple[float, float]]:
    """RR over 2 s, or over twice the median of a regular rhythm, without gap or missed beat, as (start_s, length_s)."""
    if not whole.any():
        return []
    twice = max(LEAST_PAUSE_S, PAUSE_RR * float(np.median(rr[whole])))
    limit = PAUSE_S if irregular else min(PAUSE_S, twice)
    fs = waves.fs
    long = np.flatnonzero(whole & (rr > limit))
    if not len(long):
        return []
    half = max(1, round(0.01 * fs))
    signal = bridge_gaps(recording.signal)
    steep = np.zeros(signal.shape[1])
    steep[half:-half] = np.sqrt(np.square(signal[:, 2 * half :] - signal[:, : -2 * half]).sum(axis=0))
    reach = round(0.06 * fs)
    usual = float(np.median([steep[max(0, r - reach) : r + reach].max() for r in waves.r_samples]))
    found = []
    for k in long:
        first, stop = int(waves.r_samples[k] + 0.12 * fs), int(waves.r_samples[k + 1] - 0.12 * fs)
        if steep[first:stop].max() < MISSED_BEAT * usual:
            found.append((float(waves.r_samples[k] / fs), float(rr[k])))
    return found


def _counted(number: int, what: str) -> str:
    return f"{number} {what} ectopic beat{'s' if number > 1 else ''}"


def _is_bigeminy(ectopic: NDArray[np.bool_]) -> bool:
    """Whether every second beat is ectopic for at least three pairs running."""
    at = np.flatnonzero(ectopic)
    return len(at) >= MIN_BEATS and bool((np.diff(at) == 2).sum() >= len(at) - 1)


def _p_in_ii_and_avf(measurements: Measurements) -> tuple[float, float]:
    from ecgimn.signal.conduction import p_amplitudes  # it imports `measure`, which is read before this

    p = p_amplitudes(measurements)
    return float(p[lead_index("II")]), float(p[lead_index("aVF")])


def find_rhythm(
    recording: Recording, waves: Waves, measurements: Measurements, paced: NDArray[np.bool_] | None
) -> Rhythm:
    """Name the rhythm.

    Parameters
    ----------
    recording : Recording
    waves : Waves
    measurements : Measurements
        All of the same recording.
    paced : ndarray of shape (n_beats,), bool, or None
        As from `conduction.paced_beats`; None where spikes cannot be seen.
    """
    from ecgimn.signal.conduction import is_paced, p_amplitudes

    n_beats, rr, whole = waves.n_beats, waves.rr_s, whole_rr(recording, waves)
    if n_beats < MIN_BEATS or whole.sum() < MIN_BEATS - 1:
        return not_determined(f"Only {n_beats} beats were found; {MIN_BEATS} without a gap are needed.", n_beats)
    early_s, early_v = _ectopy(waves, measurements, rr, whole)
    basic = ~early_v
    heights = np.abs(p_amplitudes(measurements))
    faint = bool(np.isfinite(heights).any()) and float(np.nan_to_num(heights).max()) < FAINT_P_MV
    seen = np.isfinite(waves.global_p_onset[basic]) & (not faint)
    p_share = float(seen.mean()) if basic.any() else 0.0
    # An interval before or after a ventricular beat tells nothing of the basic rhythm.
    steady = whole & ~early_v[1:] & ~early_v[:-1]
    own = rr[steady] if p_share >= FEW_P and steady.sum() >= MIN_BEATS - 1 else rr[whole]
    variation = _irregularity(own)
    rate = 60.0 / float(np.median(rr[whole]))
    p_in_leads = float(np.isfinite(waves.p_onset[:, basic]).mean()) if basic.any() else 0.0
    score = af_score(p_share, variation, p_in_leads=p_in_leads, judged=waves.rhythm_kinds)
    block = _av_block(recording, waves, whole, early_v) if score < 0.5 else None
    pauses = _pauses(recording, waves, rr, whole, irregular=score >= 0.5)
    shortest, longest = float(rr[whole].min()), float(rr[whole].max())
    grounds = [
        f"A P wave was found before {round(p_share * basic.sum())} of {int(basic.sum())} beats.",
        f"RR {1000 * shortest:.0f}-{1000 * longest:.0f} ms, variation {100 * variation:.0f} %.",
    ]
    extras: list[str] = []
    kind: Kind
    if is_paced(paced) and paced is not None:
        kind, name = "paced", "paced rhythm"
        grounds.insert(0, f"Pacing spikes in {int(paced.sum())} of {n_beats} beats.")
    elif score >= LEAST_FLUTTER_SCORE and (atrial := flutter_rate(recording, waves)) is not None:
        times = atrial / rate
        even = variation <= RR_VARIATION and abs(times - round(times)) < ON_TIME and round(times) > 1
        kind, score = "possible flutter", max(score, 0.5)
        name = "possible atrial flutter" + (f" with {round(times)}:1 conduction" if even else "")
        grounds.append(f"Atrial waves of one rate, {atrial:.0f}/min, go on through QRS and T.")
        early_s = np.zeros_like(early_s)
    elif score >= 0.5 and variation > RR_REGULAR:
        kind, name = "atrial fibrillation", "atrial fibrillation"
        rate_word = " with rapid ventricular response" if 60.0 / float(rr[whole].mean()) > TACHYCARDIA else ""
        name += rate_word
        grounds.append("No atrial waves of one rate were seen; flutter with changing conduction may look the same.")
        early_s = np.zeros_like(early_s)
    elif block is not None:
        kind, name = "AV block", block.name
        grounds.append(block.ground)
        early_s = np.zeros_like(early_s)
    elif p_share < P_SHARE and FLUTTER_RATE[0] <= rate <= FLUTTER_RATE[1]:
        kind, name = "possible flutter", "possible atrial flutter with 2:1 conduction"
        grounds.append(f"Regular at {rate:.0f}/min without clear P waves; another tachycardia may look the same.")
    elif p_share < P_SHARE and variation <= RR_VARIATION and rate > TACHYCARDIA:
        kind = "supraventricular tachycardia"
        width = measurements.intervals.qrs.value
        narrow = width is not None and width < WIDE_TACHYCARDIA_MS
        name = "supraventricular tachycardia suspected" if narrow else "regular wide complex tachycardia"
        grounds.append(f"Regular at {rate:.0f}/min without clear P waves.")
    elif (
        p_share < P_SHARE
        and variation <= RR_VARIATION
        and JUNCTIONAL_RATE[0] <= rate <= JUNCTIONAL_RATE[1]
        and not len(p_waves(recording, waves))
        and score < 0.5
    ):
        kind = "junctional"
        name = ("" if rate <= BRADYCARDIA else "accelerated ") + "junctional rhythm suspected"
        grounds.append(f"Regular at {rate:.0f}/min without P waves; P hidden in QRS or T looks the same.")
    elif p_share < P_SHARE:
        pattern = "regular" if own.std() <= RR_VARIATION * own.mean() else "RR varies in a pattern"
        kind, name = "undetermined", f"rhythm undetermined ({pattern}, no clear P waves)"
        grounds.append("Junctional rhythm, hidden P waves and pacing without visible spikes look alike here.")
    else:
        adult = recording.age is None or recording.age >= ADULT_AGE
        kind, name = _with_p(measurements, rate, rr, whole, early_s | early_v, grounds, adult=adult)
        if kind == "sinus" and score >= 0.5:
            grounds.append("Fibrillation or flutter is not ruled out, although RR is regular and P waves were found.")
        pr = measurements.intervals.pr.value
        if adult and pr is not None and round(pr) > AV_BLOCK_PR_MS:
            extras.append("first degree AV block")
            grounds.append(f"PR {pr:.0f} ms, above {AV_BLOCK_PR_MS:.0f} ms.")
    if paced is None:
        grounds.append(f"Pacing spikes cannot be seen at {recording.fs:g} Hz.")
    for early, what in ((early_v, "ventricular"), (early_s, "supraventricular")):
        if kind != "paced" and early.any():
            extras.append(f"{what} bigeminy" if _is_bigeminy(early) else _counted(int(early.sum()), what))
            where = "early and unlike the others" if what == "ventricular" else "early and like the others"
            grounds.append(
                f"{where[0].upper()}{where[1:]}: beat {', '.join(str(k + 1) for k in np.flatnonzero(early))}."
            )
    if pauses:
        longest_pause = max(length for _, length in pauses)
        extras.append(
            f"pause of {longest_pause:.1f} s" if len(pauses) == 1 else f"pauses of up to {longest_pause:.1f} s"
        )
        grounds.append(
            "No beat for " + ", ".join(f"{length:.1f} s after {start:.1f} s" for start, length in pauses) + "."
        )
    supraventricular, ventricular = (
        tuple(int(k) for k in np.flatnonzero(early)) if kind != "paced" else () for early in (early_s, early_v)
    )
    return Rhythm(
        kind=kind,
        statement=", ".join([name, *extras]),
        grounds=tuple(grounds),
        af_score=score,
        supraventricular=supraventricular,
        ventricular=ventricular,
        pauses=tuple(pauses),
        n_beats=n_beats,
        spiked=() if paced is None else tuple(int(k) for k in np.flatnonzero(paced)),
    )


NOT_LOOKED_FOR = not_determined("Rhythm was not looked for.")


def _with_p(
    measurements: Measurements,
    rate: float,
    rr: NDArray[np.float64],
    whole: NDArray[np.bool_],
    ectopic: NDArray[np.bool_],
    grounds: list[str],
    *,
    adult: bool,
) -> tuple[Kind, str]:
    """Name a rhythm with P waves, and add its grounds; the limits of rate and PR are those of adults."""
    p_ii, p_avf = _p_in_ii_and_avf(measurements)
    if max(p_ii, p_avf) <= INVERTED_P_MV:
        grounds.append(f"P points down in II ({p_ii:.2f} mV) and aVF ({p_avf:.2f} mV).")
        pr = measurements.intervals.pr.value
        if adult and pr is not None and round(pr) < JUNCTIONAL_PR_MS and rate <= TACHYCARDIA:
            grounds.append(f"PR {pr:.0f} ms, under {JUNCTIONAL_PR_MS:.0f} ms.")
            return "junctional", "junctional rhythm suspected"
        return "ectopic atrial", "ectopic atrial rhythm suspected"
    steady = whole & ~ectopic[1:] & ~ectopic[:-1]
    spread = float(np.ptp(rr[steady])) if steady.sum() >= MIN_BEATS - 1 else 0.0
    if adult and rate < BRADYCARDIA:
        name = "sinus bradycardia"
    elif adult and rate > TACHYCARDIA:
        name = "sinus tachycardia"
    else:
        name = "sinus rhythm"
    grounds.append(
        f"Rate {rate:.0f}/min." if adult else f"Rate {rate:.0f}/min; rate and PR are not judged under {ADULT_AGE}."
    )
    if spread > ARRHYTHMIA_S and rate <= TACHYCARDIA:
        name = "sinus arrhythmia" if name == "sinus rhythm" else f"{name} with sinus arrhythmia"
        grounds.append(f"RR of sinus beats differs by {1000 * spread:.0f} ms, above {1000 * ARRHYTHMIA_S:.0f} ms.")
    return "sinus", name
