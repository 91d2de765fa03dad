"""An explanation for a hospital's systems: a FHIR R4 bundle, and a DICOM ECG report (TID 3700).

Both are written from the values of `ecgimn.explain.as_json`, so they say what page and JSON say, to the last digit.
Nothing about the patient is in them unless it is asked for, and no date. Every result is preliminary and bears the
intended use, and the model's answer is marked as that of a research model. Codes are those of ISO/IEEE 11073-10102
(MDC) and LOINC; what neither names (logit, evidence by territory) has a code of this project's own.
"""

from __future__ import annotations

import json
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from ecgimn import __version__
from ecgimn.about import INTENDED_USE
from ecgimn.explain.as_json import explanation_json, measured_json
from ecgimn.formats.export import GAP, LEAD_CODES, NO_DATE, in_steps
from ecgimn.leads import STANDARD_LEADS
from ecgimn.recording import Recording
from ecgimn.signal.reading import SignalReading

if TYPE_CHECKING:
    from ecgimn.explain.case import Case

APP = "ECG-IMN Reader"
ECG_PARTITION = 2 * 65536  # MDC codes are partition * 2^16 + term; DICOM writes them as "partition:term"
VOLTAGE = 256  # MDC_ECG_ELEC_POTL; + the lead's own code

#: By name in the JSON: MDC term (DICOM CID 3227 to 3229 and TID 3713), LOINC code, what is measured, unit in UCUM.
GLOBAL = {
    "heart_rate": (16016, "8867-4", "Heart rate", "/min"),
    "rr": (16168, "8637-1", "RR interval", "ms"),
    "pr": (15872, "8625-6", "PR interval", "ms"),
    "qrs": (16156, "8633-0", "QRS duration", "ms"),
    "qt": (16160, "8634-8", "QT interval", "ms"),
    "qtc_bazett": (15876, "8636-3", "QTc interval, Bazett", "ms"),
    "qtc_fridericia": (15876, "8636-3", "QTc interval, Fridericia", "ms"),
    "qtc_framingham": (15876, "8636-3", "QTc interval, Framingham", "ms"),
    "qtc_hodges": (15876, "8636-3", "QTc interval, Hodges", "ms"),
    "axis": (16132, "8632-1", "QRS axis", "deg"),
}
#: Algorithm of a corrected QT in DICOM (CID 3678).
QT_CORRECTIONS = {"bazett": "122730", "hodges": "122731", "fridericia": "122732", "framingham": "122733"}
#: ST levels by their name in the JSON: MDC term of the whole family, to which the lead's own code is added (CID 3688).
ST_LEVELS = {"j_mv": (1024, "J point"), "j60_mv": (14336, "J+60 ms"), "j80_mv": (14592, "J+80 ms")}
T_AMPLITUDE = 2560  # MDC_ECG_AMPL_T_MAX
MV, LOGIT = "mV", "{logit}"

MDC, LOINC, UCUM = "urn:iso:std:iso:11073:10101", "http://loinc.org", "http://unitsofmeasure.org"
OWN = "urn:oid:2.25.307033750990236150306599346126810555912"  # this project's own codes; made from a random UUID
TERMS = "http://terminology.hl7.org/CodeSystem/"


@dataclass(frozen=True)
class SubjectFacts:
    """What may be said about the patient; nothing by default.

    Attributes
    ----------
    identifier : str
        As the caller's systems know the patient; "" leaves the patient out.
    age_and_sex : bool
        Whether the recording's age and sex go along, on which ST thresholds depend.
    """

    identifier: str = ""
    age_and_sex: bool = False


NOBODY = SubjectFacts()


def _content(reading: SignalReading, case: Case | None) -> dict[str, Any]:
    return measured_json(reading) if case is None else explanation_json(case)


def _value(value: float, unit: str) -> dict[str, Any]:
    words = "logit" if unit == LOGIT else "" if unit == "1" else unit
    return {"value": value, **({"unit": words} if words else {}), "system": UCUM, "code": unit}


def _concept(text: str, *codings: tuple[str, str | int, str]) -> dict[str, Any]:
    coded = [{"system": system, "code": str(code), "display": display} for system, code, display in codings]
    return {**({"coding": coded} if coded else {}), "text": text}


def _part(concept: dict[str, Any], value: float | None, unit: str, reason: str = "") -> dict[str, Any]:
    """Return a component, or the part of an Observation that holds its code and value."""
    if value is None:
        absent = _concept(reason or "not measured", (TERMS + "data-absent-reason", "unknown", "Unknown"))
        return {"code": concept, "dataAbsentReason": absent}
    return {"code": concept, "valueQuantity": _value(value, unit)}


@dataclass(frozen=True)
class _Bundle:
    """What is put together: entries with their addresses, and what every Observation has in common."""

    entries: list[dict[str, Any]]
    common: dict[str, Any]

    def add(self, resource: dict[str, Any]) -> dict[str, str]:
        """Add a resource; return the reference to it."""
        address = uuid.uuid4().urn
        self.entries.append({"fullUrl": address, "resource": resource})
        return {"reference": address}

    def observe(self, part: dict[str, Any], **more: Any) -> dict[str, str]:
        """Add an Observation."""
        return self.add({"resourceType": "Observation", **self.common, **part, **more})


def fhir_bundle(reading: SignalReading, case: Case | None = None, *, subject: SubjectFacts = NOBODY) -> dict[str, Any]:
    """Return a FHIR R4 bundle as JSON values: a DiagnosticReport and the Observations that it is made of.

    Parameters
    ----------
    reading : SignalReading
    case : Case, optional
        Of the same recording; without it the bundle holds what was measured, and no word of a model.
    subject : SubjectFacts
        What may be said about the patient.

    Returns
    -------
    dict
        Checked against the structure definitions by fhir.resources. Samples are whole microvolts, "E" for a gap.
    """
    from fhir.resources.R4B.bundle import Bundle

    content = _content(reading, case)
    made = _Bundle([], {})
    software = made.add(_software(APP, __version__))
    who = _patient(made, reading.recording, subject)
    made.common.update(status="preliminary", category=[_concept("Procedure", (TERMS + "observation-category",
                       "procedure", "Procedure"))], device=software, **who)  # fmt: skip
    results = [made.observe(_samples(reading.recording)), *_measurements(made, content)]
    if case is not None:
        results += _answers(made, case, content)
    conclusion = " ".join([*(_answer_words(content) if case is not None else ()), INTENDED_USE])
    report = {
        "resourceType": "DiagnosticReport",
        "status": "preliminary",
        "category": [_concept("Electrocardiac", (TERMS + "v2-0074", "EC", "Electrocardiac (e.g., EKG,  EEC, Holter)"))],
        "code": _concept("12-lead ECG", (LOINC, "11524-6", "EKG study")),
        **who,
        "result": results,
        "conclusion": conclusion,
    }
    marks = [{"system": TERMS + "v3-ActReason", "code": "HRESCH", "display": "healthcare research"}]
    if not subject.identifier and not subject.age_and_sex:
        marks.append({"system": TERMS + "v3-ObservationValue", "code": "ANONYED", "display": "anonymized"})
    bundle = {
        "resourceType": "Bundle",
        "meta": {"security": marks},
        "type": "collection",
        "entry": [{"fullUrl": uuid.uuid4().urn, "resource": report}, *made.entries],
    }
    Bundle.model_validate(bundle)
    return bundle


def _software(name: str, version: str) -> dict[str, Any]:
    return {
        "resourceType": "Device",
        "deviceName": [{"name": name, "type": "model-name"}],
        "type": _concept("Software for research, not a medical device"),
        "version": [{"value": version}],
        "note": [{"text": INTENDED_USE}],
    }


def _patient(made: _Bundle, recording: Recording, subject: SubjectFacts) -> dict[str, Any]:
    """Add the patient as far as asked for; return the reference to it, if any."""
    known: dict[str, Any] = {"identifier": [{"value": subject.identifier}]} if subject.identifier else {}
    if subject.age_and_sex and recording.sex is not None:
        known["gender"] = recording.sex
    if not known and not (subject.age_and_sex and recording.age is not None):
        return {}
    who = {"subject": made.add({"resourceType": "Patient", **known})}
    if subject.age_and_sex and recording.age is not None:
        age = _part(_concept("Age", (LOINC, "30525-0", "Age")), recording.age, "a")
        made.observe(age, status="preliminary", **who)
    return who


def _samples(recording: Recording) -> dict[str, Any]:
    steps, steps_per_mv = in_steps(recording.signal)
    parts = []
    for lead, row in zip(STANDARD_LEADS, steps, strict=True):
        coded = (MDC, ECG_PARTITION + VOLTAGE + LEAD_CODES[lead], f"MDC_ECG_ELEC_POTL_{lead.upper()}")
        sampled = {
            "origin": _value(0, MV),
            "period": 1000.0 / recording.fs,
            "factor": 1.0 / steps_per_mv,
            "dimensions": 1,
            "data": " ".join("E" if step == GAP else str(step) for step in row.tolist()),
        }
        parts.append({"code": _concept(f"Lead {lead}", coded), "valueSampledData": sampled})
    whole = (MDC, ECG_PARTITION + VOLTAGE, "MDC_ECG_ELEC_POTL")
    return {"code": _concept("12-lead ECG, samples", whole), "component": parts}


def _measurements(made: _Bundle, content: dict[str, Any]) -> list[dict[str, str]]:
    found = []
    for name, (term, loinc, words, unit) in GLOBAL.items():
        if name in content["intervals"]:
            item = content["intervals"][name]
            concept = _concept(words, (MDC, ECG_PARTITION + term, words), (LOINC, loinc, words), (OWN, name, words))
            found.append(made.observe(_part(concept, item["value"], unit, item["reason"])))
    t_waves = {t["lead"]: t["amplitude_mv"] for t in content["t"]}
    for st in content["st"]:
        lead, number = st["lead"], LEAD_CODES[st["lead"]]
        parts = []
        for name, (term, words) in ST_LEVELS.items():
            coded = (MDC, ECG_PARTITION + term + number, f"{words}, lead {lead}")
            parts.append(_part(_concept(words, coded, (OWN, name, words)), st[name], MV))
        slope = _concept("ST slope", (OWN, "slope_mv_per_s", "ST slope from J to J+80 ms"))
        parts.append(_part(slope, st["slope_mv_per_s"], "mV/s"))
        t_wave = (MDC, ECG_PARTITION + T_AMPLITUDE + number, f"T wave, lead {lead}")
        parts.append(_part(_concept("T wave", t_wave, (OWN, "t_mv", "T wave")), t_waves.get(lead), MV))
        named = _concept(f"ST and T, lead {lead}", (OWN, "st", "ST and T of a lead"))
        note = [{"text": f"Measured against the {st['reference']} level, on the median beat."}]
        found.append(made.observe({"code": named, "component": parts}, note=note))
    for item in content["findings"]:
        named = _concept(item["kind"], (OWN, "finding", "Finding"))
        note = [{"text": " ".join(text for text in (item["text"], item["reason"]) if text)}]
        found.append(made.observe({"code": named, "valueCodeableConcept": {"text": item["verdict"]}}, note=note))
    return found


def _answers(made: _Bundle, case: Case, content: dict[str, Any]) -> list[dict[str, str]]:
    """Add what the model says: per class probability, logit, and the sum that the logit is."""
    model = made.add(_software(content["model"], f"SHA-256 {content['sha256']}"))
    found = []
    for place, name in enumerate(content["classes"]):
        terms = [("logit", "Logit", content["logits"][place], LOGIT), ("bias", "Bias", content["bias"][place], LOGIT),
                 ("baseline", "Baseline term", content["baseline"][place], LOGIT)]  # fmt: skip
        if name in case.thresholds:
            terms.append(("threshold", "Operating point", case.thresholds[name], "1"))
        terms += [
            (f"evidence-{territory}", f"Evidence, {territory}", value, LOGIT)
            for territory, value in case.of(name).by_territory().items()
        ]
        parts = [_part(_concept(words, (OWN, code, words)), value, unit) for code, words, value, unit in terms]
        words = f"Probability of the label {name} as used in PTB-XL, by a research model"
        answer = _part(_concept(words, (OWN, f"probability-{name}", words)), content["probabilities"][place], "1")
        note = [{"text": f"Evidence by territory, bias and baseline term add up to the logit. {INTENDED_USE}"}]
        found.append(made.observe(answer, component=parts, note=note, device=model))
    return found


def _answer_words(content: dict[str, Any]) -> list[str]:
    chances = ", ".join(
        f"{name} {chance:.2f}" for name, chance in zip(content["classes"], content["probabilities"], strict=True)
    )
    return [f"Model {content['model']}, labels as used in PTB-XL: {chances}."]


HospitalKind = Literal["fhir", "dicom-sr"]
HOSPITAL_KINDS: tuple[HospitalKind, ...] = get_args(HospitalKind)
HOSPITAL_SUFFIXES: dict[HospitalKind, str] = {"fhir": ".json", "dicom-sr": ".dcm"}


def hospital_bytes(
    kind: HospitalKind, reading: SignalReading, case: Case | None = None, *, subject: SubjectFacts = NOBODY
) -> bytes:
    """Return the bundle as JSON, or the DICOM report, as the bytes of one file; parameters as of `fhir_bundle`."""
    if kind == "fhir":
        bundle = fhir_bundle(reading, case, subject=subject)
        return (json.dumps(bundle, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
    with tempfile.TemporaryDirectory(prefix="ecgimn-export-") as folder:
        return write_ecg_report(Path(folder) / "ecg.dcm", reading, case, subject=subject).read_bytes()


OWN_SCHEME = "99ECGIMN"
_COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"
DEVICE = "2.25.98735979878873821185525889750990127668"  # this app as an observer (TID 1004); made from a random UUID
BEATS_PER_MINUTE = "{H.B.}/min"  # as TID 3713 asks; FHIR's vital signs ask for "/min"
REQUIRED = ("heart_rate", "rr", "pr", "qrs", "qt")  # of TID 3713, where another one may be left out
_UNITS = {BEATS_PER_MINUTE: "heart beats per minute", "ms": "millisecond", "deg": "degree", "mV": "millivolt",
          "1": "no units", "mV/s": "millivolt per second", LOGIT: "logit"}  # fmt: skip


def write_ecg_report(
    path: Path | str, reading: SignalReading, case: Case | None = None, *, subject: SubjectFacts = NOBODY
) -> Path:
    """Write a DICOM ECG report: global and lead measurements, findings, the model's answer.

    Templates of PS3.16: TID 3700, with TID 1004, 3708, 3713, 3714 and 3717; the model's answer extends them.

    Parameters
    ----------
    path : path
        The file to write.
    reading : SignalReading
    case : Case, optional
        Of the same recording; without it the report holds what was measured alone.
    subject : SubjectFacts
        What may be said about the patient.
    """
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

    content, recording = _content(reading, case), reading.recording
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(_COMPREHENSIVE_SR)
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    report = FileDataset(str(path), Dataset(), file_meta=meta, preamble=b"\x00" * 128)
    report.SOPClassUID, report.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    report.StudyInstanceUID, report.SeriesInstanceUID = generate_uid(), generate_uid()
    report.SpecificCharacterSet = "ISO_IR 192"
    report.Modality = "SR"
    report.PatientName = report.PatientBirthDate = report.PatientSex = ""
    report.PatientID = subject.identifier
    if subject.age_and_sex and recording.sex is not None:
        report.PatientSex = {"male": "M", "female": "F"}[recording.sex]
    if subject.age_and_sex and recording.age is not None:
        report.PatientAge = f"{recording.age:03d}Y"
    if not subject.identifier:
        report.PatientIdentityRemoved = "YES"
        report.DeidentificationMethod = "new object with measurements and results only"
    report.StudyDate = report.StudyTime = report.StudyID = report.AccessionNumber = report.ReferringPhysicianName = ""
    report.ContentDate, report.ContentTime = NO_DATE, "000000"
    report.SeriesNumber = report.InstanceNumber = "1"
    report.Manufacturer, report.SoftwareVersions = APP, __version__
    report.SeriesDescription = "Research and teaching only, not for patient care"
    report.CompletionFlag, report.VerificationFlag, report.PreliminaryFlag = "PARTIAL", "UNVERIFIED", "PRELIMINARY"
    report.ReferencedPerformedProcedureStepSequence = []
    report.PerformedProcedureCodeSequence = []
    root = _container("", ("28010-7", "LN", "ECG Report"), _sections(content, case), template="3700")
    report.update(root)
    report.save_as(Path(path), enforce_file_format=True)
    return Path(path)


Coded = tuple[str, str, str]


def _sections(content: dict[str, Any], case: Case | None) -> list[Any]:
    items = [
        _coded("HAS CONCEPT MOD", ("121049", "DCM", "Language of Content Item and Descendants"),
               ("en", "RFC5646", "English")),
        _coded("HAS OBS CONTEXT", ("121005", "DCM", "Observer Type"), ("121007", "DCM", "Device")),
        _device(),
        _text("HAS OBS CONTEXT", ("121013", "DCM", "Device Observer Name"), f"{APP} {__version__}"),
        _text("CONTAINS", ("121106", "DCM", "Comment"), INTENDED_USE),
        _waveform(),
        _container("CONTAINS", ("122144", "DCM", "Quantitative Analysis"), [*_global(content), *_by_lead(content)]),
    ]  # fmt: skip
    finding = ("271921002", "SCT", "ECG finding")
    findings = [
        _text("CONTAINS", finding, " ".join((f"{item['verdict']}: {item['text']}", item["reason"])))
        for item in content["findings"]
    ]
    if findings:
        items.append(_container("CONTAINS", ("122145", "DCM", "Qualitative Analysis"), findings, template="3717"))
    if case is not None:
        items.append(_model_results(content, case))
    return items


def _device() -> Any:
    item = _item("HAS OBS CONTEXT", "UIDREF", ("121012", "DCM", "Device Observer UID"))
    item.UID = DEVICE
    return item


def _waveform() -> Any:
    """Return what is known of the recording; when it was made is left out, as everywhere in this report."""
    made = _item("CONTAINS", "DATETIME", ("122146", "DCM", "Procedure DateTime"))
    made.DateTime = f"{NO_DATE}000000"
    system = ("10:11264", "MDC", "Unspecified 12-lead system")
    items = [made, _coded("CONTAINS", ("10:11345", "MDC", "Lead System"), system)]
    return _container("CONTAINS", ("55111-9", "LN", "Current Procedure Descriptions"), items, template="3708")


def _global(content: dict[str, Any]) -> list[Any]:
    """Return the measurements over all leads. TID 3713 has room for one QTc; others stand beside its container."""
    items: list[Any] = []
    more: list[Any] = []
    for name, (term, _, words, unit) in GLOBAL.items():
        if name not in content["intervals"] and name not in REQUIRED:
            continue
        value = content["intervals"].get(name, {}).get("value")
        number = _number((f"2:{term}", "MDC", words), value, BEATS_PER_MINUTE if unit == "/min" else unit)
        formula = name.removeprefix("qtc_")
        if formula in QT_CORRECTIONS:
            method = (QT_CORRECTIONS[formula], "DCM", f"{formula.capitalize()} QT correction algorithm")
            number.ContentSequence = [_coded("HAS PROPERTIES", ("111001", "DCM", "Algorithm Name"), method)]
        (more if formula in QT_CORRECTIONS and formula != "bazett" else items).append(number)
    found = [_container("CONTAINS", ("122158", "DCM", "ECG Global Measurements"), items, template="3713")]
    return found + ([_container("CONTAINS", ("qtc", OWN_SCHEME, "QTc by other formulas"), more)] if more else [])


def _by_lead(content: dict[str, Any]) -> list[Any]:
    t_waves = {t["lead"]: t["amplitude_mv"] for t in content["t"]}
    found = []
    for st in content["st"]:
        lead = st["lead"]
        items = [
            _coded("HAS CONCEPT MOD", ("122148", "DCM", "Lead ID"), (f"2:{LEAD_CODES[lead]}", "MDC", f"Lead {lead}"))
        ]
        items += [_number((f"2:{term}", "MDC", words), st[name], MV) for name, (term, words) in ST_LEVELS.items()]
        items.append(_number((f"2:{T_AMPLITUDE}", "MDC", "T wave"), t_waves.get(lead), MV))
        items.append(_number(("slope", OWN_SCHEME, "ST slope from J to J+80 ms"), st["slope_mv_per_s"], "mV/s"))
        found.append(_container("CONTAINS", ("122159", "DCM", "ECG Lead Measurements"), items, template="3714"))
    return found


def _model_results(content: dict[str, Any], case: Case) -> Any:
    items = [_text("CONTAINS", ("111001", "DCM", "Algorithm Name"), content["model"]),
             _text("CONTAINS", ("111003", "DCM", "Algorithm Version"), f"SHA-256 {content['sha256']}")]  # fmt: skip
    for place, name in enumerate(content["classes"]):
        terms = [_number(("122157", "DCM", "Probability"), content["probabilities"][place], "1")]
        for code, words in (("logits", "Logit"), ("bias", "Bias"), ("baseline", "Baseline term")):
            terms.append(_number((code.removesuffix("s"), OWN_SCHEME, words), content[code][place], LOGIT))
        for territory, value in case.of(name).by_territory().items():
            words = f"Evidence, {territory}"
            terms.append(_number((f"ev-{territory}"[:16], OWN_SCHEME, words), value, LOGIT))
        items.append(
            _container("CONTAINS", (f"label-{name}"[:16], OWN_SCHEME, f"Label {name} as used in PTB-XL"), terms)
        )
    return _container("CONTAINS", ("model", OWN_SCHEME, "Answer of a research model"), items)


def _item(relation: str, kind: str, name: Coded) -> Any:
    from pydicom.dataset import Dataset

    item = Dataset()
    if relation:
        item.RelationshipType = relation
    item.ValueType = kind
    item.ConceptNameCodeSequence = [_code(name)]
    return item


def _code(coded: Coded) -> Any:
    from pydicom.dataset import Dataset

    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = coded
    return code


def _container(relation: str, name: Coded, items: list[Any], *, template: str = "") -> Any:
    from pydicom.dataset import Dataset

    item = _item(relation, "CONTAINER", name)
    item.ContinuityOfContent = "SEPARATE"
    if template:
        used = Dataset()
        used.MappingResource, used.TemplateIdentifier = "DCMR", template
        item.ContentTemplateSequence = [used]
    item.ContentSequence = items
    return item


def _coded(relation: str, name: Coded, value: Coded) -> Any:
    item = _item(relation, "CODE", name)
    item.ConceptCodeSequence = [_code(value)]
    return item


def _text(relation: str, name: Coded, text: str) -> Any:
    item = _item(relation, "TEXT", name)
    item.TextValue = text
    return item


def _number(name: Coded, value: float | None, unit: str) -> Any:
    from pydicom.dataset import Dataset
    from pydicom.valuerep import DS

    item = _item("CONTAINS", "NUM", name)
    if value is None or not np.isfinite(value):
        item.MeasuredValueSequence = []
        item.NumericValueQualifierCodeSequence = [_code(("114006", "DCM", "Measurement failure"))]
        return item
    measured = Dataset()
    measured.NumericValue = DS(float(value), auto_format=True)  # 16 characters; all digits stand beside it
    measured.FloatingPointValue = float(value)
    measured.MeasurementUnitsCodeSequence = [_code((unit, "UCUM", _UNITS[unit]))]
    item.MeasuredValueSequence = [measured]
    return item
