"""Quick landmarks find the beats of a synthetic ECG and invent none."""

import numpy as np

from ecgimn.signal.waves.quick import quick_landmarks


def synthetic(beats, n=1000):
    t = np.arange(n)
    x = np.zeros((12, n))
    for beat in beats:
        x += np.exp(-0.5 * ((t - beat) / 2.0) ** 2) + 0.25 * np.exp(-0.5 * ((t - beat - 28) / 6.0) ** 2)
    return x * np.linspace(0.5, 1.0, 12)[:, None]


def test_every_beat_is_found_within_a_sample():
    beats = np.arange(60, 960, 80)
    found = quick_landmarks(synthetic(beats))
    assert len(found.centres) == len(beats)
    assert np.abs(found.centres - beats).max() <= 1
    assert found.rr == 80


def test_a_flat_line_has_no_beat():
    assert len(quick_landmarks(np.zeros((12, 1000))).centres) == 0
