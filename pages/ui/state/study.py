"""One visitor's place in audits and quizzes, behind typed accessors; what is answered lies in the store, not here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from ecgimn.errors import EcgImnError
from ecgimn.study.definition import Reader
from pages.ui.state import server

if TYPE_CHECKING:
    from ecgimn.study.store import Store


def reader() -> Reader | None:
    """Return who is signed in, or None; whoever came in under another name at the sign-on is signed out first."""
    if "study_reader" in st.session_state and st.session_state.get("study_subject") != server.subject():
        sign_out()
    return st.session_state.get("study_reader")


def sign_in(store: Store, pseudonym: str, passphrase: str) -> None:
    """Sign somebody in until the window is closed; raises `StudyError`.

    Where a sign-on says who asks, the pseudonym is bound to that account, once.
    """
    subject = server.subject()
    if subject is None:
        return
    found = store.join(subject, pseudonym, passphrase) if subject else store.sign_in(pseudonym, passphrase)[0]
    _keep(store, found)


def know_again(store: Store) -> None:
    """Sign in whoever the sign-on names, if that account has a pseudonym already."""
    subject = server.subject()
    if subject and reader() is None:
        found = store.reader_of(subject)
        if found is not None:
            _keep(store, found)


def _keep(store: Store, found: Reader) -> None:
    st.session_state["study_guarded"] = store.is_guarded(found.uid)
    st.session_state["study_reader"] = found
    st.session_state["study_subject"] = server.subject()


def is_signed_on() -> bool:
    """Whether a sign-on says who asks, so that a pseudonym needs no passphrase."""
    return bool(server.subject())


def show_reader(store: Store, who: Reader) -> None:
    """Show who is signed in, whether a passphrase guards the pseudonym, how to put one before it, and the way out."""
    if is_signed_on():
        st.badge(who.pseudonym, icon=":material/lock:", color="gray", help="The pseudonym of your account here.")
        if server.sign_on() == "account":
            st.button("Sign out", on_click=leave, icon=":material/logout:")
        return
    if st.session_state["study_guarded"]:
        st.badge(who.pseudonym, icon=":material/lock:", color="gray", help="Opens only with its passphrase.")
    else:
        st.badge(
            who.pseudonym, icon=":material/lock_open:", color="gray",
            help="Has no passphrase: anybody who knows the pseudonym can answer under it.",
        )  # fmt: skip
        with st.popover("Protect", icon=":material/lock:"), st.form("study_protect", border=False):
            passphrase = st.text_input(
                "New passphrase", type="password", max_chars=200, key="study_protect_passphrase",
                help="8 characters or more. It cannot be recovered.",
            )  # fmt: skip
            if st.form_submit_button("Protect this pseudonym"):
                try:
                    store.protect(who, passphrase)
                except EcgImnError as exc:
                    st.error(str(exc), icon=":material/error:")
                else:
                    st.session_state["study_guarded"] = True
                    st.rerun()
    st.button("Sign out", on_click=sign_out, icon=":material/logout:")


def leave() -> None:
    """Sign out here and at the sign-on."""
    sign_out()
    st.logout()


def is_coordinator() -> bool:
    """Whether whoever asks is a coordinator: named by the sign-on, else by the passphrase typed in this window."""
    if server.names_coordinators():
        return server.is_named_coordinator()
    return "study_coordinator" in st.session_state and st.session_state["study_coordinator"] == server.subject()


def enter_as_coordinator() -> None:
    """Remember that the coordinator's passphrase was typed, until the window is closed or somebody else asks."""
    st.session_state["study_coordinator"] = server.subject()


def leave_as_coordinator() -> None:
    """Forget that the coordinator's passphrase was typed, and which studies were opened with their own."""
    for name in ("study_coordinator", "study_opened", "study_checked"):
        st.session_state.pop(name, None)


def keep_checked(file: str, facts: tuple[str, ...]) -> None:
    """Keep what was found in an export that is to be imported, by the file's hash."""
    st.session_state["study_checked"] = (file, facts)


def checked(file: str) -> tuple[str, ...]:
    """Return what was found in an export, if it is this file."""
    known, facts = st.session_state.get("study_checked", ("", ()))
    return facts if known == file else ()


def sign_out() -> None:
    """Forget who is signed in, and where they were."""
    for name in [key for key in st.session_state if str(key).startswith(("study_", "answer_"))]:
        del st.session_state[name]


def place(study_uid: str) -> int | None:
    """Return the case of an audit on the screen, or None while paused."""
    return st.session_state.get(f"study_place {study_uid}")


def go_to(study_uid: str, number: int | None) -> None:
    """Show another case of an audit, or none."""
    st.session_state[f"study_place {study_uid}"] = number


def chosen(key: str) -> Any:
    """Return the value of a widget."""
    return st.session_state.get(key)


def choose(key: str, value: Any) -> None:
    """Set the value of a widget before it is drawn."""
    st.session_state[key] = value


def opens_results(study_uid: str) -> bool:
    """Whether a study's own passphrase was typed in this window."""
    return study_uid in st.session_state.get("study_opened", ())


def open_results(study_uid: str) -> None:
    """Remember that a study's own passphrase was typed."""
    st.session_state["study_opened"] = (*st.session_state.get("study_opened", ()), study_uid)


def quiz(name: str) -> dict[str, Any]:
    """Return where the visitor stands in a collection: place, hints, committed answer, attempts of this session."""
    return st.session_state.setdefault(f"study_quiz {name}", {"place": 0, "hints": 0, "answer": None, "attempts": []})


def next_quiz_case(name: str, n_cases: int, step: int = 1) -> None:
    """Go to another case of a collection, with nothing answered."""
    state = quiz(name)
    state.update(place=(state["place"] + step) % n_cases, hints=0, answer=None, round=state.get("round", 0) + 1)
