"""Notebooks and the Python of the documents run from top to bottom; notebooks hold no output."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
import wfdb

import ecgimn

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def code_cells(path: Path) -> list[tuple[str, str]]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert [cell["id"] for cell in cells if cell.get("outputs")] == []
    return [(f"{path.name} {cell['id']}", "".join(cell["source"])) for cell in cells if cell["cell_type"] == "code"]


def run_all(cells: list[tuple[str, str]]) -> list[object]:
    """Run cells in one namespace as a notebook does; return what their last lines show."""
    names: dict[str, object] = {}
    shown = []
    for name, source in cells:
        *body, last = source.rsplit("\n", 1) if "\n" in source else [source]
        try:
            expression = compile(last, name, "eval")
        except SyntaxError:
            exec(compile(source, name, "exec"), names)
            continue
        exec(compile("\n".join(body), name, "exec"), names)
        shown.append(eval(expression, names))
    return [value for value in shown if value is not None]


def write_wfdb(folder: Path) -> None:
    """Write a composite case as the WFDB record "case"."""
    recording = ecgimn.load_composite("imi-st")
    leads, samples = list(ecgimn.STANDARD_LEADS), recording.signal.T.astype(float)
    wfdb.wrsamp(
        "case", fs=500, units=["mV"] * 12, sig_name=leads, p_signal=samples, fmt=["16"] * 12, adc_gain=[1000.0] * 12,
        baseline=[0] * 12, write_dir=str(folder),
    )  # fmt: skip


def test_the_tour_of_one_case_runs_and_shows_a_painted_figure(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shown = run_all(code_cells(ROOT / "notebooks" / "read_one_case.ipynb"))
    assert "logit of MI" in capsys.readouterr().out
    assert (tmp_path / "case.pdf").read_bytes().startswith(b"%PDF")
    (figure,) = [one for one in shown if isinstance(one, go.Figure)]
    assert len(figure.layout.images) > 0  # the evidence is painted


def test_a_wfdb_record_is_explained_painted_and_compared_with_captum_in_under_thirty_lines(
    tmp_path, monkeypatch, capsys
):
    write_wfdb(tmp_path)
    monkeypatch.chdir(tmp_path)
    cells = code_cells(ROOT / "notebooks" / "wfdb_beside_captum.ipynb")
    assert sum(bool(line.strip()) for _, source in cells for line in source.split("\n")) < 30
    table, figure = run_all(cells)
    assert isinstance(table, pd.DataFrame)
    assert len(figure.layout.images) > 0
    said = capsys.readouterr().out
    total, logit = map(float, re.search(r"sum and bias (\S+), logit (\S+)", said).groups())
    assert total == pytest.approx(logit, abs=2e-3)
    assert 0.0 < float(re.search(r"gradients (\S+)", said)[1]) <= 1.0


def python_of(page: Path) -> list[tuple[str, str]]:
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [(f"{page.name} {number}", block.rstrip()) for number, block in enumerate(blocks, 1)]


@pytest.mark.parametrize("name", ["README.md", "docs/library.md"])
def test_the_python_of_a_page_runs_from_top_to_bottom(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_all(python_of(ROOT / name))
    assert "<html>" in (tmp_path / "case.html").read_text(encoding="utf-8")


def test_the_python_of_the_page_on_batches_reads_a_run(tmp_path, monkeypatch):
    from ecgimn.batch.run import Request, run_batch
    from ecgimn.model import DEFAULT_MODEL
    from ecgimn.model.card import read_card
    from ecgimn.model.model import MODELS_FOLDER

    (tmp_path / "ecgs").mkdir()
    write_wfdb(tmp_path / "ecgs")
    card = read_card(MODELS_FOLDER / f"{DEFAULT_MODEL}.json")
    run_batch(Request(tmp_path / "ecgs", tmp_path / "run-june", card, workers=0))
    monkeypatch.chdir(tmp_path)
    names = {}
    for name, source in python_of(ROOT / "docs" / "batch.md"):
        exec(compile(source, name, "exec"), names)
        assert len(names["ledger"]) == 12 * 7
    by_wave = names["by_wave"].df()
    assert np.isclose(by_wave["logit"].sum(), names["ledger"]["logit"].sum(), atol=1e-4)


def test_the_python_of_the_page_on_exactness_prints_a_difference_of_nothing(capsys):
    run_all(python_of(ROOT / "docs" / "exactness.md"))
    assert abs(float(capsys.readouterr().out)) < 1e-4


def test_the_python_of_the_gallery_draws_its_four_pictures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_all(python_of(ROOT / "docs" / "gallery.md"))
    drawn = {path.stem: path.read_bytes() for path in tmp_path.iterdir()}
    assert {path.stem.removeprefix("gallery-") for path in (ROOT / "docs" / "img").glob("gallery-*")} == set(drawn)
    assert all(picture.startswith(b"\x89PNG") for picture in drawn.values())


def test_no_other_page_holds_python_that_nobody_runs():
    """docs/extend.md is run by tests/explain/test_methods.py."""
    pages = [page.name for page in sorted((ROOT / "docs").glob("*.md")) if python_of(page)]
    assert pages == ["batch.md", "exactness.md", "extend.md", "gallery.md", "library.md"]


def test_every_notebook_is_run_here():
    assert [path.name for path in NOTEBOOKS] == ["read_one_case.ipynb", "wfdb_beside_captum.ipynb"]
