"""Which pixels of a large clip are those of a picture or video that it was made from.

Wherever nothing moved, the place that a clip shows is in its first frame, in the shot before or in
the video that it edits, in full detail. This network compares both, each through the eyes of the
enlarger, and says for every pixel how much of the made clip and of each given one to show: a
softmax over them, a pointer as in pointer-generator networks (arXiv 1704.04368). It can only show
what is there, so it makes nothing up, and what does not fit is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from omnireel.model.convolution import ChannelNorm, SpatialConv, SymmetricBlock, fold, unfold
from omnireel.upscale.enlarger import PATCH, Enlarger

_RANGE = 4.0
"""Of differences, so that those that matter (a twentieth of the range) are as large as features."""
_RARELY = -3.0
"""The first logit of given pixels: 5 % of one."""


@dataclass(frozen=True)
class FusionConfig:
    """Width and depth of the comparison."""

    channels: int = 64
    blocks: int = 2

    def __post_init__(self) -> None:
        if min(self.channels, self.blocks) < 1:
            raise ValueError("channels and blocks must be at least 1")


class ReferenceFusion(nn.Module):
    """Shares of given pixels in a large clip; belongs to the enlarger whose features it reads."""

    def __init__(self, config: FusionConfig, factor: int, features: int) -> None:
        """``features``: channels of the enlarger."""
        super().__init__()
        self.config = config
        self.patch = PATCH * factor
        self.norm_made = ChannelNorm(features)
        self.norm_given = ChannelNorm(features)
        differences = 2 * 3 * self.patch**2
        self.join = SpatialConv(2 * features + differences, config.channels)
        self.blocks = nn.Sequential(
            *(SymmetricBlock(config.channels) for _ in range(config.blocks))
        )
        self.norm = ChannelNorm(config.channels)
        self.out = SpatialConv(config.channels, self.patch**2)
        nn.init.zeros_(self.out.conv.weight)
        assert self.out.conv.bias is not None
        nn.init.constant_(self.out.conv.bias, _RARELY)

    def forward(
        self, made_CTHW: Tensor, made_features_CTHW: Tensor, given_KCTHW: Tensor,
        given_features_KCTHW: Tensor,
    ) -> Tensor:  # fmt: skip
        """The clip with the given pixels that it shows ``[3, T, H, W]``.

        Args:
            made_CTHW: the large clip, in -1..1.
            made_features_CTHW: features of the small one, ``H / patch`` and ``W / patch`` large.
            given_KCTHW: K clips as large and as long.
            given_features_KCTHW: their features, made small.

        """
        difference_KCTHW = given_KCTHW - made_CTHW
        made_KCTHW = self.norm_made(made_features_CTHW[None]).expand_as(given_features_KCTHW)
        seen = [made_KCTHW, self.norm_given(given_features_KCTHW)]
        seen += [
            fold(_RANGE * d, 1, self.patch) for d in (difference_KCTHW, difference_KCTHW.abs())
        ]
        x = self.blocks(self.join(torch.cat(seen, dim=1)))
        logits_K1THW = unfold(self.out(F.silu(self.norm(x))), 1, self.patch)
        own_11THW = torch.zeros_like(logits_K1THW[:1])
        shares_K1THW = torch.cat([logits_K1THW, own_11THW]).softmax(0)[:-1]
        shown_CTHW: Tensor = made_CTHW + (shares_K1THW * difference_KCTHW).sum(0)
        return shown_CTHW


def fused(
    fusion: ReferenceFusion,
    enlarger: Enlarger,
    made_CTHW: Tensor,
    small_features_CTHW: Tensor,
    given: Sequence[Tensor],
) -> Tensor:
    """``made`` with what it shows of ``given`` (``[3, T or 1, H, W]`` each), if there is any."""
    if not given:
        return made_CTHW
    frames = made_CTHW.shape[1]
    with torch.no_grad():
        features = [_features(enlarger, video_CTHW) for video_CTHW in given]
    return fusion(  # type: ignore[no-any-return]
        made_CTHW,
        small_features_CTHW,
        torch.stack([video.expand(-1, frames, -1, -1) for video in given]),
        torch.stack([seen.expand(-1, frames, -1, -1) for seen in features]),
    )


def _features(enlarger: Enlarger, large_CTHW: Tensor) -> Tensor:
    small_TCHW = F.avg_pool2d(large_CTHW.transpose(0, 1), enlarger.factor)
    features_CTHW: Tensor = enlarger.features(small_TCHW.transpose(0, 1)[None])[0]
    return features_CTHW
