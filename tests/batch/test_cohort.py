"""What is said of many recordings together, on runs made by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ecgimn.batch.cohort import batch_folders, class_evidence, closeness, drift, mean_beat, model_view, run_words
from ecgimn.batch.output import BEAT_MS, Rows, Settings, open_output
from ecgimn.errors import SourceError
from ecgimn.leads import STANDARD_LEADS
from ecgimn.signal.waves.find import WAVE_NAMES

LIMIT = 0.5
MI_LOGITS = {1: 2.0, 2: 1.5, 3: -2.0, 4: 0.1, 5: 3.0}


def settings(**changes):
    fields = {"model": "m", "sha256": "abc", "classes": ("NORM", "MI"), "thresholds": (0.5, LIMIT)}
    return Settings(**{**fields, "waves": "all leads", "fs": "100", "source": "ptbxl 1", "version": "0.1.0", **changes})


def cells_of(ecg_id):
    """Evidence in ST of III for all but record 5, which has it in QRS of V2."""
    cells = np.zeros((12, len(WAVE_NAMES)))
    lead, wave = ("V2", "QRS") if ecg_id == 5 else ("III", "ST")
    cells[STANDARD_LEADS.index(lead), WAVE_NAMES.index(wave)] = 1.0 + 0.1 * ecg_id
    return cells


def write_run(folder, logits=MI_LOGITS, **changes):
    with open_output(folder, settings(**changes)) as output:
        for ids in (list(logits)[:2], list(logits)[2:]):
            rows = Rows()
            for ecg_id in ids:
                record = f"ptbxl-{ecg_id}"
                rows.add("records", record=record, status="explained", windows=1)
                for name, logit in (("NORM", -logits[ecg_id]), ("MI", logits[ecg_id])):
                    probability = 1 / (1 + np.exp(-logit))
                    rows.add("predictions", record=record, start_s=0.0, logit=logit, probability=probability, bias=0.0,
                             completeness_error=0.0, **{"class": name})  # fmt: skip
                    for lead, line in zip(STANDARD_LEADS, cells_of(ecg_id), strict=True):
                        for wave, value in zip(WAVE_NAMES, line, strict=True):
                            rows.add("ledger", record=record, start_s=0.0, lead=lead, wave=wave, logit=value,
                                     **{"class": name})  # fmt: skip
                if logits[ecg_id] > 0:
                    shape, until = (12, len(BEAT_MS)), 400 + 10 * ecg_id
                    rows.sum_beat("MI", np.full(shape, float(ecg_id)), np.full(shape, 0.01 * ecg_id), until > BEAT_MS)
            output.write(rows.tables())
    return folder


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "run")


def test_evidence_keeps_each_recordings_ledger(run):
    evidence = class_evidence(run, "MI")
    assert evidence.records.tolist() == [f"ptbxl-{i}" for i in range(1, 6)]
    assert evidence.said.tolist() == [True, True, False, True, True]
    np.testing.assert_allclose(evidence.cells, [cells_of(i) for i in range(1, 6)], atol=1e-6)
    assert evidence.waves == WAVE_NAMES


def test_the_mean_beat_is_over_recordings_of_all_parts(run):
    beat = mean_beat(run, "MI")
    assert beat.n_records == 4
    np.testing.assert_allclose(beat.mv[:, BEAT_MS < 410], 3.0)  # (1 + 2 + 4 + 5) / 4
    np.testing.assert_allclose(beat.logit[:, BEAT_MS < 410], 0.03)
    assert mean_beat(run, "NORM") is None


def test_the_odd_one_out_is_the_most_unusual(run):
    ranked = closeness(class_evidence(run, "MI"))
    assert ranked["record"].iloc[-1] == "ptbxl-5"
    assert (ranked["lead"].iloc[-1], ranked["wave"].iloc[-1]) == ("V2", "QRS")
    assert (ranked["lead"].iloc[0], ranked["wave"].iloc[0]) == ("III", "ST")
    assert ranked["alike"].is_monotonic_decreasing


def test_a_model_that_changed_shows_as_drift_and_the_same_does_not(tmp_path, run):
    same = drift(run, run).loc["MI"]
    assert (same["in both"], same["mean change"], same["decisions changed"], same["distance"]) == (5, 0.0, 0.0, 0.0)
    later = write_run(tmp_path / "later", {i: v - 1.0 for i, v in MI_LOGITS.items()}, sha256="def")
    changed = drift(run, later).loc["MI"]
    assert changed["mean change"] == pytest.approx(-1.0)
    assert changed["decisions changed"] == pytest.approx(0.2)  # record 4 alone
    assert changed["distance"] > 0


def test_runs_without_a_common_class_cannot_be_compared(tmp_path, run):
    other = write_run(tmp_path / "other", classes=("A", "B"))
    with pytest.raises(SourceError, match="no class in common"):
        drift(run, other)


def test_the_models_view_is_right_wrong_or_uncertain(run):
    labels = pd.Series({1: True, 2: False, 3: False, 4: True, 5: True, 6: True})
    view = model_view(run, "MI", labels)
    assert view["view"].to_dict() == {1: "right", 2: "wrong", 3: "right", 4: "uncertain", 5: "right"}
    assert view.loc[5, "lead"] == "V2"


def test_folders_come_from_the_environment_and_must_be_runs(monkeypatch, tmp_path, run):
    monkeypatch.setenv("ECGIMN_BATCH", f"{run}:{write_run(tmp_path / 'second')}")
    assert [folder.name for folder in batch_folders()] == ["run", "second"]
    assert run_words(run).startswith("5 explained, 0 refused, 0 failed. Model m")
    monkeypatch.setenv("ECGIMN_BATCH", str(tmp_path))
    with pytest.raises(SourceError, match="not that of a batch run"):
        batch_folders()
    monkeypatch.delenv("ECGIMN_BATCH")
    assert batch_folders() == ()


def test_an_unknown_class_and_an_empty_run_are_said(tmp_path, run):
    with pytest.raises(SourceError, match="no class 'XX'"):
        class_evidence(run, "XX")
    with open_output(tmp_path / "empty", settings()):
        pass
    with pytest.raises(SourceError, match="no explanation yet"):
        class_evidence(tmp_path / "empty", "MI")
