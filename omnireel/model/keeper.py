"""Selects the pixels of a decoded clip that are better taken from the media that it was made from.

The autoencoder costs every pixel some detail, and sampling leaves a little noise everywhere, also
where an edit changes nothing and where a scene stands still. What was given, sent through the
autoencoder as well, shows what that trip costs at each place. This network compares the three and
chooses for every pixel (:mod:`omnireel.model.pixel_pointer`) between what was made, what was given,
and what was made with the detail that the trip cost what was given.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from omnireel.model.convolution import SpatialConv, fold
from omnireel.model.pixel_pointer import DIFFERENCE_RANGE, PixelPointer, PointerConfig, shown

PATCH = 2
"""Pixels along a side of one position of the network."""
_CHOICES = 2
"""For each given clip: its pixels, and its lost detail on those that were made."""


@dataclass(frozen=True)
class KeeperConfig(PointerConfig):
    """Width and depth of the network."""


class Keeper(PixelPointer):
    """Shares of given pixels in a decoded clip; belongs to the autoencoder that decoded it."""

    def __init__(self, config: KeeperConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = SpatialConv(6 * 3 * PATCH**2, config.channels)
        self._add_layers(config, PATCH, _CHOICES)

    def forward(self, made_CTHW: Tensor, given_KCTHW: Tensor, look_KCTHW: Tensor) -> Tensor:
        """The clip with the given pixels that it shows ``[3, T, H, W]``.

        Args:
            made_CTHW: the decoded clip, in -1..1; H and W are even.
            given_KCTHW: K given clips, as large and as long.
            look_KCTHW: the same after a trip through the autoencoder.

        """
        made_KCTHW = made_CTHW.expand_as(given_KCTHW)
        changed_KCTHW = made_CTHW - look_KCTHW
        seen = [made_KCTHW, given_KCTHW, look_KCTHW, DIFFERENCE_RANGE * changed_KCTHW]
        seen += [
            DIFFERENCE_RANGE * difference.abs()
            for difference in (changed_KCTHW, made_CTHW - given_KCTHW)
        ]
        logits_K2THW = self._logits(self.stem(fold(torch.cat(seen, dim=1), 1, PATCH)))
        added_K2CTHW = torch.stack([given_KCTHW - made_CTHW, given_KCTHW - look_KCTHW], dim=1)
        logits_N1THW = logits_K2THW.flatten(0, 1)[:, None]
        return shown(made_CTHW, logits_N1THW, added_K2CTHW.flatten(0, 1))
