"""Cases of audits and teaching collections: found by reference, listed, drawn with a seed, disturbed on purpose."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Collection as AnyCollection
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from ecgimn.about import shipped
from ecgimn.errors import SourceError, StudyError
from ecgimn.explain.sentences import leads_text
from ecgimn.leads import LIMB_FROM_I_II, LIMB_LEADS, STANDARD_LEADS, lead_index
from ecgimn.recording import Recording
from ecgimn.sources.composites.case import list_composites, load_composite
from ecgimn.sources.ptbxl import SUPERCLASSES, PtbXl
from ecgimn.study.definition import AuditCase, Event, canonical, no_earlier

if TYPE_CHECKING:
    from ecgimn.study.store import Store

QUIZ = "collection"  # kind of a teaching collection in the store
COMPOSITE, PTBXL = "composite", "ptbxl"
COLUMNS = ("case", "ref", "ecg_id", "record")


@dataclass(frozen=True, eq=False)
class StudyCase:
    """A case, found: its recording under a name that tells nothing, its labels and its own name."""

    ref: str
    recording: Recording
    labels: tuple[str, ...]
    title: str


def find_case(ref: str, ptbxl: PtbXl | None) -> StudyCase:
    """Return the case of a reference.

    Parameters
    ----------
    ref : str
        "composite:NAME" or "ptbxl:ECG_ID".
    ptbxl : PtbXl or None
        The folder of PTB-XL, where there is one.

    Raises
    ------
    StudyError
        The reference names no case that is here.
    """
    kind, _, name = ref.partition(":")
    if kind == COMPOSITE:
        card = next((card for card in list_composites() if card.name == name), None)
        if card is None:
            raise StudyError(f"There is no composite case {name!r}. One that came with the app is needed. Correct it.")
        return StudyCase(ref, _nameless(load_composite(name)), (card.superclass,), card.title)
    if kind != PTBXL or not name.isdecimal():
        raise StudyError(f"{ref!r} names no case. composite:NAME or ptbxl:ECG_ID is needed. Correct the list.")
    if ptbxl is None:
        raise StudyError(
            f"The case {ref} is a PTB-XL record, and PTB-XL is not set up here. Its folder is needed. "
            "Set ECGIMN_PTBXL, or choose composite cases."
        )
    try:
        rates = ptbxl.rates(int(name))
        recording = ptbxl.recording(int(name), max(rates, default=500))
    except SourceError as exc:
        raise StudyError(str(exc)) from exc
    row = ptbxl.table.loc[int(name)]
    return StudyCase(ref, _nameless(recording), tuple(c for c in SUPERCLASSES if row[c]), f"PTB-XL {name}")


def audit_case(ref: str, ptbxl: PtbXl | None, *, with_earlier: bool = False) -> AuditCase:
    """Return a case as an audit lists it: reference, digest, labels, and where asked for the patient's earlier ECG.

    Raises
    ------
    StudyError
        The reference names no case that is here, or the case has no earlier ECG and should have one.
    """
    case = find_case(ref, ptbxl)
    if not with_earlier:
        return AuditCase(ref, case.recording.digest, case.labels)
    before = earlier_of(ref, ptbxl)
    if before is None:
        raise no_earlier([ref], 1)
    return AuditCase(ref, case.recording.digest, case.labels, before, find_case(before, ptbxl).recording.digest)


def earlier_of(ref: str, ptbxl: PtbXl | None) -> str | None:
    """Return the reference of the same patient's ECG before a case; None where there is none, as for composites."""
    kind, _, name = ref.partition(":")
    if ptbxl is None or kind != PTBXL or not name.isdecimal() or int(name) not in ptbxl.table.index:
        return None
    before = ptbxl.earlier(int(name))
    return None if before is None or not ptbxl.rates(before) else f"{PTBXL}:{before}"


def time_before(case: AuditCase, ptbxl: PtbXl | None) -> str:
    """Return how long before a case its earlier ECG was recorded, in words; empty where a date is missing."""
    if ptbxl is None or not case.earlier:
        return ""
    days = ptbxl.days_between(*(int(ref.partition(":")[2]) for ref in (case.earlier, case.ref)))
    if days is None:
        return ""
    if days < 60:
        return f"{days:.0f} days before"
    return f"{days / 30.44:.0f} months before" if days < 730 else f"{days / 365.25:.1f} years before"


def read_audit_case(listed: AuditCase, ptbxl: PtbXl | None) -> StudyCase:
    """Return the case that an audit lists; raises `StudyError` when its samples are others here."""
    case = find_case(listed.ref, ptbxl)
    if case.recording.digest != listed.digest:
        raise StudyError(
            f"The samples of {listed.ref} differ from those that the audit was made with. The same data set at the "
            "same rate is needed. Compare the PTB-XL folders and the versions of the app."
        )
    return case


def refs_from_csv(text: str) -> tuple[str, ...]:
    """Return the references that a CSV lists.

    A column named "case" or "ref" holds references; "ecg_id" or "record", or a lone column, may hold PTB-XL numbers.
    """
    rows = [row for row in csv.reader(io.StringIO(text)) if any(cell.strip() for cell in row)]
    if not rows:
        raise StudyError("The list is empty. One case per line is needed. Choose another file.")
    head = [cell.strip().lower() for cell in rows[0]]
    column = next((head.index(name) for name in COLUMNS if name in head), None)
    if column is None and len(head) > 1:
        raise StudyError(
            f"The list has no column of cases (found: {', '.join(head[:6])}). A column named case, with entries like "
            "composite:norm or ptbxl:21837, or one named ecg_id is needed. Name the column."
        )
    cells = [row[column or 0].strip() for row in (rows if column is None else rows[1:]) if len(row) > (column or 0)]
    return tuple(f"{PTBXL}:{int(cell)}" if cell.isdecimal() else cell for cell in cells if cell)


def draw_cases(labels: Mapping[str, Iterable[str]], per_class: int, seed: int) -> tuple[str, ...]:
    """Draw a random sample that holds each class equally often, as far as there are cases.

    Parameters
    ----------
    labels : mapping of str to iterable of str
        Classes of every case that may be drawn, by reference.
    per_class : int
        Cases drawn for each class; a case with several classes is drawn once.
    seed : int
    """
    rng = np.random.default_rng(seed)
    carried = {ref: set(classes) for ref, classes in labels.items()}
    drawn: list[str] = []
    for name in SUPERCLASSES:
        free = sorted(ref for ref, classes in carried.items() if name in classes and ref not in drawn)
        drawn += [free[int(i)] for i in rng.permutation(len(free))[:per_class]]
    return tuple(drawn)


def drawable(
    ptbxl: PtbXl | None, *, folds: Iterable[int] = (9, 10), with_earlier: bool = False
) -> dict[str, tuple[str, ...]]:
    """Return the labels of all cases that may be drawn: PTB-XL records of some folds, or else all composites.

    With `with_earlier`, only the last record of each patient who has an earlier one, so that no case is the earlier ECG
    of another.
    """
    if ptbxl is None:
        return {} if with_earlier else {f"{COMPOSITE}:{card.name}": (card.superclass,) for card in list_composites()}
    table = ptbxl.table[ptbxl.table["strat_fold"].isin(list(folds))]
    if with_earlier:
        pairs = ptbxl.pairs(folds)
        first = {before for before, _ in pairs}
        last = [after for before, after in pairs if after not in first and ptbxl.rates(before)]
        table = table.loc[sorted(last)]
    classes = np.array(SUPERCLASSES)
    flags = table[list(SUPERCLASSES)].to_numpy(dtype=bool)
    return {
        f"{PTBXL}:{int(ecg_id)}": tuple(str(name) for name in classes[row])
        for ecg_id, row in zip(table.index, flags, strict=True)
        if ptbxl.rates(int(ecg_id))
    }


def _nameless(recording: Recording) -> Recording:
    """Return the recording without its name and notes, which may tell what it is."""
    return replace(recording, record_name="case", source="case", notes=())


FOLDER = shipped("assets/collections")
KINDS = ("typical", "subtle", "what is new", "mimics", "model errors", "poor quality")
#: Kinds of artefact as a collection's file names them, each as a reader says it.
ARTEFACTS = {
    "baseline wander": "baseline wander",
    "mains hum": "power-line interference (50 Hz)",
    "muscle tremor": "muscle artefact",
    "loose electrode": "loose electrode",
}
MAINS_HZ = 50.0


@dataclass(frozen=True)
class Artefact:
    """A disturbance that is added to a case: of `ARTEFACTS`, its size in mV (peak), and the leads that have it."""

    kind: str
    amount_mv: float
    leads: tuple[str, ...] = STANDARD_LEADS

    @property
    def text(self) -> str:
        """As a reader says it: "muscle artefact of 0.35 mV in I, II and III"."""
        leads = "all leads" if set(self.leads) == set(STANDARD_LEADS) else leads_text(self.leads)
        return f"{ARTEFACTS[self.kind]} of {self.amount_mv:g} mV in {leads}"


@dataclass(frozen=True)
class QuizCase:
    """A case of a collection.

    Attributes
    ----------
    ref : str
        "composite:NAME" or "ptbxl:ECG_ID".
    answers : tuple of str
        The right ones among the collection's options.
    hints : tuple of (str, str)
        A lead, and what to look for in it; given one by one.
    points : tuple of str
        What to remember.
    artefact : Artefact or None
    question : str
    earlier : str
        Reference of the ECG that this one is compared with; empty where it is read alone.
    """

    ref: str
    answers: tuple[str, ...]
    hints: tuple[tuple[str, str], ...]
    points: tuple[str, ...]
    artefact: Artefact | None = None
    question: str = ""
    earlier: str = ""


@dataclass(frozen=True)
class Collection:
    """A collection: name of its file, title, one of `KINDS`, a remark, the options of its questions, its cases."""

    name: str
    title: str
    kind: str
    remark: str
    options: tuple[str, ...]
    cases: tuple[QuizCase, ...]


@dataclass(frozen=True)
class Score:
    """What was chosen: correct, correct but missed, and wrong (as in EKGaction's demonstration)."""

    correct: tuple[str, ...]
    missed: tuple[str, ...]
    wrong: tuple[str, ...]

    @property
    def full(self) -> bool:
        """Whether everything was found and nothing else."""
        return not (self.missed or self.wrong)


def score(case: QuizCase, chosen: AnyCollection[str]) -> Score:
    """Return the score of a choice; answers in the order of the collection."""
    return Score(
        tuple(answer for answer in case.answers if answer in chosen),
        tuple(answer for answer in case.answers if answer not in chosen),
        tuple(option for option in chosen if option not in case.answers),
    )


def answer_source(case: QuizCase) -> str:
    """Say where the right answer of a case comes from: PTB-XL's labels, or what this app itself put into it."""
    if case.ref.startswith(f"{PTBXL}:"):
        return "Labels are those of PTB-XL, one opinion each."
    name = case.ref.partition(":")[2]
    planted = any(one.planted is not None for one in list_composites() if one.name == name)
    if planted:
        said = "The change was planted by this app in a normal composite, so the answer is known."
    elif case.artefact is not None:
        said = ""
    else:
        said = "This is the mean of many patients with one label of PTB-XL; the answer names what that mean shows."
    added = f"Added by this app: {case.artefact.text}." if case.artefact is not None else ""
    pair = "Both tracings are composites, not one patient's course." if case.earlier else ""
    return " ".join(filter(None, (said, added, pair)))


def list_collections(folder: Path = FOLDER) -> tuple[Collection, ...]:
    """Return all collections, the typical ones first; raises `SourceError` where a file cannot be used."""
    found = [read_collection(path) for path in sorted(folder.glob("*.yml"))]
    return tuple(sorted(found, key=lambda collection: (KINDS.index(collection.kind), collection.title)))


def read_collection(path: Path) -> Collection:
    """Read a collection.

    Raises
    ------
    SourceError
        The file is no YAML, a field is missing, or an answer is none of the options.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        collection = Collection(
            path.stem, str(content["title"]), str(content["kind"]), str(content["remark"]).strip(),
            tuple(str(option) for option in content["options"]), tuple(_case(case) for case in content["cases"]),
        )  # fmt: skip
    except (OSError, yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, ValueError, AttributeError) as exc:
        raise _unusable(path, "it does not parse, or a field is missing") from exc
    if collection.kind not in KINDS:
        raise _unusable(path, f"its kind {collection.kind!r} is none of {', '.join(KINDS)}")
    if not collection.cases:
        raise _unusable(path, "it has no case")
    for case in collection.cases:
        strange = set(case.answers) - set(collection.options)
        if strange or not case.answers:
            raise _unusable(path, f"the answers of {case.ref} are not among its options: {', '.join(sorted(strange))}")
        leads = {lead for lead, _ in case.hints} | set(case.artefact.leads if case.artefact else ())
        if leads - set(STANDARD_LEADS):
            raise _unusable(path, f"{case.ref} names a lead that is none of the twelve")
        if case.artefact is not None and case.artefact.kind not in ARTEFACTS:
            raise _unusable(path, f"the artefact {case.artefact.kind!r} is none of {', '.join(ARTEFACTS)}")
    return collection


@dataclass(frozen=True)
class NewStatement:
    """What may be new between two records of PTB-XL.

    Attributes
    ----------
    option : str
        As it is marked.
    names : frozenset of str
        SCP statements and superclasses of the data set that stand for it.
    hint : (str, str)
        A lead, and what to look for in it.
    point : str
        What to remember.
    """

    option: str
    names: frozenset[str]
    hint: tuple[str, str]
    point: str


NOTHING_NEW = "Nothing new"
NEW_STATEMENTS = (
    NewStatement(
        "Infarction, inferior", frozenset({"IMI", "ILMI", "IPLMI", "IPMI"}),
        ("III", "What does QRS begin with, now and then? And in aVF?"),
        "A Q that is new in two neighbouring leads dates an infarction between the two tracings.",
    ),
    NewStatement(
        "Infarction, anterior or septal", frozenset({"AMI", "ASMI", "ALMI"}),
        ("V2", "How high is R, now and then? Is there one at all?"),
        "R in V1 to V3 is lost in an infarction, and also by chest electrodes placed a rib higher.",
    ),
    NewStatement(
        "ST or T change", frozenset({"STTC"}),
        ("V5", "Where is J, and which way does T point, now and then?"),
        "ST and T follow rate, drugs and conduction too. Compare these first.",
    ),
    NewStatement(
        "Left bundle branch block", frozenset({"CLBBB"}),
        ("V6", "How broad is QRS, and is there still a q?"),
        "ST and T follow a changed conduction; their change is secondary.",
    ),
    NewStatement(
        "Right bundle branch block", frozenset({"CRBBB"}),
        ("V1", "Is there a second, late R that was not there?"),
        "The first half of QRS stays in right bundle branch block, so a new Q can still be seen.",
    ),
    NewStatement(
        "Left anterior fascicular block", frozenset({"LAFB"}),
        ("II", "Did QRS turn downwards, while I stayed upright?"),
        "An axis that turned left is the sign; inferior Q waves may come or go with it.",
    ),
    NewStatement(
        "First-degree AV block", frozenset({"1AVB"}),
        ("II", "How far is P from QRS in either tracing?"),
        "PR is read off the tracings or the table: the earlier mean beat is fitted to the later one.",
    ),
    NewStatement(
        "Atrial fibrillation", frozenset({"AFIB"}),
        ("V1", "Is there still a P before each QRS? Look at both tracings."),
        "A mean beat hides an irregular rhythm. Look at the tracings for it.",
    ),
    NewStatement(
        "Left ventricular hypertrophy", frozenset({"LVH"}),
        ("V5", "How high is R, and how deep is S in V1, now and then?"),
        "Voltage differs by about a tenth from day to day, and more where electrodes are placed again.",
    ),
)  # fmt: skip
SURE = 80.0  # per cent; PTB-XL gives 100, 80, 50, 35 and 15, and 0 where no likelihood was stated
PAIRS_EACH = 4  # of an option


def pairs_of_ptbxl(ptbxl: PtbXl) -> Collection | None:
    """Return pairs of records of one patient in which something is new by PTB-XL's statements; None without any.

    From folds 9 and 10, on which no model was trained, `PAIRS_EACH` of each option; new is what the later record has
    and the earlier one does not. A pair with a new statement of less than `SURE` is left out, and as many pairs with
    the very same statements in both are put in.

    Parameters
    ----------
    ptbxl : PtbXl
    """
    said = ptbxl.table["scp_codes"]
    count = dict.fromkeys([NOTHING_NEW, *(one.option for one in NEW_STATEMENTS)], 0)
    cases = []
    for earlier, later in ptbxl.pairs((9, 10)):
        before, after = ({*said.at[k], *_superclasses(ptbxl, k)} for k in (earlier, later))
        fresh = after - before
        found = [one for one in NEW_STATEMENTS if one.names & fresh and not one.names & before]
        likelihoods = [said.at[later].get(name, 100.0) for one in found for name in one.names & fresh]
        options = tuple(one.option for one in found) or ((NOTHING_NEW,) if after == before else ())
        if not options or any(0 < likelihood < SURE for likelihood in likelihoods):
            continue
        if all(count[option] >= PAIRS_EACH for option in options) or not (ptbxl.rates(earlier) and ptbxl.rates(later)):
            continue
        count |= {option: count[option] + 1 for option in options}
        hints = [one.hint for one in found] or [("II", "Is there a stretch of the beat where both lines part?")]
        points = [one.point for one in found] or ["What stays within day-to-day variability is not new."]
        cases.append(QuizCase(f"{PTBXL}:{later}", options, tuple(hints), tuple(points), earlier=f"{PTBXL}:{earlier}"))
    if not cases:
        return None
    cases.sort(key=lambda case: hashlib.sha256(case.ref.encode()).digest())  # mixed, and the same everywhere
    return Collection(
        "what-is-new-ptbxl", "What is new? Pairs of PTB-XL", "what is new",
        "Two ECGs of one patient, the mean beats over one another, the earlier one dashed. Mark what is new.",
        tuple(count), tuple(cases),
    )  # fmt: skip


def _superclasses(ptbxl: PtbXl, ecg_id: int) -> set[str]:
    row = ptbxl.table.loc[ecg_id]
    return {name for name in SUPERCLASSES if row[name]}


def disturb(recording: Recording, artefact: Artefact) -> Recording:
    """Return the recording with an artefact added; the same each time.

    Baseline wander moves below 0.5 Hz, mains hum is a 50 Hz sine, muscle tremor is noise above 20 Hz, a loose electrode
    leaves its leads flat but for steps.
    """
    seed = hashlib.sha256(f"{recording.digest} {artefact}".encode()).digest()
    rng = np.random.default_rng(np.frombuffer(seed, dtype="<u4"))
    time = np.arange(recording.n_samples) / recording.fs
    signal = recording.signal.astype(np.float64)
    for lead in artefact.leads:
        row, phase = lead_index(lead), rng.uniform(0, 2 * np.pi, 3)
        if artefact.kind == "baseline wander":
            waves = [np.sin(2 * np.pi * f * time + p) for f, p in zip((0.12, 0.23, 0.41), phase, strict=True)]
            signal[row] += artefact.amount_mv * np.mean(waves, axis=0)
        elif artefact.kind == "mains hum":
            signal[row] += artefact.amount_mv * np.sin(2 * np.pi * MAINS_HZ * time + phase[0])
        elif artefact.kind == "muscle tremor":
            noise = rng.normal(size=len(time))
            smooth = np.convolve(
                noise, np.ones(max(int(recording.fs / 20), 1)) / max(int(recording.fs / 20), 1), "same"
            )
            signal[row] += artefact.amount_mv / 3 * (noise - smooth)  # nine tenths and more within the amount
        else:
            steps = rng.choice([0.0, 1.0], p=[1 - 1 / recording.fs, 1 / recording.fs], size=len(time)).cumsum() % 2
            signal[row] = artefact.amount_mv * steps + rng.normal(0, 0.004, len(time))
    if set(LIMB_LEADS) <= set(artefact.leads):  # three electrodes make all six, so their relations hold
        signal[:6] = LIMB_FROM_I_II @ signal[:2]
    return replace(recording.with_signal(signal), notes=())


def collection_text(collection: Collection) -> str:
    """Return a collection as JSON that is the same wherever it is read; attempts are kept under its SHA-256."""
    content = asdict(collection)
    for case in content["cases"]:
        if not case["earlier"]:
            del case["earlier"]  # as before there were pairs, so that attempts at those collections are still found
    return canonical(content)


def attempt_of(case: QuizCase, result: Score, hints: int) -> dict[str, Any]:
    """Return an attempt as it is kept."""
    return {
        "case": case.ref,
        "correct": list(result.correct),
        "missed": list(result.missed),
        "wrong": list(result.wrong),
        "hints": hints,
    }


def kept_attempts(store: Store, collection: Collection, reader_uid: str) -> tuple[dict[str, Any], ...]:
    """Return a reader's attempts at a collection, the last one first, whatever its options were called at the time.

    An attempt is kept under the text of the collection as it was then: a new wording of an option begins another
    study in the store, and takes nothing away from what a reader did before.
    """
    found: list[Event] = []
    for uid in store.studies(QUIZ):
        if json.loads(store.definition(uid))["name"] == collection.name:
            found += store.events(uid, reader_uid)
    return tuple(event.payload for event in sorted(found, key=lambda event: event.at)[::-1])


def _case(content: dict[str, Any]) -> QuizCase:
    artefact = content.get("artefact")
    return QuizCase(
        ref=str(content["case"]),
        answers=tuple(str(answer) for answer in content["answers"]),
        hints=tuple((str(lead), str(text)) for hint in content["hints"] for lead, text in hint.items()),
        points=tuple(str(point) for point in content["points"]),
        artefact=None
        if artefact is None
        else Artefact(
            str(artefact["kind"]), float(artefact["amount_mv"]), tuple(artefact.get("leads", STANDARD_LEADS))
        ),
        question=str(content.get("question", "")),
        earlier=str(content.get("earlier", "")),
    )


def _unusable(path: Path, found: str) -> SourceError:
    return SourceError(f"The collection {path.name} cannot be used: {found}. Correct the file, or take it away.")
