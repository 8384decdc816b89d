"""GSB and bootstrap intervals against answers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnireel.errors import InvalidInput
from omnireel.evaluate.bootstrap import BootstrapConfig, bootstrap, mean_interval
from omnireel.evaluate.gsb import Verdict, compare, compare_scores, gsb, verdict

G, S, B = Verdict.GOOD, Verdict.SAME, Verdict.BAD


def test_known_values() -> None:
    assert gsb(10, 5, 5) == 1.5
    assert gsb(0, 7, 0) == 1.0
    assert gsb(0, 0, 4) == 0.0
    assert gsb(3, 0, 0) == math.inf
    assert math.isnan(gsb(0, 0, 0))


def test_an_interval_is_shown_with_the_bounds_that_it_has() -> None:
    assert mean_interval([0.25]).shown() == "0.25"
    assert mean_interval([0.5, 0.5]).shown(".1f") == "0.5 [0.5..0.5]"


@given(st.integers(0, 50), st.integers(1, 50), st.integers(0, 50))
def test_swapping_the_systems_inverts_it(good: int, same: int, bad: int) -> None:
    assert gsb(good, same, bad) * gsb(bad, same, good) == pytest.approx(1.0)


def test_tie_margin() -> None:
    assert verdict(0.80, 0.75, 0.05 + 1e-9) is S
    assert verdict(0.80, 0.74, 0.05) is G
    assert verdict(0.74, 0.80, 0.05) is B
    assert verdict(math.inf, math.inf, 0.0) is S
    with pytest.raises(InvalidInput, match="negative"):
        verdict(1, 2, -0.1)
    with pytest.raises(InvalidInput, match="not a number"):
        verdict(math.nan, 2, 0.1)


def test_counts_and_estimate() -> None:
    found = compare([G, G, S, B], ["p", "q", "r", "s"])
    assert (found.good, found.same, found.bad) == (2, 1, 1)
    assert found.gsb.estimate == 1.5
    assert found.gsb.low <= 1.5 <= found.gsb.high


def test_one_prompt_tells_no_bounds() -> None:
    found = compare([G, S, B, G], ["p"] * 4)
    assert found.gsb.estimate == 1.5
    assert found.gsb.bounds is None
    assert mean_interval([0.7]).bounds is None
    assert mean_interval([0.7, 0.7]).bounds == (0.7, 0.7)


def test_trials_of_one_prompt_are_no_independent_evidence() -> None:
    verdicts = [G, B, G, B, S, S, G, B]
    alone = compare(verdicts, list(range(8)))
    copied = compare(verdicts * 10, [i for _ in range(10) for i in range(8)])
    fooled = compare(verdicts * 10, list(range(80)))
    assert (copied.gsb.low, copied.gsb.high) == (alone.gsb.low, alone.gsb.high)
    assert fooled.gsb.high - fooled.gsb.low < 0.6 * (alone.gsb.high - alone.gsb.low)


def test_never_losing_has_an_infinite_upper_bound() -> None:
    found = compare([G, G, G, S], list("abcd"))
    assert found.gsb.estimate == 4.0
    assert found.gsb.high == math.inf
    assert found.gsb.low >= 1.0


def test_scores_are_compared_trial_by_trial() -> None:
    found = compare_scores([1, 2, 3], [1, 1, 4], "abc", tie_margin=0.5)
    assert (found.good, found.same, found.bad) == (1, 1, 1)
    with pytest.raises(InvalidInput, match="trial by trial"):
        compare_scores([1], [1, 2], "a", tie_margin=0)


def test_interval_of_a_mean_matches_the_normal_one() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(5.0, 2.0, 400)
    found = mean_interval(scores.tolist())
    half = 1.96 * scores.std() / 20
    assert found.estimate == pytest.approx(scores.mean())
    assert found.low == pytest.approx(scores.mean() - half, abs=0.04)
    assert found.high == pytest.approx(scores.mean() + half, abs=0.04)
    assert found.count == 400


def test_interval_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    config = BootstrapConfig(resamples=300, level=0.8)
    inside = [
        found.low <= 0.3 <= found.high
        for _ in range(200)
        for found in [mean_interval((rng.random(60) < 0.3).astype(float).tolist(), config=config)]
    ]
    assert 0.7 < np.mean(inside) < 0.9


def test_equal_seeds_give_equal_intervals() -> None:
    scores = [0.0, 1.0, 1.0, 0.0, 1.0]
    assert mean_interval(scores) == mean_interval(scores)
    other = mean_interval(scores, config=BootstrapConfig(resamples=50, seed=3))
    assert other.estimate == mean_interval(scores).estimate


def test_bad_input_is_named() -> None:
    with pytest.raises(InvalidInput, match="at least one observation"):
        mean_interval([])
    with pytest.raises(InvalidInput, match="cluster names"):
        bootstrap([[1.0]], ["a", "b"], lambda sums: sums[:, 0])
    with pytest.raises(InvalidInput, match="level"):
        BootstrapConfig(level=1.0)
    with pytest.raises(InvalidInput, match="resample"):
        BootstrapConfig(resamples=0)
