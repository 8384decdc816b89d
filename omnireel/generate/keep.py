"""Edits keep what they hardly change: there the frames are the source's own.

The autoencoder costs every pixel some detail, and sampling leaves a little noise everywhere, also
where "keep everything else" holds. Both are seen by comparing the result with the *source* after
the same trip through the autoencoder: where the two differ by less than can be meant, the source
itself is shown; between the two thresholds they are blended.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from omnireel.errors import InvalidInput


@dataclass(frozen=True)
class KeepConfig:
    """Mean absolute difference of a pixel's neighbourhood, in units of the range -1..1."""

    same_below: float = 0.1
    changed_above: float = 0.25
    window: int = 9
    """Side of the neighbourhood in pixels, odd; it reaches one frame back and one ahead."""

    def __post_init__(self) -> None:
        if not 0 <= self.same_below < self.changed_above:
            raise InvalidInput("same_below must be less than changed_above", field="same_below")
        if self.window < 1 or self.window % 2 == 0:
            raise InvalidInput("window must be odd", field="window")


KEEP = KeepConfig()


def keep_source(
    result_CTHW: Tensor, source_CTHW: Tensor, decoded_CTHW: Tensor, config: KeepConfig = KEEP
) -> Tensor:
    """``result`` with the source's pixels where it shows the same ``[3, T, H, W]`` in -1..1.

    Args:
        result_CTHW: the decoded result.
        source_CTHW: the clip to edit, on the same grid; frames after its end stay as they are.
        decoded_CTHW: the source through the autoencoder.
        config: what counts as the same.

    """
    frames = min(result_CTHW.shape[1], source_CTHW.shape[1])
    result, rest = result_CTHW[:, :frames], result_CTHW[:, frames:]
    source, decoded = source_CTHW[:, :frames].to(result), decoded_CTHW[:, :frames]
    difference_1THW = (result - decoded).abs().mean(0, keepdim=True)
    reach = config.window // 2
    around_1THW = F.avg_pool3d(
        difference_1THW[None],
        (3, config.window, config.window),
        stride=1,
        padding=(1, reach, reach),
        count_include_pad=False,
    )[0]
    span = config.changed_above - config.same_below
    share = ((around_1THW - config.same_below) / span).clamp(0, 1)
    share = share * share * (3 - 2 * share)
    blended = source + share * (result - source)
    return torch.cat([blended, rest], dim=1)
