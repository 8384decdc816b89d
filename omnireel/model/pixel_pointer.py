"""A choice, for every pixel, between what was made and what is given: a softmax over all of them, a
pointer as in pointer-generator networks (arXiv 1704.04368). It can only show what is there.

A network that chooses looks at clips in its own way (:mod:`omnireel.model.keeper`,
:mod:`omnireel.upscale.fusion`); what follows is here. K is the number of given clips, N that of
all that can be chosen besides what was made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from omnireel.model.convolution import ChannelNorm, SpatialConv, SymmetricBlock, unfold

DIFFERENCE_RANGE = 4.0
"""Of differences that a network looks at, so that those that matter (a twentieth of the range) are
as large as pixels and features."""
_RARELY = -3.0
"""The first logit of every choice: 5 % of one."""


@dataclass(frozen=True)
class PointerConfig:
    """Width and depth of a network that chooses."""

    channels: int = 64
    blocks: int = 4

    def __post_init__(self) -> None:
        if min(self.channels, self.blocks) < 1:
            raise ValueError("channels and blocks must be at least 1")


class PixelPointer(nn.Module):
    """The layers after the first: from features to logits of choices.

    Call :meth:`_add_layers` when the first layer is there: the order is that of the weights.
    """

    blocks: nn.Sequential
    norm: ChannelNorm
    out: SpatialConv

    def _add_layers(self, config: PointerConfig, patch: int, choices: int = 1) -> None:
        """``choices`` per given clip and pixel, ``patch`` pixels along a side of a position."""
        self._patch = patch
        self.blocks = nn.Sequential(
            *(SymmetricBlock(config.channels) for _ in range(config.blocks))
        )
        self.norm = ChannelNorm(config.channels)
        self.out = SpatialConv(config.channels, choices * patch**2)
        nn.init.zeros_(self.out.conv.weight)
        assert self.out.conv.bias is not None
        nn.init.constant_(self.out.conv.bias, _RARELY)

    def _logits(self, features_KCTHW: Tensor) -> Tensor:
        """One logit for every choice and pixel ``[K, choices, T, H, W]``."""
        x = self.blocks(features_KCTHW)
        return unfold(self.out(F.silu(self.norm(x))), 1, self._patch)


def shown(made_CTHW: Tensor, logits_N1THW: Tensor, changes_NCTHW: Tensor) -> Tensor:
    """The clip with each change in its share, beside what was made with logit 0 ``CTHW``."""
    own_11THW = torch.zeros_like(logits_N1THW[:1])
    shares_N1THW = torch.cat([logits_N1THW, own_11THW]).softmax(0)[:-1]
    shown_CTHW: Tensor = made_CTHW + (shares_N1THW * changes_NCTHW).sum(0)
    return shown_CTHW


def stacked(videos: Sequence[Tensor], frames: int) -> Tensor:
    """Clips ``[C, T or 1, H, W]`` as ``KCTHW``; pictures stand still for all ``frames``."""
    return torch.stack([video.expand(-1, frames, -1, -1) for video in videos])
