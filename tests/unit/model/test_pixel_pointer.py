"""The choice of pixels: shares by a softmax, and layers whose order is that of shipped weights."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from omnireel.model.keeper import Keeper, KeeperConfig
from omnireel.model.pixel_pointer import PointerConfig, shown, stacked
from omnireel.upscale.fusion import FusionConfig, ReferenceFusion


def test_shares_are_a_softmax_beside_what_was_made() -> None:
    made = torch.full((3, 1, 1, 1), 0.5)
    logits = torch.tensor([0.0, math.log(2.0)]).view(2, 1, 1, 1, 1)
    changes = torch.tensor([1.0, -1.0]).view(2, 1, 1, 1, 1).expand(2, 3, 1, 1, 1)
    # Shares 1/4 and 1/2, and 1/4 for what was made.
    torch.testing.assert_close(shown(made, logits, changes), torch.full((3, 1, 1, 1), 0.25))


def test_pictures_stand_still() -> None:
    picture, video = torch.rand(3, 1, 2, 2), torch.rand(3, 5, 2, 2)
    clips = stacked([picture, video], 5)
    assert torch.equal(clips, torch.stack([picture.repeat(1, 5, 1, 1), video]))


@pytest.mark.parametrize(
    ("network", "first"),
    [
        (Keeper(KeeperConfig(8, 1)), ["stem"]),
        (ReferenceFusion(FusionConfig(8, 1), 2, 8), ["norm_made", "norm_given", "join"]),
    ],
    ids=["keeper", "fusion"],
)
def test_layers_have_the_names_and_the_order_of_saved_weights(
    network: nn.Module, first: list[str]
) -> None:
    assert [name for name, _ in network.named_children()] == [*first, "blocks", "norm", "out"]


def test_the_default_depths() -> None:
    assert (PointerConfig().blocks, KeeperConfig().blocks, FusionConfig().blocks) == (4, 4, 2)
