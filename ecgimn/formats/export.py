"""De-identified copies of a recording as WFDB, DICOM or CSV: samples, leads, rate, and nothing about the patient.

Every WFDB and CSV file carries the intended-use line and the recording's digest, a DICOM file a short form of the line;
none carries a date, a file name or header text of its source. Age and sex go along only when asked for.
"""

from __future__ import annotations

import io
import re
import tempfile
import zipfile
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ecgimn.about import INTENDED_USE
from ecgimn.escape import for_file_name
from ecgimn.leads import STANDARD_LEADS
from ecgimn.recording import Recording

SampleKind = Literal["wfdb", "dicom", "csv"]
SAMPLE_KINDS: tuple[SampleKind, ...] = get_args(SampleKind)

STEPS_PER_MV = 1000  # 1 uV, the step of PTB-XL; coarser only where 16 bits would overflow
GAP = -(2**15)
_FULL_SCALE = 2**15 - 1

_TWELVE_LEAD_ECG = "1.2.840.10008.5.1.4.1.1.9.1.1"  # 200 to 1,000 Hz, at most 16,384 samples (PS3.3 A.34.3)
_GENERAL_ECG = "1.2.840.10008.5.1.4.1.1.9.1.2"
NO_DATE = "19000101"  # stands for a removed date where DICOM requires one

#: Codes of the leads in ISO/IEEE 11073-10102, as PS3.16 CID 3001 lists them.
LEAD_CODES = dict(zip(STANDARD_LEADS, (1, 2, 61, 62, 63, 64, 3, 4, 5, 6, 7, 8), strict=True))


def write_wfdb(recording: Recording, folder: Path | str) -> Path:
    """Write a WFDB record (format 16) into a folder; return its header's path.

    Parameters
    ----------
    recording : Recording
    folder : path
        Must exist. The files are named after `recording.record_name`.

    Returns
    -------
    path
        The .hea file; the .dat file lies beside it.
    """
    import wfdb

    steps, steps_per_mv = in_steps(recording.signal)
    name = file_stem(recording)
    wfdb.wrsamp(
        name,
        fs=recording.fs,
        units=["mV"] * 12,
        sig_name=list(STANDARD_LEADS),
        d_signal=steps.T.astype(np.int64),
        fmt=["16"] * 12,
        adc_gain=[float(steps_per_mv)] * 12,
        baseline=[0] * 12,
        comments=[INTENDED_USE, f"digest {recording.digest}"],
        write_dir=str(folder),
    )
    return Path(folder) / f"{name}.hea"


def write_csv(recording: Recording, path: Path | str) -> Path:
    """Write a table with the time in seconds and twelve columns in mV; an empty cell is a gap.

    Parameters
    ----------
    recording : Recording
    path : path
        The file to write.
    """
    time_s = np.arange(recording.n_samples) / recording.fs
    lines = [f"# {INTENDED_USE}", f"# digest {recording.digest}"]
    lines.append(",".join(["time_s", *(f"{lead} (mV)" for lead in STANDARD_LEADS)]))
    for instant, values in zip(time_s, recording.signal.T, strict=True):
        cells = ["" if np.isnan(value) else f"{value:.6f}" for value in values]
        lines.append(f"{instant:.6f}," + ",".join(cells))
    path = Path(path)
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    return path


def write_dicom(recording: Recording, path: Path | str, *, with_age_and_sex: bool = False) -> Path:
    """Write a DICOM ECG waveform object without patient, dates or institution.

    A recording that the 12-lead ECG object does not admit (below 200 Hz, or more than 16,384 samples) becomes a general
    ECG object.

    Parameters
    ----------
    recording : Recording
    path : path
        The file to write.
    with_age_and_sex : bool, default=False
        Whether to keep age (90 stands for "90 or older") and sex, on which the ST thresholds depend.
    """
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

    fits = 200 <= recording.fs <= 1000 and recording.n_samples <= 16_384
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(_TWELVE_LEAD_ECG if fits else _GENERAL_ECG)
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian

    path = Path(path)
    dataset = FileDataset(str(path), Dataset(), file_meta=meta, preamble=b"\x00" * 128)
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID = generate_uid()
    dataset.SeriesInstanceUID = generate_uid()
    dataset.Modality = "ECG"
    dataset.PatientName = dataset.PatientID = dataset.PatientBirthDate = dataset.PatientSex = ""
    if with_age_and_sex and recording.sex is not None:
        dataset.PatientSex = {"male": "M", "female": "F"}[recording.sex]
    if with_age_and_sex and recording.age is not None:
        dataset.PatientAge = f"{recording.age:03d}Y"
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "new object with samples, leads and rate only"
    dataset.StudyDate = dataset.StudyTime = dataset.StudyID = dataset.AccessionNumber = ""
    dataset.ReferringPhysicianName = ""
    dataset.ContentDate, dataset.ContentTime = NO_DATE, "000000"
    dataset.AcquisitionDateTime = f"{NO_DATE}000000"
    dataset.SeriesNumber = dataset.InstanceNumber = "1"
    dataset.Manufacturer = "ECG-IMN Reader"
    dataset.SeriesDescription = "Research and teaching only, not for patient care"
    dataset.ContentQualification = "RESEARCH"
    dataset.AcquisitionContextSequence = []
    dataset.WaveformSequence = [_multiplex_group(recording)]
    dataset.save_as(path, enforce_file_format=True)
    return path


def samples_bytes(kind: SampleKind, recording: Recording, *, with_age_and_sex: bool = False) -> bytes:
    """Return a de-identified copy as the bytes of one file.

    Parameters
    ----------
    kind : {"wfdb", "dicom", "csv"}
        WFDB comes as a ZIP archive of header and .dat file.
    recording : Recording
    with_age_and_sex : bool, default=False
        As in `write_dicom`; the other formats have no place for them.
    """
    with tempfile.TemporaryDirectory(prefix="ecgimn-export-") as folder:
        if kind == "dicom":
            return write_dicom(recording, Path(folder) / "ecg.dcm", with_age_and_sex=with_age_and_sex).read_bytes()
        if kind == "csv":
            return write_csv(recording, Path(folder) / "ecg.csv").read_bytes()
        header = write_wfdb(recording, folder)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in (header, header.with_suffix(".dat")):
                entry = zipfile.ZipInfo(path.name)  # dated 1980, so that equal recordings give equal bytes
                archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
        return packed.getvalue()


def file_stem(recording: Recording) -> str:
    """Return the recording's name as a file name without extension: letters, digits and hyphens."""
    return for_file_name(re.sub(r"[^A-Za-z0-9]+", "-", recording.record_name).strip("-")[:60] or "case")


def _multiplex_group(recording: Recording) -> object:
    """Return the one waveform group: 12 channels of int16, scaled in microvolts."""
    from pydicom.dataset import Dataset

    steps, steps_per_mv = in_steps(recording.signal)
    group = Dataset()
    group.WaveformOriginality = "ORIGINAL"
    group.NumberOfWaveformChannels = 12
    group.NumberOfWaveformSamples = recording.n_samples
    group.SamplingFrequency = f"{recording.fs:.10g}"
    group.WaveformBitsAllocated = 16
    group.WaveformSampleInterpretation = "SS"
    group.add_new("WaveformPaddingValue", "OW", np.array([GAP], dtype="<i2").tobytes())
    group.add_new("WaveformData", "OW", steps.T.astype("<i2").tobytes())
    group.ChannelDefinitionSequence = []
    for lead in STANDARD_LEADS:
        channel = Dataset()
        channel.ChannelLabel = f"Lead {lead}"
        channel.ChannelSourceSequence = [_code(f"2:{LEAD_CODES[lead]}", "MDC", f"Lead {lead}")]
        channel.ChannelSensitivity = f"{1000 / steps_per_mv:.10g}"
        channel.ChannelSensitivityUnitsSequence = [_code("uV", "UCUM", "microvolt")]
        channel.ChannelSensitivityCorrectionFactor = "1"
        channel.ChannelBaseline = "0"
        channel.ChannelSampleSkew = "0"
        channel.WaveformBitsStored = 16
        group.ChannelDefinitionSequence.append(channel)
    return group


def _code(value: str, scheme: str, meaning: str) -> object:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def in_steps(signal: NDArray[np.float32]) -> tuple[NDArray[np.int16], int]:
    """Return the signal in whole steps, and the number of steps per mV; -32768 marks a gap."""
    largest = float(np.nanmax(np.abs(signal)))
    steps_per_mv = STEPS_PER_MV
    while steps_per_mv > 1 and largest * steps_per_mv > _FULL_SCALE:
        steps_per_mv //= 2
    rounded = np.clip(np.round(signal.astype(np.float64) * steps_per_mv), -_FULL_SCALE, _FULL_SCALE)
    return np.where(np.isnan(signal), GAP, rounded).astype(np.int16), steps_per_mv
