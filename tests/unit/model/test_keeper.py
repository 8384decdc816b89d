"""Given pixels in a decoded clip: shown in shares, as they are or as the detail that they have."""

from __future__ import annotations

import pytest
import torch

from omnireel.model.keeper import Keeper, KeeperConfig

SIZE = (3, 3, 16, 12)


def _keeper(*, trained: bool = True) -> Keeper:
    torch.manual_seed(0)
    keeper = Keeper(KeeperConfig(channels=8, blocks=1))
    if trained:
        with torch.no_grad():
            for parameter in keeper.parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
    return keeper.requires_grad_(False)


def _clips(number: int, seed: int = 1) -> torch.Tensor:
    return torch.rand((number, *SIZE), generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_an_untrained_one_shows_a_little_of_everything() -> None:
    made, given, look = torch.zeros(SIZE), torch.ones(1, *SIZE), torch.full((1, *SIZE), 0.5)
    shown = _keeper(trained=False)(made, given, look)
    share = torch.tensor([-3.0, -3.0, 0.0]).softmax(0)[0]
    torch.testing.assert_close(shown, torch.full(SIZE, float(share * (1 + 0.5))))


def test_a_result_is_a_mean_of_made_given_and_made_with_the_lost_detail() -> None:
    made, given, look = _clips(3)
    shown = _keeper()(made, given[None], look[None])
    choices = torch.stack([made, given, made + given - look])
    low, high = choices.amin(0), choices.amax(0)
    assert bool(((shown >= low - 1e-5) & (shown <= high + 1e-5)).all())
    assert not torch.allclose(shown, made, atol=1e-3)


def test_the_order_of_what_is_given_does_not_matter() -> None:
    made, (given, look) = _clips(1)[0], _clips(6, seed=2).unflatten(0, (2, 3))
    keeper = _keeper()
    again = keeper(made, given.flip(0), look.flip(0))
    torch.testing.assert_close(again, keeper(made, given, look))


def test_wrong_sizes_are_named() -> None:
    for config in ({"channels": 0}, {"blocks": 0}):
        with pytest.raises(ValueError, match="at least 1"):
            KeeperConfig(**config)
