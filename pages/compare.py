"""Compare: two records, two classes, two models or two methods, side by side, with one scale and numbers under it."""

from __future__ import annotations

import streamlit as st

from ecgimn.draw.charts.ledger import ledger_figure
from ecgimn.draw.screen.ecg import SIDES_PX
from ecgimn.draw.screen.side_by_side import side_by_side_figure
from ecgimn.draw.words.case import agreement_words, equation_words, fidelity_words
from ecgimn.errors import EcgImnError
from ecgimn.explain.case import Case
from ecgimn.explain.checks import EXACT, Side, exact_side, local_fidelity, method_names, rank_agreement
from ecgimn.leads import STANDARD_LEADS
from ecgimn.model.predictor import Predictor
from ecgimn.recording import Recording
from ecgimn.signal.waves.find import WAVE_NAMES
from pages.ui import cache as cached
from pages.ui.case_bar import READING_ROOM, explained, opened_case
from pages.ui.state import case as session
from pages.ui.state import view as view_state
from pages.ui.trace import view_settings

session.run_under_app()

CHART = {"displayModeBar": False}
KINDS = ("Records", "Classes", "Models", "Methods")
COMPOSITE_LINK, NORMAL = "cmp_composite", "norm"  # the second record, in the address; compared with to begin with
OWN, TWIN = "this model", "black-box twin"
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
        return cached.get_composite(other_composite(cases))
    if ptbxl is None:
        st.info("There is nothing to compare with.", icon=":material/info:")
        return None
    first, last = int(ptbxl.table.index.min()), int(ptbxl.table.index.max())
    number = int(st.number_input("Record", first, last, key="cmp_record", step=None, bind="query-params", width=120))
    try:
        return cached.get_best_record(number)
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
        width=300,
    )
    if linked != name:
        st.query_params[COMPOSITE_LINK] = name
    return str(name)


def two_classes(case: Case) -> tuple[Side, Side]:
    first = class_picker(case, "Class", "cmp_class")
    second = class_picker(case, "and class", "cmp_class_b", place=1)
    return (
        exact_side(case, first, first),
        exact_side(case, second, second),
    )


def two_models(case: Case) -> tuple[Side, Side]:
    first = class_picker(case, f"Class of {case.card.name}", "cmp_class")
    others = [name for name in cached.model_names() if name != case.card.name]
    if not others:
        st.info("Only one model is installed in models/.", icon=":material/info:")
        st.stop()
    name = st.selectbox("and model", others, key="cmp_model", bind="query-params", width=200)
    try:
        other = explained(case.recording, cached.model_named(name))
    except EcgImnError as exc:
        st.error(str(exc), icon=":material/error:")
        st.stop()
    second = class_picker(other, f"Class of {name}", "cmp_class_b")
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


def class_picker(case: Case, label: str, key: str, *, place: int | None = None) -> str:
    """Let the reader choose a class of a case's model; the most probable one, unless said otherwise, to begin with."""
    names = case.classes
    index = names.index(case.most_probable) if place is None else min(place, len(names) - 1)
    return str(st.selectbox(label, names, index=index, key=key, bind="query-params", width=150))


def network_behind(case: Case, side: Side, other: str) -> Predictor:
    """Return the network that a side explains, for running it again; `other` names the other model of the page."""
    if side.network == case.card.sha256:
        return cached.model_of(case)
    return cached.model_named(other) if side.exact else cached.get_twin()


def show_numbers(case: Case, sides: tuple[Side, Side], *, own_scales: bool) -> None:
    """Print how far the two agree, and how faithful each is to this record."""
    first, second = sides
    same = first.recording.digest == second.recording.digest
    agreement = rank_agreement(
        first.evidence.cells,
        second.evidence.cells,
        first.evidence.contribution,
        second.evidence.contribution,
        same_recording=same,
    )
    st.markdown(agreement_words(agreement))
    measured = st.toggle(
        "Measure faithfulness on this record: remove each wave of each lead and re-run the network",
        key="cmp_measure", persist_state="session",
    )  # fmt: skip
    limit = None if own_scales else max(float(abs(side.evidence.cells).max()) for side in sides) or 1.0
    for column, side, place in zip(st.columns(2, gap="medium"), sides, ("first", "second"), strict=True):
        with column:
            st.markdown(equation_words(side))
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


@st.fragment
def compare_page(case: Case) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        kind = st.segmented_control("Compare", KINDS, default=KINDS[0], required=True, key="cmp", bind="query-params")
        sides = {"Records": two_records, "Classes": two_classes, "Models": two_models, "Methods": two_methods}[
            kind or KINDS[0]
        ](case)
        view, _ = view_settings(n_members=1)
        if st.button("Help", shortcut="H"):
            show_help()
    session.write_link(None)
    if kind != "Records":
        st.query_params.pop(COMPOSITE_LINK, None)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption("Drag across a stretch of time to enlarge it in both; a double click goes back.", width="content")
        own_scales = st.toggle("Own scale of colours for each", key="cmp_scales", bind="query-params",
                               help="For methods whose evidence is much smaller or has no unit.")  # fmt: skip
        st.page_link(READING_ROOM, label="Reading room", icon=":material/ecg_heart:")
    figure = side_by_side_figure(*sides, view=view, width_px=room_px(), own_scales=own_scales)
    alt = f"Two 12-lead ECGs with evidence on one scale: {sides[0].title}, and {sides[1].title}"
    st.plotly_chart(figure, width="content", theme=None, key="cmp_ecg", config=CHART, alt=alt)
    show_numbers(case, sides, own_scales=own_scales)


compare_page(opened_case())
