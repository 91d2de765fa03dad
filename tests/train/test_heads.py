"""A run's state is whole at every moment, and goes on only where it belongs."""

import csv

import pytest
import torch
from torch import nn

from ecgimn.errors import CheckpointError
from ecgimn.train.export import LOG, STATE, append_row, epochs_done, read_state, take_up, write_state


def state_of(network, optimizer, **counters):
    return {"network": network.state_dict(), "optimizer": optimizer.state_dict(), **counters}


@pytest.fixture
def run():
    torch.manual_seed(0)
    network = nn.Linear(3, 2)
    return network, torch.optim.AdamW(network.parameters(), lr=0.1)


def test_a_run_goes_on_where_it_stopped(tmp_path, run):
    network, optimizer = run
    network(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    write_state(tmp_path / "seed-1" / STATE, state_of(network, optimizer, epoch=3, step=70))
    fresh = nn.Linear(3, 2)
    again = torch.optim.AdamW(fresh.parameters(), lr=0.1)
    counters = take_up(tmp_path / "seed-1", "x", {"network": fresh, "optimizer": again}, ("epoch", "step"))
    assert counters == [3, 70]
    assert torch.equal(fresh.weight, network.weight)
    assert again.state_dict()["state"].keys() == optimizer.state_dict()["state"].keys()
    assert epochs_done(tmp_path / "seed-1") == 3
    assert epochs_done(tmp_path / "seed-2") == 0


def test_a_write_that_fails_leaves_the_last_state(tmp_path, run, monkeypatch):
    path = tmp_path / STATE
    write_state(path, state_of(*run, epoch=1))

    def broken(state, target):
        target.write_bytes(b"half")
        raise OSError("the disk is full")

    monkeypatch.setattr("ecgimn.train.export.torch.save", broken)
    with pytest.raises(OSError, match="full"):
        write_state(path, state_of(*run, epoch=2))
    assert read_state(path)["epoch"] == 1


@pytest.mark.parametrize("wrong", ["nothing", "another network", "no counter", "cut short", "garbage"])
def test_a_state_that_does_not_fit_is_refused_with_what_to_do(tmp_path, run, wrong):
    network, optimizer = run
    other = nn.Linear(4, 2) if wrong == "another network" else network
    if wrong in ("cut short", "garbage"):
        (tmp_path / STATE).write_bytes(b"" if wrong == "cut short" else b"no state")
    elif wrong != "nothing":
        write_state(tmp_path / STATE, state_of(network, optimizer, epoch=1))
    wanted = ("epoch", "step") if wrong == "no counter" else ("epoch",)
    with pytest.raises(CheckpointError, match="without --resume"):
        take_up(tmp_path, "x", {"network": other}, wanted)


def test_a_log_has_one_header(tmp_path):
    for epoch in (1, 2):
        append_row(tmp_path / LOG, {"epoch": epoch, "loss": 0.5})
    with (tmp_path / LOG).open() as file:
        assert list(csv.DictReader(file)) == [{"epoch": str(e), "loss": "0.5"} for e in (1, 2)]
