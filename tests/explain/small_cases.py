"""A small untrained model and an ECG made of bumps: enough for everything that must hold for any model."""

from functools import partial

import numpy as np
import torch

from ecgimn.explain.case import open_case
from ecgimn.explain.explanation import explain
from ecgimn.leads import LIMB_FROM_I_II
from ecgimn.model.card import ModelCard
from ecgimn.model.model import Model
from ecgimn.model.network import EcgImn, NetworkConfig
from ecgimn.recording import Recording

CLASSES = ("A", "B", "C")


def small_model():
    """Two small networks with three classes, calibrated by numbers that are none of 0 and 1."""
    config = NetworkConfig(n_classes=3, widths=(8, 8, 8), blocks=1, decoder_width=8)
    networks = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        networks.append(EcgImn(config).eval())
    card = ModelCard(
        "tiny", "three classes", CLASSES, 2, config, (1.5, 1.0, 0.7), (0.1, 0.0, -0.4), "0" * 64, (0.0,) * 3
    )
    return Model(card, tuple(networks), torch.device("cpu"))


def synthetic(fs=500.0, duration_s=10.0, seed=0):
    """Twelve consistent leads with P, QRS and T at 75 per minute."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(duration_s * fs)) / fs
    eight = np.zeros((8, len(t)))
    amplitude = {
        "p": (0.12, -0.16, 0.02),
        "q": (-0.1, -0.03, 0.01),
        "r": (1.0, 0.0, 0.012),
        "s": (-0.2, 0.03, 0.01),
        "t": (0.3, 0.28, 0.05),
    }
    for beat in np.arange(0.5, duration_s - 0.3, 0.8):
        for size, offset, width in amplitude.values():
            eight += size * rng.uniform(0.6, 1.1, (8, 1)) * np.exp(-0.5 * ((t - beat - offset) / width) ** 2)
    limb = LIMB_FROM_I_II @ eight[:2]
    return Recording(np.concatenate([limb, eight[2:]]).astype(np.float32), fs)


def small_case(recording=None, model=None, *, double=False):
    """A recording, by default the synthetic one, read and explained by the small model, in float64 where asked."""
    recording = synthetic() if recording is None else recording
    return open_case(
        recording,
        small_model() if model is None else model,
        despite_quality=True,
        explain=partial(explain, double=double),
    )
