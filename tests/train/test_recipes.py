"""One command trains the teachers and then the network that learns from them, and writes a model that loads."""

import json
import os

import numpy as np
import pytest
from typer.testing import CliRunner

from ecgimn.cli import app
from ecgimn.model.model import load_model
from ecgimn.sources.ptbxl_arrays import GROUPS, WORDS

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


@pytest.mark.skipif("ECGIMN_PTBXL" not in os.environ, reason="ECGIMN_PTBXL does not name a PTB-XL folder")
@pytest.mark.timeout(400)  # it trains
def test_one_command_trains_teachers_and_student_and_does_nothing_twice(tmp_path):
    (tmp_path / "teachers.toml").write_text(TEACHERS)
    (tmp_path / "tiny.toml").write_text(STUDENT)
    command = [
        "train", "--ptbxl", os.environ["ECGIMN_PTBXL"], "--recipe", str(tmp_path / "tiny.toml"),
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
