"""The large clip that a super-resolver starts from: interpolated, and what the pixels tell."""

from __future__ import annotations

import torch
from torch import Tensor

from omnireel.generate.frames import resize_video
from omnireel.upscale.enlarger import Enlarger


def interpolated(small_CTHW: Tensor, factor: int) -> Tensor:
    """``factor`` times as large, with nothing learned."""
    _, _, height, width = small_CTHW.shape
    return resize_video(small_CTHW, height * factor, width * factor)


@torch.no_grad()
def enlarged(small_CTHW: Tensor, factor: int, enlarger: Enlarger | None) -> Tensor:
    """The same with the detail that ``enlarger`` adds, in -1..1; None adds none."""
    plain_CTHW = interpolated(small_CTHW, factor)
    if enlarger is None:
        return plain_CTHW
    detail_CTHW: Tensor = enlarger(small_CTHW[None])[0]
    return (plain_CTHW + detail_CTHW).clamp(-1.0, 1.0)
