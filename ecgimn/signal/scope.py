"""Whether a recording is like those that the models learned from; what is outside is named, not refused.

The models learned from folds 1 to 8 of PTB-XL: 17,418 recordings of 10 s, of which 111 (0.6 %) are of people under 18.
"""

from __future__ import annotations

from ecgimn.recording import WINDOW_S, Recording

ADULT_AGE = 18
ROUNDING_S = 0.05  # a recorder may stop a few samples early


def out_of_scope(recording: Recording) -> tuple[str, ...]:
    """Return what sets a recording apart from the models' training data, one plain sentence each.

    Parameters
    ----------
    recording : Recording
        The window that a model is asked about.
    """
    found = []
    if recording.age is not None and recording.age < ADULT_AGE:
        found.append(
            f"Age {recording.age} is outside the scope of the models: they learned from adults (0.6 % were under "
            f"{ADULT_AGE})."
        )
    if recording.duration_s < WINDOW_S - ROUNDING_S:
        found.append(
            f"{recording.duration_s:.1f} s are outside the scope of the models: they learned from {WINDOW_S:g} s."
        )
    if recording.derived_leads:
        found.append(f"{', '.join(recording.derived_leads)} are not in the file and were computed from I and II.")
    return tuple(found)
