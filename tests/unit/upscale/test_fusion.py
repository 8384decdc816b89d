"""Given pixels in a large clip: shown in shares, each by itself, and never anything else."""

from __future__ import annotations

import pytest
import torch

from omnireel.upscale.enlarger import Enlarger, EnlargerConfig
from omnireel.upscale.fusion import FusionConfig, ReferenceFusion, fused


def _networks(*, trained: bool = True) -> tuple[Enlarger, ReferenceFusion]:
    torch.manual_seed(0)
    enlarger = Enlarger(EnlargerConfig(channels=8, blocks=2), factor=2)
    fusion = ReferenceFusion(FusionConfig(channels=8, blocks=1), factor=2, features=8)
    if trained:
        with torch.no_grad():
            for parameter in fusion.parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
    return enlarger, fusion


def _fused(
    networks: tuple[Enlarger, ReferenceFusion], given: list[torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    enlarger, fusion = networks
    rng = torch.Generator().manual_seed(1)
    small = torch.rand((3, 3, 16, 12), generator=rng) * 2 - 1
    made = torch.rand((3, 3, 32, 24), generator=rng) * 2 - 1
    with torch.no_grad():
        features = enlarger.features(small[None])[0]
        return made, fused(fusion, enlarger, made, features, given)


def test_nothing_given_changes_nothing() -> None:
    made, shown = _fused(_networks(), [])
    assert torch.equal(shown, made)


def test_an_untrained_one_shows_five_percent_everywhere() -> None:
    given = torch.ones(3, 1, 32, 24)
    made, shown = _fused(_networks(trained=False), [given])
    share = (shown - made) / (given - made)
    torch.testing.assert_close(share, torch.full_like(share, 0.0474), atol=1e-3, rtol=0)


def test_a_result_lies_between_what_was_made_and_what_was_given() -> None:
    given = [torch.full((3, 1, 32, 24), 0.5), torch.full((3, 3, 32, 24), -0.5)]
    made, shown = _fused(_networks(), given)
    low, high = made.clamp(max=-0.5), made.clamp(min=0.5)
    assert bool(((shown >= low - 1e-6) & (shown <= high + 1e-6)).all())
    assert not torch.allclose(shown, made, atol=1e-3)


def test_the_order_of_what_is_given_does_not_matter() -> None:
    rng = torch.Generator().manual_seed(2)
    given = [torch.rand((3, t, 32, 24), generator=rng) for t in (1, 3, 1)]
    _, shown = _fused(_networks(), given)
    _, again = _fused(_networks(), given[::-1])
    torch.testing.assert_close(again, shown)


def test_wrong_sizes_are_named() -> None:
    for config in ({"channels": 0}, {"blocks": 0}):
        with pytest.raises(ValueError, match="at least 1"):
            FusionConfig(**config)
