"""What the model said about a case, small enough to keep with a study: logits, and maps in bins of 40 ms.

Boxes are always compared with these kept maps, so that a report made from an export gives the same numbers.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecgimn.errors import StudyError

if TYPE_CHECKING:
    from ecgimn.explain.case import Case

BIN_MS = 40.0  # one small box of the paper at 25 mm/s, the unit of the colour scale


@dataclass(frozen=True, eq=False)
class ModelAnswer:
    """The model's answer to a case.

    Attributes
    ----------
    classes : tuple of str
    logit, probability, bias : tuple of float
        Per class.
    maps : ndarray of shape (K, 12, n_bins)
        Contribution about the isoelectric level, in logit per 40 ms; kept to three digits (float16).
    model_name, model_sha256 : str
    completeness_error : float
        Of the full maps.
    """

    classes: tuple[str, ...]
    logit: tuple[float, ...]
    probability: tuple[float, ...]
    bias: tuple[float, ...]
    maps: NDArray[np.float16]
    model_name: str
    model_sha256: str
    completeness_error: float

    @property
    def called(self) -> str:
        """The class with the highest probability."""
        return self.classes[int(np.argmax(self.probability))]

    def map_of(self, class_name: str) -> NDArray[np.float64]:
        """Return the map of a class, shape (12, n_bins)."""
        return np.asarray(self.maps[self.classes.index(class_name)], dtype=np.float64)

    def as_json(self) -> dict[str, Any]:
        """Return the answer as JSON values; the maps as zlib-packed little-endian float16 in base64."""
        packed = zlib.compress(np.ascontiguousarray(self.maps, dtype="<f2").tobytes(), 9)
        return {
            "classes": list(self.classes),
            "logit": list(self.logit),
            "probability": list(self.probability),
            "bias": list(self.bias),
            "model": self.model_name,
            "model_sha256": self.model_sha256,
            "completeness_error": self.completeness_error,
            "bin_ms": BIN_MS,
            "shape": list(self.maps.shape),
            "maps": base64.b64encode(packed).decode(),
        }


def read_answer(content: Mapping[str, Any]) -> ModelAnswer:
    """Return a kept answer; raises `StudyError` where it cannot be read."""
    try:
        shape = tuple(int(n) for n in content["shape"])
        size = 2 * shape[0] * shape[1] * shape[2]
        if len(shape) != 3 or shape[1] != 12 or not 0 < size <= 4_000_000:
            raise ValueError("shape")
        packed = base64.b64decode(content["maps"], validate=True)
        raw = zlib.decompressobj().decompress(packed, size + 1)  # never more than the shape allows
        if len({shape[0], *(len(content[name]) for name in ("classes", "logit", "probability", "bias"))}) > 1:
            raise ValueError("number of classes")
        maps = np.frombuffer(raw, dtype="<f2").reshape(shape)
        if not np.isfinite(maps).all():
            raise ValueError("no numbers")
        return ModelAnswer(
            classes=tuple(str(name) for name in content["classes"]),
            logit=tuple(float(value) for value in content["logit"]),
            probability=tuple(float(value) for value in content["probability"]),
            bias=tuple(float(value) for value in content["bias"]),
            maps=maps,
            model_name=str(content["model"]),
            model_sha256=str(content["model_sha256"]),
            completeness_error=float(content["completeness_error"]),
        )
    except (KeyError, TypeError, ValueError, IndexError, binascii.Error, zlib.error) as exc:
        raise StudyError(
            "What the model said about a case cannot be read. An export as this app writes it is needed. "
            "Export the study again."
        ) from exc


def model_answer(case: Case) -> ModelAnswer:
    """Return what the model says about a case."""
    from ecgimn.explain.ledger import contribution  # so that reading an export loads nothing that measures ECGs

    explanation, recording = case.explanation, case.recording
    evidence = contribution(explanation.weights, recording, case.reading.levels)
    bins = (np.arange(recording.n_samples) / recording.fs * 1000.0 / BIN_MS + 1e-9).astype(np.intp)
    starts = np.searchsorted(bins, np.arange(bins[-1] + 1))
    return ModelAnswer(
        classes=explanation.classes,
        logit=_rounded(explanation.logit),
        probability=_rounded(explanation.probability),
        bias=_rounded(explanation.bias),
        maps=np.add.reduceat(evidence, starts, axis=2).astype(np.float16),
        model_name=explanation.model_name,
        model_sha256=explanation.model_sha256,
        completeness_error=float(f"{explanation.completeness_error:.3g}"),
    )


def _rounded(values: NDArray[np.floating]) -> tuple[float, ...]:
    return tuple(round(float(value), 6) for value in values)
