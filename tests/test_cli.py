"""The command line explains real files, and answers bad ones with one plain sentence and exit code 2."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from ecgimn.cli import main

ROOT = Path(__file__).resolve().parents[1]
LEADS = ("I", "II", "III", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5", "V6")


def started(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command line as a program of its own, which takes seconds to start."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "ecgimn", *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command line in this process, as `python -m ecgimn` does; what no reader can mend fails the test."""
    command, code = ["ecgimn", *map(str, arguments)], 0
    with (
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(io.StringIO()) as out,
        redirect_stderr(io.StringIO()) as said,
    ):
        patch.setattr(sys, "argv", command)
        patch.chdir(ROOT)
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    return subprocess.CompletedProcess(command, code, out.getvalue(), said.getvalue())


def synthetic_uv(fs: int = 500, duration_s: float = 10.0) -> np.ndarray:
    """Return 12 consistent leads with P, QRS and T at 75 per minute, (n_samples, 12), int16 in microvolts."""
    t = np.arange(round(duration_s * fs)) / fs
    eight = np.zeros((8, len(t)))
    size = np.array([0.6, 1.1, -0.5, 0.4, 0.8, 1.3, 1.2, 0.9])[:, None]
    for beat in np.arange(0.5, duration_s - 0.3, 0.8):
        for amplitude, offset, width in ((0.12, -0.16, 0.02), (-0.1, -0.03, 0.01), (1.0, 0, 0.012), (0.3, 0.28, 0.05)):
            eight += size * amplitude * np.exp(-0.5 * ((t - beat - offset) / width) ** 2)
    i, ii = eight[0], eight[1]
    limb = np.stack([i, ii, ii - i, -(i + ii) / 2, i - ii / 2, ii - i / 2])
    return np.round(1000 * np.concatenate([limb, eight[2:]])).astype("<i2").T


def write(folder: Path, samples: np.ndarray, *, leads: tuple[str, ...] = LEADS, fs: str = "500") -> Path:
    samples.tofile(folder / "case.dat")
    lines = [f"case {len(leads)} {fs} {len(samples)}"]
    sums = samples.astype(np.int64).sum(axis=0) % 65536
    lines += [f"case.dat 16 1000.0(0)/mV 16 0 {samples[0, k]} {sums[k]} 0 {lead}" for k, lead in enumerate(leads)]
    path = folder / "case.hea"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_an_explained_file_sums_to_its_logits_and_prints(tmp_path):
    path = write(tmp_path, synthetic_uv())
    out = tmp_path / "out.json"
    done = started("explain", path, "--json", out, "--pdf", tmp_path / "out.pdf", "--age", "50", "--sex", "female")
    assert done.returncode == 0, done.stderr
    result = json.loads(out.read_text())
    assert set(result) >= {
        "model", "sha256", "fs", "classes", "logits", "probabilities", "bias", "completeness_error", "ledger", "st",
        "findings", "quality",
    }  # fmt: skip
    for k, name in enumerate(result["classes"]):
        evidence = sum(row["logit"] for row in result["ledger"] if row["class"] == name)
        assert evidence + result["bias"][k] + result["baseline"][k] == pytest.approx(result["logits"][k], abs=1e-4)
    assert result["completeness_error"] < 1e-4
    Draft202012Validator(json.loads((ROOT / "docs" / "explanation.schema.json").read_text())).validate(result)
    assert [row["lead"] for row in result["st"]] == ["I", "II", "III", "aVR", "aVL", "aVF", *LEADS[6:]]
    assert (tmp_path / "out.pdf").read_bytes().startswith(b"%PDF")
    assert "case" not in out.read_text().replace("case of", "")  # the file's name stays outside


def test_two_files_of_a_patient_are_compared_and_printed(tmp_path):
    folders = [tmp_path / name for name in ("earlier", "later")]
    for folder, gain in zip(folders, (1.0, 1.6), strict=True):
        folder.mkdir()
        write(folder, np.round(gain * synthetic_uv()).astype("<i2"))
    files = [folder / "case.hea" for folder in folders]
    out, pdf = tmp_path / "out.json", tmp_path / "out.pdf"
    done = run("difference", *files, "--json", out, "--pdf", pdf, "--since", "1987-03-02")
    assert done.returncode == 0, done.stderr
    assert pdf.read_bytes().startswith(b"%PDF")
    result = json.loads(out.read_text())
    assert result["completeness_error"] < 1e-4
    for k, name in enumerate(result["classes"]):
        rows = [row for row in result["ledger"] if row["class"] == name]
        total = sum(row["voltage"] + row["weights"] for row in rows) + result["bias"][k] + result["baseline"][k]
        assert abs(total - result["logits"][k]) < 1e-4
    assert result["mimics"][0]["kind"] == "gain"
    assert result["since"] == "1987-03-02"
    assert "case" not in json.dumps(result["earlier"])


def test_the_recording_that_cannot_be_compared_is_named(tmp_path):
    folders = [tmp_path / name for name in ("earlier", "later")]
    for folder in folders:
        folder.mkdir()
    files = [write(folders[0], synthetic_uv()), flat(folders[1])]
    done = run("difference", *files)
    assert done.returncode == 2
    assert done.stderr.startswith("The later recording: ")


def test_every_wave_is_taken_out_when_asked_for_and_page_and_slide_are_written(tmp_path):
    path, out = write(tmp_path, synthetic_uv()), tmp_path / "out.json"
    sheets = {kind: tmp_path / f"{kind}.svg" for kind in ("sheet", "slide")}
    done = run("explain", path, "--json", out, "--measured", "--sheet", sheets["sheet"], "--slide", sheets["slide"])
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())["taken_out"]
    assert {"class", "lead", "wave", "booked", "measured", "margin", "agreement"} == set(found["cells"][0])
    assert found["runs"] > 60
    for path in sheets.values():
        assert b"Not a medical device" in path.read_bytes()
    refused = run("explain", path, "--sheet", tmp_path / "page.gif")
    assert refused.returncode == 2
    assert ".pdf or .svg or .png is needed" in refused.stderr.replace("\n", " ")


def test_double_precision_is_exact_to_nine_digits(tmp_path):
    done = run("explain", write(tmp_path, synthetic_uv()), "--float64")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["completeness_error"] < 1e-9


def test_a_longer_recording_is_explained_window_by_window(tmp_path):
    done = run("explain", write(tmp_path, synthetic_uv(duration_s=23.0)), "--start", "5")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["window"] == {"start_s": 5.0, "duration_s": 10.0, "of_s": 23.0}
    assert [(window["start_s"], window["duration_s"]) for window in result["windows"]] == [
        (0, 10),
        (10, 6.5),
        (16.5, 6.5),
    ]
    assert not any(window["refusals"] for window in result["windows"])


def truncated(folder: Path) -> Path:
    path = write(folder, synthetic_uv())
    data = (folder / "case.dat").read_bytes()
    (folder / "case.dat").write_bytes(data[: len(data) // 2])
    return path


def without_samples(folder: Path) -> Path:
    path = write(folder, synthetic_uv())
    (folder / "case.dat").unlink()
    return path


def malformed(folder: Path) -> Path:
    path = folder / "case.hea"
    path.write_text("case twelve 500 5000\nnonsense\n")
    return path


def three_leads(folder: Path) -> Path:
    return write(folder, np.ascontiguousarray(synthetic_uv()[:, :3]), leads=LEADS[:3])


def with_gaps(folder: Path) -> Path:
    samples = synthetic_uv()
    samples[1000:2000, 4] = -32768
    return write(folder, samples)


def flat(folder: Path) -> Path:
    samples = synthetic_uv()
    samples[:, 8] = 0
    return write(folder, samples)


BAD = {
    "malformed header": malformed,
    "truncated .dat": truncated,
    "missing .dat": without_samples,
    "three leads": three_leads,
    "fs 0": lambda folder: write(folder, synthetic_uv(), fs="0"),
    "gaps": with_gaps,
    "flat lead": flat,
    "no file": lambda folder: folder / "nothing.hea",
    "a folder": lambda folder: folder,
}


@pytest.mark.parametrize(("kind", "by"), [*((kind, run) for kind in BAD), ("truncated .dat", started)])
def test_a_bad_file_gets_one_plain_sentence_and_exit_code_2(kind, by, tmp_path):
    done = by("explain", BAD[kind](tmp_path))
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert 20 < len(done.stderr.strip()) < 600
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("spoil", [flat, with_gaps])
def test_a_refusal_of_the_model_hides_neither_trace_nor_measurements_nor_findings(spoil, tmp_path):
    out, report = tmp_path / "out.json", tmp_path / "out.pdf"
    done = run("explain", spoil(tmp_path), "--json", out, "--pdf", report)
    assert done.returncode == 2
    result = json.loads(out.read_text())
    assert result["logits"] == []
    assert result["quality"]["refusals"]
    assert len(result["st"]) == 12
    assert result["intervals"]["heart_rate"]["value"] == pytest.approx(75, abs=2)
    assert result["findings"]
    assert report.read_bytes().startswith(b"%PDF")


def test_unknown_names_get_one_plain_sentence(tmp_path):
    path = write(tmp_path, synthetic_uv())
    for arguments in (("--model", "../x"), ("--class", "STEMI"), ("--sex", "unknown"), ("--start", "9")):
        done = run("explain", path, *arguments)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.skipif("ECGIMN_PTBXL" not in os.environ, reason="ECGIMN_PTBXL does not name a PTB-XL folder")
def test_a_real_record_agrees_with_itself_at_both_rates():
    from ecgimn.explain.explanation import explain
    from ecgimn.model.model import load_model
    from ecgimn.sources.ptbxl import open_ptbxl

    ptbxl, model = open_ptbxl(), load_model()
    both = [int(i) for i in ptbxl.ids(fs=500) if 100 in ptbxl.rates(int(i))][:12]
    assert both
    gaps = [
        np.abs(explain(ptbxl.recording(i, 500), model).logit - explain(ptbxl.recording(i, 100), model).logit).max()
        for i in both
    ]
    assert np.median(gaps) < 0.15


@pytest.mark.skipif("ECGIMN_FIXTURES" not in os.environ, reason="ECGIMN_FIXTURES does not name a folder of real files")
def test_a_real_normal_recording_of_another_device_is_explained_exactly():
    done = run("explain", Path(os.environ["ECGIMN_FIXTURES"]) / "wfdb" / "56.hea")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["completeness_error"] < 1e-4
    assert result["waves"]["beats"] >= 8


def test_the_version_is_printed():
    import ecgimn

    done = started("--version")
    assert (done.returncode, done.stdout.strip()) == (0, f"ecgimn {ecgimn.__version__}")


def test_the_models_are_listed_with_what_they_decide_and_which_is_the_default():
    from ecgimn.model import DEFAULT_MODEL
    from ecgimn.model.card import read_card
    from ecgimn.model.model import MODELS_FOLDER, list_models

    done = run("models")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["model", "classes", "AUROC", "MB", "chosen", "for"]
    for name in list_models():
        card = read_card(MODELS_FOLDER / f"{name}.json")
        (line,) = (line for line in lines if line.split(" ")[0] == name)
        assert (" (default)" in line) == (name == DEFAULT_MODEL)
        assert line.endswith(card.purpose or card.task)
        area = card.metrics["discrimination"]["macro_auroc"]
        assert f"{area[0] if isinstance(area, list) else area:.3f} (fold 9)" in line


def test_a_file_on_standard_input_is_explained_like_one_with_a_name(tmp_path):
    samples = synthetic_uv()
    np.savez(tmp_path / "case.npz", ecg=samples, fs=500, units=np.array("uV"), leads=np.array(LEADS))
    path = write(tmp_path, samples)
    command = [sys.executable, "-m", "ecgimn", "explain", "-"]
    done = subprocess.run(
        command, cwd=ROOT, input=(tmp_path / "case.npz").read_bytes(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    piped, named = json.loads(done.stdout), json.loads(run("explain", path).stdout)
    assert piped["logits"] == pytest.approx(named["logits"], abs=1e-4)
    nothing = subprocess.run(command, cwd=ROOT, input=b"", capture_output=True, check=False)
    assert nothing.returncode == 2
    assert b"Traceback" not in nothing.stderr


def test_a_library_that_only_an_extra_brings_is_named_with_its_extra(tmp_path):
    """The app without Streamlit: a folder on the path hides it."""
    (tmp_path / "streamlit.py").write_text("raise ModuleNotFoundError('No module named streamlit', name='streamlit')")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "ecgimn", "app"], cwd=ROOT, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 2
    assert done.stderr.strip().endswith("Install it with: pip install 'ecgimn[app]'")
    assert "Traceback" not in done.stderr
