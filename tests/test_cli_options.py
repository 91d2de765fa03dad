"""Options of `explain`, fuzzed as the files are: each ends with a result or one sentence, and never a traceback."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest

from ecgimn.cli import main
from ecgimn.cli.explain import _OPTIONS
from ecgimn.formats import ReadingHints
from ecgimn.leads import STANDARD_LEADS
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


def run(monkeypatch, *arguments: str) -> tuple[int, str]:
    """Return exit code and what was said; an exception that is no exit fails the test."""
    monkeypatch.setattr(sys, "argv", ["ecgimn", "explain", *arguments])
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
