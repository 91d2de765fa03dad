"""Composite cases: ten seconds from the mean beat of at least 30 PTB-XL patients with one statement, never one patient.

They come with the app, so that it needs no data set to start. Each case is two small files under assets/composites/: a
JSON card that says how it was made, and the samples of the eight independent leads in microvolts; III, aVR, aVL and aVF
follow from I and II. `write_composites` makes them all from a PTB-XL folder.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgimn.about import shipped
from ecgimn.errors import SourceError
from ecgimn.leads import DERIVED_LEADS, INDEPENDENT_LEADS, LIMB_FROM_I_II, STANDARD_LEADS
from ecgimn.recording import Recording

FOLDER = shipped("assets/composites")
SOURCE = "composite"
COMMAND = "python -m ecgimn composites --ptbxl DIR"
LICENCE = "CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/), as PTB-XL"
ATTRIBUTION = (
    "Made from PTB-XL 1.0.3 (Wagner P, Strodthoff N, Bousseljot R-D, Samek W, Schaeffter T. PTB-XL, a large publicly "
    "available electrocardiography dataset. PhysioNet, doi:10.13026/kfzx-aw45; Scientific Data 7:154, 2020). Changed: "
    "averaged over patients, repeated at varied intervals, noise added."
)


@dataclass(frozen=True)
class Planted:
    """A known change to the normal composite: the answer that an explanation has to find.

    Attributes
    ----------
    change : str
        "ST +0.20 mV from J to the top of T".
    leads : tuple of str
        Leads in which it was planted.
    waves : tuple of str
        Waves that it changes, named as in `ecgimn.signal.waves.find`.
    amount_mv : dict of str to float
        Per lead the change at its plateau (or peak), those that follow in derived limb leads included.
    twin_of : str
        The case it was planted in; beats and noise are the same, so the difference is the change and nothing else.
    """

    change: str
    leads: tuple[str, ...]
    waves: tuple[str, ...]
    amount_mv: dict[str, float]
    twin_of: str


@dataclass(frozen=True)
class CompositeCase:
    """The card of a composite.

    Attributes
    ----------
    name, title : str
        File name, and what is shown: "inferior MI".
    codes : tuple of str
        SCP statements as used in PTB-XL.
    superclass : str
        Their diagnostic superclass in PTB-XL.
    n_patients : int
        Patients averaged, one record each.
    hallmark : str
        What a reader should see.
    label_definition, selection, method : str
        Which records were asked for, which of them were averaged, and how.
    made_from : dict
        Numbers about the records: folds, candidates, how many at 500 Hz, median age, share of women.
    rr_s : float
        Mean distance of beats in seconds.
    beat : dict of str to int
        Samples at 500 Hz of R, QRS onset and J within the stored mean beat.
    r_samples : tuple of int
        Where R lies in the recording.
    planted : Planted or None
        The planted change of a teaching twin.
    digest : str
        Digest of the `Recording`.
    command, licence, attribution : str
    """

    name: str
    title: str
    codes: tuple[str, ...]
    superclass: str
    n_patients: int
    hallmark: str
    label_definition: str
    selection: str
    method: str
    made_from: dict[str, Any]
    rr_s: float
    beat: dict[str, int]
    r_samples: tuple[int, ...]
    digest: str
    planted: Planted | None = None
    command: str = COMMAND
    licence: str = LICENCE
    attribution: str = ATTRIBUTION

    @property
    def record_name(self) -> str:
        """As shown: "composite · inferior MI (mean of 219)"."""
        if self.planted is None:
            return f"composite · {self.title} (mean of {self.n_patients})"
        return f"composite with planted change · {self.title} (normal, mean of {self.n_patients})"


@dataclass(frozen=True, eq=False)
class Composite:
    """A composite case with its samples.

    Attributes
    ----------
    case : CompositeCase
    signal_uv : ndarray of shape (8, 5000), int16
        Microvolts at 500 Hz, leads in the order of `INDEPENDENT_LEADS`.
    beat_uv : ndarray of shape (8, n), int16
        The mean beat from before P to after T, without noise; both ends lie on the baseline.
    """

    case: CompositeCase
    signal_uv: NDArray[np.int16]
    beat_uv: NDArray[np.int16]

    @property
    def recording(self) -> Recording:
        """The case as a recording of 10 s at 500 Hz, without age and sex."""
        return Recording(
            all_leads(self.signal_uv), 500.0, record_name=self.case.record_name, source=SOURCE,
            derived_leads=DERIVED_LEADS,
        )  # fmt: skip

    @property
    def beat(self) -> NDArray[np.float32]:
        """The mean beat in mV at 500 Hz, shape (12, n)."""
        return all_leads(self.beat_uv)


def all_leads(independent_uv: NDArray[np.int16]) -> NDArray[np.float32]:
    """Return the twelve leads in mV, shape (12, n), of the eight independent ones in microvolts."""
    twelve = np.empty((len(STANDARD_LEADS), independent_uv.shape[1]))
    twelve[:6] = LIMB_FROM_I_II @ independent_uv[:2].astype(np.float64)
    twelve[6:] = independent_uv[2:]
    return np.asarray(twelve / 1000.0, dtype=np.float32)


def list_composites(folder: Path = FOLDER) -> tuple[CompositeCase, ...]:
    """Return the cards of all composite cases, in the order in which they are shown.

    Raises
    ------
    SourceError
        A card cannot be read.
    """
    cards = [_card(path) for path in sorted(folder.glob("*.json"))]
    return tuple(case for _, case in sorted(cards, key=lambda card: card[0]))


def load_composite(name: str, folder: Path = FOLDER) -> Recording:
    """Return a composite case as a recording.

    Raises
    ------
    SourceError
        There is no case of that name, or its samples do not agree with its card.
    """
    return read_composite(name, folder).recording


def read_composite(name: str, folder: Path = FOLDER) -> Composite:
    """Return a composite case with its card and mean beat; errors as `load_composite`."""
    cases = {case.name: case for case in list_composites(folder)}
    if name not in cases:
        raise SourceError(
            f"There is no composite case {name!r}. The cases are {', '.join(cases) or 'none'}. Choose one of them."
        )
    try:
        samples = io.BytesIO((folder / f"{name}.npz").read_bytes())
        with np.load(samples, allow_pickle=False) as arrays:
            composite = Composite(cases[name], arrays["signal_uv"], arrays["beat_uv"])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as exc:
        raise _damaged(name, "its samples cannot be read") from exc
    if composite.signal_uv.shape != (len(INDEPENDENT_LEADS), 5000) or composite.signal_uv.dtype != np.int16:
        raise _damaged(name, "its samples do not have the expected shape")
    if composite.recording.digest != cases[name].digest:
        raise _damaged(name, "its samples do not agree with its card")
    return composite


def _card(path: Path) -> tuple[int, CompositeCase]:
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        position = int(card.pop("position"))
        card.pop("record_name")
        planted = card.pop("planted")
        if planted is not None:
            planted = Planted(**{**planted, "leads": tuple(planted["leads"]), "waves": tuple(planted["waves"])})
        for field in ("codes", "r_samples"):
            card[field] = tuple(card[field])
        case = CompositeCase(**card, planted=planted)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise _damaged(path.stem, "its card cannot be read") from exc
    if case.name != path.stem:
        raise _damaged(path.stem, "its card names another case")
    return position, case


def _damaged(name: str, found: str) -> SourceError:
    return SourceError(
        f"The composite case {name!r} cannot be used: {found}. The files as they came with the app are needed. "
        "Install the app again."
    )
