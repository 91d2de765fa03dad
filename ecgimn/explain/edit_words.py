"""What an edit did, in plain words: templates filled with numbers of the edit, the map and the network."""

from __future__ import annotations

from ecgimn.explain.flip import LIMIT_MV, Flip, FlipSearch
from ecgimn.explain.intervene import WaveMasks
from ecgimn.explain.narrative import signed
from ecgimn.explain.what_if import Bench, Outcome, leads_that_follow, st_change_mv
from ecgimn.leads import LIMB_LEADS

SAME_MV = 0.005  # an ST change this close to the one asked for is that change


def describe_outcome(result: Outcome, class_name: str) -> str:
    """Return what became of one class: probability before and after, change by the map and by the network."""
    k = result.before.index(class_name)
    return (
        f"**{class_name}** probability {result.before.probability[k]:.2f} → **{result.after.probability[k]:.2f}**; "
        f"logit {signed(result.actual[k])} by the network asked again, {signed(result.predicted[k])} by the map alone."
    )


def describe_edit(result: Outcome, masks: WaveMasks, bench: Bench) -> tuple[str, ...]:
    """Return what was done to the trace beyond what was asked for, and where what was asked for cannot be done."""
    sentences = []
    asked = tuple(dict.fromkeys((*bench.leads, *bench.removed)))
    if bench.st_mv and bench.exchanged is None:
        moved = st_change_mv(result.change, masks)
        made = ", ".join(f"{lead} {signed(value)}" for lead, value in moved.items())
        sentences.append(f"ST moved by, in mV: {made or 'nothing, since no ST segment was found'}.")
        short = [lead for lead in bench.leads if abs(moved.get(lead, 0.0) - bench.st_mv) > SAME_MV]
        if short and moved and _only_st(bench):
            sentences.append(
                f"{', '.join(short)} cannot move by {signed(bench.st_mv)} mV together with the others asked for: six "
                "limb leads show two electrode differences. The nearest possible change was made."
            )
    follow = leads_that_follow(result.change, asked)
    if follow and bench.exchanged is None and not bench.noise_mv and not bench.drift_mv:
        word = "follows" if len(follow) == 1 else "follow"
        sentences.append(f"{', '.join(follow)} {word}, as limb leads are differences of the same three electrodes.")
    if set(bench.removed) & set(LIMB_LEADS):
        sentences.append(
            "A limb lead cannot vanish alone: it was made flat by the smallest change of the electrodes' potentials."
        )
    if bench.exchanged is not None:
        sentences.append(f"Cables of {bench.exchanged} exchanged after all other edits.")
        if "RL" in bench.exchanged:
            sentences.append("The right leg's potential is taken for the left leg's.")
    return tuple(sentences)


def describe_call(search: FlipSearch) -> str:
    """Return whether the original is called, and by how much."""
    sign, word = ("≥", "called") if search.called else ("<", "not called")
    return (
        f"{search.class_name} is {word}: probability {search.probability:.2f} {sign} operating point "
        f"{search.threshold:.2f}. It flips when ST of {', '.join(search.leads)} is"
    )


def flip_table(search: FlipSearch) -> str:
    """Return how far ST would have to move for the call to flip, by network and map, as a table in markdown."""
    rows = [
        f"| {word} | {_by_network(flip)} | {_by_map(flip)} |"
        for word, flip in (("raised by", search.raised), ("lowered by", search.lowered))
    ]
    return "\n".join(["| ST | network re-run | map alone |", "|---|---|---|", *rows])


def _by_network(flip: Flip) -> str:
    if flip.network_mv is None:
        return f"no flip within {LIMIT_MV:g} mV (probability there {flip.farthest_probability:.2f})"
    return f"**{abs(flip.network_mv):.2f} mV** (probability {flip.farthest_probability:.2f})"


def _by_map(flip: Flip) -> str:
    return f"no flip within {LIMIT_MV:g} mV" if flip.map_mv is None else f"{abs(flip.map_mv):.2f} mV"


def _only_st(bench: Bench) -> bool:
    return Bench(leads=bench.leads, st_mv=bench.st_mv, seed=bench.seed) == bench
