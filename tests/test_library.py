"""The library in other people's code: from their arrays and files to a case, and from a case to their tables."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import wfdb
from jsonschema import Draft202012Validator

import ecgimn
from ecgimn import Recording
from ecgimn.errors import LeadError, ModelError, SignalError
from ecgimn.explain.as_json import explanation_json, measured_json
from ecgimn.explain.explanation import explain
from ecgimn.leads import STANDARD_LEADS

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = Draft202012Validator(json.loads((ROOT / "docs" / "explanation.schema.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def case():
    return ecgimn.open_ecg("imi-st")


@pytest.mark.parametrize(("unit", "factor"), [("mV", 1.0), ("uV", 1e3), ("V", 1e-3)])
def test_an_array_in_any_unit_is_the_same_recording(case, unit, factor):
    made = Recording.from_numpy(case.recording.signal * factor, case.recording.fs, unit=unit)
    np.testing.assert_allclose(made.signal, case.recording.signal, atol=1e-6)


def test_microvolts_handed_over_as_millivolts_are_refused(case):
    signal = case.recording.signal * 1e3
    for make in (Recording, Recording.from_numpy):
        with pytest.raises(SignalError, match=r"spans .* mV .* unit or gain must be wrong"):
            make(signal, case.recording.fs)
    with pytest.raises(SignalError, match="unit or gain must be wrong"):
        Recording.from_numpy(case.recording.signal, case.recording.fs, unit="uV")


def test_leads_go_by_name_and_limb_leads_are_derived(case):
    order = ["V6", "DII", "lead i", "V1", "V2", "V3", "V4", "V5", "RESP"]
    rows = [*(case.recording.lead(name) for name in ("V6", "II", "I", "V1", "V2", "V3", "V4", "V5")), np.zeros(5000)]
    made = Recording.from_numpy(np.array(rows), 500.0, leads=order)
    assert made.derived_leads == ("III", "aVR", "aVL", "aVF")
    np.testing.assert_allclose(made.lead("aVF"), case.recording.lead("II") - case.recording.lead("I") / 2, atol=1e-6)
    with pytest.raises(LeadError, match="V6"):
        Recording.from_numpy(np.array(rows[1:]), 500.0, leads=order[1:])


def test_an_array_with_leads_in_columns_is_told_to_be_transposed(case):
    with pytest.raises(SignalError, match="Transpose it"):
        Recording.from_numpy(case.recording.signal.T, 500.0)


@pytest.mark.parametrize("physical", [True, False])
def test_a_wfdb_record_is_what_the_reader_of_files_makes_of_it(case, tmp_path, physical):
    signal = np.round(case.recording.signal[[3, *range(3), *range(4, 12)]] * 1e3)  # whole microvolts, aVR first
    names = ["AVR", "I", "II", "III", "AVL", "AVF", *STANDARD_LEADS[6:]]
    wfdb.wrsamp(
        "case", fs=500, units=["uV"] * 12, sig_name=names, p_signal=signal.T.astype(float), fmt=["16"] * 12,
        adc_gain=[1.0] * 12, baseline=[0] * 12, write_dir=str(tmp_path),
    )  # fmt: skip
    made = Recording.from_wfdb(wfdb.rdrecord(str(tmp_path / "case"), physical=physical), age=61, sex="female")
    np.testing.assert_array_equal(made.signal, ecgimn.read_recording(tmp_path / "case.hea").signal)
    assert (made.fs, made.age, made.sex) == (500.0, 61, "female")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_raw_of_mne_is_read_in_volts(case):
    mne = pytest.importorskip("mne")
    info = mne.create_info([*STANDARD_LEADS, "EEG 1"], 500.0, ["ecg"] * 12 + ["eeg"])
    volts = np.vstack([case.recording.signal * 1e-3, np.zeros((1, 5000))])
    made = Recording.from_mne(mne.io.RawArray(volts, info, verbose="error"))
    np.testing.assert_allclose(made.signal, case.recording.signal, atol=1e-6)


def test_one_call_opens_a_name_a_file_and_a_recording_alike(case, tmp_path):
    np.savez(tmp_path / "case.npz", ecg=case.recording.signal.T, fs=500, units=np.array("mV"), leads=STANDARD_LEADS)
    for source in (tmp_path / "case.npz", case.recording):
        assert ecgimn.open_ecg(source).explanation.logit == pytest.approx(case.explanation.logit, abs=1e-4)


def test_the_tables_hold_the_ledger_and_sum_to_the_logit(case):
    table = case.to_dataframe()
    assert list(table.columns) == ["class", "lead", "wave", "logit"]
    sums = table.groupby("class", sort=False)["logit"].sum()
    total = sums.to_numpy() + case.ledger.bias + case.ledger.baseline
    np.testing.assert_allclose(total, case.explanation.logit, atol=1e-4)
    evidence = case.of("MI")
    samples = evidence.to_dataframe()
    assert samples.shape == (5000, 12)
    assert samples.index[-1] == pytest.approx(4999 / 500)
    np.testing.assert_array_equal(samples["V2"], evidence.contribution[STANDARD_LEADS.index("V2")])


def test_the_dataset_holds_maps_and_ledger_with_units_and_sums_to_the_logit(case):
    found = case.to_xarray()
    total = found.contribution.sum(("lead", "time")) + found.baseline + found.bias
    np.testing.assert_allclose(total, found.logit, atol=1e-4)
    np.testing.assert_allclose(found.cells.sum(("lead", "wave")), found.contribution.sum(("lead", "time")), atol=1e-9)
    assert found.weights.attrs["units"] == "logit/mV"
    assert float(found.signal.sel(lead="II").isel(time=0)) == case.recording.lead("II")[0]


def test_the_json_says_its_version_and_follows_the_published_schema(case):
    content = json.loads(json.dumps(explanation_json(case), allow_nan=False))
    assert content["schema"] == 1
    SCHEMA.validate(content)
    SCHEMA.validate(json.loads(json.dumps(measured_json(case.reading), allow_nan=False)))
    broken = {**content, "ledger": [{**content["ledger"][0], "lead": "V9"}]}
    assert not SCHEMA.is_valid(broken)


def test_every_field_of_the_json_is_in_the_schema(case):
    """A field that is new here has to be described there."""
    assert set(explanation_json(case)) <= set(SCHEMA.schema["properties"])


@pytest.fixture(scope="module")
def own():
    """A small convolutional network with two classes, of somebody else."""
    import torch
    from torch import nn

    from ecgimn.model.predictor import TorchPredictor

    torch.manual_seed(0)
    layers = (nn.Conv1d(12, 8, 9), nn.ReLU(), nn.AdaptiveMaxPool1d(4), nn.Flatten(), nn.Linear(32, 2))
    return TorchPredictor(nn.Sequential(*layers).eval(), ("A", "B"))


def test_a_torch_module_of_ones_own_is_explained_and_its_sum_is_its_logit(case, own):
    found = explain(case.recording, own)
    x = own.preprocessing(500.0, 5000).forward(case.recording.signal)
    np.testing.assert_allclose(found.logit, own.logits(x[None])[0], atol=1e-6)
    total = (found.weights * case.recording.signal).sum((1, 2)) + found.bias
    np.testing.assert_allclose(total, found.logit, atol=1e-5)
    assert re.fullmatch("[0-9a-f]{64}", found.model_sha256)


def test_the_tangent_of_a_network_of_relus_foresees_a_small_edit_exactly(case, own):
    found = explain(case.recording, own)
    change = 1e-4 * np.random.default_rng(0).standard_normal(case.recording.signal.shape)
    prepare = own.preprocessing(500.0, 5000)
    edited = own.logits(prepare.forward(case.recording.signal + change)[None])[0]
    np.testing.assert_allclose((found.weights * change).sum((1, 2)), edited - found.logit, atol=2e-6)


def test_a_network_without_a_linear_model_and_a_wrong_number_of_classes_are_refused(case, own):
    from dataclasses import replace

    from ecgimn.model.blackbox import load_twin

    with pytest.raises(ModelError, match="writes no linear model"):
        explain(case.recording, load_twin())
    with pytest.raises(ModelError, match="2 numbers a recording, and 3 classes"):
        explain(case.recording, replace(own, classes=("A", "B", "C")))
