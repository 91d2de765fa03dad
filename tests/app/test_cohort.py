"""The cohort page over the output of small batch runs made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from ecgimn.batch.output import BEAT_MS, Rows, Settings, open_output
from ecgimn.leads import STANDARD_LEADS
from ecgimn.signal.waves.find import WAVE_NAMES
from ecgimn.sources.ptbxl import SUPERCLASSES

SETTINGS = Settings("small", "abc", SUPERCLASSES, (0.5,) * 5, "all leads", "100", "ptbxl 1", "0.1.0")


def write_run(folder: Path, shift: float = 0.0) -> Path:
    rng, rows = np.random.default_rng(3), Rows()
    for ecg_id in range(1, 7):
        record = f"ptbxl-{ecg_id}"
        rows.add("records", record=record, status="explained", windows=1)
        for name in SUPERCLASSES:
            cells = rng.normal(size=(12, len(WAVE_NAMES))) * 0.1
            logit = cells.sum() + shift
            rows.extend("predictions", {
                "record": [record], "start_s": [0.0], "class": [name], "logit": [logit],
                "probability": [1 / (1 + np.exp(-logit))], "bias": [shift], "completeness_error": [0.0],
                "zone": ["uncertain"], "reasons": [None],
            })  # fmt: skip
            rows.extend("ledger", {
                "record": [record] * cells.size, "start_s": [0.0] * cells.size, "class": [name] * cells.size,
                "lead": [lead for lead in STANDARD_LEADS for _ in WAVE_NAMES], "wave": list(WAVE_NAMES) * 12,
                "logit": cells.ravel(),
            })  # fmt: skip
            if logit >= 0:
                shape = (12, len(BEAT_MS))
                rows.sum_beat(name, np.full(shape, 0.1), np.full(shape, 0.01), np.ones(len(BEAT_MS), dtype=bool))
    with open_output(folder, SETTINGS) as output:
        output.write(rows.tables())
    return folder


def words(app: AppTest) -> str:
    return " ".join(element.value for element in [*app.markdown, *app.caption, *app.info, *app.error])


def test_without_a_run_the_page_says_how_to_make_one(small_app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ECGIMN_BATCH", raising=False)
    small_app.run()
    small_app.switch_page("pages/cohort.py").run()
    assert not small_app.exception
    assert "No batch run is set up" in words(small_app)
    assert "ecgimn batch" in small_app.code[0].value


def test_the_page_shows_a_class_and_the_drift_between_two_runs(
    small_app: AppTest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first, second = write_run(tmp_path / "june"), write_run(tmp_path / "july", 0.5)
    monkeypatch.setenv("ECGIMN_BATCH", f"{first}:{second}")
    small_app.run()
    small_app.switch_page("pages/cohort.py").run()
    assert not small_app.exception
    assert "6 explained" in words(small_app)
    assert "of 6 windows of ten seconds" in words(small_app)
    assert len(small_app.get("plotly_chart")) == 2
    small_app.session_state["cohort_part"] = "drift"
    small_app.run()
    assert not small_app.exception
    table = small_app.dataframe[0].value
    assert set(table.index) == set(SUPERCLASSES)
    assert table["mean change"].to_numpy() == pytest.approx(np.full(5, -0.5))  # from july to june


def test_a_folder_that_is_no_run_is_told_and_no_trace_is_shown(
    small_app: AppTest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ECGIMN_BATCH", str(tmp_path))
    small_app.run()
    small_app.switch_page("pages/cohort.py").run()
    assert not small_app.exception
    assert "not that of a batch run" in words(small_app)
