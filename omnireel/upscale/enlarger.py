"""Learned enlargement: what interpolation leaves out, told from the small clip's pixels alone.

Where an outline runs and what the autoencoder blurred is mostly decided by the small clip itself,
so a convolutional network of residual blocks with pixel shuffling (EDSR, arXiv 1707.02921; ESPCN,
arXiv 1609.05158) says it directly in pixels, without the autoencoder between. Blocks see
neighbouring frames as well: noise that a generator leaves differs from frame to frame, things do
not.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from omnireel.model.convolution import (
    ChannelNorm,
    SpatialConv,
    SymmetricBlock,
    fold,
    unfold,
)

PATCH = 2
"""Small pixels along a side of one position of the network: half the cost of each, twice the
view."""


@dataclass(frozen=True)
class EnlargerConfig:
    """Width and depth of the network."""

    channels: int = 64
    blocks: int = 8

    def __post_init__(self) -> None:
        if min(self.channels, self.blocks) < 1:
            raise ValueError("channels and blocks must be at least 1")


class Enlarger(nn.Module):
    """Small clip in, the detail that its interpolation lacks out; at first there is none."""

    def __init__(self, config: EnlargerConfig, factor: int) -> None:
        super().__init__()
        self.config = config
        self.stem = SpatialConv(3 * PATCH**2, config.channels)
        self.blocks = nn.Sequential(
            *(SymmetricBlock(config.channels) for _ in range(config.blocks))
        )
        self.norm = ChannelNorm(config.channels)
        self.out = SpatialConv(config.channels, 3 * (PATCH * factor) ** 2)
        nn.init.zeros_(self.out.conv.weight)
        assert self.out.conv.bias is not None
        nn.init.zeros_(self.out.conv.bias)
        self.factor = factor

    def forward(self, small_BCTHW: Tensor) -> Tensor:
        """Frames in -1..1 with even sides; returns detail ``[B, 3, T, factor H, factor W]``."""
        return self.detail(self.features(small_BCTHW))

    def features(self, small_BCTHW: Tensor) -> Tensor:
        """What it sees in frames, ``[B, channels, T, H / 2, W / 2]``."""
        found: Tensor = self.blocks(self.stem(fold(small_BCTHW, 1, PATCH)))
        return found

    def detail(self, features_BCTHW: Tensor) -> Tensor:
        """What that says of the detail, ``[B, 3, T, factor H, factor W]``."""
        x = self.out(F.silu(self.norm(features_BCTHW)))
        return unfold(x, 1, PATCH * self.factor)

    def start_from(self, other: Enlarger) -> None:
        """Take the weights of one as wide and no deeper; blocks beyond its own add nothing yet.

        Raises:
            ValueError: it is wider, narrower or deeper.

        """
        before, now = other.config, self.config
        if before.channels != now.channels or before.blocks > now.blocks:
            raise ValueError(f"cannot initialise {now} from {before}")
        own = self.state_dict()
        adding = [name for name in own if ".space." in name or ".time." in name]
        silent = {name: torch.zeros_like(own[name]) for name in adding}
        self.load_state_dict({**own, **silent, **other.state_dict()})
