"""What sets a recording apart from the training data is named, and an ordinary one is not remarked upon."""

from __future__ import annotations

import numpy as np
import pytest

from ecgimn.recording import Recording
from ecgimn.signal.quality import out_of_scope


@pytest.mark.parametrize("age", [None, 18, 60, 90])
def test_an_adult_recording_of_ten_seconds_is_in_scope(age: int | None) -> None:
    assert out_of_scope(Recording(np.ones((12, 4990)), 500, age=age)) == ()


def test_a_child_a_short_strip_and_computed_leads_are_named() -> None:
    named = out_of_scope(Recording(np.ones((12, 3500)), 500, age=11, derived_leads=("III", "aVR")))
    assert len(named) == 3
    assert "Age 11" in named[0]
    assert "7.0 s" in named[1]
    assert "III, aVR" in named[2]
