"""Results keep what they hardly change of the media that they were made from.

What was given is sent through the autoencoder as well, and a learned comparison of the three says
for every pixel whether the given one is shown (:mod:`omnireel.model.keeper`). A clip that is made
larger afterwards shows what was given at the larger size (:mod:`omnireel.upscale.fusion`).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from omnireel.model.keeper import Keeper
from omnireel.model.pixel_pointer import stacked


def kept(
    keeper: Keeper, made_CTHW: Tensor, given: Sequence[Tensor], looks: Sequence[Tensor]
) -> Tensor:
    """The decoded clip ``made`` with the pixels that it shows of what was given, if anything was.

    Args:
        keeper: the comparison that belongs to the autoencoder.
        made_CTHW: in -1..1.
        given: ``[3, T or 1, H, W]`` each.
        looks: the same after a trip through the autoencoder.

    """
    if not given:
        return made_CTHW
    frames = made_CTHW.shape[1]
    return keeper(made_CTHW, stacked(given, frames), stacked(looks, frames))  # type: ignore[no-any-return]
