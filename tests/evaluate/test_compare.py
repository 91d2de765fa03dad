"""Methods are compared on the same records; on a linear network the right ones win and the arithmetic is checkable."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from ecgimn.evaluate import compare as faithfulness
from ecgimn.evaluate import subjects
from ecgimn.evaluate.compare import Comparison, _bias_share, fidelity_figures
from ecgimn.evaluate.fidelity import TRIALS, edited_copy
from ecgimn.evaluate.localisation import (
    find_plants,
    find_st_elevation,
    planted_in_composites,
    planted_in_records,
    territory,
)
from ecgimn.evaluate.metrics import patient_weights
from ecgimn.evaluate.report import bench, count_flop
from ecgimn.evaluate.stability import FILLS, SHARES, degradation, deletion_curves, fills_of, norm_beats, stability
from ecgimn.evaluate.subjects import (
    ON_PUBLISHED,
    OWN,
    Explained,
    Sample,
    Subject,
    composite_case,
    explain_case,
    methods_of,
    model_subject,
)
from ecgimn.explain.ledger import N_CELLS, cell_sums
from ecgimn.leads import CANONICAL_PROJECTION
from ecgimn.model.card import ModelCard
from ecgimn.model.model import Model
from ecgimn.model.network import EcgImn, NetworkConfig
from ecgimn.model.published import PaperConfig, PaperImn
from ecgimn.signal.waves.quick import quick_landmarks
from ecgimn.sources.composites.case import load_composite

STABLE = ("noise_20_db", "shift_80_ms", "random_weights", "seeds")
CLASSES = ("NORM", "MI", "STTC", "CD", "HYP")
TINY = NetworkConfig(n_classes=5, widths=(8, 8, 8), blocks=1, decoder_width=8)


def case(number, name):
    return replace(composite_case(name), record=number, patient=number)


@pytest.fixture(scope="module")
def cases():
    return [case(number, name) for number, name in enumerate(("norm", "imi-st", "clbbb"))]


class Line(nn.Module):
    """The same linear model for every record."""

    def __init__(self, n):
        super().__init__()
        weights = np.random.default_rng(0).standard_normal((5, 12, n)) * 0.02
        self.w = torch.tensor(CANONICAL_PROJECTION @ weights, dtype=torch.float32)
        self.features = nn.Identity()

    def forward(self, x):
        return torch.einsum("klt,blt->bk", self.w[..., : x.shape[-1]], self.features(x))


@pytest.fixture(scope="module")
def linear(cases):
    line = Line(cases[0].x.shape[-1])

    def logits(x):
        return line(torch.tensor(np.asarray(x), dtype=torch.float32)).double().numpy()

    return Subject(
        name="linear",
        classes=CLASSES,
        high_pass=True,
        logits=logits,
        predictor=SimpleNamespace(
            name="linear", key="linear", classes=CLASSES, module=line, features=(line.features,), logits=logits
        ),
        maps=lambda x: line.w[..., : x.shape[-1]].double().numpy(),
        bias=None,
        members=(),
        randomised=lambda seed: None,
    )


def tiny_model(paper=False):
    torch.manual_seed(0)
    networks = [PaperImn(PaperConfig(5)) if paper else EcgImn(TINY) for _ in range(1 if paper else 2)]
    card = ModelCard(
        name="tiny", task="t", classes=CLASSES, members=len(networks), network=networks[0].config, scale=(1.0,) * 5,
        offset=(0.0,) * 5, sha256="", known_answer=(0.0,) * 5, kind="paper" if paper else "ecg-imn",
    )  # fmt: skip
    return Model(card, tuple(net.eval().requires_grad_(False) for net in networks), torch.device("cpu"))


def sample_of(cases):
    edits = {}
    for name, trial in TRIALS.items():
        rng = np.random.default_rng(0)
        data = type("Data", (), {"x": [c.x for c in cases], "landmarks": [c.landmarks for c in cases]})
        edits[name] = np.stack([edited_copy(data, i, trial, rng) for i in range(len(cases))])
    patients = np.arange(len(cases))
    return Sample(
        fold=9, seed=0, cases=cases, patients=patients, stable=cases[:2], normal=cases[:1], n_planted=1,
        infarctions={"AMI": [], "IMI": cases[1:2]}, edits=edits, everything=cases * 10,
        labels=np.tile(np.eye(5, dtype=np.uint8), (6, 1)), everyone=np.arange(30),
    )  # fmt: skip


def test_a_linear_network_is_predicted_perfectly_by_its_own_map_and_by_its_gradient(cases, linear, monkeypatch):
    monkeypatch.setattr(faithfulness, "stability", lambda explained, cases: dict.fromkeys(STABLE, [None] * 3))
    comparison = Comparison(sample_of(cases), [(linear, ("gradient x input", "amplitude |x|"))])
    answers = comparison.answers(0)
    rows = {method: comparison.row(place, method, answers) for place, method in comparison.tasks()}
    found = comparison.result([comparison.network(0, answers)], list(rows.values()))
    assert list(rows) == [OWN, "gradient x input", "amplitude |x|"]
    for name in (OWN, "gradient x input"):
        assert rows[name]["fidelity"]["r2"] == pytest.approx([1.0] * 3, abs=1e-4)
        assert rows[name]["fidelity"]["slope"] == pytest.approx([1.0] * 3, abs=1e-3)
        assert rows[name]["fidelity"]["r2_unseen"][0] == pytest.approx(1.0, abs=1e-3)
    assert rows["amplitude |x|"]["fidelity"]["r2"][0] < 0.9
    assert rows[OWN]["degradation"][FILLS[0]][0] > rows["amplitude |x|"]["degradation"][FILLS[0]][0]
    assert (rows[OWN]["kind"], rows["amplitude |x|"]["kind"]) == ("own", "control")
    assert found["networks"][0]["bias_share"][0] == 0.0
    assert {"network", "method", "fidelity"} <= found["rows"][0].keys()
    assert "samples" not in found["rows"][0]
    same, worse = (row["own_map_minus_this"]["r2"] for row in found["rows"][1:])
    assert same == pytest.approx([0.0] * 3, abs=1e-3)
    assert worse[1] > 0  # ahead on every resample
    assert {goal["goal"].split(":")[0] for goal in found["goals"]} >= {"R² of changes", "Planted ST elevation"}
    json.dumps(found)  # plain values


def test_of_a_linear_network_the_curve_falls_by_the_evidence_taken_away(cases, linear):
    one = cases[1]
    cells = cell_sums(explain_case(linear, OWN, one).attribution, one.wave).reshape(5, -1)
    curves = deletion_curves(linear, one, cells, fills_of(one))
    assert curves.shape == (2, 2, 5, 1 + len(SHARES))
    ordered = -np.sort(-cells, axis=1)
    for step, share in enumerate(SHARES, start=1):
        gone = ordered[:, : round(share * N_CELLS)].sum(axis=1)
        np.testing.assert_allclose(curves[0, 0, :, step], -gone, atol=2e-3)
    assert (degradation(curves) > 0)[0].all()


def test_a_norm_beat_keeps_the_records_timing_and_level(cases):
    marks = cases[2].landmarks
    filled = norm_beats(marks, cases[2].x.shape[-1])
    assert filled.shape == cases[2].x.shape
    found = quick_landmarks(filled)
    assert len(found.centres) == pytest.approx(len(marks.centres), abs=1)
    onset = marks.centres[1:-1] - marks.qrs_before - 1
    np.testing.assert_allclose(filled[:, onset].mean(axis=1), marks.level, atol=0.08)


def test_fidelity_figures_are_those_of_the_textbook():
    rng = np.random.default_rng(0)
    predicted = rng.standard_normal((len(TRIALS), 40, 2))
    actual = 0.5 * predicted
    found = fidelity_figures(actual, predicted, patient_weights(np.arange(40), n=50))
    assert found["slope"][0] == pytest.approx(0.5, abs=1e-6)
    assert found["r2_rescaled"] == pytest.approx([1.0] * 3, abs=1e-6)
    edits = [i for i, trial in enumerate(TRIALS.values()) if not trial.nuisance]
    a, p = actual[edits, :, 0].ravel(), predicted[edits, :, 0].ravel()
    b, q = actual[edits, :, 1].ravel(), predicted[edits, :, 1].ravel()
    r2 = [1 - ((y - z) ** 2).sum() / ((y - y.mean()) ** 2).sum() for y, z in ((a, p), (b, q))]
    assert found["r2"][0] == pytest.approx(np.mean(r2), abs=1e-5)
    assert set(found["families"]) | set(found["nuisance_rms"]) == set(TRIALS)


def test_an_averaged_model_is_checked_against_noise_random_weights_and_its_other_seed(cases):
    found = stability(Explained(model_subject(tiny_model()), OWN), cases[:2])
    assert set(found) == set(STABLE)
    assert all(-1.0 <= value <= 1.0 for figure in found.values() for value in figure)
    assert found["noise_20_db"][0] > found["random_weights"][0]
    assert found["seeds"][1] <= found["seeds"][0] <= found["seeds"][2]


def test_a_network_is_compared_with_the_other_seed_and_alone_with_none(cases):
    whole = model_subject(tiny_model())
    first, second = whole.members
    paired = stability(Explained(replace(first, members=(second,)), OWN), cases[:1])
    assert paired["seeds"] == stability(Explained(whole, OWN), cases[:1])["seeds"]
    assert stability(Explained(first, OWN), cases[:1])["seeds"] == [None] * 3


def test_what_was_said_of_a_whole_record_is_asked_once(cases, linear, monkeypatch):
    asked = []
    monkeypatch.setattr(subjects, "explain_case", lambda *args, **kw: asked.append(args) or explain_case(*args, **kw))
    explained = Explained(linear, OWN)
    np.testing.assert_array_equal(explained.of(cases[0])[1], explained.of_class(cases[0], 1))
    assert len(asked) == 1
    explained.of_class(cases[0].edited(np.zeros_like(cases[0].x)), 1)
    explained.of_class(cases[0].edited(np.zeros_like(cases[0].x)), 1)
    assert len(asked) == 3


def test_planted_evidence_is_scored_for_the_class_that_should_react(cases, linear):
    plants = planted_in_records(cases[:2])
    found = find_plants(Explained(linear, OWN), plants)
    assert {row["class"] for row in found.values()} == {"MI", "STTC", "CD"}
    shares = ("pointing", "pointing_within", "mass", "sign", "reacted")
    assert all(0.0 <= row[key][0] <= 1.0 for row in found.values() for key in shares)
    assert all(row[key][1] <= row[key][0] <= row[key][2] for row in found.values() for key in shares)
    two = replace(linear, classes=("NORM", "MI"))
    assert {row["class"] for row in find_plants(Explained(two, OWN), plants).values()} == {"MI"}


def test_a_network_that_reads_st_of_the_planted_leads_is_found_to_do_so(cases, linear):
    """Weights of 1 on ST and 0 elsewhere: every planted ST elevation raises the logit, in its leads, in ST."""
    wave = cases[0].wave

    def maps(x):
        weights = np.zeros((5, *x.shape))
        weights[1, :, wave == 2] = 0.01
        return weights

    def logits(x):
        return np.einsum("klt,blt->bk", maps(cases[0].x), x)

    reader = replace(linear, maps=maps, logits=logits)
    (found,) = [find_st_elevation(reader, cases[:1])]
    assert set(found) == {"all", "anteroseptal", "inferior", "lateral"}
    for part in found.values():
        assert [part[key][0] for key in ("pointing", "pointing_within", "sign", "reacted")] == [1.0] * 4
        assert part["mass"][0] > 0.9
    assert find_st_elevation(replace(linear, maps=None), cases[:1]) is None


def test_composite_cases_hold_known_changes_in_known_leads(linear):
    plants = planted_in_composites()
    names = [one.name for one in plants]
    assert names.count("ST elevation +0.2 mV") == 5  # three groups of leads, two twins
    for one in plants:
        change = np.abs(one.after.x - one.before.x).max(axis=1)
        assert change[one.leads].min() > 0.02, one.name
    found = find_plants(Explained(linear, OWN), plants)
    assert "ST depression -0.15 mV" in found
    assert found["ST elevation +0.2 mV"]["n"] == 5
    assert found["ST elevation +0.2 mV"]["pointing"][1] is None  # one case: nobody to resample


def test_territory_has_an_interval_and_is_nothing_where_there_is_no_case(cases, linear):
    found = territory(Explained(linear, OWN), {"AMI": [], "IMI": cases[1:2]})
    assert found["AMI"] == {"n": 0, "hit": [None] * 3}
    assert found["all"]["n"] == 1
    assert territory(Explained(replace(linear, classes=("NORM",) * 5), OWN), {"IMI": cases[1:2]}) == {}


def test_the_published_network_reads_the_unfiltered_record_and_its_bias_is_measured(cases):
    subject = model_subject(tiny_model(paper=True))
    assert methods_of(subject, ON_PUBLISHED) == (OWN, "gradient x input")
    np.testing.assert_array_equal(subject.input(cases[0]), cases[0].unfiltered)
    assert subject.bias(subject.input(cases[0])).shape == (5,)
    said = explain_case(subject, OWN, cases[0])
    assert said.weights.shape == (5, 12, cases[0].x.shape[-1])
    gradient = explain_case(subject, "gradient x input", cases[0]).attribution
    per_lead = np.abs(gradient.sum(axis=-1)) / np.abs(gradient).sum(axis=-1)
    assert per_lead.max() < 1e-3  # z-scores feel neither gain nor level of a lead


def test_the_share_of_the_bias_is_one_where_the_logit_is_nothing_else(cases, linear):
    x = [linear.input(case) for case in cases]
    told = replace(linear, bias=lambda one: linear.logits(one[None])[0])
    assert np.ptp(linear.logits(np.stack(x)), axis=0).min() > 0
    assert _bias_share(told, sample_of(cases))[::2] == pytest.approx([1.0, 1.0], abs=1e-6)
    half = replace(linear, bias=lambda one: 0.5 * linear.logits(one[None])[0])
    assert _bias_share(half, sample_of(cases))[0] == pytest.approx(0.25, abs=1e-6)


def test_a_window_of_a_record_keeps_its_beats(cases):
    part = cases[0].window(100, 900)
    assert part.x.shape == (12, 800)
    np.testing.assert_array_equal(
        part.landmarks.centres + 100, [c for c in cases[0].landmarks.centres if 100 <= c < 900]
    )


def test_operations_are_counted_by_hand():
    class One(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv1d(12, 3, 5, padding=2)

        def linear(self, x):
            return self.conv(x)

    assert count_flop(One(), np.zeros((12, 100))) == 2 * 12 * 3 * 5 * 100


def test_the_bench_prints_ratios_of_one_run(monkeypatch):
    monkeypatch.setattr("ecgimn.evaluate.report.POST_HOC", ("integrated gradients",))
    found = bench(tiny_model(), load_composite("norm"))
    assert found["times_slower"]["integrated gradients"] > 1
    assert 0 < found["share_of_peak"] < 1.5
    assert found["networks"] == 2
