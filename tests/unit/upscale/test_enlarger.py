"""Learned enlargement: shapes, its neutral start, and what it may look at."""

from __future__ import annotations

import pytest
import torch

from omnireel.upscale.enlarger import Enlarger, EnlargerConfig


def _enlarger(seed: int = 0) -> Enlarger:
    torch.manual_seed(seed)
    enlarger = Enlarger(EnlargerConfig(channels=8, blocks=2), factor=2)
    with torch.no_grad():
        for parameter in enlarger.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return enlarger


def test_an_untrained_one_adds_nothing() -> None:
    enlarger = Enlarger(EnlargerConfig(channels=8, blocks=2), factor=2)
    detail = enlarger(torch.randn(2, 3, 5, 16, 12))
    assert detail.shape == (2, 3, 5, 32, 24)
    assert not detail.any()


def test_single_frames_are_clips_of_one() -> None:
    assert _enlarger()(torch.randn(1, 3, 1, 8, 8)).shape == (1, 3, 1, 16, 16)


def test_detail_lies_where_the_pixels_are_that_it_came_from() -> None:
    enlarger = _enlarger()
    small = torch.zeros(1, 3, 9, 32, 32)
    other = small.clone()
    other[..., 4, 20, 6] = 1.0
    changed = (enlarger(other) - enlarger(small)).abs().amax(dim=(0, 1))
    frames, rows, columns = changed.nonzero().unbind(1)
    # Two blocks see two frames before and after; in space stem, blocks and output see 4 + 2 pixels.
    assert frames.unique().tolist() == [2, 3, 4, 5, 6]
    assert rows.min() >= 2 * 20 - 20 and rows.max() < 2 * 20 + 20
    assert columns.min() >= 0 and columns.max() < 2 * 6 + 20
    assert changed[4, 40:44, 12:16].max() > 0


def test_a_deeper_one_starts_as_the_one_that_it_goes_on_from() -> None:
    before = _enlarger()
    deeper = Enlarger(EnlargerConfig(channels=8, blocks=4), factor=2)
    deeper.start_from(before)
    small = torch.randn(1, 3, 3, 8, 8)
    assert torch.equal(deeper(small), before(small))
    deeper(small).square().mean().backward()
    assert all(bool(b.space.conv.weight.grad.any()) for b in deeper.blocks)


@pytest.mark.parametrize("config", [EnlargerConfig(8, 1), EnlargerConfig(4, 2)])
def test_it_goes_on_from_one_as_wide_and_no_deeper(config: EnlargerConfig) -> None:
    with pytest.raises(ValueError, match="cannot initialise"):
        Enlarger(config, factor=2).start_from(_enlarger())
