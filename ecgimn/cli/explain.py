"""explain: one recording as JSON and as a report."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from ecgimn.cli.terminal import ModelOption, refuse, writable, write_json
from ecgimn.model import DEFAULT_MODEL
from ecgimn.recording import WINDOW_S, Recording, Sex


def explain(
    file: Annotated[Path, typer.Argument(help="One recording: WFDB, DICOM, SCP, EDF, XML, CSV, NPY, MAT ...")],
    model: ModelOption = DEFAULT_MODEL,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write JSON here instead of to the screen.")] = None,
    png: Annotated[Path | None, typer.Option(help="Write the report as PNG.")] = None,
    pdf: Annotated[Path | None, typer.Option(help="Write the report as PDF, true to the millimetre.")] = None,
    class_name: Annotated[
        str | None, typer.Option("--class", help="Class drawn; the most probable by default.")
    ] = None,
    start: Annotated[float, typer.Option(help="Start of the 10 s window in seconds, for longer recordings.")] = 0.0,
    age: Annotated[int | None, typer.Option(help="Years; chooses the ST thresholds only.")] = None,
    sex: Annotated[str | None, typer.Option(help="male or female; chooses the ST thresholds only.")] = None,
    fs: Annotated[float | None, typer.Option(help="Sampling frequency in Hz, where the file does not say.")] = None,
    unit: Annotated[str | None, typer.Option(help="V, mV or uV, where the file does not say.")] = None,
    leads: Annotated[
        str | None, typer.Option(help="Names in the file's order, by comma; leave one empty to skip a column.")
    ] = None,
    double: Annotated[bool, typer.Option("--float64", help="Run the network in float64.")] = False,
    despite_quality: Annotated[bool, typer.Option(help="Ask the model although the quality check refuses.")] = False,
) -> None:
    """Explain one recording: logits, ledger, ST levels and findings as JSON, a report as PNG or PDF.

    Where the quality check refuses the model, the files named hold the trace, measurements and findings alone.
    """
    from ecgimn.errors import QualityError
    from ecgimn.explain.as_json import explanation_json, measured_json
    from ecgimn.explain.case import open_case
    from ecgimn.explain.explanation import explain as explain_recording
    from ecgimn.formats import ReadingHints, read_recording
    from ecgimn.model.model import load_model
    from ecgimn.signal.reading import read_signal

    names = None if leads is None else tuple(name.strip() for name in leads.split(","))
    hints = ReadingHints(fs=fs, unit=unit, leads=names)
    whole = read_recording(file, age=age, sex=_sex(sex), hints=hints)
    loaded = load_model(model)
    if class_name is not None and class_name not in loaded.classes:
        refuse(f"Class {class_name!r} is not one of {', '.join(loaded.classes)}. Name one of them.")
    recording = whole.window(start)
    reading, run = read_signal(recording), partial(explain_recording, double=double)
    window = {"start_s": start, "duration_s": recording.duration_s, "of_s": whole.duration_s}
    try:
        case = open_case(recording, loaded, despite_quality=despite_quality, read=lambda _: reading, explain=run)
    except QualityError:
        if json_path is not None:
            write_json({**measured_json(reading), "window": window}, json_path)
        for path in (png, pdf):
            if path is not None:
                from ecgimn.draw.print.case import write_measured_report

                write_measured_report(writable(path), reading)
        raise
    content = {**explanation_json(case), "window": window}
    if whole.n_samples > recording.n_samples:
        content["windows"] = [_window_json(whole, at, loaded, double=double) for at in _window_starts(whole)]
    if json_path is not None or (png is None and pdf is None):
        write_json(content, json_path)
    for path in (png, pdf):
        if path is not None:
            from ecgimn.draw.print.case import write_case_report

            write_case_report(writable(path), case, class_name=class_name or case.most_probable)


def _sex(text: str | None) -> Sex | None:
    if text is None:
        return None
    match text.strip().lower():
        case "male" | "m":
            return "male"
        case "female" | "f":
            return "female"
    refuse(f"Sex {text!r} is not known. male or female is needed; leave it out when unknown.")


def _window_starts(whole: Recording) -> list[float]:
    n_windows = int(whole.duration_s // WINDOW_S)
    rest = whole.duration_s - n_windows * WINDOW_S
    starts = [WINDOW_S * i for i in range(n_windows)]
    return [*starts, whole.duration_s - WINDOW_S] if rest > 1e-6 else starts


def _window_json(whole: Recording, start: float, model: Any, *, double: bool) -> dict[str, Any]:
    from ecgimn.explain.explanation import explain as explain_recording

    explanation = explain_recording(whole.window(start), model, double=double)
    return {
        "start_s": round(start, 6),
        "logits": explanation.logit.tolist(),
        "probabilities": explanation.probability.tolist(),
        "completeness_error": explanation.completeness_error,
    }
