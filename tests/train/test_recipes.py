"""One command trains the teachers and then the network that learns from them, and writes a model that loads."""

import json
import os

import numpy as np
import pytest
from typer.testing import CliRunner

from ecgimn.cli import app
from ecgimn.errors import SourceError
from ecgimn.model.model import load_model
from ecgimn.sources.ptbxl import PtbXl
from ecgimn.sources.ptbxl_arrays import GROUPS, WORDS
from ecgimn.train.recipe import RECIPES, in_order, refuse_one_sided, refuse_too_little
from tests.sources.physionet_server import STATEMENTS as STATEMENTS_TABLE
from tests.sources.physionet_server import record_files

TEACHERS = """
kind = "black-box"
seeds = [1, 2]
held_out = 2
also_learn = ["superclass", "statement"]
crops = [[1, 256]]
batch = 16
limit = 64
[models]
[network]
widths = [8, 8, 8]
blocks = 1
"""
STUDENT = """
teachers = "teachers"
teacher_share = 0.8
also_learn = ["superclass"]
crops = [[1, 256], [1, 512]]
batch = 16
limit = 64
[models]
tiny-statements = "statement"
[network]
widths = [8, 8, 8]
blocks = 1
decoder_width = 8
reads_shape = true
voltage = true
[objective]
planted_share = 0.5
"""


@pytest.mark.timeout(400)  # it trains
def test_one_command_trains_teachers_and_student_and_does_nothing_twice(tmp_path, part_of_ptbxl):
    (tmp_path / "teachers.toml").write_text(TEACHERS)
    (tmp_path / "tiny.toml").write_text(STUDENT)
    command = [
        "train", "--ptbxl", str(part_of_ptbxl), "--recipe", str(tmp_path / "tiny.toml"),
        "--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "models"),
    ]  # fmt: skip
    found = CliRunner().invoke(app, command)
    assert found.exit_code == 0, found.output
    assert "wrote tiny-statements" in found.output
    logs = {path: path.read_text() for path in (tmp_path / "runs").rglob("log.csv")}
    assert sorted(path.parent.parent.name for path in logs) == ["teachers", "teachers", "tiny"]
    again = CliRunner().invoke(app, [*command, "--resume"])
    assert again.exit_code == 0, again.output
    assert logs == {path: path.read_text() for path in (tmp_path / "runs").rglob("log.csv")}
    model = load_model("tiny-statements", folder=tmp_path / "models")
    assert model.card.words == WORDS
    assert model.card.groups == GROUPS
    assert model.card.training["command"] == "python -m ecgimn train --ptbxl DIR --recipe tiny"
    assert np.isfinite(model.logits(np.zeros((1, 12, 982)))).all()
    json.dumps(model.card.training)


def test_a_recipe_that_is_not_there_is_a_sentence(tmp_path):
    found = CliRunner().invoke(app, ["train", "--ptbxl", str(tmp_path), "--recipe", "nothing"])
    assert found.exit_code != 0
    assert "Traceback" not in found.output


@pytest.mark.parametrize("recipe", ["superclass", "paper-superclass", "black-box-v1"])
@pytest.mark.parametrize(
    ("n_records", "said"), [(2, "one step of this recipe takes 64"), (140, "hold no record with MI,")]
)
def test_a_data_set_too_small_to_learn_from_is_refused_before_anything_is_trained(tmp_path, recipe, n_records, said):
    rows = ["ecg_id,patient_id,age,sex,strat_fold,scp_codes,filename_lr,filename_hr"]
    for number in range(1, n_records + 1):
        name = f"records100/00000/{number:05}_lr"
        rows.append(f"{number},{number},50,1,{1 + (number - 1) % 8},{{'NORM': 100.0}},{name},")
        for path, content in record_files(name, 1000, 100).items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(content)
    (tmp_path / "ptbxl_database.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "scp_statements.csv").write_bytes(STATEMENTS_TABLE)
    places = ["--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "models")]
    found = CliRunner().invoke(app, ["train", "--ptbxl", str(tmp_path), "--recipe", recipe, *places])
    assert isinstance(found.exception, SourceError)
    assert said in str(found.exception)
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "models").exists()


def test_records_of_which_each_class_has_one_with_and_one_without_are_enough():
    labels, known = np.array([[1, 0], [0, 1]], np.uint8), np.ones((2, 2), bool)
    refuse_one_sided("Fold 9", ("A", "B"), labels, known)
    for row, what in ((0, "with A"), (1, "without A")):
        with pytest.raises(SourceError, match=f"Fold 9 hold no record {what}, among 1"):
            refuse_one_sided("Fold 9", ("A",), labels[1 - row : 2 - row, :1], known[:1, :1])
        untold = known.copy()
        untold[row, 0] = False  # a label that the table does not tell counts for nothing
        with pytest.raises(SourceError, match=f"no record {what},"):
            refuse_one_sided("Fold 9", ("A", "B"), labels, untold)


@pytest.mark.skipif("ECGIMN_PTBXL" not in os.environ, reason="ECGIMN_PTBXL does not name a PTB-XL folder")
def test_ptbxl_is_enough_for_its_rarest_statements():
    refuse_too_little(PtbXl(os.environ["ECGIMN_PTBXL"]), in_order(RECIPES / "statements.toml"))
