"""Sequences shared by real processes give what one process gives, forwards and backwards."""

from __future__ import annotations

import pytest
import torch

from tests.support.parallel_cases import Case, Outcome, exchanged, plain, shared
from tests.support.ranks import run_ranks

CASES_4 = [
    Case("mixed", 4),
    Case("mixed", 2),
    Case("mixed", 4, ranks_per_node=2),
    Case("equal", 4),
    Case("equal", 4, ranks_per_node=2),
    Case("text", 4),
    Case("windows", 4),
    Case("windows", 2),
]


@pytest.fixture(scope="module")
def four() -> list[list[Outcome]]:
    """``[rank][case]``."""
    found: list[list[Outcome]] = run_ranks(shared, 4, CASES_4)
    return found


@pytest.mark.parametrize("number", range(len(CASES_4)), ids=map(str, CASES_4))
def test_four_ranks_give_what_one_gives(four: list[list[Outcome]], number: int) -> None:
    case = CASES_4[number]
    expected = plain(case.samples)
    ranks = [outcomes[number] for outcomes in four]
    for rank in ranks:
        torch.testing.assert_close(rank.velocity_NP, expected.velocity_NP, rtol=1e-4, atol=1e-5)
    for start in range(0, 4, case.degree):
        group = ranks[start : start + case.degree]
        for name, gradient in expected.gradients.items():
            total = sum((rank.gradients[name] for rank in group), torch.zeros_like(gradient))
            torch.testing.assert_close(total, gradient, rtol=1e-3, atol=1e-5, msg=name)


def test_each_rank_has_only_a_share_of_the_gradient(four: list[list[Outcome]]) -> None:
    gradient = four[0][0].gradients["out.weight"]
    assert not torch.allclose(gradient, plain("mixed").gradients["out.weight"], rtol=0.05)


def test_two_tiers_exchange_what_one_does() -> None:
    for rank, found in enumerate(run_ranks(exchanged, 4)):
        assert found["one"].flatten().tolist() == [100 * r + rank for r in range(4)]
        assert torch.equal(found["one"], found["two"])
        assert found["one gradient"].flatten().tolist() == [1, 2, 3, 4]
        assert torch.equal(found["one gradient"], found["two gradient"])
