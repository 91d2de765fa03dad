"""Models are checked whole before they are used; what does not fit is refused in plain words."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load

from ecgimn.errors import CheckpointError, ModelNotFoundError
from ecgimn.model.card import ModelCard, Zones, figures_of, read_card, write_card
from ecgimn.model.model import STORED, choose_device, list_models, load_model, save_model, write_metrics
from ecgimn.model.network import EcgImn, NetworkConfig

TINY = NetworkConfig(n_classes=2, widths=(8, 8, 8), blocks=1, decoder_width=8)


@pytest.fixture
def folder(tmp_path):
    networks = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        networks.append(EcgImn(TINY).eval())
    card = ModelCard(
        name="tiny",
        task="two classes",
        classes=("A", "B"),
        members=2,
        network=TINY,
        scale=(2.0, 0.5),
        offset=(0.25, -1.0),
        sha256="",
        known_answer=(0.0, 0.0),
    )
    save_model(card, networks, tmp_path)
    return tmp_path


def test_a_saved_model_loads_and_answers_the_same(folder):
    model = load_model("tiny", folder=folder, device=torch.device("cpu"))
    assert list_models(folder) == ("tiny",)
    assert len(model.networks) == 2
    x = np.random.default_rng(0).standard_normal((3, 12, 1000)).astype(np.float32)
    single = np.stack([model.write_linear_model(row).logit for row in x])
    np.testing.assert_allclose(model.logits(x), single, atol=1e-4)


def test_weights_are_stored_in_half_the_bytes_and_computed_with_in_single(folder):
    stored = load((folder / "tiny.safetensors").read_bytes())
    assert {value.dtype for value in stored.values()} == {STORED}
    network = load_model("tiny", folder=folder, device=torch.device("cpu")).networks[0]
    for key, value in network.state_dict().items():
        if value.is_floating_point():
            assert value.dtype == torch.float32
            torch.testing.assert_close(value, stored[f"0.{key}"].float(), rtol=0, atol=0)


def test_what_a_model_is_chosen_for_stands_on_its_card(folder):
    card = read_card(folder / "tiny.json")
    assert card.purpose == ""
    write_card(replace(card, purpose="maps"), folder / "tiny.json")
    assert read_card(folder / "tiny.json").purpose == "maps"


def test_calibration_scales_weights_and_bias_so_that_the_sum_stays_exact(folder):
    model = load_model("tiny", folder=folder, device=torch.device("cpu"))
    x = np.random.default_rng(1).standard_normal((12, 1000))
    for double, tolerance in ((False, 1e-4), (True, 1e-9)):
        written = model.write_linear_model(x, double=double)
        total = (written.member_weights.mean(0) * x).sum((1, 2)) + written.bias
        assert np.abs(total - written.logit).max() < tolerance


def test_batched_maps_are_the_canonical_form_of_the_single_ones(folder):
    from ecgimn.leads import CANONICAL_PROJECTION

    model = load_model("tiny", folder=folder, device=torch.device("cpu"))
    x = np.random.default_rng(2).standard_normal((2, 12, 1000))
    maps, logits = model.weight_maps(x)
    written = model.write_linear_model(x[1])
    np.testing.assert_allclose(maps[1], CANONICAL_PROJECTION @ written.member_weights.mean(0), atol=1e-5)
    np.testing.assert_allclose(logits[1], written.logit, atol=1e-4)


def test_an_unknown_model_is_refused_with_the_names_at_hand(folder):
    with pytest.raises(ModelNotFoundError, match="found: tiny"):
        load_model("../tiny", folder=folder)


def test_changed_weights_are_refused(folder):
    path = folder / "tiny.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(CheckpointError, match="SHA-256"):
        load_model("tiny", folder=folder)


def test_a_card_for_another_network_is_refused(folder):
    path = folder / "tiny.json"
    content = json.loads(path.read_text())
    content["network"]["widths"] = [8, 8, 16]
    path.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match="do not fit its card"):
        load_model("tiny", folder=folder)


def test_a_model_that_misses_its_known_answer_is_refused(folder):
    path = folder / "tiny.json"
    content = json.loads(path.read_text())
    content["known_answer"][0] += 0.01
    path.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match="self-test"):
        load_model("tiny", folder=folder)


def test_a_card_that_does_not_parse_is_refused(folder):
    (folder / "tiny.json").write_text("{")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_model("tiny", folder=folder)


def test_a_card_survives_writing_and_reading(folder, tmp_path):
    card = read_card(folder / "tiny.json")
    write_card(card, tmp_path / "again.json")
    assert read_card(tmp_path / "again.json") == card


def test_measured_figures_go_on_the_card_and_leave_the_weights_alone(folder):
    before = (folder / "tiny.safetensors").read_bytes()
    write_metrics("tiny", {"command": "python -m ecgimn evaluate", "macro_auroc": 0.9}, folder)
    model = load_model("tiny", folder=folder, device=torch.device("cpu"))
    assert model.card.metrics["macro_auroc"] == 0.9
    assert (folder / "tiny.safetensors").read_bytes() == before


def test_an_absent_device_is_named(monkeypatch):
    monkeypatch.setenv("ECGIMN_DEVICE", "cuda:7")
    with pytest.raises(CheckpointError, match="ECGIMN_DEVICE"):
        choose_device()
    monkeypatch.setenv("ECGIMN_DEVICE", "cpu")
    assert choose_device().type == "cpu"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda_gives_the_same_logits(folder):
    x = np.random.default_rng(3).standard_normal((12, 1000))
    there = load_model("tiny", folder=folder, device=torch.device("cuda")).write_linear_model(x)
    here = load_model("tiny", folder=folder, device=torch.device("cpu")).write_linear_model(x)
    np.testing.assert_allclose(there.logit, here.logit, atol=1e-3)


#: What a hostile or damaged card may hold in place of a value.
STRANGE = (
    None,
    [],
    {},
    "x",
    -1,
    float("nan"),
    True,
    [[]],
    {"a": [1]},
    10**30,
    ["a", "a"],
    ["![x](http://192.0.2.7/a)"],
)


def test_a_card_with_anything_in_any_field_is_read_or_refused_in_a_sentence(folder, tmp_path):
    card = json.loads((folder / "tiny.json").read_text())
    fields = [(card, name) for name in card] + [(card["network"], name) for name in card["network"]]
    path, said = tmp_path / "tiny.json", []
    for part, name in fields:
        kept = part[name]
        for value in STRANGE:
            part[name] = value
            path.write_text(json.dumps(card))
            try:
                read = read_card(path)
            except CheckpointError as exc:
                said.append(str(exc))
            else:
                assert type(getattr(read, name, kept)) is type(getattr(read_card(folder / "tiny.json"), name, kept))
        part[name] = kept
    assert len(said) > 3 * len(fields)
    assert not [text for text in said if "192.0.2.7" in text]


@pytest.mark.parametrize("text", ["[]", "1", '"x"', "{", "[" * 100_000, "9" * 5_000, '{"network": []}', "\ud800"])
def test_what_is_no_card_at_all_is_refused_in_a_sentence(tmp_path, text):
    path = tmp_path / "tiny.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_card(path)


def test_figures_that_a_card_does_not_hold_in_the_expected_form_are_refused_in_a_sentence(folder):
    card = read_card(folder / "tiny.json")
    with pytest.raises(CheckpointError, match="not in the form"), figures_of(card):
        card.metrics["discrimination"]["classes"][0]


ZONES = [
    {"miss_rate": 0.05, "ages": [18, 50], "below": [0.2, 0.0], "above": [0.6, 1.0]},
    {"miss_rate": 0.05, "ages": [0, 200], "below": [0.3, 0.3], "above": [0.7, 0.2]},
]


def test_decision_zones_are_kept_on_the_card_and_chosen_by_age(folder):
    write_metrics("tiny", {"fold": 9, "zones": ZONES}, folder)
    card = read_card(folder / "tiny.json")
    assert card.metrics == {"fold": 9}
    assert card.zones_for(30) == Zones(0.05, (18, 50), (0.2, 0.0), (0.6, 1.0))
    assert card.zones_for(None) == card.zones_for(80) == card.zones[1]
    assert card.zones_for(11) is card.zones_for(30, miss_rate=0.2) is None


@pytest.mark.parametrize(
    ("column", "probability", "word"),
    [(0, 0.29, "rule out"), (0, 0.3, "uncertain"), (0, 0.7, "uncertain"), (0, 0.71, "rule in"), (1, 0.25, "uncertain")],
)
def test_a_probability_lies_in_one_zone(folder, column, probability, word):
    write_metrics("tiny", {"zones": ZONES}, folder)
    assert read_card(folder / "tiny.json").zones[1].words(column, probability) == word


def test_zones_for_another_number_of_classes_are_refused(folder):
    with pytest.raises(CheckpointError, match="decision zones"):
        write_metrics("tiny", {"zones": [{**ZONES[0], "below": [0.1]}]}, folder)


def test_some_classes_of_a_model_keep_their_own_zones(folder):
    write_metrics("tiny", {"zones": ZONES}, folder)
    card = load_model("tiny", folder=folder, device=torch.device("cpu")).of_classes(("B",)).card
    assert card.zones[1] == Zones(0.05, (0, 200), (0.3,), (0.2,))
