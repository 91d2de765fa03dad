"""FHIR bundle and DICOM report say what the JSON says, validate, and hold nothing about the patient unless asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.sr.codedict import codes

from ecgimn.about import INTENDED_USE
from ecgimn.explain.as_json import explanation_json
from ecgimn.explain.case import Case, open_case
from ecgimn.hospital import GLOBAL, MDC, OWN, SubjectFacts, fhir_bundle, hospital_bytes, write_ecg_report
from ecgimn.leads import STANDARD_LEADS
from ecgimn.model import DEFAULT_MODEL
from ecgimn.model.model import load_model
from ecgimn.recording import Recording
from ecgimn.signal.reading import read_signal
from ecgimn.sources.composites.case import list_composites, load_composite

TEN = sorted(card.name for card in list_composites())[:10]


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    model = load_model(DEFAULT_MODEL)
    return {name: open_case(load_composite(name), model, despite_quality=True) for name in TEN}


def coded(concept: dict[str, Any], system: str) -> str:
    return next((one["code"] for one in concept.get("coding", ()) if one["system"] == system), "")


def resources(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]


def parts_of(observation: dict[str, Any]) -> dict[str, float | None]:
    return {
        coded(part["code"], OWN): part.get("valueQuantity", {}).get("value")
        for part in observation.get("component", ())
    }


@pytest.mark.parametrize("name", TEN)
def test_a_bundle_validates_and_reads_back_what_the_json_says(name: str, cases: dict[str, Case]) -> None:
    from fhir.resources.R4B.bundle import Bundle

    case = cases[name]
    text = hospital_bytes("fhir", case.reading, case)
    Bundle.model_validate_json(text)
    bundle, said = json.loads(text), explanation_json(case)
    observations = resources(bundle, "Observation")
    by_code = {coded(one["code"], OWN): one for one in observations}
    for item in GLOBAL.keys() & said["intervals"].keys():
        found = by_code[item].get("valueQuantity", {}).get("value")
        assert found == said["intervals"][item]["value"]
    st = [parts_of(one) for one in observations if coded(one["code"], OWN) == "st"]
    assert [(one["j_mv"], one["j60_mv"], one["j80_mv"]) for one in st] == [
        (one["j_mv"], one["j60_mv"], one["j80_mv"]) for one in said["st"]
    ]
    for place, label in enumerate(said["classes"]):
        answer = by_code[f"probability-{label}"]
        parts = parts_of(answer)
        assert answer["valueQuantity"]["value"] == said["probabilities"][place]
        assert parts["logit"] == said["logits"][place]
        evidence = {code: value for code, value in parts.items() if code.startswith("evidence-")}
        total = sum(evidence.values()) + parts["bias"] + parts["baseline"]
        assert total == pytest.approx(said["logits"][place], abs=1e-3)
        assert evidence == {f"evidence-{name}": value for name, value in case.of(label).by_territory().items()}
        assert INTENDED_USE in answer["note"][0]["text"]
    assert INTENDED_USE in resources(bundle, "DiagnosticReport")[0]["conclusion"]
    assert len(resources(bundle, "DiagnosticReport")[0]["result"]) == len(observations)


def test_the_samples_of_a_bundle_are_those_of_the_recording_to_half_a_microvolt(cases: dict[str, Case]) -> None:
    recording = cases[TEN[0]].recording
    bundle = fhir_bundle(cases[TEN[0]].reading)
    sampled = next(one for one in resources(bundle, "Observation") if coded(one["code"], MDC) == "131328")["component"]
    codes = [coded(part["code"], MDC) for part in sampled]
    assert codes[:3] == ["131329", "131330", "131389"]  # MDC_ECG_ELEC_POTL_I, _II, _III
    assert [part["code"]["text"] for part in sampled] == [f"Lead {lead}" for lead in STANDARD_LEADS]
    for part, row in zip(sampled, recording.signal, strict=True):
        data = part["valueSampledData"]
        assert 1000 / data["period"] == pytest.approx(recording.fs)
        found = np.array([float(step) for step in data["data"].split()]) * data["factor"]
        assert np.abs(found - row).max() <= 0.000501


def test_a_gap_is_an_e_among_the_samples() -> None:
    signal = np.random.default_rng(3).normal(0, 0.1, (12, 2500)).astype(np.float32)
    signal[4, 100:103] = np.nan
    reading = read_signal(Recording(signal, 250))
    sampled = resources(fhir_bundle(reading), "Observation")[0]["component"][4]["valueSampledData"]["data"].split()
    assert [place for place, step in enumerate(sampled) if step == "E"] == [100, 101, 102]


def numbers(item: pydicom.Dataset, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], float | None]]:
    """Every NUM of a report with the meanings above it; a lead stands for its container."""
    name = item.ConceptNameCodeSequence[0].CodeMeaning
    children = list(item.get("ContentSequence", ()))
    leads = [c for c in children if c.ConceptNameCodeSequence[0].CodeValue == "122148"]
    name = leads[0].ConceptCodeSequence[0].CodeMeaning if leads else name
    if item.ValueType == "NUM":
        measured = item.MeasuredValueSequence
        yield (*path, name), measured[0].FloatingPointValue if measured else None
    for child in children:
        yield from numbers(child, (*path, name))


@pytest.mark.parametrize("name", TEN)
def test_a_dicom_report_reads_back_what_the_json_says(name: str, cases: dict[str, Case], tmp_path: Path) -> None:
    case = cases[name]
    report = pydicom.dcmread(write_ecg_report(tmp_path / "ecg.dcm", case.reading, case))
    assert report.SOPClassUID.name == "Comprehensive SR Storage"
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "3700"
    found, said = dict(numbers(report)), explanation_json(case)
    whole = ("ECG Report", "Quantitative Analysis", "ECG Global Measurements")
    others = (*whole[:2], "QTc by other formulas")
    for item, (_, _, words, _) in GLOBAL.items():
        if item in said["intervals"]:
            place = others if item.startswith("qtc_") and item != "qtc_bazett" else whole
            assert found[(*place, words)] == said["intervals"][item]["value"]
    for st in said["st"]:
        lead = ("ECG Report", "Quantitative Analysis", f"Lead {st['lead']}")
        assert found[(*lead, "J point")] == st["j_mv"]
        assert found[(*lead, "J+60 ms")] == st["j60_mv"]
    for place, label in enumerate(said["classes"]):
        answer = ("ECG Report", "Answer of a research model", f"Label {label} as used in PTB-XL")
        assert found[(*answer, "Probability")] == said["probabilities"][place]
        assert found[(*answer, "Logit")] == said["logits"][place]
        for territory, value in case.of(label).by_territory().items():
            assert found[(*answer, f"Evidence, {territory}")] == value
    texts = [item.TextValue for item in report.ContentSequence if item.ValueType == "TEXT"]
    assert INTENDED_USE in texts


def items(item: pydicom.Dataset) -> Iterator[pydicom.Dataset]:
    """An item of a report and all below it."""
    yield item
    for child in item.get("ContentSequence", ()):
        yield from items(child)


def code_of(item: pydicom.Dataset) -> tuple[str, str]:
    name = item.ConceptNameCodeSequence[0]
    return name.CodingSchemeDesignator, name.CodeValue


#: What TID 3700, 1004, 3708, 3713, 3714 and 3717 of PS3.16 require in a container, and what may be there once at most.
REQUIRED_IN = {
    "3700": [("DCM", "121049"), ("DCM", "121005"), ("DCM", "121012"), ("LN", "55111-9"), ("DCM", "122144")],
    "3708": [("DCM", "122146")],
    "3713": [("MDC", f"2:{term}") for term in (16016, 16160, 15872, 16156, 16168)],
    "3714": [("DCM", "122148")],
    "3717": [("SCT", "271921002")],
}
ONCE = [*REQUIRED_IN["3713"], ("MDC", "2:15876")]


@pytest.mark.parametrize("with_beats", [True, False])
def test_a_dicom_report_holds_what_its_templates_require(
    cases: dict[str, Case], tmp_path: Path, *, with_beats: bool
) -> None:
    noise = np.random.default_rng(0).normal(0.0, 0.01, (12, 5000))
    reading = cases[TEN[0]].reading if with_beats else read_signal(Recording(noise, 500.0, "noise", "upload"))
    report = pydicom.dcmread(write_ecg_report(tmp_path / "ecg.dcm", reading))
    templates = {}
    for item in items(report):
        if "ContentTemplateSequence" in item:
            template = item.ContentTemplateSequence[0].TemplateIdentifier
            held = [code_of(child) for child in item.ContentSequence]
            templates[template] = held
            assert set(REQUIRED_IN[template]) <= set(held)
            assert template != "3713" or all(held.count(code) <= 1 for code in ONCE)
        for measured in item.get("MeasuredValueSequence", ()):
            is_rate = code_of(item) == ("MDC", "2:16016")
            assert (measured.MeasurementUnitsCodeSequence[0].CodeValue == "{H.B.}/min") == is_rate
    assert set(templates) >= {"3700", "3708", "3713"}
    assert ({"3714", "3717"} <= set(templates)) == with_beats


def test_the_codes_of_a_dicom_report_are_those_of_the_standard(cases: dict[str, Case], tmp_path: Path) -> None:
    report = pydicom.dcmread(write_ecg_report(tmp_path / "ecg.dcm", cases[TEN[0]].reading))
    # Named by the templates themselves, and in none of the context groups that pydicom holds.
    of_templates = {("LN", "28010-7"), ("MDC", "2:16016"), ("MDC", "10:11345")}
    for scheme, code in {code_of(item) for item in items(report)} - of_templates:
        known = getattr(codes, scheme, None)
        assert scheme == "99ECGIMN" or code in {getattr(known, name).value for name in known.dir()}


def test_nothing_about_the_patient_is_written_unless_asked_for(cases: dict[str, Case], tmp_path: Path) -> None:
    signal = cases[TEN[0]].recording.signal
    known = Recording(signal, cases[TEN[0]].recording.fs, "Erika Mustermann", "upload", 47, "female")
    reading = read_signal(known)
    plain = hospital_bytes("fhir", reading).decode()
    assert "Mustermann" not in plain
    assert '"Patient"' not in plain
    assert "subject" not in plain
    assert '"female"' not in plain
    report = pydicom.dcmread(write_ecg_report(tmp_path / "plain.dcm", reading))
    assert (str(report.PatientName), report.PatientID, report.PatientSex, "PatientAge" in report) == ("", "", "", False)
    assert report.PatientIdentityRemoved == "YES"
    assert b"Mustermann" not in (tmp_path / "plain.dcm").read_bytes()

    asked = SubjectFacts("MRN-17", age_and_sex=True)
    patient = resources(fhir_bundle(reading, subject=asked), "Patient")[0]
    assert (patient["identifier"][0]["value"], patient["gender"]) == ("MRN-17", "female")
    report = pydicom.dcmread(write_ecg_report(tmp_path / "asked.dcm", reading, subject=asked))
    assert (report.PatientID, report.PatientSex, report.PatientAge) == ("MRN-17", "F", "047Y")


def test_without_a_model_no_word_of_one_is_written(cases: dict[str, Case], tmp_path: Path) -> None:
    reading = cases[TEN[0]].reading
    assert "probability" not in hospital_bytes("fhir", reading).decode()
    report = pydicom.dcmread(write_ecg_report(tmp_path / "ecg.dcm", reading))
    assert not [path for path, _ in numbers(report) if "Answer of a research model" in path]
