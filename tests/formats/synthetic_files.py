"""Writes one seeded 12-lead ECG in every format that is read: small, valid files for the tests to read and to damage.

Each writer follows the format's published layout as closely as a reader needs; the DICOM file of the fuzz corpus comes
from `ecgimn.formats.export`.
"""

from __future__ import annotations

import base64
import binascii
import io
import struct
import zipfile
import zlib

import numpy as np
from numpy.typing import NDArray

from ecgimn.leads import INDEPENDENT_LEADS, LIMB_FROM_I_II, STANDARD_LEADS

Signal = NDArray[np.float64]


def synthetic_ecg(fs: float = 500, duration_s: float = 10, *, heart_rate: float = 72) -> Signal:
    """Return 12 consistent leads in mV, (12, n_samples): P, QRS and T as Gaussians, in whole microvolts."""
    time = np.arange(round(fs * duration_s)) / fs
    waves = ((-0.16, 0.02, 0.12), (0.0, 0.012, 1.0), (0.03, 0.012, -0.25), (0.28, 0.05, 0.3))
    beat = np.zeros_like(time)
    for r_s in np.arange(0.4, duration_s, 60 / heart_rate):
        for offset_s, width_s, size in waves:
            beat += size * np.exp(-0.5 * ((time - r_s - offset_s) / width_s) ** 2)
    rng = np.random.default_rng(12)
    scale = np.array([0.7, 1.1, -0.4, 0.3, 0.9, 1.4, 1.2, 0.9])
    independent = scale[:, None] * beat + 0.01 * rng.standard_normal((8, time.size))
    independent = 2 * np.round(independent * 500) / 1000  # even microvolts, so that half sums are whole
    limb = LIMB_FROM_I_II @ independent[:2]
    return np.vstack([limb, independent[2:]])


def microvolts(signal_mv: Signal) -> NDArray[np.int16]:
    """Return the signal in whole microvolts."""
    return np.round(signal_mv * 1000).astype("<i2")


def wfdb_files(
    signal_mv: Signal | None = None,
    *,
    fs: float = 500,
    name: str = "case",
    gain: float = 1000,
    unit: str = "/mV",
    leads: tuple[str, ...] = STANDARD_LEADS,
    baseline: int = 0,
    comments: tuple[str, ...] = (),
) -> dict[str, bytes]:
    """Return a format 16 record as {file name: bytes}; NaN becomes the gap value -32768."""
    signal_mv = synthetic_ecg(fs) if signal_mv is None else signal_mv
    steps = np.where(np.isnan(signal_mv), 0, np.round(signal_mv * gain) + baseline).astype("<i2")
    steps = np.where(np.isnan(signal_mv), np.int16(-32768), steps)
    lines = [f"{name} {len(leads)} {fs:g} {steps.shape[1]}"]
    for lead, row in zip(leads, steps, strict=True):
        checksum = int(row.astype(np.int64).sum()) & 0xFFFF
        lines.append(f"{name}.dat 16 {gain:g}({baseline}){unit} 16 0 {row[0]} {checksum} 0 {lead}")
    lines += [f"# {comment}" for comment in comments]
    return {f"{name}.hea": ("\n".join(lines) + "\n").encode(), f"{name}.dat": steps.T.astype("<i2").tobytes()}


def edf_file(
    signal_mv: Signal,
    fs: float = 500,
    *,
    leads: tuple[str, ...] = STANDARD_LEADS,
    unit: str = "uV",
    kind: str = "",
    record_s: float = 1.0,
) -> bytes:
    """Return an EDF file with data records of `record_s`, in microvolts."""
    per_record = round(fs * record_s)
    n_records = signal_mv.shape[1] // per_record
    n = len(leads)

    def column(values: list[str], width: int) -> bytes:
        return b"".join(value.encode().ljust(width)[:width] for value in values)

    fixed = (
        b"0       " + b"X M 01-JAN-1950 Doe_Jane".ljust(80) + b"Startdate 01-JAN-2001 X X X".ljust(80)
        + b"01.01.0112.00.00" + str(256 * (n + 1)).encode().ljust(8) + kind.encode().ljust(44)
        + str(n_records).encode().ljust(8) + f"{record_s:g}".encode().ljust(8) + str(n).encode().ljust(4)
    )  # fmt: skip
    parts = [(list(leads), 16), (["AgAgCl"] * n, 80), ([unit] * n, 8), (["-32768"] * n, 8), (["32767"] * n, 8)]
    parts += [(["-32768"] * n, 8), (["32767"] * n, 8), ([""] * n, 80), ([str(per_record)] * n, 8), ([""] * n, 32)]
    steps = microvolts(signal_mv)[:, : n_records * per_record].reshape(n, n_records, per_record)
    return fixed + b"".join(column(*part) for part in parts) + steps.transpose(1, 0, 2).tobytes()


def ishne_file(signal_mv: Signal, fs: int = 500) -> bytes:
    """Return an ISHNE file with twelve leads at 1,000 nV per step."""
    steps = microvolts(signal_mv)
    header = bytearray(512)

    def put(layout: str, position: int, *values: int) -> None:
        struct.pack_into(layout, header, position - 10, *values)

    put("<iiii", 10, 0, steps.shape[1], 522, 522)
    put("<h", 26, 1)
    header[28 - 10 : 28 - 10 + 4] = b"Jane"
    put("<h", 128, 2)
    put("<hhh", 138, 1, 1, 2001)
    put("<hhh", 150, 12, 0, 0)
    put("<h", 156, 12)
    put("<12h", 158, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)
    put("<12h", 206, *[1000] * 12)
    put("<h", 272, fs)
    checksum = binascii.crc_hqx(bytes(header), 0xFFFF)
    return b"ISHNE1.0" + struct.pack("<H", checksum) + bytes(header) + steps.T.astype("<i2").tobytes()


def scp_file(signal_mv: Signal, fs: int = 500, *, samples_announced: int | None = None) -> bytes:
    """Return an SCP-ECG file with the eight independent leads, uncompressed, 1,000 nV per step."""
    rows = [STANDARD_LEADS.index(lead) for lead in INDEPENDENT_LEADS]
    steps = microvolts(signal_mv[rows])
    n_samples = samples_announced or steps.shape[1]
    lead_codes = (1, 2, 3, 4, 5, 6, 7, 8)
    patient = b"".join(struct.pack("<BH", tag, len(text)) + text for tag, text in ((0, b"Doe\x00"), (2, b"4711\x00")))
    section1 = patient + struct.pack("<BHB", 8, 1, 2) + struct.pack("<BH", 255, 0)
    section3 = bytes([8, 4 | 8 << 3]) + b"".join(struct.pack("<IIB", 1, n_samples, code) for code in lead_codes)
    section6 = struct.pack("<HHBB", 1000, round(1e6 / fs), 0, 0)
    section6 += struct.pack("<8H", *[2 * steps.shape[1]] * 8) + steps.tobytes()
    bodies = {1: section1, 3: section3, 6: section6}

    def section(number: int, body: bytes) -> bytes:
        body += b"\x00" * (len(body) % 2)
        content = struct.pack("<HIBB6x", number, len(body) + 16, 13, 13) + body
        return struct.pack("<H", binascii.crc_hqx(content, 0xFFFF)) + content

    sections = {number: section(number, body) for number, body in bodies.items()}
    n_pointers = 12
    position = 7 + 16 + 10 * n_pointers
    pointers = struct.pack("<HII", 0, 16 + 10 * n_pointers, 7)
    for number in range(1, n_pointers):
        size = len(sections.get(number, b""))
        pointers += struct.pack("<HII", number, size, position if size else 0)
        position += size
    record = section(0, pointers) + b"".join(sections.values())
    sized = struct.pack("<I", len(record) + 6) + record
    return struct.pack("<H", binascii.crc_hqx(sized, 0xFFFF)) + sized


def muse_file(signal_mv: Signal, fs: int = 500, *, unit: str = "MICROVOLTS", step_uv: float = 2.0) -> bytes:
    """Return a GE MUSE XML export with the eight independent leads."""
    leads = []
    for lead in INDEPENDENT_LEADS:
        row = np.round(signal_mv[STANDARD_LEADS.index(lead)] * 1000 / step_uv).astype("<i2").tobytes()
        leads.append(
            f"<LeadData><LeadByteCountTotal>{len(row)}</LeadByteCountTotal><LeadSampleCountTotal>{len(row) // 2}"
            f"</LeadSampleCountTotal><LeadAmplitudeUnitsPerBit>{step_uv:g}</LeadAmplitudeUnitsPerBit>"
            f"<LeadAmplitudeUnits>{unit}</LeadAmplitudeUnits><LeadSampleSize>2</LeadSampleSize><LeadID>{lead}</LeadID>"
            f"<LeadDataCRC32>{zlib.crc32(row)}</LeadDataCRC32>"
            f"<WaveFormData>{base64.b64encode(row).decode()}</WaveFormData></LeadData>"
        )
    return (
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<!DOCTYPE RestingECG SYSTEM "restecg.dtd">\n<RestingECG>'
        "<PatientDemographics><PatientID>4711</PatientID><PatientAge>51</PatientAge><AgeUnits>YEARS</AgeUnits>"
        "<Gender>FEMALE</Gender><PatientLastName>Doe</PatientLastName></PatientDemographics>"
        "<TestDemographics><AcquisitionDate>01-01-2001</AcquisitionDate></TestDemographics>"
        f"<Waveform><WaveformType>Rhythm</WaveformType><SampleBase>{fs}</SampleBase><SampleExponent>0</SampleExponent>"
        f"{''.join(leads)}</Waveform></RestingECG>"
    ).encode("latin-1")


def philips_file(signal_mv: Signal, fs: int = 500) -> bytes:
    """Return a Philips Sierra 1.04 XML export, uncompressed, 1 uV per step."""
    steps = microvolts(signal_mv)
    milliseconds = steps.shape[1] * 1000 // fs
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<restingecgdata><documentinfo><documenttype>SierraECG</documenttype>'
        "<documentversion>1.04</documentversion></documentinfo><patient><generalpatientdata><patientid>4711</patientid>"
        "<name><lastname>Doe</lastname></name><sex>Female</sex></generalpatientdata></patient><dataacquisition>"
        f"<signalcharacteristics><samplingrate>{fs}</samplingrate><signalresolution>1</signalresolution>"
        "<numberchannelsallocated>12</numberchannelsallocated><numberchannelsvalid>12</numberchannelsvalid>"
        "</signalcharacteristics></dataacquisition><waveforms>"
        f'<parsedwaveforms dataencoding="Base64" compression="Uncompressed" durationperchannel="{milliseconds}" '
        f'samplespersecond="{fs}" numberofleads="12" leadlabels="{" ".join(STANDARD_LEADS)}" resolution="1">'
        f"{base64.b64encode(steps.tobytes()).decode()}</parsedwaveforms></waveforms></restingecgdata>"
    ).encode()


def aecg_file(signal_mv: Signal, fs: float = 500, *, unit: str = "uV") -> bytes:
    """Return an HL7 aECG with twelve leads, 1 uV per digit."""
    sequences = [
        '<component><sequence><code code="TIME_RELATIVE"/><value type="GLIST_PQ"><head value="0" unit="s"/>'
        f'<increment value="{1 / fs!r}" unit="s"/></value></sequence></component>'
    ]
    for lead, row in zip(STANDARD_LEADS, microvolts(signal_mv), strict=True):
        sequences.append(
            f'<component><sequence><code code="MDC_ECG_LEAD_{lead.upper()}"/><value type="SLIST_PQ">'
            f'<origin value="0" unit="{unit}"/><scale value="1" unit="{unit}"/>'
            f"<digits>{' '.join(map(str, row))}</digits></value></sequence></component>"
        )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<AnnotatedECG xmlns="urn:hl7-org:v3"><id root="1.2.3"/>'
        '<component><series><code code="RHYTHM"/><component><sequenceSet>'
        f"{''.join(sequences)}</sequenceSet></component></series></component></AnnotatedECG>"
    ).encode()


def csv_file(signal_mv: Signal, fs: float = 500, *, header: bool = True) -> bytes:
    """Return a table in mV with a time column, or in uV without names and time."""
    lines = []
    if header:
        lines.append(",".join(["time_s", *(f"{lead} (mV)" for lead in STANDARD_LEADS)]))
        for sample, values in enumerate(signal_mv.T):
            lines.append(f"{sample / fs:.6f}," + ",".join(f"{value:.3f}" for value in values))
    else:
        lines += [",".join(map(str, values)) for values in microvolts(signal_mv).T]
    return ("\n".join(lines) + "\n").encode()


def npy_file(array: NDArray[np.generic]) -> bytes:
    """Return an NPY file."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def npz_file(**arrays: NDArray[np.generic]) -> bytes:
    """Return a compressed NPZ file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def mat_file(**arrays: object) -> bytes:
    """Return a compressed MAT file of version 5."""
    from scipy.io import savemat

    buffer = io.BytesIO()
    savemat(buffer, arrays, do_compression=True)
    return buffer.getvalue()


def zip_file(files: dict[str, bytes]) -> bytes:
    """Return a ZIP archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def every_format(fs: int = 500, duration_s: float = 10) -> dict[str, dict[str, bytes]]:
    """Return {format: its files} with the same ECG in all of them."""
    signal_mv = synthetic_ecg(fs, duration_s)
    names = np.array(STANDARD_LEADS)
    return {
        "WFDB": wfdb_files(signal_mv, fs=fs),
        "EDF": {"ecg.edf": edf_file(signal_mv, fs)},
        "ISHNE": {"ecg.ecg": ishne_file(signal_mv, fs)},
        "SCP-ECG": {"ecg.scp": scp_file(signal_mv, fs)},
        "MUSE": {"muse.xml": muse_file(signal_mv, fs)},
        "Philips": {"philips.xml": philips_file(signal_mv, fs)},
        "aECG": {"aecg.xml": aecg_file(signal_mv, fs)},
        "CSV": {"ecg.csv": csv_file(signal_mv, fs)},
        "NPZ": {"ecg.npz": npz_file(ecg=signal_mv, fs=np.array(fs), units=np.array("mV"), leads=names)},
        "MAT": {"ecg.mat": mat_file(ecg=signal_mv, fs=float(fs), units="mV", leads=np.array(names, dtype=object))},
        "ZIP": {"ecg.zip": zip_file(wfdb_files(signal_mv, fs=fs))},
    }
