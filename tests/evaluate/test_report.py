"""What is measured of a model is measured, and would say so if the model were another."""

import json
import os
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from ecgimn.draw.words.methods import EARLIER_MARKS, write_earlier_ecg_into
from ecgimn.errors import SourceError
from ecgimn.evaluate.localisation import planted_evidence, territory_hits, wave_shares
from ecgimn.evaluate.report import (
    bias_alone,
    calibration,
    discrimination_of_model,
    earlier_ecg,
    evaluate,
    mi_against_norm,
    people,
    statement_groups,
    subgroups,
)
from ecgimn.evaluate.stability import deletion, quick_ledgers, sanity
from ecgimn.model.card import ModelCard
from ecgimn.model.model import Model
from ecgimn.model.network import EcgImn, NetworkConfig
from ecgimn.signal.waves.quick import quick_landmarks
from ecgimn.sources.composites.case import load_composite
from ecgimn.sources.ptbxl import PtbXl, open_ptbxl
from ecgimn.sources.ptbxl_arrays import RHYTHM, STATEMENTS, TASKS, Dataset
from tests.sources.physionet_server import ecg_records

CLASSES = ("NORM", "MI", "STTC", "CD", "HYP")


def tiny_model():
    torch.manual_seed(0)
    network = EcgImn(NetworkConfig(n_classes=5, widths=(8, 8, 8), blocks=1, decoder_width=8)).eval()
    card = ModelCard(
        name="tiny", task="t", classes=CLASSES, members=1, network=network.config, scale=(1.0,) * 5,
        offset=(0.0,) * 5, sha256="", known_answer=(0.0,) * 5,
    )  # fmt: skip
    return Model(card, (network.requires_grad_(False),), torch.device("cpu"))


class Doubled:
    """A model whose logit of a class is twice its label, of which the bias carries a share."""

    def __init__(self, share):
        self.share = share

    def write_linear_model(self, x):
        return SimpleNamespace(bias=self.share * 2.0 * x - 1.0, logit=2.0 * x - 1.0)


class Records(SimpleNamespace):
    """Inputs that are their own labels."""

    def __len__(self):
        return len(self.x)


LABELS = np.array([[1, 0], [0, 1], [1, 1], [0, 0]])
DATA = Records(x=LABELS.astype(float), labels={"superclass": LABELS})


@pytest.mark.parametrize(("share", "variance", "ranking"), [(0.0, 0.0, 0.5), (0.5, 0.25, 1.0), (1.0, 1.0, 1.0)])
def test_a_bias_that_holds_evidence_is_found_out(share, variance, ranking):
    found = bias_alone(Doubled(share), DATA, "superclass")
    assert found["variance_share"] == [variance, variance]
    assert found["auroc_of_bias_alone"] == ranking
    assert found["n"] == 4


N_SAMPLES = 982


def normal_records(n):
    """Return records of one shape, without labels."""
    t = np.arange(N_SAMPLES)
    beats = sum(np.exp(-0.5 * ((t - beat) / 2.0) ** 2) for beat in range(40, N_SAMPLES, 80))
    x = np.stack([np.outer(np.linspace(0.5, 1.5, 12), beats)] * n).astype(np.float16)
    labels = {task: np.zeros((n, len(names)), np.uint8) for task, names in TASKS.items()}
    marks = tuple(quick_landmarks(row.astype(np.float32)) for row in x)
    return Dataset(np.arange(n), np.arange(n), x, labels, marks, np.ones(n, int))


def test_a_class_without_records_is_left_open_and_not_an_error():
    data = normal_records(2)
    data.labels["superclass"][:, 1] = 1  # MI throughout: nobody is NORM, nobody lacks MI
    model = tiny_model()
    ledgers = quick_ledgers(model, data)
    found = {
        "waves": wave_shares(data, ledgers),
        "planted": planted_evidence(model, data),
        "territory": territory_hits(model, data, ledgers, threshold=0.5),
        "against_norm": mi_against_norm(data.select(np.array([], int)), np.zeros((0, 5))),
        "discrimination": discrimination_of_model(model, data, np.zeros((1, 2, 5)), "superclass"),
        "calibration": calibration(data.labels["superclass"], np.full((2, 5), 0.5), CLASSES, np.ones((2, 5), bool)),
        "deletion": deletion(model, data, ledgers),
        "sanity": sanity(model, data, ledgers),
    }
    assert set(found["waves"]["NORM"].values()) == {None}
    assert sum(found["waves"]["MI"].values()) == pytest.approx(1.0, abs=1e-3)
    assert all(row["pointing"] is None and row["mass"] is None and row["n"] == 0 for row in found["planted"].values())
    assert found["territory"]["AMI"]["hit"] is None
    assert found["discrimination"]["macro_auroc"] == [None] * 3
    assert found["discrimination"]["mi_against_norm"]["n"] == 2
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_statements_are_measured_by_kind_on_the_records_that_are_known():
    n, rng = 60, np.random.default_rng(0)
    labels = {task: np.zeros((n, len(names)), np.uint8) for task, names in TASKS.items()}
    sr, afib = STATEMENTS.index("SR"), STATEMENTS.index("AFIB")
    labels["statement"][:40, sr] = 1
    labels["statement"][40:, afib] = 1
    known = np.ones((n, 71), bool)
    known[30:40] = False  # ten records of sinus rhythm whose statements nobody knows
    data = Dataset(np.arange(n), np.arange(n), np.zeros((n, 12, 4), np.float16), labels, (), np.ones(n, int),
                   {"statement": known})  # fmt: skip
    logits = rng.normal(size=(n, 71))
    logits[:30, sr], logits[30:40, sr], logits[40:, sr] = 1.0, -1.0, 0.0  # right wherever it is known
    logits[:, afib] = -logits[:, sr]
    logits[30:40, afib] = 9.0
    found = statement_groups(data, logits)
    assert found["rhythm"] == {"n": 50, "classes": 2, "macro_auroc": [1.0, 1.0, 1.0]}
    assert found["form"]["macro_auroc"] == [None] * 3
    assert set(RHYTHM) >= {"SR", "AFIB"}


def test_pairs_of_one_patient_are_measured_and_only_the_place_between_the_marks_is_rewritten(tmp_path):
    """Two patients with two ECGs each, and one with a single one; the table calls all of them normal."""
    names = ("norm", "twin-ste-inferior", "norm", "imi", "norm")
    files = ecg_records([load_composite(name) for name in names])
    head, *rows = files["ptbxl_database.csv"].decode().splitlines()
    dated = [f"{row},{n // 2}.0,19{80 + n}-03-02 10:00:00" for n, row in enumerate(rows)]
    files["ptbxl_database.csv"] = "\n".join([f"{head},patient_id,recording_date", *dated]).encode()
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    found = earlier_ecg(tiny_model(), PtbXl(tmp_path))
    assert (found["n_pairs"], found["n_patients"], found["n_any_label_changed"]) == (2, 2, 0)
    exact = found["exactness"]
    assert (exact["n"], exact["n_normal"]) == (2, 2)
    assert exact["largest_residual"] < 1e-4
    assert exact["largest_sum_of_swapped"] == 0.0
    assert exact["day_to_day"]["ST"]["n"] == 24
    assert exact["day_to_day"]["ST"]["percentile_95"] > 0.1
    content = {"command": "python -m ecgimn earlier-ecg", "model": "tiny", "sha256": "0" * 64, **found}
    written = write_earlier_ecg_into(
        f"# Head\n\n{EARLIER_MARKS[0]}\nstale\n{EARLIER_MARKS[1]}\n\nLast words.\n", content
    )
    assert written.startswith(f"# Head\n\n{EARLIER_MARKS[0]}\n\n`python -m ecgimn earlier-ecg`\n")
    assert written.endswith(f"{EARLIER_MARKS[1]}\n\nLast words.\n")
    assert "stale" not in written
    assert f"| ST | 0.10 | {exact['day_to_day']['ST']['percentile_95']:.2f} mV |" in written
    assert write_earlier_ecg_into(written, content) == written
    with pytest.raises(SourceError, match="no place for the tables"):
        write_earlier_ecg_into("# Head\n", content)


@pytest.mark.skipif("ECGIMN_PTBXL" not in os.environ, reason="ECGIMN_PTBXL does not name a PTB-XL folder")
@pytest.mark.timeout(600)
def test_a_model_is_measured_on_three_records():
    found = evaluate(tiny_model(), open_ptbxl(), 9, limit=3)
    assert found["n_records"] == 3
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def people_of(n: int, **columns):
    """Return a table of n records as PTB-XL has it, in which every patient has one, and ids 1 to n."""
    ids = np.arange(1, n + 1)
    given = {"age": [60.0] * n, "sex": [0] * n} | columns
    return SimpleNamespace(table=pd.DataFrame(given, index=ids)), ids


def test_what_the_table_does_not_tell_is_a_group_of_its_own():
    table, ids = people_of(
        4, age=[12, 49, np.nan, 90], sex=[0, 1, np.nan, 0], device=["CS-12   E", "CS-12", "", None],
        baseline_drift=["", ", V6", None, " "], static_noise=["", "", ", alles,", ""], burst_noise=[""] * 4,
        electrodes_problems=[""] * 4,
    )  # fmt: skip
    groups = people(table, ids)
    held = {f"{factor}: {name}": rows.tolist() for factor, rows_of in groups.items() for name, rows in rows_of.items()}
    assert held["Age: under 18 years"] == [True, False, False, False]
    assert held["Age: 18 to 49 years"] == [False, True, False, False]
    assert held["Age: 70 years and over"] == [False, False, False, True]
    assert held["Age: not given"] == held["Sex: not given"] == [False, False, True, False]
    assert held["Device: CS-12"] == [True, True, False, False]
    assert held["Device: not given"] == [False, False, True, True]
    assert held["Signal quality: drift noted"] == [False, True, False, False]
    assert held["Signal quality: nothing noted"] == [True, False, False, True]
    for factor in ("Age", "Sex", "Device", "Signal quality"):
        assert np.sum([rows for name, rows in groups[factor].items()], axis=0).tolist() == [1] * 4
    bare, ids = people_of(2)
    assert people(bare, ids)["Signal quality"]["not given"].all()
    assert people(bare, ids)["Device"]["not given"].all()


def test_a_group_that_the_model_serves_worse_is_found_and_one_that_it_serves_alike_is_not():
    n, rng = 800, np.random.default_rng(0)
    labels = {task: np.zeros((n, len(names)), np.uint8) for task, names in TASKS.items()}
    truth = rng.random(n) < 0.5
    labels["superclass"][truth, 1], labels["superclass"][~truth, 0] = 1, 1
    women = np.arange(n) % 2
    table, ids = people_of(n, sex=women, age=np.where(np.arange(n) < n // 2, 40, 80))
    data = Dataset(ids, ids, np.zeros((n, 12, 4), np.float16), labels, (), np.ones(n, int))
    logits = np.zeros((n, 5))
    logits[:, 1] = np.where(truth, 1.0, -1.0) + rng.normal(size=n) * np.where(women == 1, 3.0, 0.5)
    found = {(row["factor"], row["group"]): row for row in subgroups(table, data, logits, "superclass", [0.5] * 5)}
    mi = {group: row["classes"]["MI"] for group, row in found.items()}
    assert mi["Sex", "women"]["difference"][2] < 0 < mi["Sex", "men"]["difference"][1]
    low, high = mi["Age", "18 to 49 years"]["difference"][1:]
    assert low < 0 < high
    assert mi["Sex", "men"]["sensitivity"][0] == pytest.approx(0.977, abs=0.02)
    assert mi["Sex", "men"]["with"] == int((truth & (women == 0)).sum())
    assert set(found["Sex", "men"]["classes"]) == {"NORM", "MI"}  # nobody carries another class
    assert found["Sex", "men"]["n"] == n // 2
    assert ("Age", "50 to 69 years") not in found
    assert json.loads(json.dumps(list(found.values()), allow_nan=False)) == list(found.values())


def test_a_group_too_small_for_a_figure_is_named_with_its_size_alone():
    n = 40
    labels = {task: np.zeros((n, len(names)), np.uint8) for task, names in TASKS.items()}
    labels["superclass"][:20, 1], labels["superclass"][20:, 0] = 1, 1
    table, ids = people_of(n, sex=[1] * 3 + [0] * (n - 3))
    data = Dataset(ids, ids, np.zeros((n, 12, 4), np.float16), labels, (), np.ones(n, int))
    rows = {row["group"]: row for row in subgroups(table, data, np.zeros((n, 5)), "superclass", None)}
    assert rows["women"] == {"factor": "Sex", "group": "women", "n": 3, "n_classes": 0, "classes": {}}
    assert rows["men"]["macro_auroc"][0] == 0.5
    assert "sensitivity" not in rows["men"]["classes"]["MI"]
