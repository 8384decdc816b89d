"""Which pixels of a decoded clip are better told by the media that it was made from.

The autoencoder costs every pixel some detail, and sampling leaves a little noise everywhere, also
where an edit changes nothing and where a scene stands still. What was given, sent through the
autoencoder as well, shows what that trip costs at each place. This network compares the three and
chooses for every pixel between what was made, what was given, and what was made with the detail
that the trip cost what was given: a softmax, a pointer as in pointer-generator networks (arXiv
1704.04368). Nothing else can come out, so it makes nothing up.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from omnireel.model.convolution import ChannelNorm, SpatialConv, SymmetricBlock, fold, unfold

PATCH = 2
"""Pixels along a side of one position of the network."""
_CHOICES = 2
"""For each given clip: its pixels, and its lost detail on those that were made."""
_RANGE = 4.0
"""Of differences, so that those that matter (a twentieth of the range) are as large as pixels."""
_RARELY = -3.0
"""The first logit of both choices: 5 % of one."""


@dataclass(frozen=True)
class KeeperConfig:
    """Width and depth of the network."""

    channels: int = 64
    blocks: int = 4

    def __post_init__(self) -> None:
        if min(self.channels, self.blocks) < 1:
            raise ValueError("channels and blocks must be at least 1")


class Keeper(nn.Module):
    """Shares of given pixels in a decoded clip; belongs to the autoencoder that decoded it."""

    def __init__(self, config: KeeperConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = SpatialConv(6 * 3 * PATCH**2, config.channels)
        self.blocks = nn.Sequential(
            *(SymmetricBlock(config.channels) for _ in range(config.blocks))
        )
        self.norm = ChannelNorm(config.channels)
        self.out = SpatialConv(config.channels, _CHOICES * PATCH**2)
        nn.init.zeros_(self.out.conv.weight)
        assert self.out.conv.bias is not None
        nn.init.constant_(self.out.conv.bias, _RARELY)

    def forward(self, made_CTHW: Tensor, given_KCTHW: Tensor, look_KCTHW: Tensor) -> Tensor:
        """The clip with the given pixels that it shows ``[3, T, H, W]``.

        Args:
            made_CTHW: the decoded clip, in -1..1; H and W are even.
            given_KCTHW: K clips as large and as long.
            look_KCTHW: the same after a trip through the autoencoder.

        """
        made_KCTHW = made_CTHW.expand_as(given_KCTHW)
        changed_KCTHW = made_CTHW - look_KCTHW
        seen = [made_KCTHW, given_KCTHW, look_KCTHW, _RANGE * changed_KCTHW]
        seen += [_RANGE * changed_KCTHW.abs(), _RANGE * (made_CTHW - given_KCTHW).abs()]
        x = self.blocks(self.stem(fold(torch.cat(seen, dim=1), 1, PATCH)))
        logits_K2THW = unfold(self.out(F.silu(self.norm(x))), 1, PATCH)
        logits_N1THW = logits_K2THW.flatten(0, 1)[:, None]
        own_11THW = torch.zeros_like(logits_N1THW[:1])
        shares_N1THW = torch.cat([logits_N1THW, own_11THW]).softmax(0)[:-1]
        added_KNCTHW = torch.stack([given_KCTHW - made_CTHW, given_KCTHW - look_KCTHW], dim=1)
        shown_CTHW: Tensor = made_CTHW + (shares_N1THW * added_KNCTHW.flatten(0, 1)).sum(0)
        return shown_CTHW
