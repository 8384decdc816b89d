"""Selects the pixels of a large clip that are those of a picture or video that it was made from.

Wherever nothing moved, the place that a clip shows is in its first frame, in the shot before or in
the video that it edits, in full detail. This network compares both, each through the eyes of the
enlarger, and chooses for every pixel (:mod:`omnireel.model.pixel_pointer`) between what was made
and what was given. What does not fit is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from omnireel.model.convolution import ChannelNorm, SpatialConv, fold
from omnireel.model.pixel_pointer import (
    DIFFERENCE_RANGE,
    PixelPointer,
    PointerConfig,
    shown,
    stacked,
)
from omnireel.upscale.enlarger import PATCH, Enlarger


@dataclass(frozen=True)
class FusionConfig(PointerConfig):
    """Width and depth of the comparison."""

    blocks: int = 2


class ReferenceFusion(PixelPointer):
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
        self._add_layers(config, self.patch)

    def forward(
        self, made_CTHW: Tensor, made_features_CTHW: Tensor, given_KCTHW: Tensor,
        given_features_KCTHW: Tensor,
    ) -> Tensor:  # fmt: skip
        """The clip with the given pixels that it shows ``[3, T, H, W]``.

        Args:
            made_CTHW: the large clip, in -1..1.
            made_features_CTHW: features of the small one, ``H / patch`` and ``W / patch`` large.
            given_KCTHW: K given clips, as large and as long.
            given_features_KCTHW: their features, made small.

        """
        difference_KCTHW = given_KCTHW - made_CTHW
        made_KCTHW = self.norm_made(made_features_CTHW[None]).expand_as(given_features_KCTHW)
        seen = [made_KCTHW, self.norm_given(given_features_KCTHW)]
        seen += [
            fold(DIFFERENCE_RANGE * d, 1, self.patch)
            for d in (difference_KCTHW, difference_KCTHW.abs())
        ]
        logits_K1THW = self._logits(self.join(torch.cat(seen, dim=1)))
        return shown(made_CTHW, logits_K1THW, difference_KCTHW)


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
        stacked(given, frames),
        stacked(features, frames),
    )


def _features(enlarger: Enlarger, large_CTHW: Tensor) -> Tensor:
    small_TCHW = F.avg_pool2d(large_CTHW.transpose(0, 1), enlarger.factor)
    features_CTHW: Tensor = enlarger.features(small_TCHW.transpose(0, 1)[None])[0]
    return features_CTHW
