"""Results keep what they hardly change of the video, or of the first or last frame, that they got.

The autoencoder costs every pixel some detail, and sampling leaves a little noise everywhere, also
where "keep everything else" holds and where a scene stands still. Both are seen by comparing the
result with what was *given* after the same trip through the autoencoder: where the two differ by
less than can be meant, the given pixels are shown; between the two thresholds they are blended. A
given frame counts for the whole clip, but strictly: a place that stands still looks like there.

A clip that is made larger afterwards shows what was given at the larger size there, for that is the
user's own detail and not a guess at it.
"""

from __future__ import annotations

from collections.abc import Sequence
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

KEEP_LARGE = KeepConfig(same_below=0.03, changed_above=0.1, window=7)
"""For what is made larger: a change of look may hardly show in the small clip, and be plain in the
large one, so the two must be as good as equal (80 training edits, worn and generated)."""


def changed_share(shown_CTHW: Tensor, looks: Sequence[Tensor], config: KeepConfig = KEEP) -> Tensor:
    """How much each pixel was changed ``[1, T, H, W]``: 0 is as in one of ``looks``, 1 is new.

    Args:
        shown_CTHW: the result.
        looks: what was given, in each form in which an unchanged result may show it, on the same
            grid.
        config: what counts as the same.

    Returns:
        As many frames as the shortest of them has.

    """
    frames = min(shown_CTHW.shape[1], *(look.shape[1] for look in looks))
    shown_CTHW = shown_CTHW[:, :frames]
    differences = [(shown_CTHW - look[:, :frames]).abs().mean(0, keepdim=True) for look in looks]
    reach, ahead = config.window // 2, int(frames >= 3)
    around_N1THW = F.avg_pool3d(
        torch.stack(differences),
        (1 + 2 * ahead, config.window, config.window),
        stride=1,
        padding=(ahead, reach, reach),
        count_include_pad=False,
    )
    span = config.changed_above - config.same_below
    share_1THW = ((around_N1THW.amin(0) - config.same_below) / span).clamp(0, 1)
    return share_1THW * share_1THW * (3 - 2 * share_1THW)


def still_share(shown_CTHW: Tensor, decoded_C1HW: Tensor, at: int) -> Tensor:
    """:func:`changed_share` of a clip whose frame ``at`` was given, all of it against that frame,
    ``decoded``: strictly, but for the frame itself."""
    look_CTHW = decoded_C1HW.expand_as(shown_CTHW)
    share_1THW = changed_share(shown_CTHW, (look_CTHW,), KEEP_STILL)
    share_1THW[:, at] = changed_share(shown_CTHW[:, at, None], (decoded_C1HW,))[:, 0]
    return share_1THW


def show_given(result_CTHW: Tensor, given_CTHW: Tensor, share_1THW: Tensor) -> Tensor:
    """Blend a result with what was given ``[3, T, H, W]``, by the result's share in each pixel,
    which may be told on a coarser grid; frames after the end of either stay as they are."""
    frames = min(result_CTHW.shape[1], given_CTHW.shape[1], share_1THW.shape[1])
    result, rest = result_CTHW[:, :frames], result_CTHW[:, frames:]
    given, share = given_CTHW[:, :frames].to(result), share_1THW[:, :frames]
    if share.shape[2:] != result.shape[2:]:
        rows = F.interpolate(share.transpose(0, 1), result.shape[2:], mode="bilinear")
        share = rows.transpose(0, 1)
    return torch.cat([given + share * (result - given), rest], dim=1)
