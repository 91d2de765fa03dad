"""ECG-IMN: a network that writes a linear model for each recording.

For every input x the network generates a weight map W(x) and reads the logit off it, `logit_k = <W_k(x), x> + b_k`,
with a trained constant b. The explanation is the computation. Interpretable mesomorphic networks: Kadra et al.,
arXiv:2305.13072; for the 12-lead ECG: Thambawita et al., arXiv:2602.09566, whose bias branch and two-dimensional
encoder are not used here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

RMS_UNIT_MV = 0.2  # about that of a normal ECG
LEAST_RMS_MV = 0.01  # a recording flatter than that is nothing but noise
WEIGHT_SCALE = 1.0 / 50.0  # for 1000 samples: brings the sum of 12,000 products to the order of a logit


@dataclass(frozen=True)
class NetworkConfig:
    """Shape of an ECG-IMN.

    Attributes
    ----------
    n_classes : int
        Labels, not exclusive.
    widths : tuple of int
        Channels of the stem (stride 2) and of the residual stages, each of which halves the rate again.
    blocks : int
        Residual blocks per stage.
    kernel : int
        Taps of the convolutions of the stages (odd).
    decoder_width : int
        Channels of the transition decoder at its finest level.
    dropout : float
        On the encoder's deepest features, while training.
    head_kernel : int
        Taps of the last convolution (odd), which writes the maps.
    reads_shape : bool
        The network that writes the maps sees the input divided by its RMS over all leads and samples, so that maps do
        not depend on the amplitude of a recording; they still multiply millivolts.
    voltage : bool
        Beside b, a logit has a term of its own for the amplitude of the recording: v times log2 of its RMS in
        `RMS_UNIT_MV`, with a trained v per class.
    """

    n_classes: int = 5
    widths: tuple[int, ...] = (48, 64, 96, 128, 192)
    blocks: int = 2
    kernel: int = 5
    decoder_width: int = 48
    dropout: float = 0.2
    head_kernel: int = 7
    reads_shape: bool = False
    voltage: bool = False


class ResidualBlock(nn.Module):
    """Two convolutions and a shortcut; the first convolution may halve the rate."""

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(n_in, n_out, kernel, stride, kernel // 2, bias=False)
        self.norm1 = nn.BatchNorm1d(n_out)
        self.conv2 = nn.Conv1d(n_out, n_out, kernel, 1, kernel // 2, bias=False)
        self.norm2 = nn.BatchNorm1d(n_out)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or n_in != n_out:
            # averaging before the 1x1 convolution keeps the shortcut free of aliasing
            self.shortcut = nn.Sequential(
                nn.AvgPool1d(stride, ceil_mode=True, count_include_pad=False),
                nn.Conv1d(n_in, n_out, 1, bias=False),
                nn.BatchNorm1d(n_out),
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, n_in, L) onto (B, n_out, L / stride)."""
        h = F.relu(self.norm1(self.conv1(x)), inplace=True)
        h = self.norm2(self.conv2(h))
        return F.relu(h + self.shortcut(x), inplace=True)


class Encoder(nn.Module):
    """One-dimensional residual network over all 12 leads together."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        stem, *stages = config.widths
        self.stem = nn.Sequential(
            nn.Conv1d(12, stem, 15, 2, 7, bias=False), nn.BatchNorm1d(stem), nn.ReLU(inplace=True)
        )
        self.stages = nn.ModuleList()
        n_in = stem
        for n_out in stages:
            blocks = [ResidualBlock(n_in, n_out, config.kernel, 2)]
            blocks += [ResidualBlock(n_out, n_out, config.kernel, 1) for _ in range(config.blocks - 1)]
            self.stages.append(nn.Sequential(*blocks))
            n_in = n_out

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the features of every level, finest first."""
        levels = [self.stem(x)]  # (B, 12, L) -> (B, C0, L/2)
        for stage in self.stages:
            levels.append(stage(levels[-1]))  # ... -> (B, Ci, L/2^(i+1))
        return levels


class TransitionDecoder(nn.Module):
    """Climbs from the deepest features back to the rate of the stem, by linear interpolation with skip connections."""

    def __init__(self, widths: tuple[int, ...], decoder_width: int) -> None:
        super().__init__()
        deepest = widths[-1]
        self.context = nn.Sequential(nn.Linear(2 * deepest, deepest), nn.ReLU(inplace=True))
        self.merge = nn.ModuleList()
        n_in = deepest
        for n_skip in reversed(widths[:-1]):
            n_out = max(decoder_width, n_skip)
            self.merge.append(
                nn.Sequential(
                    nn.Conv1d(n_in + n_skip, n_out, 3, 1, 1, bias=False), nn.BatchNorm1d(n_out), nn.ReLU(inplace=True)
                )
            )
            n_in = n_out

    def forward(self, levels: list[Tensor]) -> Tensor:
        """Map the encoder's levels onto features at the rate of the stem."""
        deep = levels[-1]
        return self.climb(levels, self.context(torch.cat([deep.mean(-1), deep.amax(-1)], dim=1)))  # (B, 2C) -> (B, C)

    def climb(self, levels: list[Tensor], whole_record: Tensor) -> Tensor:
        """Return the features that the levels give together with what is known of the whole record, (B, C)."""
        h: Tensor = levels[-1] + whole_record[:, :, None]
        for merge, skip in zip(self.merge, reversed(levels[:-1]), strict=True):
            h = merge(torch.cat([double_rate(h), skip], dim=1))
        return h  # (B, C0, L/2)


def padded(x: Tensor, config: NetworkConfig) -> Tensor:
    """Put zeros behind the end of (B, 12, L), so that every level of the encoder is exactly half of the one above it.

    Otherwise the maps drift against the trace by fractions of a sample.
    """
    return F.pad(x, (0, -x.shape[-1] % 2 ** len(config.widths)))


@dataclass(frozen=True, eq=False)
class ImnOutput:
    """What an ECG-IMN says about a batch, at the rate of its maps (half that of the input).

    Attributes
    ----------
    logit : Tensor of shape (B, K)
    maps : Tensor of shape (B, K, 12, L/2)
        Weights on the folded input; `double_rate` turns them into weights on the input itself.
    """

    logit: Tensor
    maps: Tensor


@dataclass(frozen=True, eq=False)
class LinearMaps:
    """The linear models that a network wrote for a batch, in millivolts of its input.

    `(weights * x).sum((2, 3)) + offset.sum(2) + bias` is `logit`.

    Attributes
    ----------
    logit : Tensor of shape (B, K)
        As the network itself summed it.
    weights : Tensor of shape (B, K, 12, L)
        Logit per mV.
    bias : Tensor of shape (B, K)
    offset : Tensor of shape (B, K, 12)
        What a centring of the input adds per lead; zero for a network that reads millivolts.
    """

    logit: Tensor
    weights: Tensor
    bias: Tensor
    offset: Tensor


def double_rate(x: Tensor) -> Tensor:
    """Interpolate linearly to twice the rate, (..., n) -> (..., 2n); beyond the ends the last values go on.

    What `torch.nn.functional.interpolate` does, which on CUDA took most of a training step.
    """
    before = torch.cat([x[..., :1], x[..., :-1]], dim=-1)
    after = torch.cat([x[..., 1:], x[..., -1:]], dim=-1)
    return torch.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], dim=-1).flatten(-2)


def fold_input(x: Tensor) -> Tensor:
    """Apply the adjoint of `double_rate`, (B, 12, L) -> (B, 12, L/2), so that <double_rate(m), x> = <m, fold(x)>."""
    ends = F.pad(x, (1, 1), mode="replicate")
    even, odd = ends[..., 0::2], ends[..., 1::2]
    return 0.75 * (odd[..., :-1] + even[..., 1:]) + 0.25 * (even[..., :-1] + odd[..., 1:])


def rms(x: Tensor) -> Tensor:
    """Return the root mean square of inputs (B, 12, L) over leads and samples, (B, 1, 1), at least `LEAST_RMS_MV`."""
    return x.square().mean((1, 2), keepdim=True).sqrt().clamp(min=LEAST_RMS_MV)


class EcgImn(nn.Module):
    """The ECG-IMN with a constant bias per class, for inputs of shape (B, 12, L) with even L at 100 Hz.

    The weights scale with 1/L: a logit is a mean over time, so 5 s and 10 s of the same rhythm score alike.

    Parameters
    ----------
    config : NetworkConfig
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = TransitionDecoder(config.widths, config.decoder_width)
        n_out = max(config.decoder_width, config.widths[0])
        self.head = nn.Conv1d(n_out, config.n_classes * 12, config.head_kernel, 1, config.head_kernel // 2)
        self.bias = nn.Parameter(torch.zeros(config.n_classes))
        if config.voltage:
            self.voltage = nn.Parameter(torch.zeros(config.n_classes))

    def constant(self, x: Tensor) -> Tensor:
        """Return what belongs to no sample of inputs (B, 12, L): b, and the term of the amplitude if there is one."""
        bias = self.bias + x.new_zeros(len(x), self.config.n_classes)
        return bias + self.voltage * torch.log2(rms(x)[:, 0] / RMS_UNIT_MV) if self.config.voltage else bias

    def features(self, x: Tensor, copies: int = 0) -> Tensor:
        """Return the decoder's features of a batch, (B, C, at least L/2), from which the head writes the maps.

        While training, the last `copies` rows share the dropout of the first ones.
        """
        seen = x / rms(x) if self.config.reads_shape else x
        levels = self.encoder(padded(seen, self.config))  # the maps are cut to the trace again
        if self.training and self.config.dropout > 0:
            keep = F.dropout(x.new_ones(len(x) - copies, self.config.widths[-1], 1), self.config.dropout)
            levels[-1] = levels[-1] * torch.cat([keep, keep[:copies]])
        features: Tensor = self.decoder(levels)
        return features

    def maps(self, features: Tensor, x: Tensor) -> Tensor:
        """Return the maps (B, K, 12, L/2) that the head writes from the features of inputs of the length of `x`."""
        maps: Tensor = self.head(features).to(x.dtype)  # (B, K*12, at least L/2)
        maps = maps.unflatten(1, (self.config.n_classes, 12))[..., : x.shape[-1] // 2]
        return maps * (WEIGHT_SCALE * 1000.0 / x.shape[-1])

    def forward(self, x: Tensor) -> ImnOutput:
        """Explain a batch."""
        maps = self.maps(self.features(x), x)
        with torch.autocast(x.device.type, enabled=False):
            return ImnOutput(torch.einsum("bklt,blt->bk", maps, fold_input(x)) + self.constant(x), maps)

    def logits(self, x: Tensor) -> Tensor:
        """Return the logits (B, K) of a batch, without writing its maps."""
        return self.read(self.features(x), x)

    def read(self, features: Tensor, x: Tensor) -> Tensor:
        """Return the logits (B, K) that linear models give to inputs `x`, from the features that write them.

        The features may be those of other inputs, of which `x` are edited copies. It is the same sum as that over the
        maps, ordered so that K costs next to nothing: `sum_t u[t] sum_cj w[c, j] h[c, t + j]` is
        `sum_cj w[c, j] sum_s u[s - j] h[c, s]`, of which the inner sum is the same for all classes.
        """
        u, taps = fold_input(x), self.config.head_kernel
        n, half = u.shape[-1], taps // 2
        with torch.autocast(x.device.type, enabled=False):
            h = features[..., : n + half].to(x.dtype)  # the head sees what lies just behind the trace, too
            ends = (half, h.shape[-1] - n + half)
            shifted = F.pad(u, ends).unfold(-1, h.shape[-1], 1)  # (B, 12, taps, s), the last tap first
            inner = shifted.flatten(1, 2) @ h.mT  # (B, 12 * taps, C)
            weight: Tensor = self.head.weight.flip(-1).unflatten(0, (self.config.n_classes, 12)).transpose(-2, -1)
            summed: Tensor = inner.flatten(1) @ weight.flatten(1).mT
            if self.head.bias is not None:
                summed = summed + u.sum(-1) @ self.head.bias.unflatten(0, (self.config.n_classes, 12)).mT
            return summed * (WEIGHT_SCALE * 1000.0 / x.shape[-1]) + self.constant(x)

    def of_outputs(self, rows: Sequence[int]) -> EcgImn:
        """Return a network with some of the outputs, which shares encoder and decoder with this one."""
        with torch.device("meta"):  # nothing is drawn or allocated for what is replaced below
            fresh = EcgImn(replace(self.config, n_classes=len(rows)))
        fresh.encoder, fresh.decoder = self.encoder, self.decoder
        for name, mine in self.head.named_parameters():
            kept = mine.detach().unflatten(0, (self.config.n_classes, 12))[list(rows)].flatten(0, 1)
            setattr(fresh.head, name, nn.Parameter(kept, requires_grad=False))
        for name in ("bias", "voltage") if self.config.voltage else ("bias",):
            setattr(fresh, name, nn.Parameter(getattr(self, name)[list(rows)].detach(), requires_grad=False))
        return fresh.train(self.training)

    def linear(self, x: Tensor) -> LinearMaps:
        """Return the linear models that the network writes for a batch (B, 12, L)."""
        out = self(x)
        return LinearMaps(out.logit, double_rate(out.maps), self.constant(x), x.new_zeros(*out.logit.shape, 12))
