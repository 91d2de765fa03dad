"""Options of every command, fuzzed as the files are: each ends with a result or one sentence, and never a traceback.

Some 130 values go through the whole of `explain`. Some 400 more, of every option and argument that a command has, are
checked with the long work of the command left out: whoever adds an option has it fuzzed. None takes more than 5 s of
computing.
"""

from __future__ import annotations

import errno
import functools
import importlib
import io
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
import typer

from ecgimn.cli import app, main
from ecgimn.cli.explain import _OPTIONS
from ecgimn.errors import EcgImnError
from ecgimn.formats import ReadingHints
from ecgimn.leads import STANDARD_LEADS
from ecgimn.model import model as checkpoint
from tests.formats import synthetic_files as files

NUMBERS = ("nan", "inf", "-inf", "-1", "0", "1e999", "1e-9", "99999", "", "x", "\u0663")
TEXTS = ("", "x", "../x", "\x00", "a" * 5000, "%s%n", "I,II", ",", "\u0130", "-1", "1", "mV", "None")
OPTIONS = {
    "--start": NUMBERS,
    "--fs": NUMBERS,
    "--age": NUMBERS,
    "--sex": TEXTS,
    "--unit": TEXTS,
    "--leads": TEXTS,
    "--variable": TEXTS,
    "--model": TEXTS,
    "--class": TEXTS,
    "--json": ("", ".", "/", "no/folder/x.json", "a" * 300, "\x00"),
    "--png": ("", ".", "x.gif", "x", "no/folder/x.png", ".png/", "x.pdf", "a" * 300 + ".png"),
    "--pdf": ("", ".", "x.gif", "x.png", "no/folder/x.pdf", "a" * 300 + ".pdf"),
}


@pytest.fixture(scope="module", autouse=True)
def commands_read_once() -> Iterator[None]:
    """Let typer make the parser of all commands once: 0.1 s for each of a thousand calls."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", functools.cache(typer.main.get_command))
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """One recording of 3 s in three formats."""
    folder = tmp_path_factory.mktemp("options")
    signal = files.synthetic_ecg(250, 3)
    for name, data in files.wfdb_files(signal, fs=250).items():
        (folder / name).write_bytes(data)
    (folder / "ecg.csv").write_bytes(files.csv_file(signal, 250))
    (folder / "ecg.npy").write_bytes(files.npy_file(signal))
    (folder / "two.npz").write_bytes(files.npz_file(a=signal, b=signal))
    return folder


def run(monkeypatch, *arguments: str, command: str = "explain") -> tuple[int, str]:
    """Return exit code and what was said; an exception that is no exit fails the test."""
    monkeypatch.setattr(sys, "argv", ["ecgimn", *command.split(), *arguments])
    said, code = io.StringIO(), 0
    with redirect_stdout(said), redirect_stderr(said):
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return code, said.getvalue()


@pytest.mark.parametrize("option", OPTIONS)
def test_any_value_of_an_option_ends_in_a_result_or_a_sentence(monkeypatch, folder, option):
    monkeypatch.chdir(folder)
    for value in OPTIONS[option]:
        code, said = run(monkeypatch, "case.hea", option, value)
        assert (code in (0, 2), "Traceback" in said) == (True, False), (option, value[:40], said[-200:])
        assert code == 2 or json.loads(said or "{}") is not None


@pytest.mark.parametrize(
    "path", [".", "/", "..", "", "no such file", "a" * 300, "case", "case.dat", "case.hea/", "/dev/null"]
)
def test_any_path_ends_in_a_result_or_a_sentence(monkeypatch, folder, path):
    monkeypatch.chdir(folder)
    code, said = run(monkeypatch, path)
    assert code == (0 if path.startswith("case") else 2), said[-200:]
    assert "Traceback" not in said


def test_each_question_names_the_option_that_answers_it(monkeypatch, folder):
    monkeypatch.chdir(folder)
    code, said = run(monkeypatch, "ecg.npy")
    assert code == 2
    assert all(option in said for option in ("--leads", "--fs", "--unit"))
    code, said = run(monkeypatch, "two.npz")
    assert (code, "--variable" in said) == (2, True)
    np.save(folder / "square.npy", np.zeros((50, 50)))
    code, said = run(monkeypatch, "square.npy")
    assert (code, "--transpose" in said) == (2, True)
    leads = ",".join(STANDARD_LEADS)
    facts = ("--fs", "250", "--unit", "mV", "--leads", leads)
    assert run(monkeypatch, "ecg.npy", *facts)[0] == 0
    assert run(monkeypatch, "two.npz", *facts, "--variable", "2")[0] == 0
    assert run(monkeypatch, "two.npz", *facts, "--variable", "b")[0] == 0
    assert run(monkeypatch, "ecg.npy", *facts, "--transpose")[0] == 0
    assert set(_OPTIONS) == set(ReadingHints.__dataclass_fields__)


def test_an_option_without_meaning_for_the_file_is_named(monkeypatch, folder):
    monkeypatch.chdir(folder)
    for option in (("--variable", "1"), ("--transpose",)):
        code, said = run(monkeypatch, "case.hea", *option)
        assert code == 2
        assert option[0] in said


def test_a_window_that_is_refused_names_those_that_are_not(monkeypatch, folder):
    signal = files.synthetic_ecg(250, 20)
    signal[:, :1500] = np.nan
    for name, data in files.wfdb_files(signal, fs=250, name="late").items():
        (folder / name).write_bytes(data)
    monkeypatch.chdir(folder)
    code, said = run(monkeypatch, "late.hea")
    assert code == 2
    assert "--start 10" in said
    code, said = run(monkeypatch, "late.hea", "--start", "10")
    assert code == 0
    first, second = json.loads(said)["windows"]
    assert first["logits"] is None
    assert "gaps" in first["refusals"][0]
    assert len(second["logits"]) == len(second["probabilities"])
    assert not second["refusals"]


# --- every option of every command -----------------------------------------------------------------

PTBXL = ("--ptbxl", "ptbxl")
#: What each command is given beside the value that is tried; an option that is tried is left out of it.
GIVEN = {
    "explain": ("case.hea", "--json", "o.json"),
    "difference": ("case.hea", "case.hea", "--json", "o.json"),
    "batch": ("case.hea.txt", "--out", "out", "--workers", "1"),
    "evaluate": (*PTBXL, "--fold", "9", "--json", "o.json"),
    "compare-methods": (*PTBXL, "--fold", "9", "--json", "o.json"),
    "criteria": (*PTBXL, "--json", "o.json"),
    "reversals": (*PTBXL, "--json", "o.json"),
    "earlier-ecg": (*PTBXL, "--json", "o.json"),
    "bench": (),
    "train": (*PTBXL, "--runs", "runs", "--out", "models"),
    "composites": PTBXL,
    "models": (),
    "study list": (),
    "study export": ("none", "--out", "o.json"),
    "study import": ("ecg.csv",),
    "study verify": ("ecg.csv",),
    "study key": (),
    "study coordinator": (),
    "study report": ("ecg.csv",),
}
LOADED = functools.cache(checkpoint.load_model)
#: Where the long work of the commands begins; what gets so far was let through.
WORK = (
    "ecgimn.signal.reading.read_signal", "ecgimn.explain.case.open_case", "ecgimn.batch.run._workers",
    "ecgimn.evaluate.report.evaluate",
    "ecgimn.evaluate.report.earlier_ecg", "ecgimn.evaluate.report.bench", "ecgimn.evaluate.compare.compare_methods",
    "ecgimn.evaluate.fidelity.measure_taken_out", "ecgimn.evaluate.localisation.criteria_against_statements",
    "ecgimn.sources.composites.make.write_composites", "ecgimn.train.loop.load_folds", "ecgimn.train.loop.train",
    "ecgimn.train.published.train_published",
)  # fmt: skip
PATHS = (
    "", ".", "..", "no/folder/x", "ecg.csv", "ecg.csv/x", "a" * 300, "\x00", "loop", "-", "~nobody/x", "\udcff",
)  # fmt: skip
VALUES = {
    "int": ("-1", "0", "nan", "1.5", "9" * 30, "x", "", "\u0663"),
    "float": NUMBERS,
    "str": TEXTS,
    "Path": PATHS,
}


def every_option() -> list[tuple[str, str, str]]:
    """Command, option ("" for an argument) and kind of its values, for all that take a value."""
    found = []

    def walk(command, name: str) -> None:
        for child_name, child in getattr(command, "commands", {}).items():
            walk(child, f"{name} {child_name}".strip())
        if not hasattr(command, "commands"):
            for place, parameter in enumerate(command.params):
                if getattr(parameter, "is_flag", False) or parameter.name == "help":
                    continue
                is_argument = parameter.param_type_name == "argument"
                option = f"argument {place}" if is_argument else parameter.opts[-1]
                found.append((name, option, str(parameter.bare_type())))

    walk(typer.main.get_command(app), "")
    return [one for one in found if one[0] != "app"]


@pytest.fixture(scope="module")
def places(folder, tmp_path_factory) -> Path:
    """The recording beside a small PTB-XL folder, a link to itself, and an empty study database."""
    from tests.sources.test_ptbxl import HEADER, ROWS, STATEMENTS

    (ptbxl := folder / "ptbxl").mkdir()
    rows = [f"{row}records100/00000/1_lr,records500/00000/1_hr" for row in ROWS]
    (ptbxl / "ptbxl_database.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    (ptbxl / "scp_statements.csv").write_text(STATEMENTS)
    (folder / "case.hea.txt").write_text("case.hea\n")
    os.symlink("loop", folder / "loop")
    return folder


@pytest.fixture
def without_work(monkeypatch, places):
    """Refuse in place of the long work; nothing is written but below the folder of the test."""

    def let_through(*arguments, **options):
        raise EcgImnError("Let through.")

    for one in WORK:
        module, _, name = one.rpartition(".")
        monkeypatch.setattr(importlib.import_module(module), name, let_through)
    monkeypatch.setattr(checkpoint, "load_model", LOADED)
    monkeypatch.setenv("ECGIMN_DATABASE_URL", f"sqlite:///{places / 'studies.sqlite'}")
    monkeypatch.setenv("HOME", str(places))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    monkeypatch.chdir(places)


OPTIONS_OF_ALL = every_option()


def test_every_command_is_fuzzed_and_with_at_least_250_values():
    assert {command for command, _, _ in OPTIONS_OF_ALL} <= set(GIVEN)
    assert {kind for _, _, kind in OPTIONS_OF_ALL} <= set(VALUES)
    assert sum(len(VALUES[kind]) for _, _, kind in OPTIONS_OF_ALL) >= 250


@pytest.mark.parametrize(("command", "option", "kind"), OPTIONS_OF_ALL, ids=[" ".join(one) for one in OPTIONS_OF_ALL])
@pytest.mark.usefixtures("without_work")
def test_any_value_of_any_option_is_let_through_or_refused_in_a_sentence(monkeypatch, command, option, kind):
    given = list(GIVEN[command])
    if option in given:
        del given[given.index(option) : given.index(option) + 2]
    for value in VALUES[kind]:
        arguments = [*given]
        if option.startswith("argument"):
            arguments[int(option.split()[1])] = value
        else:
            arguments += [option, value]
        begun = time.process_time()
        code, said = run(monkeypatch, *arguments, command=command)
        assert time.process_time() - begun < 5
        assert code in (0, 1, 2), said
        assert (code == 0) or said.strip(), value
        assert "Traceback" not in said
        assert code != 1 or command.startswith(("study verify", "study coordinator")), said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_told_in_a_sentence(monkeypatch, folder):
    monkeypatch.chdir(folder)
    os.symlink("/dev/full", folder / "full.png")
    assert run(monkeypatch, "case.hea", "--json", "/dev/full") == (
        2, "full cannot be written. Another name or folder is needed. Choose one.\n",
    )  # fmt: skip
    code, said = run(monkeypatch, "case.hea", "--fhir", "/dev/full")
    assert (code, "The disk is full" in said) == (2, True)
    code, said = run(monkeypatch, "case.hea", "--png", "full.png")
    assert (code, "The disk is full" in said) == (2, True)


def test_a_batch_run_on_a_full_disk_is_told_in_a_sentence(monkeypatch, places):
    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.chdir(places)
    monkeypatch.setattr(os, "fsync", full)
    code, said = run(monkeypatch, "case.hea.txt", "--out", "full", command="batch")
    assert code == 2
    assert "disk is full" in said
    assert "goes on where it stopped" in said
