"""PTB-XL in memory, ready for training: preprocessed signals, labels and quick landmarks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecgimn.signal.preprocess import MODEL_FS, preprocessing
from ecgimn.signal.waves.quick import Landmarks, quick_landmarks
from ecgimn.sources.ptbxl import SUPERCLASSES, TRAINING_FOLDS, PtbXl

SUBCLASSES = (
    "NORM", "AMI", "IMI", "LMI", "PMI", "ISC_", "ISCA", "ISCI", "NST_", "STTC", "CLBBB", "CRBBB", "ILBBB", "IRBBB",
    "IVCD", "LAFB/LPFB", "WPW", "_AVB", "LVH", "RVH", "LAO/LAE", "RAO/RAE", "SEHYP",
)  # fmt: skip
#: Every statement of PTB-XL: diagnosis, form and rhythm, in the order of scp_statements.csv.
STATEMENTS = (
    "NDT", "NST_", "DIG", "LNGQT", "NORM", "IMI", "ASMI", "LVH", "LAFB", "ISC_", "IRBBB", "1AVB", "IVCD", "ISCAL",
    "CRBBB", "CLBBB", "ILMI", "LAO/LAE", "AMI", "ALMI", "ISCIN", "INJAS", "LMI", "ISCIL", "LPFB", "ISCAS", "INJAL",
    "ISCLA", "RVH", "ANEUR", "RAO/RAE", "EL", "WPW", "ILBBB", "IPLMI", "ISCAN", "IPMI", "SEHYP", "INJIN", "INJLA",
    "PMI", "3AVB", "INJIL", "2AVB", "ABQRS", "PVC", "STD_", "VCLVH", "QWAVE", "LOWT", "NT_", "PAC", "LPR", "INVT",
    "LVOLT", "HVOLT", "TAB_", "STE_", "PRC(S)", "SR", "AFIB", "STACH", "SARRH", "SBRAD", "PACE", "SVARR", "BIGU",
    "AFLT", "SVTAC", "PSVT", "TRIGU",
)  # fmt: skip
TASKS = {"superclass": SUPERCLASSES, "subclass": SUBCLASSES, "statement": STATEMENTS}

CHOICE_FOLD = 9
CHUNK = 512

__all__ = ["CHOICE_FOLD", "SUBCLASSES", "SUPERCLASSES", "TASKS", "TRAINING_FOLDS", "Dataset", "load_dataset"]


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
    """

    ids: NDArray[np.int64]
    patients: NDArray[np.int64]
    x: NDArray[np.float16]
    labels: dict[str, NDArray[np.uint8]]
    landmarks: tuple[Landmarks, ...]
    folds: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    def targets(self, tasks: tuple[str, ...]) -> NDArray[np.uint8]:
        """Return the labels of several tasks side by side, shape (n, n_classes)."""
        return np.concatenate([self.labels[task] for task in tasks], axis=1)

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
        )

    def with_x(self, x: NDArray[np.floating]) -> Dataset:
        """Return the same records with other (edited) inputs; their landmarks stay."""
        return replace(self, x=x.astype(np.float16))


def subclass_labels(ptbxl: PtbXl, ids: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the 23 diagnostic sub-classes of records, shape (n, 23)."""
    stated = ptbxl.table.loc[ids, "diagnostic_subclass"]
    plain = [{name.strip("_") for name in row} for row in stated]  # "ISC_" is "ISC" in some copies of the table
    return np.array([[name.strip("_") in row for name in SUBCLASSES] for row in plain], dtype=np.uint8)


def statement_labels(ptbxl: PtbXl, ids: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the statements of records, whatever their likelihood, shape (n, 71)."""
    stated = [{code.strip("_") for code in row} for row in ptbxl.table.loc[ids, "scp_codes"]]
    return np.array([[code.strip("_") in row for code in STATEMENTS] for row in stated], dtype=np.uint8)


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
    return Dataset(
        ids=ids,
        patients=ptbxl.table.loc[ids, "patient_id"].to_numpy(dtype=np.int64),
        x=x,
        labels={
            "superclass": ptbxl.labels(ids),
            "subclass": subclass_labels(ptbxl, ids),
            "statement": statement_labels(ptbxl, ids),
        },
        landmarks=tuple(found),
        folds=ptbxl.folds.loc[ids].to_numpy(dtype=np.int64),
    )
