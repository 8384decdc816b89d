"""Builds the enlarged clip that super-resolution starts from: interpolation and learned detail."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from omnireel.generate.frames import resize_video
from omnireel.upscale.enlarger import Enlarger


def interpolated(small_CTHW: Tensor, factor: int) -> Tensor:
    """``factor`` times as large, with nothing learned."""
    _, _, height, width = small_CTHW.shape
    return resize_video(small_CTHW, height * factor, width * factor)


@dataclass(frozen=True, eq=False)
class Enlarged:
    """A large clip in -1..1, and what the enlarger saw in the small one; None without one."""

    video_CTHW: Tensor
    features_CTHW: Tensor | None = None


@torch.no_grad()
def enlarged(small_CTHW: Tensor, factor: int, enlarger: Enlarger | None) -> Enlarged:
    """The same with the detail that ``enlarger`` adds, in -1..1; None adds none."""
    plain_CTHW = interpolated(small_CTHW, factor)
    if enlarger is None:
        return Enlarged(plain_CTHW)
    features_CTHW = enlarger.features(small_CTHW[None])[0]
    detail_CTHW = enlarger.detail(features_CTHW[None])[0]
    return Enlarged((plain_CTHW + detail_CTHW).clamp(-1.0, 1.0), features_CTHW)
