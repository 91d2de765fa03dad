"""The black-box twin is written and read back whole, and answers for windows of any length."""

import pytest
import torch

from ecgimn.errors import CheckpointError, ModelNotFoundError
from ecgimn.model.blackbox import BlackBox, load_black_box, save_black_box
from ecgimn.model.network import EcgImn, NetworkConfig

TINY = NetworkConfig(n_classes=3, widths=(8, 8, 8), blocks=1, decoder_width=8)


def test_a_black_box_reads_back_with_the_same_answers(tmp_path):
    torch.manual_seed(0)
    network = BlackBox(TINY).eval()
    save_black_box(network, ("a", "b", "c"), "box", tmp_path)
    again, classes = load_black_box("box", tmp_path)
    x = torch.randn(2, 12, 500)
    assert classes == ("a", "b", "c")
    assert torch.equal(again(x), network(x))


def test_the_twin_shares_its_encoder_with_an_ecg_imn():
    network, twin = EcgImn(TINY), BlackBox(TINY)
    twin.encoder.load_state_dict(network.encoder.state_dict())
    assert set(twin.encoder.state_dict()) == set(network.encoder.state_dict())


def test_a_missing_black_box_says_how_to_make_it(tmp_path):
    with pytest.raises(ModelNotFoundError, match=r"--recipe box"):
        load_black_box("box", tmp_path)


def test_a_file_that_is_no_black_box_is_refused(tmp_path):
    (tmp_path / "box.safetensors").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match=r"box\.safetensors cannot be read"):
        load_black_box("box", tmp_path)
