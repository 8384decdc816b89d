"""Layers of the video autoencoder: convolutions that are causal in time and cheap on CPUs."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ChannelNorm(nn.Module):
    """Root-mean-square norm over channels of ``BCTHW``: one position at a time, so causal."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels, 1, 1, 1))

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Same shape in and out, except for the channels of a convolution."""
        scale = torch.rsqrt(x_BCTHW.square().mean(1, keepdim=True) + 1e-6)
        return x_BCTHW * scale * self.gain


class SpatialConv(nn.Module):
    """A 3x3 convolution applied to every frame by itself."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 3, padding=1)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Same shape in and out, except for the channels of a convolution."""
        b, c, t, h, w = x_BCTHW.shape
        y: Tensor = self.conv(x_BCTHW.transpose(1, 2).reshape(b * t, c, h, w))
        return y.view(b, t, -1, h, w).transpose(1, 2)


class CausalTimeConv(nn.Module):
    """A convolution over the current and the two earlier frames (zeros before the first)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, (3, 1))
        nn.init.zeros_(self.conv.weight)
        if self.conv.bias is not None:
            nn.init.zeros_(self.conv.bias)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Same shape in and out."""
        # Time as rows and all pixels as columns: 2-D kernels are far faster than 3-D ones on CPUs.
        y: Tensor = self.conv(F.pad(x_BCTHW.flatten(3), (0, 0, 2, 0)))
        return y.view_as(x_BCTHW)


class Pointwise(nn.Module):
    """A linear map of the channels at every position."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Channels change, positions stay."""
        t, h = x_BCTHW.shape[2:4]
        y: Tensor = self.conv(x_BCTHW.flatten(2, 3)).unflatten(2, (t, h))
        return y


class ResidualBlock(nn.Module):
    """Norm, SiLU, 3x3 in space, norm, SiLU, causal 3 in time; added to its input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm_space = ChannelNorm(channels)
        self.space = SpatialConv(channels, channels)
        self.norm_time = ChannelNorm(channels)
        self.time = CausalTimeConv(channels)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Same shape in and out, except for the channels of a convolution."""
        h = self.space(F.silu(self.norm_space(x_BCTHW)))
        y: Tensor = x_BCTHW + h + self.time(F.silu(self.norm_time(h)))
        return y


class SymmetricBlock(nn.Module):
    """The same, but a frame sees both of its neighbours."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm_space = ChannelNorm(channels)
        self.space = SpatialConv(channels, channels)
        self.norm_time = ChannelNorm(channels)
        self.time = nn.Conv2d(channels, channels, (3, 1), padding=(1, 0))
        nn.init.zeros_(self.time.weight)
        assert self.time.bias is not None
        nn.init.zeros_(self.time.bias)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Same shape in and out."""
        h = self.space(F.silu(self.norm_space(x_BCTHW)))
        # Time as rows and all pixels as columns, as in CausalTimeConv.
        neighbours = self.time(F.silu(self.norm_time(h)).flatten(3)).view_as(h)
        y: Tensor = x_BCTHW + h + neighbours
        return y


def fold(x_BCTHW: Tensor, time: int, space: int) -> Tensor:
    """Move ``time x space x space`` blocks of positions into channels (space-to-depth)."""
    b, c, t, h, w = x_BCTHW.shape
    x = x_BCTHW.reshape(b, c, t // time, time, h // space, space, w // space, space)
    x = x.permute(0, 1, 3, 5, 7, 2, 4, 6)
    return x.reshape(b, c * time * space * space, t // time, h // space, w // space)


def unfold(x_BCTHW: Tensor, time: int, space: int) -> Tensor:
    """The inverse of :func:`fold`."""
    b, c, t, h, w = x_BCTHW.shape
    x = x_BCTHW.reshape(b, c // (time * space * space), time, space, space, t, h, w)
    x = x.permute(0, 1, 5, 2, 6, 3, 7, 4)
    return x.reshape(b, -1, t * time, h * space, w * space)
