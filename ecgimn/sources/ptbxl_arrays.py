"""PTB-XL as arrays for training and measuring: inputs, landmarks and labels, and the 71 SCP-ECG statements in words.

Codes, kinds and sub-classes are those of scp_statements.csv (Wagner et al., doi:10.13026/kfzx-aw45), which follows
ISO 11073-91064 (SCP-ECG). Four statements are both diagnostic and form there; here they are diagnostic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgimn.signal.preprocess import MODEL_FS, preprocessing
from ecgimn.signal.waves.quick import Landmarks, quick_landmarks
from ecgimn.sources.ptbxl import SUPERCLASSES, TRAINING_FOLDS, PtbXl

#: Every statement, in the order of scp_statements.csv: diagnoses, then form, then rhythm.
WORDS = {
    "NDT": "Non-diagnostic T-wave abnormality",
    "NST_": "Non-specific ST change",
    "DIG": "Digitalis effect",
    "LNGQT": "Long QT interval",
    "NORM": "Normal ECG",
    "IMI": "Inferior myocardial infarction",
    "ASMI": "Anteroseptal myocardial infarction",
    "LVH": "Left ventricular hypertrophy",
    "LAFB": "Left anterior fascicular block",
    "ISC_": "Non-specific ischaemic ST-T change",
    "IRBBB": "Incomplete right bundle branch block",
    "1AVB": "First-degree AV block",
    "IVCD": "Non-specific intraventricular conduction delay",
    "ISCAL": "Ischaemia in anterolateral leads",
    "CRBBB": "Complete right bundle branch block",
    "CLBBB": "Complete left bundle branch block",
    "ILMI": "Inferolateral myocardial infarction",
    "LAO/LAE": "Left atrial enlargement",
    "AMI": "Anterior myocardial infarction",
    "ALMI": "Anterolateral myocardial infarction",
    "ISCIN": "Ischaemia in inferior leads",
    "INJAS": "Subendocardial injury in anteroseptal leads",
    "LMI": "Lateral myocardial infarction",
    "ISCIL": "Ischaemia in inferolateral leads",
    "LPFB": "Left posterior fascicular block",
    "ISCAS": "Ischaemia in anteroseptal leads",
    "INJAL": "Subendocardial injury in anterolateral leads",
    "ISCLA": "Ischaemia in lateral leads",
    "RVH": "Right ventricular hypertrophy",
    "ANEUR": "ST-T change compatible with ventricular aneurysm",
    "RAO/RAE": "Right atrial enlargement",
    "EL": "Electrolyte disturbance or drug effect",
    "WPW": "Wolff-Parkinson-White syndrome",
    "ILBBB": "Incomplete left bundle branch block",
    "IPLMI": "Inferoposterolateral myocardial infarction",
    "ISCAN": "Ischaemia in anterior leads",
    "IPMI": "Inferoposterior myocardial infarction",
    "SEHYP": "Septal hypertrophy",
    "INJIN": "Subendocardial injury in inferior leads",
    "INJLA": "Subendocardial injury in lateral leads",
    "PMI": "Posterior myocardial infarction",
    "3AVB": "Third-degree AV block",
    "INJIL": "Subendocardial injury in inferolateral leads",
    "2AVB": "Second-degree AV block",
    "ABQRS": "Abnormal QRS",
    "PVC": "Ventricular premature complex",
    "STD_": "Non-specific ST depression",
    "VCLVH": "Voltage criteria for left ventricular hypertrophy",
    "QWAVE": "Q waves present",
    "LOWT": "Low-amplitude T waves",
    "NT_": "Non-specific T-wave change",
    "PAC": "Atrial premature complex",
    "LPR": "Prolonged PR interval",
    "INVT": "Inverted T waves",
    "LVOLT": "Low QRS voltage in limb and chest leads",
    "HVOLT": "High QRS voltage",
    "TAB_": "T-wave abnormality",
    "STE_": "Non-specific ST elevation",
    "PRC(S)": "Premature complexes",
    "SR": "Sinus rhythm",
    "AFIB": "Atrial fibrillation",
    "STACH": "Sinus tachycardia",
    "SARRH": "Sinus arrhythmia",
    "SBRAD": "Sinus bradycardia",
    "PACE": "Artificial pacemaker, functioning normally",
    "SVARR": "Supraventricular arrhythmia",
    "BIGU": "Bigeminy",
    "AFLT": "Atrial flutter",
    "SVTAC": "Supraventricular tachycardia",
    "PSVT": "Paroxysmal supraventricular tachycardia",
    "TRIGU": "Trigeminy",
}
STATEMENTS = tuple(WORDS)
#: Sub-class of each diagnostic statement.
SUBCLASS_OF = {
    "NDT": "STTC", "NST_": "NST_", "DIG": "STTC", "LNGQT": "STTC", "NORM": "NORM", "IMI": "IMI", "ASMI": "AMI",
    "LVH": "LVH", "LAFB": "LAFB/LPFB", "ISC_": "ISC_", "IRBBB": "IRBBB", "1AVB": "_AVB", "IVCD": "IVCD",
    "ISCAL": "ISCA", "CRBBB": "CRBBB", "CLBBB": "CLBBB", "ILMI": "IMI", "LAO/LAE": "LAO/LAE", "AMI": "AMI",
    "ALMI": "AMI", "ISCIN": "ISCI", "INJAS": "AMI", "LMI": "LMI", "ISCIL": "ISCI", "LPFB": "LAFB/LPFB",
    "ISCAS": "ISCA", "INJAL": "AMI", "ISCLA": "ISCA", "RVH": "RVH", "ANEUR": "STTC", "RAO/RAE": "RAO/RAE",
    "EL": "STTC", "WPW": "WPW", "ILBBB": "ILBBB", "IPLMI": "IMI", "ISCAN": "ISCA", "IPMI": "IMI", "SEHYP": "SEHYP",
    "INJIN": "IMI", "INJLA": "AMI", "PMI": "PMI", "3AVB": "_AVB", "INJIL": "IMI", "2AVB": "_AVB",
}  # fmt: skip
#: The 23 sub-classes in words; most hold the statements of one kind and are called by the broadest of them.
_BROADER = {
    "ISCA": "Ischaemia in anterior or lateral leads",
    "ISCI": "Ischaemia in inferior leads",
    "STTC": "Other ST-T change",
    "LAFB/LPFB": "Left anterior or posterior fascicular block",
    "_AVB": "AV block of any degree",
}
SUBCLASSES = (
    "NORM", "AMI", "IMI", "LMI", "PMI", "ISC_", "ISCA", "ISCI", "NST_", "STTC", "CLBBB", "CRBBB", "ILBBB", "IRBBB",
    "IVCD", "LAFB/LPFB", "WPW", "_AVB", "LVH", "RVH", "LAO/LAE", "RAO/RAE", "SEHYP",
)  # fmt: skip
SUBCLASS_WORDS = {name: _BROADER.get(name) or WORDS[name] for name in SUBCLASSES}
DIAGNOSTIC, FORM, RHYTHM = tuple(SUBCLASS_OF), STATEMENTS[44:59], STATEMENTS[59:]
#: Sub-classes by superclass, in words.
SUBCLASS_GROUPS: dict[str, tuple[str, ...]] = {
    "Normal": ("NORM",),
    "Myocardial infarction": ("IMI", "AMI", "LMI", "PMI"),
    "ST-T change": ("NST_", "ISC_", "ISCA", "ISCI", "STTC"),
    "Conduction": ("CLBBB", "CRBBB", "ILBBB", "IRBBB", "IVCD", "LAFB/LPFB", "WPW", "_AVB"),
    "Hypertrophy": ("LVH", "RVH", "LAO/LAE", "RAO/RAE", "SEHYP"),
}
#: Statements by what they speak of, in the order in which they are offered to a reader.
GROUPS: dict[str, tuple[str, ...]] = {
    "Rhythm": RHYTHM,
    **{
        group: tuple(name for name, subclass in SUBCLASS_OF.items() if subclass in subclasses)
        for group, subclasses in SUBCLASS_GROUPS.items()
    },
    "Form": FORM,
}
TASKS = {"superclass": SUPERCLASSES, "subclass": SUBCLASSES, "statement": STATEMENTS}

CHOICE_FOLD = 9
CHUNK = 512

__all__ = [
    "CHOICE_FOLD",
    "SUBCLASSES",
    "SUPERCLASSES",
    "TASKS",
    "TRAINING_FOLDS",
    "Dataset",
    "load_dataset",
    "task_labels",
]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Records of PTB-XL at 100 Hz.

    Attributes
    ----------
    ids : ndarray of shape (n,)
    patients : ndarray of shape (n,)
        Patient of each record, the unit of every bootstrap.
    x : ndarray of shape (n, 12, 982), float16
        Preprocessed signals in mV.
    labels : dict of ndarray of shape (n, n_classes), uint8
        One array per task of `TASKS`.
    landmarks : tuple of Landmarks
    folds : ndarray of shape (n,)
        Stratified fold of each record, 1 to 10.
    known : mapping of str to ndarray of shape (n, n_classes), bool
        Of a task, which labels the table tells; where it does not, 0 in `labels` means nothing. A task that is not in
        it is known throughout.
    """

    ids: NDArray[np.int64]
    patients: NDArray[np.int64]
    x: NDArray[np.float16]
    labels: dict[str, NDArray[np.uint8]]
    landmarks: tuple[Landmarks, ...]
    folds: NDArray[np.int64]
    known: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def known_labels(self, task: str) -> NDArray[np.bool_]:
        """Return which labels of a task the table tells, shape (n, n_classes)."""
        return self.known.get(task, np.ones(self.labels[task].shape, dtype=bool))

    def targets(self, tasks: tuple[str, ...]) -> NDArray[np.float32]:
        """Return the labels of several tasks side by side, shape (n, n_classes), with NaN for what is unknown."""
        columns = [np.where(self.known_labels(task), self.labels[task], np.nan) for task in tasks]
        return np.concatenate(columns, axis=1).astype(np.float32)

    @property
    def norm_alone(self) -> NDArray[np.bool_]:
        """Which records carry NORM and no other superclass, shape (n,)."""
        superclass = self.labels["superclass"]
        return np.asarray((superclass[:, SUPERCLASSES.index("NORM")] == 1) & (superclass.sum(axis=1) == 1))

    def with_infarction(self, kind: str) -> NDArray[np.bool_]:
        """Which records carry one of the sub-classes AMI, IMI and LMI, shape (n,).

        An anterior infarction beside an inferior one has no single territory; such records are neither AMI nor IMI.
        """
        held = {name: self.labels["subclass"][:, SUBCLASSES.index(name)] == 1 for name in ("AMI", "IMI", "LMI")}
        other = {"AMI": "IMI", "IMI": "AMI"}.get(kind)
        return np.asarray(held[kind] if other is None else held[kind] & ~held[other])

    def select(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> Dataset:
        """Return some of the records."""
        kept = np.arange(len(self))[rows]
        return Dataset(
            self.ids[kept],
            self.patients[kept],
            self.x[kept],
            {task: labels[kept] for task, labels in self.labels.items()},
            tuple(self.landmarks[row] for row in kept) if self.landmarks else (),
            self.folds[kept],
            {task: known[kept] for task, known in self.known.items()},
        )

    def with_x(self, x: NDArray[np.floating]) -> Dataset:
        """Return the same records with other (edited) inputs; their landmarks stay."""
        return replace(self, x=x.astype(np.float16))


def task_labels(ptbxl: PtbXl, ids: NDArray[np.int64], task: str) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return the labels of a task and which of them are known, each of shape (n, n_classes)."""
    if task == "superclass":
        labels = ptbxl.labels(ids)
        return labels, np.ones(labels.shape, dtype=bool)
    return subclass_labels(ptbxl, ids) if task == "subclass" else statement_labels(ptbxl, ids)


def subclass_labels(ptbxl: PtbXl, ids: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return the 23 diagnostic sub-classes of records and whether they are known, each of shape (n, 23)."""
    rows = ptbxl.table.loc[ids]
    labels = _marked(rows["diagnostic_subclass"], SUBCLASSES)
    known = labels.any(axis=1) | (rows["scp_codes"].map(len) > 0).to_numpy()
    return labels, np.repeat(known[:, None], len(SUBCLASSES), axis=1)


def statement_labels(ptbxl: PtbXl, ids: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return the statements of records, whatever their likelihood, and which are known, each of shape (n, 71).

    Where `scp_codes` holds anything, all are known. Copies of the table with empty cells tell less: `rhythm`, where it
    is not empty, tells the statements of rhythm, `form` those of form, and `diagnostic_subclass` which diagnoses are
    absent, and which one is present if its sub-class has no other.
    """
    rows = ptbxl.table.loc[ids]
    labels = _marked(rows["scp_codes"], STATEMENTS)
    known = np.repeat((rows["scp_codes"].map(len) > 0).to_numpy()[:, None], len(STATEMENTS), axis=1)
    empty = ~known[:, 0]
    for column, group in (("rhythm", RHYTHM), ("form", FORM)):
        told = empty & (rows[column].map(len) > 0).to_numpy()
        place = [STATEMENTS.index(name) for name in group]
        labels[np.ix_(told, place)] = _marked(rows[column][told], group)
        known[np.ix_(told, place)] = True
    subclasses = _marked(rows["diagnostic_subclass"], SUBCLASSES)
    told = empty & subclasses.any(axis=1)
    for j, subclass in enumerate(SUBCLASSES):
        named = [STATEMENTS.index(name) for name, of in SUBCLASS_OF.items() if of == subclass]
        here = told & (subclasses[:, j] == 1)
        known[np.ix_(told & ~here, named)] = True
        if len(named) == 1:
            labels[here, named[0]], known[here, named[0]] = 1, True
    return labels, known


def _marked(cells: pd.Series[Any], names: Sequence[str]) -> NDArray[np.uint8]:
    """Return which names each cell holds, (n, len(names)); "ISC_" is written "ISC" in some copies of the table."""
    held = [{name.strip("_") for name in cell} for cell in cells]
    return np.array([[name.strip("_") in row for name in names] for row in held], np.uint8).reshape(-1, len(names))


def load_dataset(ptbxl: PtbXl, ids: NDArray[np.int64], *, landmarks: bool = True) -> Dataset:
    """Read, preprocess and label records at 100 Hz; about 25 kB of memory each."""
    prepare = preprocessing(MODEL_FS, 1000)
    x = np.empty((len(ids), 12, prepare.n_out), dtype=np.float16)
    found: list[Landmarks] = []
    for start in range(0, len(ids), CHUNK):
        part = ids[start : start + CHUNK]
        prepared = prepare.forward(ptbxl.signals(part, 100).astype(np.float32) / 1000.0)
        x[start : start + len(part)] = prepared
        if landmarks:
            found.extend(quick_landmarks(row) for row in prepared)
    told = {task: task_labels(ptbxl, ids, task) for task in TASKS}
    return Dataset(
        ids=ids,
        patients=ptbxl.table.loc[ids, "patient_id"].to_numpy(dtype=np.int64),
        x=x,
        labels={task: labels for task, (labels, _) in told.items()},
        landmarks=tuple(found),
        folds=ptbxl.folds.loc[ids].to_numpy(dtype=np.int64),
        known={task: known for task, (_, known) in told.items()},
    )
