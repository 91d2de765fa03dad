"""explain and batch: one recording as JSON and as a report, thousands of them into Parquet."""

from __future__ import annotations

import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from ecgimn.cli.terminal import ModelOption, errors, refuse, writable, write_json
from ecgimn.errors import QualityError
from ecgimn.model import DEFAULT_MODEL
from ecgimn.recording import Recording, Sex

if TYPE_CHECKING:
    from ecgimn.explain.case import Case, WindowLogits
    from ecgimn.explain.measured import MeasuredLedger
    from ecgimn.formats import ReadingHints
    from ecgimn.formats.table import Fact, Orientation
    from ecgimn.hospital import SubjectFacts
    from ecgimn.signal.reading import SignalReading


#: The option that answers each question a file leaves open.
_OPTIONS: dict[Fact, str] = {
    "variable": "--variable NUMBER",
    "orientation": "--transpose or --no-transpose",
    "leads": "--leads NAMES",
    "fs": "--fs HZ",
    "unit": "--unit UNIT",
}


def explain(
    file: Annotated[
        Path,
        typer.Argument(help="One recording: WFDB, DICOM, SCP, EDF, XML, CSV, NPY, MAT ...; - for standard input."),
    ],
    model: ModelOption = DEFAULT_MODEL,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write JSON here instead of to the screen.")] = None,
    png: Annotated[Path | None, typer.Option(help="Write the report as PNG.")] = None,
    pdf: Annotated[Path | None, typer.Option(help="Write the report as PDF, true to the millimetre.")] = None,
    fhir: Annotated[
        Path | None, typer.Option(help="Write a FHIR R4 bundle (.json): report, samples, measurements, answer.")
    ] = None,
    dicom_sr: Annotated[
        Path | None, typer.Option("--dicom-sr", help="Write a DICOM ECG report (.dcm): measurements and answer.")
    ] = None,
    patient_id: Annotated[
        str, typer.Option(help="Identifier of the patient in FHIR bundle and DICOM report; none by default.")
    ] = "",
    with_age_and_sex: Annotated[
        bool, typer.Option("--with-age-and-sex", help="Age and sex go into FHIR bundle and DICOM report.")
    ] = False,
    sheet: Annotated[Path | None, typer.Option(help="Write one A4 page to file or show, as PDF, SVG or PNG.")] = None,
    slide: Annotated[Path | None, typer.Option(help="Write a 16:9 slide, as PDF, SVG or PNG.")] = None,
    measured: Annotated[
        bool,
        typer.Option(
            "--measured",
            help="Take every wave out and run the network again: booked beside measured in JSON, PDF and PNG.",
        ),
    ] = False,
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
    variable: Annotated[
        str | None, typer.Option(help="Name or number of the array to read, where a file holds several.")
    ] = None,
    transpose: Annotated[
        bool | None,
        typer.Option(
            "--transpose/--no-transpose", help="Leads lie in rows, or in columns, where a table does not show."
        ),
    ] = None,
    double: Annotated[bool, typer.Option("--float64", help="Run the network in float64.")] = False,
    despite_quality: Annotated[bool, typer.Option(help="Run the model although the quality check refuses.")] = False,
) -> None:
    """Explain one recording: logits, ledger, ST levels and findings as JSON, a report as PNG or PDF, a page or slide.

    Where the quality check refuses the model, JSON and report hold the trace, measurements and findings alone; page and
    slide are not written.
    """
    from ecgimn.explain.as_json import explanation_json, measured_json
    from ecgimn.explain.case import explain_windows, open_case
    from ecgimn.explain.explanation import explain as explain_recording
    from ecgimn.hospital import SubjectFacts
    from ecgimn.model.model import load_model
    from ecgimn.signal.reading import read_signal

    pictures = (".pdf", ".svg", ".png")
    for path, kinds in ((png, (".png",)), (pdf, (".pdf",)), (sheet, pictures), (slide, pictures)):
        if path is not None and path.suffix.lower() not in kinds:
            refuse(
                f"{'The report' if len(kinds) == 1 else 'Page or slide'} cannot be written as "
                f"{path.suffix or 'a file without extension'} here. {' or '.join(kinds)} is needed. Choose such a name."
            )
        if path is not None:
            writable(path)
    if (patient_id or with_age_and_sex) and fhir is None and dicom_sr is None:
        refuse("--patient-id and --with-age-and-sex say what goes into --fhir or --dicom-sr. Name one of these files.")
    subject = SubjectFacts(patient_id, with_age_and_sex)
    whole = _read(file, _hints(fs, unit, leads, variable, transpose), age, _sex(sex))
    loaded = load_model(model)
    if class_name is not None and class_name not in loaded.classes:
        refuse(f"Class {class_name!r} is not one of {', '.join(loaded.classes)}. Name one of them.")
    recording = whole.window(start)
    reading, run = read_signal(recording), partial(explain_recording, double=double)
    window = {"start_s": start, "duration_s": recording.duration_s, "of_s": whole.duration_s}
    try:
        case = open_case(recording, loaded, despite_quality=despite_quality, read=lambda _: reading, explain=run)
    except QualityError as exc:
        if json_path is not None:
            write_json({**measured_json(reading), "window": window}, json_path)
        for path in (png, pdf):
            if path is not None:
                from ecgimn.draw.print.case import write_measured_report

                write_measured_report(writable(path), reading)
        _write_hospital(fhir, dicom_sr, reading, None, subject)
        refuse(" ".join((str(exc), *_other_windows(whole, recording))))
    taken_out = None
    if (measured or sheet is not None or slide is not None) and reading.waves is not None:
        from ecgimn.explain.measured import measure_case

        taken_out = measure_case(case, loaded)
    content = {**explanation_json(case, taken_out if measured else None), "window": window}
    if whole.n_samples > recording.n_samples:
        content["windows"] = _windows_json(explain_windows(whole, loaded, double=double))
    if json_path is not None or not any((png, pdf, sheet, slide, fhir, dicom_sr)):
        write_json(content, json_path)
    shown = class_name or case.most_probable
    _write_hospital(fhir, dicom_sr, reading, case, subject)
    for path in (png, pdf):
        if path is not None:
            from ecgimn.draw.print.case import write_case_report

            write_case_report(path, case, class_name=shown, measured=taken_out if measured else None)
    if sheet is not None:
        _write_sheet(sheet, "page", case, shown, taken_out)
    if slide is not None:
        _write_sheet(slide, "slide", case, shown, taken_out)


def _write_sheet(
    path: Path, sheet: Literal["page", "slide"], case: Case, class_name: str, measured: MeasuredLedger | None
) -> None:
    from ecgimn.draw.print.case import case_sheet

    kind: Any = path.suffix.lower().lstrip(".")
    try:
        content = case_sheet(sheet, kind, case, class_name=class_name, measured=measured)
    except ValueError as exc:  # a slide without a mean beat
        refuse(str(exc))
    path.write_bytes(content)


def _write_hospital(
    fhir: Path | None, dicom_sr: Path | None, reading: SignalReading, case: Case | None, subject: SubjectFacts
) -> None:
    from ecgimn.hospital import HOSPITAL_KINDS, hospital_bytes

    for kind, path in zip(HOSPITAL_KINDS, (fhir, dicom_sr), strict=True):
        if path is not None:
            writable(path).write_bytes(hospital_bytes(kind, reading, case, subject=subject))


def difference(
    earlier: Annotated[Path, typer.Argument(help="The earlier recording of a patient.")],
    later: Annotated[Path, typer.Argument(help="The later recording of the same patient.")],
    model: ModelOption = DEFAULT_MODEL,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write JSON here instead of to the screen.")] = None,
    pdf: Annotated[Path | None, typer.Option(help="Write one page as PDF.")] = None,
    class_name: Annotated[
        str | None, typer.Option("--class", help="Class of the page; the one that changed most by default.")
    ] = None,
    since: Annotated[str, typer.Option(help="Date of the earlier recording, as printed.")] = "",
    age: Annotated[int | None, typer.Option(help="Years at the later recording.")] = None,
    sex: Annotated[str | None, typer.Option(help="male or female.")] = None,
    fs: Annotated[float | None, typer.Option(help="Sampling frequency in Hz, where the files do not say.")] = None,
    unit: Annotated[str | None, typer.Option(help="V, mV or uV, where the files do not say.")] = None,
    despite_quality: Annotated[bool, typer.Option(help="Run the model although the quality check refuses.")] = False,
) -> None:
    """Say what changed between two recordings of one patient, and what the change did to each logit.

    Whoever names the two says that they are of one patient; the first 10 s of each are compared.
    """
    from ecgimn.explain.as_json import difference_json
    from ecgimn.explain.case import open_case
    from ecgimn.explain.difference import difference as compare
    from ecgimn.model.model import load_model

    if pdf is not None and pdf.suffix.lower() != ".pdf":
        refuse("The page cannot be written under this name here. A name that ends with .pdf is needed. Choose one.")
    if pdf is not None:
        writable(pdf)
    loaded = load_model(model)
    if class_name is not None and class_name not in loaded.classes:
        refuse(f"Class {class_name!r} is not one of {', '.join(loaded.classes)}. Name one of them.")
    cases = []
    for file, which in ((earlier, "earlier"), (later, "later")):
        recording = _read(file, _hints(fs, unit, None, None, None), age, _sex(sex)).window(0.0)
        try:
            cases.append(open_case(recording, loaded, despite_quality=despite_quality))
        except QualityError as exc:
            refuse(f"The {which} recording: {exc}")
    found = compare(*cases)
    if json_path is not None or pdf is None:
        write_json(difference_json(found, since), json_path)
    if pdf is not None:
        from ecgimn.draw.print.case import difference_bytes

        pdf.write_bytes(difference_bytes("pdf", found, class_name=class_name or found.most_changed, since=since))


def _hints(
    fs: float | None, unit: str | None, leads: str | None, variable: str | None, transpose: bool | None
) -> ReadingHints:
    from ecgimn.formats import ReadingHints

    orientations: dict[bool, Orientation] = {True: "leads in rows", False: "leads in columns"}
    return ReadingHints(
        fs=fs,
        unit=unit,
        leads=None if leads is None else tuple(name.strip() for name in leads.split(",")),
        orientation=None if transpose is None else orientations[transpose],
        variable=variable,
    )


def _read(file: Path, hints: ReadingHints, age: int | None, sex: Sex | None) -> Recording:
    """Read a file; what it leaves open is asked for by the options that answer."""
    from ecgimn.formats import MissingFactsError, UnusedFactError, read_foreign, read_upload
    from ecgimn.formats.limits import MAX_FILE_BYTES

    try:
        if str(file) == "-":  # one byte more than may be read, so that a longer file is refused
            return read_upload({"input": sys.stdin.buffer.read(MAX_FILE_BYTES + 1)}, age=age, sex=sex, hints=hints)
        return read_foreign(file, age=age, sex=sex, hints=hints)
    except UnusedFactError as exc:
        refuse(f"{exc} Option: {_OPTIONS[exc.fact]}.")
    except MissingFactsError as exc:
        refuse(f"{exc} Options: {', '.join(_OPTIONS[fact] for fact in exc.needed)}.")


def _sex(text: str | None) -> Sex | None:
    if text is None:
        return None
    match text.strip().lower():
        case "male" | "m":
            return "male"
        case "female" | "f":
            return "female"
    refuse(f"Sex {text!r} is not known. male or female is needed; leave it out when unknown.")


def _other_windows(whole: Recording, refused: Recording) -> tuple[str, ...]:
    """Say which other windows of a longer recording pass the quality check."""
    from ecgimn.explain.case import tile
    from ecgimn.signal.quality import assess_quality

    if whole.n_samples == refused.n_samples:
        return ()
    usable = [
        f"{window.start_s:g}" for window in tile(whole)
        if assess_quality(whole.window(window.start_s, window.duration_s)).usable
    ]  # fmt: skip
    if not usable:
        return ("No other window of the recording passes the quality check.",)
    return (f"Other windows pass: --start {', '.join(usable[:6])}{' ...' if len(usable) > 6 else ''}.",)


def _windows_json(found: WindowLogits) -> list[dict[str, Any]]:
    """Return every window of a recording, with what the quality check says; logits are null where it refuses."""
    return [
        {
            "start_s": round(window.start_s, 6),
            "duration_s": round(window.duration_s, 6),
            "refusals": list(found.refusals[place]),
            "warnings": list(found.warnings[place]),
            "logits": None if found.refusals[place] else found.logit[place].tolist(),
            "probabilities": None if found.refusals[place] else found.probability[place].tolist(),
            "completeness_error": None if found.refusals[place] else float(found.completeness_error[place]),
        }
        for place, window in enumerate(found.windows)
    ]


def batch(
    source: Annotated[
        str,
        typer.Argument(help="PTB-XL, a folder of ECG files, a list of paths (.txt, .csv), or the address of one."),
    ],
    out: Annotated[str, typer.Option("--out", help="Folder of the Parquet files; new, or of the same run before.")],
    model: ModelOption = DEFAULT_MODEL,
    no_delineation: Annotated[bool, typer.Option("--no-delineation", help="No waves, ST or intervals: fast.")] = False,
    five_leads: Annotated[bool, typer.Option("--five-leads", help="Find waves in five leads: half the time.")] = False,
    fs: Annotated[int | None, typer.Option(help="Rate of PTB-XL records, 100 or 500; the better one here.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; one per core by default.")] = None,
    dask: Annotated[str, typer.Option(help="Address of a Dask scheduler, in place of processes.")] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first recordings, for a quick look.")] = None,
    salt: Annotated[Path | None, typer.Option(help="Write file names as hashes with this file's salt.")] = None,
    fhir: Annotated[
        bool, typer.Option("--fhir", help="Also a FHIR R4 bundle of each window, without patient.")
    ] = False,
    dicom_sr: Annotated[
        bool, typer.Option("--dicom-sr", help="Also a DICOM ECG report of each window, without patient.")
    ] = False,
) -> None:
    """Explain thousands of recordings into Parquet; goes on where it stopped when called again."""
    from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn

    from ecgimn.batch.run import Request, run_batch
    from ecgimn.batch.work import WaveSearch, read_salt
    from ecgimn.hospital import HOSPITAL_KINDS
    from ecgimn.model.model import load_model

    if no_delineation and five_leads:
        refuse("--no-delineation looks for no waves and --five-leads for some. Give one of them.")
    if no_delineation and (fhir or dicom_sr):
        refuse("--fhir and --dicom-sr report measurements, which need waves. Leave out --no-delineation.")
    reports = tuple(kind for kind, wanted in zip(HOSPITAL_KINDS, (fhir, dicom_sr), strict=True) if wanted)
    waves: WaveSearch = "not looked for" if no_delineation else "five leads" if five_leads else "all leads"
    card = load_model(model).card
    secret = None if salt is None else read_salt(salt)
    processes = workers or os.cpu_count() or 1
    request = Request(_place(source), _place(out), card, waves, fs, processes, dask, limit, secret, reports=reports)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TimeElapsedColumn(), console=errors, transient=True) as progress:
        task, begun, first = progress.add_task("starting workers", total=None), time.monotonic(), None

        def report(done: int, failed: int, total: int) -> None:
            nonlocal first
            first = done if first is None else first
            rate = (done - first) / max(time.monotonic() - begun, 1e-9)
            progress.update(task, completed=done, total=total, description=f"{rate:.1f}/s, {failed} failed")

        outcome = run_batch(request, report)
    seconds = time.monotonic() - begun
    new = outcome.explained + outcome.refused + outcome.failed + outcome.skipped
    typer.echo(
        f"{outcome.explained} explained, {outcome.refused} refused by the quality check, {outcome.failed} failed, "
        f"{outcome.skipped} skipped as no ECG, {outcome.before} there before; "
        f"{new / max(seconds, 1e-9):.1f}/s over {seconds:.0f} s"
    )


def _place(text: str) -> Path | str:
    """Return a path of this machine, or an address as it is."""
    return text if "://" in text else Path(text)
