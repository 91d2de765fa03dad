"""Records of the PhysioNet/CinC challenges 2020 and 2021 in a local folder: indexed once, found by code, age and sex.

Alday et al. 2020 (doi:10.1088/1361-6579/abc960) and Reyna et al. 2021 (doi:10.23919/CinC53138.2021.9662687). A record
is a WFDB header with a .mat file; comments of the header state age, sex and the diagnoses as SNOMED CT codes. These are
the data sets' own statements, by many readers and machines, and no reference standard of one kind.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pandas as pd

from ecgimn.errors import RecordingError, SourceError
from ecgimn.formats import read_wfdb
from ecgimn.formats.limits import MAX_HEADER_BYTES, read_bounded
from ecgimn.formats.wfdb_header import summarise_header
from ecgimn.recording import Recording, Sex

FOLDER_VARIABLE = "ECGIMN_CINC"
SOURCE = "PhysioNet challenge"
MAX_RECORDS = 200_000  # 88,253 were published
OLDEST = 90  # stands for 90 and more

#: SNOMED CT codes of the challenges in words; the codes are those of the 2021 evaluation.
DIAGNOSES: dict[str, str] = {
    "164889003": "atrial fibrillation",
    "164890007": "atrial flutter",
    "6374002": "bundle branch block",
    "426627000": "bradycardia",
    "733534002": "complete left bundle branch block",
    "713427006": "complete right bundle branch block",
    "270492004": "first-degree AV block",
    "713426002": "incomplete right bundle branch block",
    "39732003": "left axis deviation",
    "445118002": "left anterior fascicular block",
    "164909002": "left bundle branch block",
    "251146004": "low QRS voltage",
    "698252002": "nonspecific intraventricular conduction disorder",
    "426783006": "sinus rhythm",
    "284470004": "premature atrial contraction",
    "10370003": "paced rhythm",
    "365413008": "poor R-wave progression",
    "427172004": "premature ventricular contractions",
    "164947007": "prolonged PR interval",
    "111975006": "prolonged QT interval",
    "164917005": "abnormal Q wave",
    "47665007": "right axis deviation",
    "59118001": "right bundle branch block",
    "427393009": "sinus arrhythmia",
    "426177001": "sinus bradycardia",
    "427084000": "sinus tachycardia",
    "63593006": "supraventricular premature beats",
    "164934002": "abnormal T wave",
    "59931005": "T-wave inversion",
    "17338001": "ventricular premature beats",
    "233892002": "accelerated atrial escape rhythm",
    "164951009": "abnormal QRS",
    "251187003": "atrial escape beat",
    "61277005": "accelerated idioventricular rhythm",
    "426664006": "accelerated junctional rhythm",
    "251139008": "suspected reversal of arm leads",
    "57054005": "acute myocardial infarction",
    "413444003": "acute myocardial ischaemia",
    "426434006": "anterior ischaemia",
    "54329005": "anterior myocardial infarction",
    "251173003": "atrial bigeminy",
    "195080001": "atrial fibrillation and flutter",
    "195126007": "atrial hypertrophy",
    "251268003": "atrial pacing",
    "106068003": "atrial rhythm",
    "713422000": "atrial tachycardia",
    "233917008": "AV block",
    "50799005": "AV dissociation",
    "29320008": "AV junctional rhythm",
    "251166008": "AV nodal re-entrant tachycardia",
    "233897008": "AV re-entrant tachycardia",
    "251170000": "blocked premature atrial contraction",
    "418818005": "Brugada pattern",
    "74615001": "bradycardia-tachycardia syndrome",
    "426749004": "chronic atrial fibrillation",
    "251199005": "counterclockwise rotation",
    "61721007": "clockwise or counterclockwise vectorcardiographic loop",
    "698247007": "cardiac dysrhythmia",
    "27885002": "complete heart block",
    "204384007": "congenital incomplete AV block",
    "53741008": "coronary heart disease",
    "413844008": "chronic myocardial ischaemia",
    "251198002": "clockwise rotation",
    "82226007": "diffuse intraventricular block",
    "428417006": "early repolarisation",
    "13640000": "fusion beats",
    "164942001": "fragmented QRS",
    "84114007": "heart failure",
    "368009": "heart valve disorder",
    "251259000": "high T-wave voltage",
    "251200008": "indeterminate cardiac axis",
    "195042002": "second-degree AV block",
    "426183003": "Mobitz II second-degree AV block",
    "425419005": "inferior ischaemia",
    "251120003": "incomplete left bundle branch block",
    "704997005": "inferior ST depression",
    "49260003": "idioventricular rhythm",
    "426995002": "junctional escape",
    "251164006": "junctional premature complex",
    "426648003": "junctional tachycardia",
    "253352002": "left atrial abnormality",
    "67741000119109": "left atrial enlargement",
    "446813000": "left atrial hypertrophy",
    "425623009": "lateral ischaemia",
    "445211001": "left posterior fascicular block",
    "164873001": "left ventricular hypertrophy",
    "55827005": "left ventricular high voltage",
    "370365005": "left ventricular strain",
    "164865005": "myocardial infarction",
    "164861001": "myocardial ischaemia",
    "54016002": "Mobitz I (Wenckebach) AV block",
    "428750005": "nonspecific ST-T abnormality",
    "164867002": "old myocardial infarction",
    "282825002": "paroxysmal atrial fibrillation",
    "251205003": "prolonged P wave",
    "67198005": "paroxysmal supraventricular tachycardia",
    "425856008": "paroxysmal ventricular tachycardia",
    "164912004": "P-wave change",
    "253339007": "right atrial abnormality",
    "164921003": "abnormal R wave",
    "446358003": "right atrial hypertrophy",
    "67751000119106": "right atrial high voltage",
    "314208002": "rapid atrial fibrillation",
    "89792004": "right ventricular hypertrophy",
    "17366009": "wandering from sinus to atrial rhythm",
    "65778007": "sinoatrial block",
    "5609005": "sinus arrest",
    "60423000": "sinus node dysfunction",
    "49578007": "shortened PR interval",
    "77867006": "shortened QT interval",
    "55930002": "ST-T changes",
    "429622005": "ST depression",
    "164931005": "ST elevation",
    "164930006": "abnormal ST interval",
    "251168009": "supraventricular bigeminy",
    "426761007": "supraventricular tachycardia",
    "266257000": "transient ischaemic attack",
    "251223006": "tall P wave",
    "164937009": "abnormal U wave",
    "11157007": "ventricular bigeminy",
    "164884008": "ventricular ectopic beats",
    "75532003": "ventricular escape beat",
    "81898007": "ventricular escape rhythm",
    "164896001": "ventricular fibrillation",
    "111288001": "ventricular flutter",
    "266249003": "ventricular hypertrophy",
    "195060002": "ventricular pre-excitation",
    "251266004": "ventricular pacing",
    "251182009": "paired ventricular premature complexes",
    "164895002": "ventricular tachycardia",
    "251180001": "ventricular trigeminy",
    "195101003": "wandering atrial pacemaker",
    "74390002": "Wolff-Parkinson-White pattern",
}


@dataclass(frozen=True)
class ChallengeQuery:
    """What to look for; an empty field asks nothing.

    Attributes
    ----------
    codes : tuple of str
        SNOMED CT codes; a record must have at least one.
    ages : tuple of (int, int)
        Youngest and oldest, years; 90 includes all above. Records without age only pass the full range.
    sexes : tuple of {"male", "female"}
    sets : tuple of str
        First folders below the source, as the challenges pack their sets.
    """

    codes: tuple[str, ...] = ()
    ages: tuple[int, int] = (0, OLDEST)
    sexes: tuple[Sex, ...] = ()
    sets: tuple[str, ...] = ()


class ChallengeRecords:
    """A folder of challenge records, with an index of their headers.

    Parameters
    ----------
    folder : path
        Searched with all folders below it; links are not followed.

    Attributes
    ----------
    table : DataFrame
        Indexed by record, the path below the folder without extension: `set`, `fs` in Hz, `duration_s`, `age` (years,
        90 and more as 90), `sex` and `codes` (tuple of SNOMED CT codes). Read once, on first use.
    n_unreadable : int
        Headers that could not be read.

    Raises
    ------
    SourceError
        The folder is not there.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise SourceError(
                f"The folder of challenge records that {FOLDER_VARIABLE} names is not there. A folder with .hea "
                "and .mat files is needed. Correct the variable."
            )
        self.n_unreadable = 0

    @cached_property
    def table(self) -> pd.DataFrame:
        """Read every header once."""
        rows, names = [], []
        for path in _headers(self.folder):
            try:
                header = summarise_header(read_bounded(path, MAX_HEADER_BYTES))
            except RecordingError:
                self.n_unreadable += 1
                continue
            place = path.relative_to(self.folder).with_suffix("")
            age = header.comments.age
            names.append(place.as_posix())
            rows.append(
                {
                    "set": place.parts[0] if len(place.parts) > 1 else "",
                    "fs": header.fs,
                    "duration_s": round(header.n_samples / header.fs, 3),
                    "age": None if age is None else min(age, OLDEST),
                    "sex": header.comments.sex or "",
                    "codes": header.comments.codes,
                }
            )
            if len(rows) > MAX_RECORDS:
                raise SourceError(
                    f"The folder holds more than {MAX_RECORDS:,} records. At most that many are indexed. Name one set."
                )
        if not rows:
            raise SourceError(
                "The folder holds no challenge record. Headers (.hea) with .mat files are needed. Choose another."
            )
        table = pd.DataFrame(rows, index=pd.Index(names, name="record"))
        return table.assign(age=table["age"].astype(float))

    @cached_property
    def codes(self) -> tuple[str, ...]:
        """All codes that occur, the most frequent first."""
        counted = Counter(code for codes in self.table["codes"] for code in codes)
        return tuple(code for code, _ in counted.most_common())

    @cached_property
    def sets(self) -> tuple[str, ...]:
        """All sets that occur."""
        return tuple(sorted({name for name in self.table["set"] if name}))

    def find(self, query: ChallengeQuery) -> pd.DataFrame:
        """Return the rows of `table` that a query finds, in order of the record's name."""
        table = self.table
        found = pd.Series(True, index=table.index)
        if query.codes:
            wanted = set(query.codes)
            found &= table["codes"].map(lambda codes: not wanted.isdisjoint(codes))
        if query.ages != (0, OLDEST):
            found &= table["age"].between(*query.ages)
        if query.sexes:
            found &= table["sex"].isin(query.sexes)
        if query.sets:
            found &= table["set"].isin(query.sets)
        return table[found]

    def recording(self, record: str) -> Recording:
        """Read one record, with age and sex as its header states them.

        Raises
        ------
        SourceError
            There is no such record.
        RecordingError
            Its files are damaged, or not there.
        """
        if record not in self.table.index:
            raise SourceError("There is no such challenge record. A record of the index is needed. Choose another.")
        recording = read_wfdb(self.folder / f"{record}.hea", source=SOURCE)
        return replace(recording, record_name=Path(record).name)

    def statements(self, record: str) -> tuple[str, ...]:
        """Return what the file itself says about a record, in words."""
        return in_words(self.table.loc[record, "codes"])


def challenge_folder() -> str | None:
    """Return the folder of challenge records that is set, or None."""
    return os.environ.get(FOLDER_VARIABLE, "").strip() or None


def in_words(codes: Sequence[str]) -> tuple[str, ...]:
    """Return the diagnoses of SNOMED CT codes in words; a code that the challenges do not list stays a code."""
    return tuple(DIAGNOSES.get(code, f"SNOMED CT {code}") for code in codes)


def _headers(folder: Path) -> list[Path]:
    """Return all headers below a folder in order, links left out."""
    found: list[Path] = []
    for base, folders, files in os.walk(folder, followlinks=False):
        folders.sort()
        found += [Path(base) / name for name in files if name.endswith(".hea")]
    return sorted(found)
