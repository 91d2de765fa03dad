"""Setting up an audit, or importing one. Labels appear here, so a reader of the audit should not look."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import streamlit as st

from ecgimn import __version__
from ecgimn.draw.charts.study import METHOD_WORDS
from ecgimn.errors import EcgImnError
from ecgimn.escape import for_markdown
from ecgimn.model.card import ModelCard
from ecgimn.sources.ptbxl import SUPERCLASSES, PtbXl
from ecgimn.study.cases import COMPOSITE, PTBXL, audit_case, draw_cases, earlier_of, refs_from_csv
from ecgimn.study.definition import KIND, MAX_WASHOUT_DAYS, SHOWN, Arm, Audit, Design, no_earlier
from ecgimn.study.record import import_study, read_export, signer_of
from ecgimn.study.store import Store
from pages.ui import cache as cached
from pages.ui.state import case as session
from pages.ui.state import study

ARMS = {
    "evidence": Arm("with evidence", method="isoelectric"),
    "answer only": Arm("model's answer only", method="none"),
    "weights": Arm("with weights", method="weights"),
    "from zero": Arm("with contribution from zero", method="contribution"),
    "blind": Arm("blind only", model=False, method="none"),
    "earlier": Arm("blind with the earlier ECG", model=False, method="none", earlier=True),
    "earlier and evidence": Arm("with the earlier ECG and evidence", earlier=True),
}
ARM_WORDS = {
    "evidence": f"answer and {METHOD_WORDS['isoelectric']}",
    "answer only": "answer alone, no map",
    "weights": "answer and weights",
    "from zero": f"answer and {METHOD_WORDS['contribution']}",
    "blind": "blind reading only",
    "earlier": "blind reading with the patient's earlier ECG",
    "earlier and evidence": f"the patient's earlier ECG, then answer and {METHOD_WORDS['isoelectric']}",
}
EARLIER_HELP = (
    "The earlier ECG lies below the case from the start, with the change of each measurement; its labels are never "
    "shown. Each case then needs an earlier record of the same patient: a random sample holds the last record of "
    "patients who have one, and a list with other cases is refused."
)
LISTS = {
    "composite": "Composite cases",
    "sample": "Random sample, the same number of each class",
    "browse": "Records found on the Browse page",
    "csv": "A list of my own (CSV)",
}
ALLOCATIONS = {"case": "for each case of a reader, balanced over labels", "reader": "once for each reader"}
STUDY_HELP = (
    "Periods with a washout, training with a competence check, “uncertain”, wrong answers of the model on purpose, and "
    "an adjudicator where readers differ."
)
MANY = 24  # cases from here on get a progress bar of their own


def show(store: Store) -> None:
    """Offer to set up or to import an audit."""
    left, right = st.columns((0.64, 0.36), gap="large")
    with left:
        _set_up(store)
    with right:
        _import(store)


def _set_up(store: Store) -> None:
    st.subheader("New audit")
    st.caption("Case labels are visible here. Do not read in a study that you set up.")
    try:
        ptbxl = cached.current_ptbxl()
        cards = _cards()
    except EcgImnError as exc:
        st.error(str(exc), icon=":material/error:")
        return
    if not cards:
        st.error(
            "No model with the five superclasses is installed. One is needed, since readers choose among its labels. "
            "Put its files into models/.",
            icon=":material/error:",
        )
        return
    name = st.text_input("Name", max_chars=120, key="audit_name", placeholder="Inferior leads, spring round")
    kind = st.selectbox("Cases", list(LISTS), format_func=LISTS.__getitem__, key="audit_list", filter_mode=None)
    seed = st.number_input("Seed of sample, order and arms", 0, 2**31 - 1, 1, key="audit_seed", width=220)
    with_earlier = any(ARMS[arm].earlier for arm in study.chosen("audit_arms") or ())
    refs, selection = _cases(kind, ptbxl, int(seed), with_earlier=with_earlier)
    st.caption(f"{len(refs)} cases chosen.")
    model = st.selectbox("Model", list(cards), index=cached.default_model(tuple(cards)), key="audit_model")
    arms = st.multiselect(
        "What a reader sees (each is an arm)", list(ARMS), default=["evidence"],
        format_func=ARM_WORDS.__getitem__, key="audit_arms", help=EARLIER_HELP,
    )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="bottom"):
        allocation = st.selectbox(
            "Arms are drawn", list(ALLOCATIONS), format_func=ALLOCATIONS.__getitem__, key="audit_allocation",
            disabled=len(arms) < 2, width=330, filter_mode=None,
        )  # fmt: skip
        blocks = st.toggle("One arm after the other", key="audit_blocks", disabled=len(arms) < 2)
    design = _design(refs, len(arms)) if st.toggle("Run as a study", key="audit_study", help=STUDY_HELP) else None
    shows = st.pills("Beside the trace from the start", SHOWN, selection_mode="multi", key="audit_shows")
    wanted = st.button("Set up the audit", type="primary", icon=":material/add:", key="audit_create")
    if wanted:
        try:
            if not refs:
                st.error("No case is chosen. One at least is needed. Choose cases.", icon=":material/error:")
                return
            without = [ref for ref in refs if earlier_of(ref, ptbxl) is None] if with_earlier else []
            if without:
                raise no_earlier(without, len(refs))
            bar = st.progress(0.0, "Reading the cases") if len(refs) >= MANY else None
            listed = []
            for done, ref in enumerate(refs, start=1):
                listed.append(audit_case(ref, ptbxl, with_earlier=with_earlier))
                if bar is not None:
                    bar.progress(done / len(refs), f"Reading the cases: {done} of {len(refs)}")
            card = cards[model]
            study_design = None if design is None else _with_training(design, ptbxl)
            audit = Audit(
                name=name.strip(), model=card.name, model_sha256=card.sha256, classes=card.classes, cases=tuple(listed),
                selection=selection, arms=tuple(ARMS[arm] for arm in arms), allocation=allocation, blocks=blocks,
                shows=tuple(shows), seed=int(seed), app_version=__version__, design=study_design,
            )  # fmt: skip
            is_new = store.add_study(audit.uid, audit.name, KIND, audit.text)
        except EcgImnError as exc:
            st.error(str(exc), icon=":material/error:")
            return
        if is_new:
            st.success(f"The audit {for_markdown(audit.name)} is set up: {len(refs)} cases.", icon=":material/check:")
        else:
            st.info("An audit exactly like this one is kept already and stays as it is.", icon=":material/info:")


def _design(refs: Sequence[str], n_arms: int) -> dict[str, Any]:
    """Ask how the audit is run as a study; training cases by reference."""
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            crossover = st.toggle(
                "Each case in every arm (crossover)", key="audit_crossover", disabled=n_arms < 2,
                help="One arm after the other, in as many periods; the order of arms differs from case to case.",
            )  # fmt: skip
            washout = st.number_input(
                "Washout between periods (days)", 0, MAX_WASHOUT_DAYS, 14, key="audit_washout",
                disabled=not crossover, width=230,
            )  # fmt: skip
            uncertain = st.toggle("“Uncertain” may be answered", value=True, key="audit_uncertain")
        titles = {f"{COMPOSITE}:{case.name}": case.title for case in cached.get_composites()}
        free = [ref for ref in titles if ref not in refs]
        with st.container(horizontal=True, vertical_alignment="bottom"):
            training = st.multiselect(
                "Training cases, told afterwards", free, format_func=titles.__getitem__, key="audit_training",
                help="Composite cases that are no cases of the audit. They come before the first case.",
            )  # fmt: skip
            passing = st.number_input(
                "Right, to begin (%)", 0, 100, 70, 5, key="audit_pass", disabled=not training, width=160
            )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            wrong = st.number_input(
                "Answers of the model made wrong (%)", 0, 50, 0, 5, key="audit_wrong", width=260,
                help="Drawn for each reader, the same share in each arm. Readers are told that there are some.",
            )  # fmt: skip
            named = st.text_input(
                "Adjudicators’ pseudonyms, by comma", key="audit_adjudicators", max_chars=400,
                help="They see all answers to the cases on which readers differ, decide, and do not read. Each needs a "
                "passphrase or an account.",
            )  # fmt: skip
    return {
        "crossover": crossover and n_arms > 1,
        "washout_days": int(washout) if crossover and n_arms > 1 else 0,
        "uncertain": uncertain,
        "training": tuple(training),
        "pass_share": passing / 100 if training else 0.0,
        "wrong_share": wrong / 100,
        "adjudicators": tuple(name.strip() for name in named.split(",") if name.strip()),
    }


def _with_training(asked: dict[str, Any], ptbxl: PtbXl | None) -> Design:
    return Design(**{**asked, "training": tuple(audit_case(ref, ptbxl) for ref in asked["training"])})


def _cards() -> dict[str, ModelCard]:
    cards = [cached.card_of(name) for name in cached.model_names()]
    return {card.name: card for card in cards if set(card.classes) <= set(SUPERCLASSES)}


def _cases(kind: str, ptbxl: PtbXl | None, seed: int, *, with_earlier: bool) -> tuple[tuple[str, ...], str]:
    """Return the references chosen and how they were chosen, in words."""
    if kind == "composite":
        titles = {f"{COMPOSITE}:{case.name}": case.title for case in cached.get_composites()}
        names = st.multiselect(
            "Composite cases",
            list(titles),
            default=list(titles),
            format_func=titles.__getitem__,
            key="audit_composites",
        )
        return tuple(names), "composite cases, chosen by hand"
    if kind == "browse":
        found = session.record_list()
        if not found:
            st.info("Find records on the Browse page and open one; all that were found are then listed here.")
        return tuple(f"{PTBXL}:{ecg_id}" for ecg_id in found), "PTB-XL records found in the browser of this app"
    if kind == "csv":
        file = st.file_uploader("CSV with a column case (composite:norm, ptbxl:21837) or ecg_id", key="audit_csv")
        return (tuple(_from_csv(file.getvalue())) if file else ()), "listed in a CSV file"
    per_class = st.number_input("Cases of each class", 1, 200, 4, key="audit_per_class", width=220)
    source = "composite cases" if ptbxl is None else "PTB-XL folds 9 and 10, never trained on"
    if with_earlier and ptbxl is None:
        st.caption("PTB-XL is not set up, and composite cases have no earlier ECG.")
    elif with_earlier:
        st.caption("Drawn from the last records of patients who have an earlier one.")
        source += ", last records of patients with an earlier one"
    elif ptbxl is None:
        st.caption("PTB-XL is not set up; the sample is drawn from the composite cases.")
    there = cached.get_drawable(str(ptbxl.folder) if ptbxl else "", with_earlier=with_earlier)
    drawn = draw_cases(there, int(per_class), seed)
    return drawn, f"random sample, {per_class} of each class, of {source}; seed {seed}"


def _from_csv(data: bytes) -> Sequence[str]:
    try:
        return refs_from_csv(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        st.error("The list is no text in UTF-8. A CSV file is needed. Save it again.", icon=":material/error:")
    except EcgImnError as exc:
        st.error(str(exc), icon=":material/error:")
    return ()


def _import(store: Store) -> None:
    st.subheader("Import")
    st.caption(
        "The export of another site brings its audit and its readers' answers. What is kept here stays as it is, "
        "readers of this site are never touched, and the same export twice adds nothing."
    )
    file = st.file_uploader("Export of an audit (JSON)", type=["json"], key="audit_import")
    if file is None:
        return
    name = hashlib.sha256(file.getbuffer()).hexdigest()
    if st.button("Check the export", icon=":material/fact_check:", key="audit_import_check"):
        try:
            study.keep_checked(name, _facts(store, read_export(file.getvalue())))
        except EcgImnError as exc:
            st.error(str(exc), icon=":material/error:")
            return
    facts = study.checked(name)
    if not facts:
        return
    for fact in facts:
        st.markdown(fact)
    if st.button("Import", icon=":material/download:", key="audit_import_now"):
        try:
            merged = import_study(store, read_export(file.getvalue()))
        except EcgImnError as exc:
            st.error(str(exc), icon=":material/error:")
            return
        st.success(
            f"{for_markdown(merged.name)}: {merged.n_readers} new readers, {merged.n_events} new entries.",
            icon=":material/check:",
        )
        if merged.n_left_out:
            st.warning(
                f"{merged.n_left_out} readers of other sites were left out. Import them from the exports that those "
                "sites sign.",
                icon=":material/info:",
            )


def _facts(store: Store, content: dict[str, Any]) -> tuple[str, ...]:
    """Return what is in an export and who signed it, in Markdown."""
    definition, signer = content["definition"], signer_of(content, store.known_keys())
    told = (
        f"**{for_markdown(definition['name'])}**: {len(definition['cases'])} cases, {len(content['readers'])} readers, "
        f"{len(content['events'])} entries. Whole and unbroken."
    )
    if signer is None:
        return told, (
            ":material/warning: **Not signed.** It was made by an older version of the app. Anybody could have changed "
            "answers in it without a trace. Ask the site for a new export, or import it if they gave it to you by hand."
        )
    standing = {
        "known": "this site itself"
        if signer.site_uid == store.site_uid
        else "the site, with the key that it used before",
        "new": "a site that is new here. Compare this fingerprint with the site before you import; it is kept, and "
        "later exports must bear it",
        "other": "**another key than this site used before**. It cannot be imported",
    }
    return told, f":material/signature: Signed by {standing[signer.standing]}: `{signer.fingerprint}`"
