"""One visitor's case, model, class, link and list of records, behind typed accessors."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import replace
from urllib.parse import urlencode

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from ecgimn.recording import WINDOW_S, Recording, Sex
from ecgimn.sources.composites.case import CompositeCase
from ecgimn.sources.ptbxl import PtbXl
from ecgimn.sources.search import neighbour
from pages.ui.state import server
from pages.ui.state import view as view_state
from pages.ui.state.browser import is_dark as is_dark
from pages.ui.state.browser import note_back as note_back
from pages.ui.state.browser import watch_window as watch_window
from pages.ui.state.browser import window as window
from pages.ui.state.server import note_opened as note_opened
from pages.ui.state.server import noting_export as noting_export
from pages.ui.state.widgets import put as put
from pages.ui.state.widgets import take as take
from pages.ui.state.widgets import widget_key as widget_key


def case_list() -> tuple[int, ...]:
    """Return the records on the list, in the order in which they were added."""
    return tuple(st.session_state.get("case_list", ()))


def set_case_list(ids: Iterable[int]) -> None:
    """Make these records the list."""
    st.session_state["case_list"] = tuple(int(ecg_id) for ecg_id in ids)


def add_to_case_list(ids: Iterable[int]) -> None:
    """Add records that are not on the list yet, at its end."""
    set_case_list(dict.fromkeys((*case_list(), *map(int, ids))))


SOURCES = {"composite": "Composite case", "ptbxl": "PTB-XL record", "file": "Own file"}
OWN_LINK = ("source", "file")  # in the address while a file of the visitor's own is open
MOST_OWN = 20  # files of a visitor's own; the first of more is forgotten
ALONE = "alone"  # the class shown is not compared with another
FIRST_CASE = "imi-st"  # a frank finding in one territory; any other composite where it is missing


def run_under_app() -> None:
    """Hand over to app.py when Streamlit started this page by itself (its old discovery, until navigation ran)."""
    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.rerun()


def model_name() -> str:
    """Return the name of the model chosen for all pages; empty where none was."""
    return str(st.session_state.get("model") or "")


def choose_model(name: str) -> None:
    """Choose the model for all pages, as its list in the sidebar does, and remember the one before."""
    st.session_state["model_before"], st.session_state["model"] = model_name(), name


def model_before() -> str:
    """Return the name of the model from which `choose_model` led away; empty where it was never called."""
    return str(st.session_state.get("model_before") or "")


def has_gone_on(recording: Recording) -> bool:
    """Whether the reader asked the model about this recording although its quality speaks against it."""
    return recording.digest in st.session_state.get("gone_on", ())


def go_on(recording: Recording) -> None:
    """Remember that the reader wants the model's answer in spite of the quality check."""
    st.session_state["gone_on"] = (*st.session_state.get("gone_on", ()), recording.digest)


def export_salt(recording: Recording) -> bytes:
    """Salt for the hash of an upload in exports, one per session; empty for public recordings."""
    if recording.source != "upload":
        return b""
    return bytes(st.session_state.setdefault("salt", secrets.token_bytes(16)))


# The case on the screen.


def start_case(cases: Sequence[CompositeCase], ptbxl: PtbXl | None) -> None:
    """Take the case from the link on a first visit and after a step back, else the first composite.

    Otherwise only what is missing is filled in.
    """
    state, first_visit = st.session_state, not st.session_state.get("started")
    came_back = state.pop("came_back", False)
    link = st.query_params.to_dict() if first_visit or came_back else {}
    state["started"] = True
    names = [case.name for case in cases]
    if link.get("composite") in names:
        state["source"] = "composite"
        put("composite", link["composite"])
    elif link.get(OWN_LINK[0]) == OWN_LINK[1]:
        state["source"] = "file"
    elif ptbxl is not None and link.get("record", "").isdecimal() and int(link["record"]) in ptbxl.table.index:
        state["source"] = "ptbxl"
        put("ptbxl_id", int(link["record"]))
        if link.get("fs") in ("100", "500"):
            state["ptbxl_fs"] = int(link["fs"])
    if "record_to_open" in state:
        state["source"] = "ptbxl"
        put("ptbxl_id", state.pop("record_to_open"))
    if state.pop("own_to_open", False):
        put("source", "file")
    if "composite_to_open" in state:
        state["source"] = "composite"
        put("composite", state.pop("composite_to_open"))
    if "class" in link:
        state["class_chosen"] = link["class"]
    if first_visit or came_back:
        view_state.take_linked(link)
    state.setdefault("source", "composite" if names or ptbxl is None else "ptbxl")
    if names:
        state.setdefault("composite", FIRST_CASE if FIRST_CASE in names else names[0])
    if ptbxl is not None and "ptbxl_id" not in state:
        state["ptbxl_id"] = neighbour(ptbxl, record_list(), 0, 1) or int(ptbxl.table.index.min())


def source() -> str:
    """Return which kind of case is chosen: one of `SOURCES`."""
    return str(st.session_state["source"])


def composite_name() -> str:
    """Return the composite chosen."""
    return str(st.session_state["composite"])


def ptbxl_id() -> int:
    """Return the PTB-XL record chosen."""
    return int(st.session_state["ptbxl_id"])


def ptbxl_fs(rates: Sequence[int]) -> int:
    """Return the sampling frequency chosen for PTB-XL in Hz, or the highest at which the record is here."""
    chosen = st.session_state.get("ptbxl_fs")
    return int(chosen) if chosen in rates else max(rates, default=500)


def open_record(ecg_id: int, found: Sequence[int] = ()) -> None:
    """Choose a PTB-XL record; next and previous then go through the records found."""
    # Kept apart until the reading room runs: what another page writes under a widget's key is lost on the way there.
    st.session_state.update(record_to_open=int(ecg_id), record_list=tuple(int(i) for i in found), started=True)


def open_own(recording: Recording, key: str) -> None:
    """Choose a recording that was read elsewhere on the pages, as one of the visitor's own."""
    keep_own(key, recording)
    st.session_state.update(own_to_open=True, started=True)


def open_composite(name: str) -> None:
    """Choose a composite case."""
    st.session_state.update(composite_to_open=name, started=True)


def record_list() -> tuple[int, ...]:
    """Records that next and previous go through; empty for all."""
    return tuple(st.session_state.get("record_list", ()))


def about_shown() -> bool:
    """Whether the reader asked for labels or for what a composite is made of."""
    return bool(st.session_state.get("about", False))


def own_files() -> dict[str, Recording]:
    """Return the visitor's own recordings of this visit, whole, by what they were read from, the first one first."""
    return dict(st.session_state.get("own_files", {}))


def own_key() -> str:
    """Return what the visitor's own recording that is open was read from, as a hash; empty where none is."""
    return str(st.session_state.get("own_key", ""))


def own_recording() -> Recording | None:
    """Return the visitor's own recording that is open, whole, with age and sex as entered for it."""
    whole = own_files().get(own_key())
    age, sex = own_subject(own_key())
    if whole is None or (age is None and sex is None):
        return whole
    return replace(whole, age=whole.age if age is None else age, sex=sex or whole.sex)


def own_subject(files: str) -> tuple[int | None, Sex | None]:
    """Return age and sex as the visitor entered them for one of their own files."""
    subject: tuple[int | None, Sex | None] = st.session_state.get("own_subjects", {}).get(files, (None, None))
    return subject


def take_own_subject(files: str) -> None:
    """Keep age and sex, as entered, for one of the visitor's own files."""
    entered = (st.session_state.get("upload_age"), st.session_state.get("upload_sex"))
    st.session_state["own_subjects"] = {**st.session_state.get("own_subjects", {}), files: entered}


def keep_own(files: str, recording: Recording) -> None:
    """Keep one of the visitor's own recordings, by what it was read from, and open it."""
    kept = {**own_files(), files: recording}
    st.session_state["own_files"] = dict(list(kept.items())[-MOST_OWN:])
    _open_own(files)


def newly_in_box(files: Iterable[str]) -> set[str]:
    """Return which of the files in the box for uploads were not in it at the last run of the page."""
    before = set(st.session_state.get("own_box", ()))
    st.session_state["own_box"] = tuple(files)
    return set(files) - before


def _open_own(files: str) -> None:
    put("own_key", files)
    st.session_state["own_windows"] = None
    show_window(0.0, WINDOW_S)


def switch_own(files: str) -> None:
    """Open another of the visitor's own recordings; to be called from a callback."""
    _open_own(files)
    age, sex = own_subject(files)
    st.session_state.update(upload_age=age, upload_sex=sex)


def step_own(step: int) -> None:
    """Open the visitor's own recording that is `step` (1 or -1) away; to be called from a callback."""
    names = list(own_files())
    switch_own(names[(names.index(own_key()) + step) % len(names)])


def choose_own(key: str) -> None:
    """Open the own recording that was chosen in a list; to be called from a callback."""
    if key == widget_key("own_key"):
        switch_own(st.session_state[key])


def drop_own(files: str) -> None:
    """Take one of the visitor's own recordings off their list, to read it again."""
    st.session_state["own_files"] = {name: kept for name, kept in own_files().items() if name != files}


def forget_own_recording() -> None:
    """Forget the own recording that is open, its files and everything that was entered about it or computed from it.

    Of several, the last one is open then; to be called from a callback.
    """
    forgotten = own_key()
    kept = {name: recording for name, recording in own_files().items() if name != forgotten}
    subjects = {name: said for name, said in st.session_state.get("own_subjects", {}).items() if name != forgotten}
    for name in ("own_files", "own_key", "own_windows", "own_facts", "own_subjects", "own_notes", "own_earlier",
                 "own_box", "gone_on"):  # fmt: skip
        st.session_state.pop(name, None)  # what is only overwritten stays until a run of the page reaches its end
    for uploader in ("upload", "earlier_upload"):
        st.session_state.pop(widget_key(uploader), None)
        put(uploader, None)
    st.session_state.update(upload_age=None, upload_sex=None)
    show_window(0.0, WINDOW_S)
    if kept:
        st.session_state.update(own_files=kept, own_subjects=subjects)
        switch_own(list(kept)[-1])
    server.forget_derived()


def what_is_open(recording: Recording) -> str:
    """Return what an access log calls a recording: a public one by its name, an upload by nothing of its own."""
    return "own file" if recording.source == "upload" else f"{recording.source} {recording.record_name}"


def is_of_this_browser() -> bool:
    """Whether this window's session was begun by the browser that asks now; its address alone opens nothing."""
    secret = server.browser_secret()
    return hmac.compare_digest(str(st.session_state.setdefault("browser_secret", secret)), secret)


def window_start() -> float:
    """Start of the window of a long recording in seconds."""
    return float(st.session_state.get("window_start", 0.0))


def show_window(start_s: float, length_s: float) -> None:
    """Show another window of a long recording."""
    st.session_state["window_s"] = length_s
    put("window_start", start_s)


def last_window(whole: Recording) -> float:
    """Latest start of a 10-second window in seconds."""
    return round(max(whole.duration_s - WINDOW_S, 0.0), 2)


# A note on the case.

MAX_NOTE = 300  # characters; three lines of the page


def note_on(recording: Recording) -> str:
    """Return what the visitor noted on a case."""
    return str(st.session_state.get(_notes_of(recording), {}).get(recording.digest, ""))


def take_note(recording: Recording, key: str) -> None:
    """Keep what the visitor has just written on a case, for this visit."""
    name, note = _notes_of(recording), str(st.session_state[key])[:MAX_NOTE].strip()
    kept = {**st.session_state.get(name, {}), recording.digest: note}
    st.session_state[name] = {digest: text for digest, text in kept.items() if text}


def _notes_of(recording: Recording) -> str:
    return "own_notes" if recording.source == "upload" else "case_notes"


# The class.


def chosen_class(classes: Sequence[str], otherwise: str) -> str:
    """Return the class that the reader chose last, else `otherwise`."""
    chosen: str | None = st.session_state.get("class_chosen")
    shown = chosen if chosen is not None and chosen in classes else otherwise
    if st.session_state.get("class_shown") != shown:
        put("class_shown", shown)
    return shown


def choose_class(name: str) -> None:
    """Keep the class that the reader has just chosen, also for the next case."""
    st.session_state["class_chosen"] = name


def take_class(key: str) -> None:
    """Keep the class that the reader has just chosen in a list."""
    if key == widget_key("class_shown"):
        choose_class(st.session_state[key])


def against(classes: Sequence[str]) -> str | None:
    """Return the class that is taken away from any other one shown, or None."""
    chosen = str(st.session_state.get("against", ALONE)).removeprefix("vs ")
    return chosen if chosen in classes else None


def next_class(classes: Sequence[str]) -> None:
    """Show the next class."""
    shown = chosen_class(classes, st.session_state["class_shown"])
    choose_class(classes[(list(classes).index(shown) + 1) % len(classes)])


def case_in_link() -> dict[str, str]:
    """Return what a link says of the case: a public one by its name; an upload leaves no trace there."""
    if source() == "composite" and "composite" in st.session_state:
        return {"composite": composite_name()}
    if source() == "file" and own_recording() is not None:
        return dict([OWN_LINK])  # that there was one; nothing of it
    if source() != "ptbxl":
        return {}
    fs = st.session_state.get("ptbxl_fs", 500)  # the higher rate is the default
    return {"record": str(ptbxl_id())} | ({"fs": str(fs)} if fs != 500 else {})


def link_of(class_name: str) -> str:
    """Return the address of this case, class and view; of the visitor's own file only that of the app."""
    query = urlencode(case_in_link() | view_state.linked() | {"class": class_name}) if case_in_link() else ""
    return f"{str(st.context.url or '').partition('?')[0]}{'?' if query else ''}{query}"


def write_link(class_name: str | None) -> None:
    """Put public case, class and view into the address. The widgets of the view bind themselves."""
    wanted = case_in_link() | view_state.linked() | ({"class": class_name} if class_name else {})
    changed = {name: value for name, value in wanted.items() if st.query_params.get(name) != value}
    if changed:
        st.query_params.update(changed)  # at once: each call is a step of its own for the browser's back button
    for name in ("composite", "record", "fs", OWN_LINK[0], "class", "quantity", "layout", "opacity", "evidence"):
        if name not in wanted:
            st.query_params.pop(name, None)
