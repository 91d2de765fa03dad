"""Who asks is known from the sign-on alone: a reader cannot act as another, and a forged header does nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.runtime.context import ContextProxy, StreamlitHeaders
from streamlit.testing.v1 import AppTest

from ecgimn.errors import StudyError
from ecgimn.study.definition import Audit
from ecgimn.study.store import Store, open_store
from pages.ui.state import server
from tests.app.test_audit import button, keep
from tests.app.test_pages import ROOT, shown_text

pytestmark = pytest.mark.usefixtures("visited")

SECRET = "5f" * 32
Send = Callable[..., None]


@pytest.fixture
def audit(store: Store, models_folder: Path) -> Audit:
    return keep(store, models_folder)


@pytest.fixture
def send(monkeypatch: pytest.MonkeyPatch) -> Send:
    """Let the next requests bear these headers."""

    def bear(*pairs: tuple[str, str]) -> None:
        monkeypatch.setattr(ContextProxy, "headers", property(lambda self: StreamlitHeaders(list(pairs))))

    bear()
    return bear


@pytest.fixture
def behind_proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(SECRET + "\n")
    monkeypatch.setenv("ECGIMN_TRUSTED_HEADER", "X-Forwarded-User")
    monkeypatch.setenv("ECGIMN_PROXY_SECRET_FILE", str(path))


def by_proxy(name: str, secret: str = SECRET) -> tuple[tuple[str, str], ...]:
    return ("X-Forwarded-User", name), ("X-Ecgimn-Proxy", secret)


def at_the_audit(app: AppTest) -> AppTest:
    app.run()
    assert not app.exception
    app.switch_page("pages/audit.py").run()
    assert not app.exception
    return app


def choose(app: AppTest, pseudonym: str) -> AppTest:
    app.text_input[0].set_value(pseudonym)
    return button(app, "Sign in").click().run()


def signed_in_as(app: AppTest) -> str:
    reader = app.session_state.get("study_reader")
    return "" if reader is None else reader.pseudonym


def another_window(models_folder: Path) -> AppTest:
    return AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)


def test_a_forged_header_does_nothing_where_none_is_configured(small_app: AppTest, audit: Audit, send: Send) -> None:
    send(*by_proxy("ada@example.org"))
    app = at_the_audit(small_app)
    assert "Pseudonym" in [item.label for item in app.text_input]
    assert signed_in_as(app) == ""


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("X-Forwarded-User", "ada"),),
        by_proxy("ada", "5e" * 32),
        (*by_proxy("ada"), ("X-Forwarded-User", "ben")),
        by_proxy(" "),
        (("X-Ecgimn-Proxy", SECRET),),
    ],
    ids=["no header", "no secret", "another secret", "two names", "no name", "secret alone"],
)
def test_whoever_comes_past_the_proxy_stays_outside(
    headers: tuple[tuple[str, str], ...], small_app: AppTest, send: Send, behind_proxy: None
) -> None:
    send(*headers)
    app = small_app.run()
    assert "reached through its sign-on only" in app.error[0].value
    assert not app.button_group


def test_a_short_or_missing_secret_lets_nobody_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, send: Send, behind_proxy: None
) -> None:
    (tmp_path / "short").write_text("abc")
    for named in (tmp_path / "short", tmp_path / "none", tmp_path):
        monkeypatch.setenv("ECGIMN_PROXY_SECRET_FILE", str(named))
        send(*by_proxy("ada", "abc"))
        assert server.subject() is None


def test_reader_a_cannot_act_as_reader_b(
    small_app: AppTest,
    audit: Audit,
    store: Store,
    send: Send,
    behind_proxy: None,
    models_folder: Path,
) -> None:
    send(*by_proxy("ben@example.org"))
    ben = choose(at_the_audit(small_app), "Ben")
    assert signed_in_as(ben) == "Ben"

    send(*by_proxy("ada@example.org"))
    ada = at_the_audit(another_window(models_folder))
    choose(ada, "Ben")  # B's pseudonym
    assert "belongs to an account" in ada.error[0].value
    assert signed_in_as(ada) == ""
    choose(ada, "Ada")
    assert signed_in_as(ada) == "Ada"

    ben.run()  # A takes over B's window: B is signed out of it, and A is A there too
    ben.run()
    assert signed_in_as(ben) == "Ada"

    send(*by_proxy("ben@example.org"))  # B is known again anywhere, without choosing
    assert signed_in_as(at_the_audit(another_window(models_folder))) == "Ben"
    with pytest.raises(StudyError, match="belongs to an account"):
        store.sign_in("Ben")
    assert {reader.pseudonym for reader in store.readers()} == {"Ada", "Ben"}


def test_no_name_of_the_sign_on_stands_in_the_database(tmp_path: Path) -> None:
    path = tmp_path / "studies.sqlite"
    opened = open_store(f"sqlite:///{path}")
    opened.join("proxy ada@example.org", "Ada")
    opened.close()
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"example.org" not in kept


def test_a_pseudonym_from_before_is_taken_over_with_its_passphrase_only(tmp_path: Path) -> None:
    opened = open_store(f"sqlite:///{tmp_path / 'studies.sqlite'}")
    guarded, _ = opened.sign_in("Ada", "three dull herons")
    opened.sign_in("Ben")
    with pytest.raises(StudyError, match="does not fit"):
        opened.join("proxy mallory", "Ada", "three dull crows")
    with pytest.raises(StudyError, match="without a passphrase"):
        opened.join("proxy mallory", "Ben")
    assert opened.join("proxy ada", "Ada", "three dull herons") == guarded
    assert opened.join("proxy ada", "Other") == guarded  # one pseudonym an account
    opened.close()


def test_coordinators_are_those_named_and_no_passphrase_makes_one(
    small_app: AppTest, audit: Audit, store: Store, send: Send, behind_proxy: None, models_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("ECGIMN_COORDINATORS", "chief@example.org, deputy@example.org")
    store.set_coordinator("three dull herons")
    send(*by_proxy("ada@example.org"))
    reader = at_the_audit(small_app)
    reader.button_group(key="audit_part").set_value("set up").run()
    assert "Your account is a reader's" in " ".join(item.value for item in reader.info)
    assert not [item for item in reader.text_input if str(item.key).startswith("coordinator_")]
    assert "New audit" not in shown_text(reader)

    send(*by_proxy("chief@example.org"))
    chief = at_the_audit(another_window(models_folder))
    chief.button_group(key="audit_part").set_value("set up").run()
    assert "New audit" in [item.value for item in chief.subheader]


class Person(dict[str, object]):
    """What the sign-on of Streamlit knows about a visitor."""

    @property
    def is_logged_in(self) -> bool:
        return bool(self["is_logged_in"])


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Iterator[Person]:
    who = Person(is_logged_in=False)
    monkeypatch.setattr(st, "user", who)
    return who


def test_with_openid_connect_nobody_comes_in_before_signing_on(small_app: AppTest, person: Person) -> None:
    app = small_app.run()
    assert [item.label for item in app.button] == ["Sign on"]
    person.update(is_logged_in=True, iss="https://id.example.org", sub="17")
    assert server.subject() == "https://id.example.org 17"


def test_an_address_that_nobody_verified_makes_no_coordinator(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECGIMN_COORDINATORS", "chief@example.org")
    person.update(is_logged_in=True, iss="https://id.example.org", sub="17", email="chief@example.org")
    assert not server.is_named_coordinator()
    person["email_verified"] = True
    assert server.is_named_coordinator()
