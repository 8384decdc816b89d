"""Results keep what they hardly change of the video, or of the first or last frame, that they got.

The autoencoder costs every pixel some detail, and sampling leaves a little noise everywhere, also
where "keep everything else" holds and where a scene stands still. Both are seen by comparing the
result with what was *given* after the same trip through the autoencoder: where the two differ by
less than can be meant, the given pixels are shown; between the two thresholds they are blended. A
given frame counts for the whole clip, but strictly: a place that stands still looks like there.

A clip that is made larger afterwards shows what was given at the larger size where a learned
comparison finds it (:mod:`omnireel.upscale.fusion`).
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
"""For a video that is edited, and for the very frame that was given."""

KEEP_STILL = KeepConfig(same_below=0.05, changed_above=0.15, window=5)
"""For the other frames of a clip that begins or ends with a given one: with the thresholds above,
who walks away leaves a ghost behind (looked at in 48 training clips)."""


def changed_share(shown_CTHW: Tensor, look_CTHW: Tensor, config: KeepConfig = KEEP) -> Tensor:
    """How much each pixel was changed ``[1, T, H, W]``: 0 is as before, 1 is new.

    Args:
        shown_CTHW: the result.
        look_CTHW: what was given, as an unchanged result shows it.
        config: what counts as the same.

    Returns:
        As many frames as the shorter of them has.

    """
    frames = min(shown_CTHW.shape[1], look_CTHW.shape[1])
    difference_CTHW = (shown_CTHW[:, :frames] - look_CTHW[:, :frames]).abs()
    reach, ahead = config.window // 2, int(frames >= 3)
    around_1THW = F.avg_pool3d(
        difference_CTHW.mean(0, keepdim=True),
        (1 + 2 * ahead, config.window, config.window),
        stride=1,
        padding=(ahead, reach, reach),
        count_include_pad=False,
    )
    span = config.changed_above - config.same_below
    share_1THW = ((around_1THW - config.same_below) / span).clamp(0, 1)
    return share_1THW * share_1THW * (3 - 2 * share_1THW)


def still_share(shown_CTHW: Tensor, decoded_C1HW: Tensor, at: int) -> Tensor:
    """:func:`changed_share` of a clip whose frame ``at`` was given, all of it against that frame,
    ``decoded``: strictly, but for the frame itself."""
    look_CTHW = decoded_C1HW.expand_as(shown_CTHW)
    share_1THW = changed_share(shown_CTHW, look_CTHW, KEEP_STILL)
    share_1THW[:, at] = changed_share(shown_CTHW[:, at, None], decoded_C1HW)[:, 0]
    return share_1THW


def show_given(result_CTHW: Tensor, given_CTHW: Tensor, share_1THW: Tensor) -> Tensor:
    """Blend a result with what was given ``[3, T, H, W]``, by the result's share in each pixel;
    frames after the end of either stay as they are."""
    frames = min(result_CTHW.shape[1], given_CTHW.shape[1], share_1THW.shape[1])
    result, rest = result_CTHW[:, :frames], result_CTHW[:, frames:]
    given, share = given_CTHW[:, :frames].to(result), share_1THW[:, :frames]
    return torch.cat([given + share * (result - given), rest], dim=1)
