"""The twelve standard leads: names, order, groups and the linear relations between them.

Relations (Einthoven, Goldberger): III = II - I, aVR = -(I + II) / 2, aVL = I - II / 2, aVF = II - I / 2.
Only eight of the twelve leads are independent. See the AHA/ACC/HRS 2007 recommendations, part I
(doi:10.1161/CIRCULATIONAHA.106.180200).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ecgimn.errors import LeadError

STANDARD_LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
LIMB_LEADS = STANDARD_LEADS[:6]
CHEST_LEADS = STANDARD_LEADS[6:]
INDEPENDENT_LEADS = ("I", "II", *CHEST_LEADS)
DERIVED_LEADS = ("III", "aVR", "aVL", "aVF")

#: Territories of the left ventricle as read on a standard ECG; aVR is listed apart.
TERRITORIES: dict[str, tuple[str, ...]] = {
    "inferior": ("II", "III", "aVF"),
    "lateral": ("I", "aVL", "V5", "V6"),
    "septal": ("V1", "V2"),
    "anterior": ("V3", "V4"),
    "aVR": ("aVR",),
}

#: Limb leads in the frontal plane and chest leads across the chest, each next to its neighbours.
CONTIGUOUS_LIMB = ("aVL", "I", "-aVR", "II", "aVF", "III")
CONTIGUOUS_CHEST = CHEST_LEADS

#: Rows I, II, III, aVR, aVL, aVF written as combinations of I and II.
LIMB_FROM_I_II: NDArray[np.float64] = np.array(
    [[1, 0], [0, 1], [-1, 1], [-0.5, -0.5], [1, -0.5], [-0.5, 1]], dtype=np.float64
)
LIMB_FROM_I_II.setflags(write=False)

_BY_LOWER = {name.lower(): name for name in STANDARD_LEADS}
#: Romance-language recorders write DI, DII, DIII or D1, D2, D3 for the bipolar limb leads.
_BY_LOWER |= {"di": "I", "dii": "II", "diii": "III", "d1": "I", "d2": "II", "d3": "III"}
_VOLTAGE = ("(mv)", "(uv)", "(\u00b5v)", "(\u03bcv)", "(v)", "[mv]", "[uv]", "[\u00b5v]", "[\u03bcv]", "[v]")
_PREFIXES = ("mdc ecg lead", "ecg lead", "ekg lead", "lead", "ecg", "ekg")


def _canonical_projection() -> NDArray[np.float64]:
    projection = np.eye(12)
    a = LIMB_FROM_I_II
    projection[:6, :6] = a @ np.linalg.inv(a.T @ a) @ a.T
    projection.setflags(write=False)
    return projection


#: The symmetric (12, 12) matrix that projects twelve leads onto those that satisfy the limb-lead relations.
#: Applied to a signal it gives the nearest consistent ECG; applied to weights it gives their canonical form,
#: the minimum-norm weights with the same effect on every consistent ECG.
CANONICAL_PROJECTION = _canonical_projection()


def lead_index(lead: str) -> int:
    """Row of a standard lead in a signal; raises `LeadError` for a name that is none of the twelve."""
    try:
        return STANDARD_LEADS.index(lead)
    except ValueError as exc:
        raise LeadError(f"Lead {lead!r} is not one of {', '.join(STANDARD_LEADS)}. Name a standard lead.") from exc


@lru_cache(maxsize=256)
def canonical_lead_name(name: str) -> str | None:
    """Return the standard spelling of a lead's name, or None when it is not one of the twelve.

    Case, blanks, a unit in brackets and the prefixes "lead", "ECG" and "EKG" are ignored: "AVR", "avr", "Lead aVR (uV)"
    and "EKG_aVR" are aVR, but "-aVR", the inverted lead, is not. DI, DII, DIII and D1, D2, D3 are I, II and III.
    """
    text = " ".join(name.replace("_", " ").lower().split())
    text = next((text.removesuffix(unit).rstrip() for unit in _VOLTAGE if text.endswith(unit)), text)
    for prefix in _PREFIXES:
        if text not in _BY_LOWER and text.startswith(prefix):
            rest = text.removeprefix(prefix)
            text = rest[1:] if rest[:1] == "-" and rest != "-avr" else rest.lstrip(" .:")
            break
    return _BY_LOWER.get(text)


def order_leads(signal: NDArray[np.floating], names: Sequence[str]) -> tuple[NDArray[np.floating], tuple[str, ...]]:
    """Order the rows of a signal by lead name and derive III, aVR, aVL and aVF from I and II where they are not stored.

    Parameters
    ----------
    signal : ndarray of shape (n_rows, n_samples)
        One row per entry of `names`, all in the same unit.
    names : sequence of str
        Lead names in the file's order; rows with other names (Frank X, Y, Z, say) are left out.

    Returns
    -------
    ordered : ndarray of shape (12, n_samples)
        Rows in the order of `STANDARD_LEADS`.
    derived : tuple of str
        Leads that were computed from I and II because the file does not hold them.

    Raises
    ------
    LeadError
        A lead is named twice, or one that cannot be derived is missing.
    """
    rows: dict[str, int] = {}
    for row, name in enumerate(names):
        lead = canonical_lead_name(name)
        if lead is None:
            continue
        if lead in rows:
            raise LeadError(
                f"Lead {lead} is there twice. Each of the 12 standard leads is needed once. "
                "Remove or rename the second one and open the file again."
            )
        rows[lead] = row
    derived = tuple(lead for lead in DERIVED_LEADS if lead not in rows)
    absent = [lead for lead in INDEPENDENT_LEADS if lead not in rows]
    if absent:
        word = "Lead" if len(absent) == 1 else "Leads"
        verb = "is" if len(absent) == 1 else "are"
        raise LeadError(
            f"{word} {', '.join(absent)} {verb} missing (found {len(rows)} of 12 standard leads). "
            "A standard 12-lead recording is needed. Export all 12 leads and open the file again."
        )
    ordered = np.empty((12, signal.shape[1]), dtype=signal.dtype)
    for position, lead in enumerate(STANDARD_LEADS):
        if lead in rows:
            ordered[position] = signal[rows[lead]]
        else:
            from_i, from_ii = LIMB_FROM_I_II[position]
            ordered[position] = from_i * signal[rows["I"]] + from_ii * signal[rows["II"]]
    return ordered, derived
