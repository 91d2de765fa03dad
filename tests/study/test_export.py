"""Exports from outside: every field is checked, a forgery shows, and no import touches a reader of this site."""

from __future__ import annotations

import base64
import copy
import json
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from ecgimn.cli import app
from ecgimn.errors import StudyError
from ecgimn.study.definition import Arm, Audit, Event, canonical
from ecgimn.study.keys import fingerprint, new_key, public_key, sign
from ecgimn.study.record import (
    UNSIGNED_VERSION,
    _digest,
    export_study,
    import_study,
    look_at_export,
    parse_export,
    read_export,
    record_of,
    signer_of,
    study_record,
)
from ecgimn.study.results import compute_results, study_csv
from ecgimn.study.session import Reading
from ecgimn.study.store import Store, open_store
from tests.study.study_worlds import keep, read_case, small_audit

ROOT = Path(__file__).resolve().parents[2]
Content = dict[str, Any]


@pytest.fixture
def read_store(store: Store) -> tuple[Store, Audit]:
    """One reader through an audit of two cases."""
    audit = keep(store, small_audit(2, arms=(Arm("full"),)))
    reading = Reading(store, audit, store.sign_in("Ada")[0])
    for place in (1, 2):
        read_case(reading, place, np.random.default_rng(place))
    return store, audit


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Store]:
    """The store of another site."""
    opened = open_store(f"sqlite:///{tmp_path / 'elsewhere.sqlite'}")
    yield opened
    opened.close()


def chained(content: Content) -> Content:
    """The same content with each reader's chain of digests made again, as a forger would."""
    before: dict[str, str] = {}
    for row in content["events"]:
        event = Event(**row)
        row["digest"] = event.expected_digest(before.get(event.reader_uid, ""))
        before[event.reader_uid] = row["digest"]
    return content


def written(content: Content, *, key: str | None = None) -> bytes:
    """The content as a file: unsigned like an old one, or signed with a key."""
    rest = {name: value for name, value in content.items() if name not in ("digest", "signature", "site")}
    if key is None:
        rest["format_version"] = UNSIGNED_VERSION
        return json.dumps({**rest, "digest": _digest(rest)}).encode()
    rest["site"] = {**content["site"], "public_key": public_key(key)}
    digest = _digest(rest)
    return json.dumps({**rest, "digest": digest, "signature": sign(key, digest)}).encode()


def with_other_answers(content: Content) -> Content:
    """Every blind diagnosis made NORM or MI, and all digests right again but for the signature."""
    forged = copy.deepcopy(content)
    for row in forged["events"]:
        if row["kind"] == "blind":
            row["payload"]["primary"] = "MI" if row["payload"]["primary"] == "NORM" else "NORM"
    return chained(forged)


def test_changed_answers_with_all_digests_made_again_do_not_fit_the_signature(read_store: tuple[Store, Audit]) -> None:
    content = export_study(read_store[0], read_store[1].uid)
    forged = with_other_answers(content)
    rest = {name: value for name, value in forged.items() if name not in ("digest", "signature")}
    forged["digest"] = _digest(rest)
    assert record_of(forged).events != record_of(content).events  # but for the signature it is perfect
    with pytest.raises(StudyError, match="changed after it was signed"):
        parse_export(json.dumps(forged).encode())


def test_a_known_site_cannot_be_imitated_with_another_key_or_with_none(
    read_store: tuple[Store, Audit], elsewhere: Store
) -> None:
    store, audit = read_store
    content = export_study(store, audit.uid)
    import_study(elsewhere, parse_export(json.dumps(content).encode()))
    before = elsewhere.events(audit.uid)
    Reading(store, audit, store.sign_in("Ben")[0]).open(1)
    longer = with_other_answers(export_study(store, audit.uid))
    with pytest.raises(StudyError, match="signed with another key"):
        import_study(elsewhere, parse_export(written(longer, key=new_key())))
    merged = import_study(elsewhere, parse_export(written(longer)))
    assert (merged.n_readers, merged.n_events, merged.n_left_out, merged.signer) == (0, 0, 2, None)
    assert elsewhere.events(audit.uid) == before


def test_a_third_site_cannot_speak_for_a_site_whose_key_is_known(
    read_store: tuple[Store, Audit], elsewhere: Store, tmp_path: Path
) -> None:
    store, audit = read_store
    third = open_store(f"sqlite:///{tmp_path / 'third.sqlite'}")
    for other in (elsewhere, third):
        import_study(other, export_study(store, audit.uid))
    reader = next(reader for reader in third.readers() if reader.pseudonym == "Ada")
    third.append(audit.uid, reader.uid, "ptbxl:1", "opened", {})  # as if the reader had been here
    merged = import_study(elsewhere, export_study(third, audit.uid))
    assert (merged.n_events, merged.n_left_out) == (0, 1)
    third.close()


def test_an_export_made_before_there_were_signatures_can_be_imported(
    read_store: tuple[Store, Audit], elsewhere: Store
) -> None:
    store, audit = read_store
    content = parse_export(written(export_study(store, audit.uid)))
    merged = import_study(elsewhere, content)
    assert (merged.n_readers, merged.signer) == (1, None)
    assert compute_results(study_record(elsewhere, audit.uid)) == compute_results(study_record(store, audit.uid))


def test_no_import_adds_to_a_reader_of_this_site_or_makes_one(store: Store, elsewhere: Store) -> None:
    """Neither answers under a protected pseudonym, nor a pseudonym that its owner would find taken later."""
    audit = keep(store, small_audit(2, arms=(Arm("full"),)))
    ada, _ = store.sign_in("Ada", "three dull herons")
    keep(elsewhere, audit)
    reading = Reading(elsewhere, audit, elsewhere.sign_in("Eve")[0])
    read_case(reading, 1, np.random.default_rng(0))
    content = export_study(elsewhere, audit.uid)
    for uid, pseudonym in ((ada.uid, "Ada"), ("f" * 32, "Cleo")):
        forged = copy.deepcopy(content)
        forged["readers"] = [{"uid": uid, "pseudonym": pseudonym, "site_uid": store.site_uid}]
        for row in forged["events"]:
            row["reader_uid"] = uid
        for key in (None, elsewhere.signing_key()):
            with pytest.raises(StudyError, match="never imported"):
                import_study(store, parse_export(written(chained(copy.deepcopy(forged)), key=key)))
    assert store.events(audit.uid) == ()
    assert [reader.pseudonym for reader in store.readers()] == ["Ada"]
    assert store.sign_in("Cleo", "two grey owls fly")[1]


def test_the_own_export_comes_back_without_a_change(read_store: tuple[Store, Audit]) -> None:
    store, audit = read_store
    merged = import_study(store, export_study(store, audit.uid))
    assert (merged.n_readers, merged.n_events, merged.signer.standing if merged.signer else None) == (0, 0, "known")


HOSTILE: tuple[Any, ...] = (
    None, True, -1, 0, 2**70, 1.5, "", "yesterday", "2026-13-40T25:00:00.000+00:00", "x" * 5000, "\x00", [], [[]], {},
    {"a": {}}, [1], "![x](http://192.0.2.1/x.png)", "ptbxl:1\n",
)  # fmt: skip


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """One path of each kind to a value inside: of a list only the first and the last entry."""
    yield path
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(value, list) and value:
        for place in {0, len(value) - 1}:
            yield from leaves(value[place], (*path, place))


def put(content: Content, path: tuple[Any, ...], value: Any) -> Content:
    changed: Any = copy.deepcopy(content)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return changed


@pytest.mark.no_cover
def test_no_value_in_any_field_gets_past_the_check_and_then_breaks_results_or_a_readers_page(
    read_store: tuple[Store, Audit], tmp_path: Path
) -> None:
    """Each is refused in words that quote nothing, or harmless: results, table and every case's state can be made."""
    store, audit = read_store
    content = export_study(store, audit.uid)
    content["events"] = content["events"][:12]  # every kind of event, and the first answers to each question
    kinds = {row["kind"] for row in content["events"]}
    assert kinds >= {"opened", "blind", "model", "evidence", "revision", "rating"}
    accepted, said = 0, []
    for path in [path for path in leaves(content) if path and path[0] not in ("digest", "signature", "site")]:
        for value in HOSTILE:
            changed = put(content, path, value)
            try:
                data = written(chained(changed))
            except (TypeError, KeyError, ValueError, AttributeError, RecursionError):
                continue  # so broken that no chain can be made over it
            try:
                record = record_of(parse_export(data))
            except StudyError as exc:
                said.append(str(exc))
                continue
            accepted += 1
            if path[0] in ("events", "evidence"):  # what else there is goes into no computation
                study_csv(record)
                for reader in record.readers.values():
                    assert len(Reading(store, record.audit, replace(reader)).states()) == 2
    print(f"{len(said)} refused, {accepted} harmless")
    assert len(said) > 500
    assert not [sentence for sentence in said if "192.0.2.1" in sentence or "yesterday" in sentence]


@pytest.mark.parametrize("field", ["draft", "moment"])
def test_what_broke_results_for_good_is_refused(read_store: tuple[Store, Audit], field: str) -> None:
    content = copy.deepcopy(export_study(read_store[0], read_store[1].uid))
    row = content["events"][-1]
    if field == "moment":
        row["at"] = "yesterday"
    else:
        row.update(kind="draft", payload={"step": "blind", "content": [1, 2]})
    with pytest.raises(StudyError, match=r"an unusable value in '(events|content)'"):
        parse_export(written(chained(content)))


@pytest.mark.parametrize(
    "data",
    [
        b'{"format": "ecgimn-study", "format_version": 2, "digest": "x", "a": NaN}',
        b'{"format": "ecgimn-study", "format_version": 2, "digest": "x", "a": "\\ud800"}',
        b'{"format": "ecgimn-study", "format_version": 1, "digest": "x", "a": ' + b"1" * 5000 + b"}",
        b'{"format": "ecgimn-study", "format_version": true}',
        b'{"format": "ecgimn-study", "format_version": [2]}',
    ],
)
def test_json_that_cannot_be_written_again_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(StudyError, match="is needed"):
        parse_export(data)


def test_maps_that_unpack_to_more_than_they_say_or_to_no_numbers_are_refused(read_store: tuple[Store, Audit]) -> None:
    content = export_study(read_store[0], read_store[1].uid)
    for raw in (b"\0" * 10_000_000, np.full((5, 12, 250), np.nan, "<f2").tobytes(), b""):
        changed = copy.deepcopy(content)
        for answer in changed["evidence"].values():
            answer["maps"] = base64.b64encode(zlib.compress(raw, 9)).decode()
        with pytest.raises(StudyError, match="cannot be read"):
            look_at_export(written(changed))


def bomb_of_maps(content: Content) -> bytes:
    """Two thousand cases with the largest maps that each may have: a small file, hundreds of megabytes unpacked."""
    changed = copy.deepcopy(content)
    classes = [f"C{i}" for i in range(60)]
    packed = base64.b64encode(zlib.compress(bytes(2 * 60 * 12 * 250), 9)).decode()
    sha = "0" * 64
    cases = [{"ref": f"ptbxl:{i}", "digest": sha, "labels": []} for i in range(2000)]
    changed["definition"] |= {"classes": classes, "cases": cases}
    answer = {**next(iter(content["evidence"].values())), "classes": classes, "shape": [60, 12, 250], "maps": packed}
    answer |= {name: [0.0] * 60 for name in ("logit", "probability", "bias")}
    changed |= {"readers": [], "events": [], "evidence": {case["ref"]: answer for case in cases}}
    return written(changed)


def bomb_of_lists(content: Content) -> bytes:
    """Seven million lists in twenty megabytes."""
    return b'{"format": "ecgimn-study", "format_version": 2, "a": [' + b"[]," * 6_500_000 + b"[]]}"


MEASURED = """
import resource, sys
from ecgimn.errors import StudyError
from ecgimn.study.record import read_export
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
data = open(sys.argv[1], "rb").read()
before = peak()
try:
    read_export(data)
except StudyError as exc:
    print(peak() - before, exc)
"""


@pytest.mark.parametrize(
    ("bomb", "words"), [(bomb_of_maps, "its maps take more than 64 MB"), (bomb_of_lists, "more computing or memory")]
)
def test_a_bomb_is_refused_and_the_app_itself_takes_no_memory_for_it(
    read_store: tuple[Store, Audit], tmp_path: Path, bomb: Callable[[Content], bytes], words: str
) -> None:
    file = tmp_path / "bomb.json"
    file.write_bytes(bomb(export_study(read_store[0], read_store[1].uid)))
    ran = subprocess.run(
        [sys.executable, "-c", MEASURED, str(file)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    grown, _, said = ran.stdout.partition(" ")
    assert words in said
    print(f"{file.stat().st_size / 1e6:.1f} MB grew the app by {grown} MB: {said}")
    assert int(grown) < 80  # 20 MB of it are sent to the child


def test_the_child_reads_an_export_as_the_app_does(read_store: tuple[Store, Audit]) -> None:
    data = json.dumps(export_study(read_store[0], read_store[1].uid)).encode()
    assert read_export(data) == parse_export(data)
    with pytest.raises(StudyError, match="it is no JSON"):
        read_export(data[:-9])


def test_the_command_line_says_who_signed_an_export(
    read_store: tuple[Store, Audit], elsewhere: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, audit = read_store
    run = CliRunner().invoke
    signed, unsigned, forged = (tmp_path / f"{name}.json" for name in ("signed", "unsigned", "forged"))
    content = export_study(store, audit.uid)
    signed.write_text(json.dumps(content))
    unsigned.write_bytes(written(content))
    forged.write_bytes(written(with_other_answers(content), key=new_key()))
    key = public_key(store.signing_key())
    monkeypatch.setenv("ECGIMN_DATABASE_URL", str(elsewhere.engine.url))

    def said(*arguments: str) -> tuple[int, str]:
        result = run(app, ["study", *arguments])
        return result.exit_code, result.output

    assert said("verify", str(signed))[0] == 1  # right, but by whom?
    for given in (key, fingerprint(key)):
        assert said("verify", str(signed), "--key", given)[0] == 0
        code, text = said("verify", str(forged), "--key", given)
        assert (code, "not the key given" in text) == (1, True)
    assert "fingerprint " + fingerprint(key) in said("import", str(signed))[1]
    assert said("verify", str(signed))[0] == 0
    code, text = said("verify", str(forged))
    assert (code, "has another key here" in text) == (1, True)
    code, text = said("verify", str(unsigned))
    assert (code, "Not signed" in text) == (1, True)
    assert "Not signed" in said("import", str(unsigned))[1]
    monkeypatch.setenv("ECGIMN_DATABASE_URL", str(store.engine.url))
    assert key in said("key")[1]


def test_the_key_of_a_site_stays_and_only_its_public_half_leaves(store: Store, elsewhere: Store) -> None:
    audit = keep(store, small_audit(1))
    store.append(audit.uid, store.sign_in("Ada")[0].uid, "ptbxl:1", "opened", {})
    contents = [export_study(store, audit.uid) for _ in range(2)]
    private = store.signing_key()
    assert contents[0]["site"] == contents[1]["site"] == {"uid": store.site_uid, "public_key": public_key(private)}
    assert private not in canonical(contents[0])
    assert elsewhere.signing_key() != private
    signer = signer_of(contents[0], elsewhere.known_keys())
    assert signer is not None
    assert signer.standing == "new"
