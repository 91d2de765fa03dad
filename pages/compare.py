"""Compare: two records, classes, models or methods side by side on one scale; an ECG with the patient's earlier one."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from ecgimn.draw.charts.ledger import ledger_figure
from ecgimn.draw.painted import difference_of, grey_of, in_one_frame, mean_beat_evidence
from ecgimn.draw.screen.ecg import NARROW_SIDES_PX, SIDES_PX, is_narrow
from ecgimn.draw.screen.side_by_side import Pane, beats_picture, side_by_side_figure
from ecgimn.draw.view import View
from ecgimn.draw.words.case import agreement_words, compared_words, equation_words, fidelity_words, same_way_words
from ecgimn.draw.words.methods import METHOD_LIMITS
from ecgimn.errors import EcgImnError
from ecgimn.escape import for_markdown
from ecgimn.explain.case import Case, difference_name
from ecgimn.explain.checks import (
    EXACT,
    RankAgreement,
    Side,
    exact_side,
    local_fidelity,
    method_names,
    rank_agreement,
)
from ecgimn.explain.sentences import percent
from ecgimn.leads import STANDARD_LEADS
from ecgimn.model.predictor import Predictor
from ecgimn.recording import Recording
from ecgimn.signal.waves.find import WAVE_NAMES
from pages.ui import cache as cached
from pages.ui.case_bar import explained, opened_case
from pages.ui.earlier import compare_with_earlier
from pages.ui.state import case as session
from pages.ui.state import view as view_state
from pages.ui.trace import SEEN, picture, seen_choice, view_settings

session.run_under_app()

CHART = {"displayModeBar": False}
EARLIER = "Earlier ECG"
KINDS = ("Records", "Classes", "Models", "Methods", EARLIER)
COMPOSITE_LINK, NORMAL = "cmp_composite", "norm"  # the second record, in the address; compared with to begin with
OWN, TWIN = "this model", "black-box twin"
NORM = "NORM"
OWN_SCALES = ("Models", "Methods")  # what is seldom of one size
METHOD_KEYS = ("cmp_method", "cmp_method_b")
ABOVE_PX, LEAST_BEATS_PX = 275.0, 440.0  # what stands above the beats; their least height
HELP = """
**One scale.** Both tracings are drawn at the same mm per mV and mm per second, and one limit of the colours holds for
both unless you ask for one each. Drag across a stretch of time in one and the other follows; a double click goes back.
Enlarged in time, the grid is no longer square.

**Rank correlation** (Spearman) asks whether two maps put the same things first, whatever their size: over the cells of
the ledger (lead by wave), and over all samples where both explain the same recording.

**Faithfulness on this record.** Every wave of every lead is set to the isoelectric line in turn, up to 84 edits, and
the network is re-run. R² says how well the changes that the method predicted fit those that happened, the slope
whether their size is right. 1 is perfect; below 0 the mean would have been the better guess. Edits of one tracing, not
of a data set: the model's card holds those.

**Methods.** The exact map is the network's own sum. Post-hoc methods (captum) explain a network from outside; they need
a reference, here the isoelectric line, and what they leave of the logit is printed as "not booked". Grad-CAM and the
two controls have no unit: they are scaled so that all of their evidence has the size of the logit's distance from the
isoelectric line, in their favour. The black-box twin has the same encoder and no map of its own.

**Earlier ECG.** Black is the later mean beat, dashed the earlier one, fitted to its wave borders; the area between them
has the colour of what the change of voltage did to the score. A measurement is marked when its change is beyond what
differs from day to day; the source of each limit stands in the table. Rate, gain, lead placement, rhythm and sampling
rate mimic change and are named. Who pairs two files of their own says that they are of one patient: nothing is guessed.
"""


@st.dialog("How to read this page", width="large")
def show_help() -> None:
    st.markdown(HELP)


def two_records(case: Case) -> tuple[Side, Side]:
    name = class_picker(case, "Class", "cmp_class")
    other = other_record()
    if other is None:
        st.stop()
    second = explained(other, cached.model_of(case))
    return (
        exact_side(case, name, f"{case.recording.record_name} · {name}"),
        exact_side(second, name, f"{second.recording.record_name} · {name}"),
    )


def other_record() -> Recording | None:
    """Let the reader choose the second record: a composite, or a PTB-XL record where PTB-XL is set up."""
    try:
        ptbxl = cached.current_ptbxl()
    except EcgImnError:  # the line at the top has said why
        ptbxl = None
    cases = {case.name: f"{case.title} (mean of {case.n_patients})" for case in cached.get_composites()}
    kinds = [name for name, there in (("composite", cases), ("PTB-XL", ptbxl is not None)) if there]
    kind = st.selectbox("With a", kinds, key="cmp_source", bind="query-params", width=130)
    if kind == "composite":
        name = other_composite(cases)
    elif ptbxl is not None:
        first, last = int(ptbxl.table.index.min()), int(ptbxl.table.index.max())
        number = st.number_input("Record", first, last, key="cmp_record", step=None, bind="query-params", width=120)
    else:
        st.info("There is nothing to compare with.", icon=":material/info:")
        return None
    try:
        recording = cached.get_composite(name) if kind == "composite" else cached.get_best_record(int(number))
        session.note_opened("second case", session.what_is_open(recording))
        return recording
    except EcgImnError as exc:
        st.error(str(exc), icon=":material/error:")
        return None


def other_composite(titles: dict[str, str]) -> str:
    """Let the reader choose a composite; its short name, not its title, is kept in the address."""
    names, linked = list(titles), st.query_params.get(COMPOSITE_LINK)
    name = st.selectbox(
        "Composite",
        names,
        index=names.index(linked) if linked in names else names.index(NORMAL) if NORMAL in names else 0,
        format_func=titles.__getitem__,
        key="cmp_case",
        persist_state="session",
        width=250,
    )
    if linked != name:
        st.query_params[COMPOSITE_LINK] = name
    return str(name)


def two_classes(case: Case) -> tuple[Side, Side]:
    first = class_picker(case, "Class", "cmp_class")
    others = [name for name in sorted(case.classes, key=chance_in(case)) if name != first]
    second = class_picker(case, "and class", "cmp_class_b", otherwise=NORM if NORM in others else others[0])
    return (
        exact_side(case, first, first),
        exact_side(case, second, second),
    )


def chance_in(case: Case) -> Callable[[str], float]:
    """Return the order of classes from the most to the least probable."""
    return lambda name: -float(case.explanation.probability[case.explanation.index(name)])


def two_models(case: Case) -> tuple[Side, Side]:
    first = class_picker(case, f"Class of {case.card.name}", "cmp_class")
    others = [name for name in cached.model_names() if name != case.card.name]
    if not others:
        st.info("Only one model is installed in models/.", icon=":material/info:")
        st.stop()
    published = cached.published_model(case.classes)
    index = others.index(published) if published in others else 0
    name = st.selectbox("and model", others, index=index, key="cmp_model", bind="query-params", width=190)
    try:
        other = explained(case.recording, cached.model_named(name))
    except EcgImnError as exc:
        st.error(str(exc), icon=":material/error:")
        st.stop()
    second = class_picker(
        other, f"Class of {name}", "cmp_class_b", otherwise=first if first in other.classes else other.most_telling
    )
    return (
        exact_side(case, first, f"{case.card.name} · {first}"),
        exact_side(other, second, f"{name} · {second}"),
    )


def two_methods(case: Case) -> tuple[Side, Side]:
    name = class_picker(case, "Class", "cmp_class")
    if case.reading.waves is None:
        st.info(f"Methods are compared by wave: {case.reading.reason}", icon=":material/info:")
        st.stop()
    methods = (EXACT, *method_names())
    first = st.selectbox("Method", methods, key="cmp_method", bind="query-params", width=190)
    second = st.selectbox("and method", methods, index=2, key="cmp_method_b", bind="query-params", width=190)
    on = st.selectbox("of", (OWN, TWIN), key="cmp_network", bind="query-params", width=150)
    return (
        method_side(case, first, OWN, name),
        method_side(case, second, on if second != EXACT else OWN, name),
    )


def method_side(case: Case, method: str, on: str, name: str) -> Side:
    """Explain the case by a method on this model or on its twin."""
    if method == EXACT:
        return exact_side(case, name, f"{EXACT} of {case.card.name} · {name}")
    try:
        network = cached.model_of(case) if on == OWN else cached.get_twin()
    except EcgImnError as exc:
        st.warning(str(exc), icon=":material/error:")
        st.stop()
    if name not in network.classes:
        st.warning(f"{network.name} does not know the class {name}. Choose another.", icon=":material/error:")
        st.stop()
    return cached.get_post_hoc(
        case.recording.digest, network.key, method, name, network, case.reading, f"{method} on {network.name} · {name}"
    )


def other_model() -> str:
    """Return the name of the second model."""
    return str(view_state.chosen("cmp_model") or "")


def room_px() -> float:
    """Width for both figures together in CSS pixels."""
    return max(session.window()[0] - SIDES_PX, 900.0)


def class_picker(case: Case, label: str, key: str, *, otherwise: str | None = None) -> str:
    """Let the reader choose a class of a case's model; the most telling one, unless said otherwise, to begin with."""
    index = case.classes.index(otherwise or case.most_telling)
    return str(st.selectbox(label, case.classes, index=index, key=key, bind="query-params", width=130))


def network_behind(case: Case, side: Side, other: str) -> Predictor:
    """Return the network that a side explains, for running it again; `other` names the other model of the page."""
    if side.network == case.card.sha256:
        return cached.model_of(case)
    return cached.model_named(other) if side.exact else cached.get_twin()


def agreement_of(first: Side, second: Side) -> RankAgreement:
    """Return how far two sides agree."""
    return rank_agreement(
        first.evidence.cells,
        second.evidence.cells,
        first.evidence.contribution,
        second.evidence.contribution,
        same_recording=first.recording.digest == second.recording.digest,
    )


def show_numbers(case: Case, sides: tuple[Side, Side], agreement: RankAgreement, *, own_scales: bool) -> None:
    """Print the ledgers; for research how far the two agree, and how faithful each is to this record."""
    research, measured = view_state.is_research(), False
    if research:
        st.markdown(agreement_words(agreement))
        measured = st.toggle(
            "Measure faithfulness on this record: remove each wave of each lead and re-run the network",
            key="cmp_measure", persist_state="session",
        )  # fmt: skip
    limit = None if own_scales else max(float(abs(side.evidence.cells).max()) for side in sides) or 1.0
    for column, side, place in zip(st.columns(2, gap="medium"), sides, ("first", "second"), strict=True):
        with column:
            st.markdown(
                equation_words(side) if research else f"**{for_markdown(side.title)}**: evidence by lead and wave"
            )
            if measured:
                if side.reading.waves is None:
                    st.markdown(f"Faithfulness — ({side.reading.reason})")
                else:
                    network = network_behind(case, side, other_model())
                    actual = cached.get_removals(side.recording.digest, network.key, network, side.reading)
                    k = network.classes.index(side.evidence.name)
                    st.markdown(fidelity_words(local_fidelity(side.predicted, actual[:, :, k])))
            st.plotly_chart(
                ledger_figure(side.evidence.cells, STANDARD_LEADS, WAVE_NAMES, limit=limit, dark=session.is_dark()),
                theme=None,
                key=f"cmp_ledger_{place}",
                config=CHART,
                alt=f"Evidence by lead and wave: {side.title}",
            )
    scales = "Each table has its own scale of colours" if own_scales else "Both tables share one scale of colours"
    st.caption(f"{scales}. Contributions count from the isoelectric level.")


def side_names(kind: str, sides: tuple[Side, Side]) -> tuple[str, str]:
    """Return what the sides are called in a sentence."""
    if kind == "Records":
        return "This ECG", sides[1].recording.record_name.removeprefix("composite · ") or "the other"
    if kind == "Classes":
        return "", ""
    first, second = (side.title.rpartition(" · ")[0] for side in sides)
    return first, second


def show_answer(kind: str, sides: tuple[Side, Side], agreement: RankAgreement) -> None:
    """Say what the comparison found, and what a method cannot say."""
    first, second = sides
    if kind == "Methods":
        words = f"Both explain **{first.evidence.name} {percent(first.evidence.probability or 0.0)}**."
        if first.network != second.network:
            words = compared_words(first, second, agreement, side_names(kind, sides))
        elif agreement.same_sign is not None:
            words += f" {same_way_words(agreement.same_sign)}"
        limits = dict.fromkeys(METHOD_LIMITS.get(str(view_state.chosen(key)), "") for key in METHOD_KEYS)
        st.markdown(" ".join([words, *filter(None, limits)]))
        return
    st.markdown(compared_words(first, second, agreement, side_names(kind, sides)))


def show_beats(kind: str, sides: tuple[Side, Side], view: View, *, own_scales: bool) -> bool:
    """Show the painted mean beats side by side and, where both count in the same unit, their difference below."""
    found = [mean_beat_evidence(side.reading, side.evidence.contribution) for side in sides]
    if found[0] is None or found[1] is None:
        return False
    one, two = in_one_frame(found[0], found[1])
    panes = [Pane(side.title, side.evidence.name, beat) for side, beat in zip(sides, (one, two), strict=True)]
    below = None
    if not own_scales:
        names = [side.evidence.name for side in sides]
        title = difference_name(*names) if names[0] != names[1] else f"{names[0]}: the first minus the second"
        grey = grey_of(two, sides[1].recording.record_name or "the second") if kind == "Records" else None
        below = Pane(title, title, difference_of(one, two), grey)
    width, height = session.window()
    room = width - (NARROW_SIDES_PX if is_narrow((width, height)) else SIDES_PX)
    markup = beats_picture(
        panes, below, size_px=(room, max(height - ABOVE_PX, LEAST_BEATS_PX)), own_scales=own_scales,
        numbers=view_state.is_research(), dark=view.dark,
    )  # fmt: skip
    picture(markup, "cmp_beats")
    return True


@st.fragment
def compare_page(case: Case) -> None:
    bar = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
    with bar:
        kind = st.segmented_control("Compare", KINDS, default=KINDS[0], required=True, key="cmp", bind="query-params")
    kind = kind or KINDS[0]
    if kind == EARLIER:
        st.query_params.pop(COMPOSITE_LINK, None)
        session.write_link(None)
        compare_with_earlier(case, bar)
        if bar.button("Help", shortcut="H"):
            show_help()
        return
    with bar:
        sides = {"Records": two_records, "Classes": two_classes, "Models": two_models, "Methods": two_methods}[kind](
            case
        )
        view, _ = view_settings(n_members=1)
        if st.button("Help", shortcut="H"):
            show_help()
    session.write_link(None)
    if kind != "Records":
        st.query_params.pop(COMPOSITE_LINK, None)
    agreement = agreement_of(*sides)
    show_answer(kind, sides, agreement)
    shown = st.container()  # the switch below it says how it is drawn
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        seen = seen_choice(has_beat=True)
        own_scales = st.toggle(
            "Own scale of colours for each", value=kind in OWN_SCALES, key=f"cmp_scales_{kind}", bind="query-params",
            help="For evidence that is much smaller or has no unit. On one scale, their difference is painted too.",
        )  # fmt: skip
    with shown:
        if seen != SEEN[0] or not show_beats(kind, sides, view, own_scales=own_scales):
            figure = side_by_side_figure(
                *sides, view=view, width_px=room_px(), own_scales=own_scales, numbers=view_state.is_research()
            )
            alt = f"Two 12-lead ECGs with evidence on one scale: {sides[0].title}, and {sides[1].title}"
            st.plotly_chart(figure, width="content", theme=None, key="cmp_ecg", config=CHART, alt=alt)
            st.caption("Drag across a stretch of time to enlarge it in both; a double click goes back.")
    show_numbers(case, sides, agreement, own_scales=own_scales)


compare_page(opened_case())
