"""ST shifts planted in composite cases are measured as planted."""

import numpy as np
import pytest

from ecgimn.leads import CHEST_LEADS, STANDARD_LEADS
from ecgimn.signal.measure import measure
from ecgimn.signal.waves.find import find_waves
from ecgimn.sources.composites.case import load_composite

AMOUNTS_MV = (0.05, -0.1, 0.2, 0.4)


@pytest.mark.parametrize("name", ["norm", "lvh", "asmi"])
def test_planted_st_shifts_are_recovered_within_20_microvolts(name):
    recording = load_composite(name)
    waves = find_waves(recording)
    before = {st.lead: st.j60_mv for st in measure(recording, waves).st}
    t = np.arange(recording.n_samples)
    shape = np.zeros(recording.n_samples)
    for j, t_end in zip(waves.global_qrs_offset, waves.global_t_offset, strict=True):
        if np.isfinite(j + t_end):
            shape = np.maximum(shape, np.interp(t, [j - 8, j, j + 50, t_end], [0, 1, 1, 0]))
    rows = [STANDARD_LEADS.index(lead) for lead in CHEST_LEADS]
    for amount in AMOUNTS_MV:
        signal = np.array(recording.signal)
        signal[rows] += (amount * shape).astype(np.float32)
        edited = recording.with_signal(signal)
        after = {st.lead: st.j60_mv for st in measure(edited, find_waves(edited)).st}
        recovered = [after[lead] - before[lead] for lead in CHEST_LEADS]
        assert np.abs(np.array(recovered) - amount).max() < 0.02
