"""The published ECG-IMN, for comparison: a two-dimensional encoder, nearest upsampling and a generated bias.

Thambawita et al., arXiv:2602.09566, the variant with transition decoder and one linear head. The ECG is a one-channel
picture, rows the 12 leads in standard order, columns the samples; every lead of every recording is z-scored first. Per
output the network writes a weight map W and a bias b: `logit = <W, z> + b`. With `z = (x - mean) / sd` that is, for the
recording at hand,

    logit = <W / sd, x> + offset + b,    offset = - sum over leads and samples of W mean / sd,

so its weights in logit per millivolt are W / sd, and the z-scoring shows as an offset that belongs to no sample. Mean
and sd depend on the recording, and b is computed from it: both hold for this recording only.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgimn.model.network import LinearMaps

FLAT_SD_MV = 1e-3  # a lead flatter than one step of PTB-XL is a line: it is given no weight
POOLED = 4  # the encoder halves the rate twice
KERNEL = (3, 15)  # leads x samples
OUTPUTS = ("logit", "softmax", "labels")
IN_CACHE = 8  # records asked about at once: their features fit the cache, which makes a quarter of the time


@dataclass(frozen=True)
class PaperConfig:
    """Shape of the published network.

    Attributes
    ----------
    n_classes : int
        Weight maps: 1 for a single logit, 2 for a softmax over two classes, more for labels that are not exclusive.
    output : {"logit", "softmax", "labels"}
        What the maps are read as. Of a softmax over two classes the contrast is the explanation: the logit of a class
        is its own minus the other's, so that the probability is its sigmoid.
    dropout : float
        On the encoder's features, while training.
    """

    n_classes: int = 5
    output: str = "labels"
    dropout: float = 0.2

    def __post_init__(self) -> None:
        wanted = {"logit": self.n_classes == 1, "softmax": self.n_classes == 2, "labels": self.n_classes >= 1}
        if not wanted.get(self.output, False):
            raise ValueError(f"output is {self.output!r} with {self.n_classes} maps; one of {', '.join(OUTPUTS)} is "
                             "needed, a logit with 1 map and a softmax with 2")  # fmt: skip


@dataclass(frozen=True, eq=False)
class PaperOutput:
    """What the published network says about a batch.

    Attributes
    ----------
    logit : Tensor of shape (B, K)
    maps : Tensor of shape (B, K, 12, L)
        Weights on the z-scored input.
    bias : Tensor of shape (B, K)
        Generated from the pooled features of each recording.
    """

    logit: Tensor
    maps: Tensor
    bias: Tensor


class PaperEncoder(nn.Module):
    """Three 3 x 15 convolutions, 1-16-32-64 channels, over leads and time."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.blocks = nn.ModuleList()
        for n_in, n_out in ((1, 16), (16, 32), (32, 64)):
            convolution = nn.Conv2d(n_in, n_out, KERNEL, padding=(1, 7), bias=False)
            self.blocks.append(nn.Sequential(convolution, nn.BatchNorm2d(n_out), nn.GELU()))
        self.dropout = nn.Dropout(dropout)

    def forward(self, z: Tensor) -> Tensor:
        """Map (B, 12, L) onto (B, 64, 12, L/4)."""
        h = self.blocks[0](z[:, None])  # -> (B, 16, 12, L)
        for block in list(self.blocks)[1:]:
            h = F.max_pool2d(block(h), (1, 2))  # -> (B, 32, 12, L/2) -> (B, 64, 12, L/4)
        features: Tensor = self.dropout(h)
        return features


class PaperDecoder(nn.Module):
    """Two 3 x 3 convolutions, each followed by nearest upsampling along time."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList()
        for n_in, n_out in ((64, 32), (32, 16)):
            convolution = nn.Conv2d(n_in, n_out, 3, padding=1, bias=False)
            upsampling = nn.Upsample(scale_factor=(1, 2), mode="nearest")
            self.blocks.append(nn.Sequential(convolution, nn.BatchNorm2d(n_out), nn.GELU(), upsampling))

    def forward(self, h: Tensor) -> Tensor:
        """Map (B, 64, 12, L/4) onto (B, 16, 12, L)."""
        for block in self.blocks:
            h = block(h)
        return h


class PaperImn(nn.Module):
    """The published ECG-IMN for inputs of shape (B, 12, L).

    A length that is no multiple of 4 is filled up with zeros behind the end; the maps are cut to the input again.

    Parameters
    ----------
    config : PaperConfig
    """

    def __init__(self, config: PaperConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = PaperEncoder(config.dropout)
        self.decoder = PaperDecoder()
        self.head = nn.Conv2d(16, config.n_classes, 3, padding=1)
        self.bias_head = nn.Linear(64, config.n_classes)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a third faster on processors

    def forward(self, z: Tensor) -> PaperOutput:
        """Explain a batch (B, 12, L) that is z-scored already; of a softmax these are its two raw scores."""
        features = self.encoder(F.pad(z, (0, -z.shape[-1] % POOLED)))
        maps = self.head(self.decoder(features))[..., : z.shape[-1]].to(z.dtype)  # (B, K, 12, L)
        bias = self.bias_head(features.mean((2, 3))).to(z.dtype)  # (B, 64) -> (B, K)
        return PaperOutput(read_maps(maps, bias, z), maps, bias)

    def logits(self, x: Tensor) -> Tensor:
        """Return the logits (B, K) of a batch in mV."""
        logit = torch.cat([self(z_score(part)[0]).logit for part in x.split(IN_CACHE)])
        return logit - logit.flip(1) if self.config.output == "softmax" else logit

    def linear(self, x: Tensor) -> LinearMaps:
        """Return the linear models in millivolts that the network writes for a batch in mV, (B, 12, L)."""
        z, mean, per_mv = z_score(x)
        out: PaperOutput = self(z)
        logit, maps, bias = out.logit, out.maps, out.bias
        if self.config.output == "softmax":
            logit, maps, bias = logit - logit.flip(1), maps - maps.flip(1), bias - bias.flip(1)
        weights = maps * per_mv[:, None]
        return LinearMaps(logit=logit, weights=weights, bias=bias, offset=-(weights * mean[:, None]).sum(-1))


def read_maps(maps: Tensor, bias: Tensor, z: Tensor) -> Tensor:
    """Return the logits (B, K) that linear models give to inputs, their own or their neighbours'."""
    with torch.autocast(z.device.type, enabled=False):
        return torch.einsum("bklt,blt->bk", maps, z) + bias


def z_score(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return inputs (B, 12, L) with mean 0 and sd 1 per lead, the means and the factors 1 / sd, both (B, 12, 1).

    A flat lead becomes zeros and has the factor 0.
    """
    mean, sd = x.mean(-1, keepdim=True), x.std(-1, keepdim=True, correction=0)
    factor = torch.where(sd > FLAT_SD_MV, 1.0 / sd.clamp_min(FLAT_SD_MV), 0.0)
    return (x - mean) * factor, mean, factor
