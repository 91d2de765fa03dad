"""How far around a sample the network looks when it writes the weight there.

Through its convolutions a weight can reach a limited stretch, which follows from the shape of the network alone
(`local_field`); how much of that it uses is measured on a recording (`sensitivity`). Through the context vector, mean
and maximum over time of the deepest features, every weight sees the whole record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from ecgimn.model.network import EcgImn, NetworkConfig, double_rate, padded
from ecgimn.recording import bridge_gaps
from ecgimn.signal.preprocess import MODEL_FS, TRIM_START, preprocessing

if TYPE_CHECKING:
    from ecgimn.model.model import Model
    from ecgimn.recording import Recording

STEM_HALF = 7  # taps to either side of the stem's convolution
MERGE_HALF = 1  # and of the decoder's
CLOSE_SHARE = 0.9  # of the local sensitivity lies within the close field
N_PROBES = 2  # random signs over leads and classes whose gradients stand for all of them


@dataclass(frozen=True)
class ReceptiveField:
    """How far the network looks when it writes the weights at a moment, the context vector left aside.

    Attributes
    ----------
    at_s : float
        Seconds from the beginning of the recording.
    close_s : float
        Stretch in seconds about that moment that holds 90 % of what the weights there depend on.
    reach_s : float
        The longest stretch in seconds that the convolutions can reach.
    """

    at_s: float
    close_s: float
    reach_s: float


def local_field(config: NetworkConfig, at_sample: int) -> tuple[int, int]:
    """Return the first and last input sample at 100 Hz that the weight at a sample can reach through convolutions.

    The context vector left aside; samples before the beginning or behind the end of a recording count as well.

    Parameters
    ----------
    config : NetworkConfig
    at_sample : int
        At 100 Hz.
    """
    head_half = config.head_kernel // 2
    first, last = _finer(at_sample, at_sample)
    first, last = first - head_half, last + head_half
    wanted = []  # of each level of the encoder, finest first
    for _ in config.widths[1:]:
        first, last = first - MERGE_HALF, last + MERGE_HALF
        wanted.append((first, last))
        first, last = _finer(first, last)
    half = config.kernel // 2
    wider = first, last
    for level in range(len(wanted), 0, -1):
        first, last = wider
        first, last = first - half * (2 * config.blocks - 1), last + half * (2 * config.blocks - 1)
        first, last = 2 * first - half, 2 * last + half
        skip = wanted[level - 1]
        wider = min(first, skip[0]), max(last, skip[1])
    return 2 * wider[0] - STEM_HALF, 2 * wider[1] + STEM_HALF


def reach_s(config: NetworkConfig) -> float:
    """Return the longest stretch in seconds that any weight can reach through convolutions."""
    period = 2 ** len(config.widths)
    fields = [local_field(config, at) for at in range(period)]
    return max(last - first + 1 for first, last in fields) / MODEL_FS


def _finer(first: int, last: int) -> tuple[int, int]:
    """Return the samples at half the rate that linear interpolation to `first` ... `last` takes in."""
    return (first - 1) // 2, (last + 1) // 2


def sensitivity(network: EcgImn, x: NDArray[np.floating], at_sample: int) -> NDArray[np.float64]:
    """Return how strongly the weights at a sample depend on each sample of the input, without the context vector.

    The root of the summed squares, over leads, of the gradients of `N_PROBES` seeded random signs over all weights at
    that sample: up to the probes, the norm of the local Jacobian.

    Parameters
    ----------
    network : EcgImn
        In evaluation mode.
    x : ndarray of shape (12, L)
        Preprocessed signal in mV at 100 Hz, L even.
    at_sample : int
        From 0 to L - 1.

    Returns
    -------
    ndarray of shape (L,)
    """
    return np.asarray(sensitivities(network, x, [at_sample])[0])


def sensitivities(network: EcgImn, x: NDArray[np.floating], at_samples: Sequence[int]) -> NDArray[np.float64]:
    """Return `sensitivity` at several samples with one pass forward, shape (len(at_samples), L)."""
    parameter = next(network.parameters())
    squares = np.zeros((len(at_samples), x.shape[-1]))
    with torch.enable_grad():
        batch = torch.as_tensor(np.array(x), dtype=parameter.dtype, device=parameter.device)[None].requires_grad_()
        levels = network.encoder(padded(batch, network.config))
        deep = levels[-1]
        whole_record = network.decoder.context(torch.cat([deep.mean(-1), deep.amax(-1)], dim=1)).detach()
        maps = double_rate(network.head(network.decoder.climb(levels, whole_record)))[0]  # (K * 12, L)
        signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(N_PROBES, len(maps)))
        probes = torch.as_tensor(signs, dtype=maps.dtype, device=maps.device)
        for row, at_sample in enumerate(at_samples):
            for probe in probes:
                (gradient,) = torch.autograd.grad(maps[:, at_sample] @ probe, batch, retain_graph=True)
                squares[row] += gradient[0].double().square().sum(0).cpu().numpy()
    return np.asarray(np.sqrt(squares / N_PROBES))


def receptive_field(model: Model, recording: Recording, at_s: float) -> ReceptiveField | None:
    """Return how far the network looks about a moment; None for a network of another make, such as the published one.

    Parameters
    ----------
    model : Model
        Its first network is asked.
    recording : Recording
        Of at most 10 s.
    at_s : float
        Seconds from the beginning of the recording.
    """
    fields = receptive_fields(model, recording, [at_s])
    return fields[0] if fields else None


def receptive_fields(model: Model, recording: Recording, moments_s: Sequence[float]) -> tuple[ReceptiveField, ...]:
    """Return `receptive_field` at several moments; empty for a network of another make."""
    network = model.networks[0]
    if not isinstance(network, EcgImn):
        return ()
    x = preprocessing(recording.fs, recording.n_samples).forward(bridge_gaps(recording.signal))
    n_samples = x.shape[-1]
    middles = [min(max(round(at_s * MODEL_FS) - TRIM_START, 0), n_samples - 1) for at_s in moments_s]
    longest = reach_s(network.config)
    fields = []
    for at_s, middle, felt in zip(moments_s, middles, sensitivities(network, x, middles), strict=True):
        by_distance = np.zeros(n_samples)
        np.add.at(by_distance, np.abs(np.arange(n_samples) - middle), felt)
        half = int(np.searchsorted(np.cumsum(by_distance), CLOSE_SHARE * by_distance.sum()))
        fields.append(ReceptiveField(at_s, (2 * half + 1) / MODEL_FS, longest))
    return tuple(fields)
