"""Cost, schedule, loader and simulation of mixed lengths over many ranks."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnireel.errors import InvalidInput
from omnireel.generate.components import load_vae
from omnireel.model.sequence import pack
from omnireel.train.balance import (
    CostMeasurement,
    CostModel,
    Limits,
    MicrobatchConfig,
    SampleLength,
    fit_cost,
    plan_microbatch,
)
from omnireel.train.balance.cost import relative_errors
from omnireel.train.balance.lengths import record_length, sample_length
from omnireel.train.balance.measure import measure_costs, probe_packs, training_step
from omnireel.train.balance.microbatches import Microbatches
from omnireel.train.balance.mixture import planned_length
from omnireel.train.balance.schedule import imbalance
from omnireel.train.balance.simulate import round_robin_seconds, simulate
from omnireel.train.latent_cache import LatentCacheConfig, SampleEncoder
from omnireel.types import VideoFormat
from omnireel.world.tasks.catalog import draw_plan
from tests.support.mixture import draw_lengths, large_mixture
from tests.support.small_models import save_small_vae
from tests.support.tiny_models import mixed_samples, small_transformer

LARGE_COST = CostModel.from_flops(
    width=2048, depth=28, mlp_ratio=4, flops_per_s=4e14, bytes_per_s=2e11
)
SIMPLE = CostModel(fixed_s=1.0, token_s=0.1, pair_s=0.001, exchange_s=0.02)


def lengths(*pairs: tuple[int, int]) -> list[SampleLength]:
    return [SampleLength(c, t) for c, t in pairs]


def test_pairs_are_those_that_attention_computes() -> None:
    for sample in mixed_samples():
        packed = pack([sample])
        masks = [
            packed.condition_layouts[0].dense_mask(packed.num_conditions, packed.num_conditions),
            packed.target_layouts[0].dense_mask(
                packed.target_lengths[0], packed.num_conditions + packed.target_lengths[0]
            ),
        ]
        length = sample_length(sample)
        assert length.tokens == packed.num_conditions + packed.target_lengths[0]
        assert length.pairs == sum(int(mask.sum()) for mask in masks)


def test_a_fit_finds_the_coefficients_that_made_the_times() -> None:
    rng = np.random.default_rng(0)
    packs = [
        tuple(SampleLength(int(c), int(t)) for c, t in rng.integers(1, 60, (n, 2)))
        for n in (1, 2, 5, 1, 9, 3, 2, 4)
    ]
    exact = [
        CostMeasurement(p, SIMPLE.pack_seconds(p, d), d)
        for p, d in zip(packs, itertools.cycle((1, 2, 4)), strict=False)
    ]
    found = fit_cost(exact)
    for name, value in vars(SIMPLE).items():
        assert getattr(found, name) == pytest.approx(value, rel=1e-6)
    noisy = [
        CostMeasurement(m.lengths, m.seconds * (1 + 0.02 * float(rng.standard_normal())), m.degree)
        for m in exact
    ]
    assert np.abs(relative_errors(fit_cost(noisy), noisy)).max() < 0.08


def test_no_coefficient_becomes_negative() -> None:
    times = [1.0, 1.5, 1.8, 2.0, 2.1]  # grows more slowly than its tokens
    found = fit_cost(
        [CostMeasurement((SampleLength(1, 100 * n),), s) for n, s in enumerate(times, start=1)]
    )
    assert found.fixed_s > 0
    assert found.pair_s == 0


def test_too_few_measurements_are_refused() -> None:
    with pytest.raises(InvalidInput, match="at least 4 measurements"):
        fit_cost([CostMeasurement((SampleLength(1, 2),), 1.0)] * 3)


def test_steps_of_a_real_model_are_timed() -> None:
    ticks = itertools.count()
    step = training_step(small_transformer(depth=1), "cpu")
    packs = itertools.islice(probe_packs(4), 5)
    seen = list(measure_costs(step, packs, repeats=1, clock=lambda: float(next(ticks))))
    assert [m.seconds for m in seen] == [1.0] * 5
    assert seen[1].lengths == (SampleLength(32, 16),) * 8


def test_more_ranks_take_an_even_share_and_the_exchange() -> None:
    sample = SampleLength(10, 30)
    work = 0.1 * 40 + 0.001 * (100 + 30 * 40)
    assert SIMPLE.sample_seconds(sample) == pytest.approx(work)
    assert SIMPLE.sample_seconds(sample, 4) == pytest.approx(work / 4 + 0.02 * 40 * 3 / 16)


def test_longest_first_balances_a_case_that_can_be_done_by_hand() -> None:
    cost = CostModel(0, 1.0, 0)
    plan = plan_microbatch(
        lengths((1, 6), (1, 5), (1, 4), (1, 3), (1, 2), (1, 1)), 2, cost, Limits(100)
    )
    assert sorted(g.seconds for g in plan.groups) == [13, 14]
    assert plan.imbalance == pytest.approx(1 - 13.5 / 14)


def test_swaps_improve_on_longest_first() -> None:
    """Longest first gives 3 + 2 + 2 to one rank and 3 + 2 to the other; 3 + 3 and 2 + 2 + 2 is
    even."""
    cost = CostModel(0, 1.0, 0)
    plan = plan_microbatch(lengths((1, 2), (1, 2), (1, 1), (1, 1), (1, 1)), 2, cost, Limits(100))
    assert [g.seconds for g in plan.groups] == [6, 6]


def test_a_long_sample_is_shared_and_the_others_fill_the_rest() -> None:
    cost = CostModel(0, 1.0, 0)
    samples = lengths((1, 399), *[(1, 99)] * 4)
    plan = plan_microbatch(samples, 8, cost, Limits(200, (1, 2, 4)))
    assert [g.degree for g in plan.groups] == [4, 1, 1, 1, 1]
    assert plan.groups[0].samples == (0,)
    assert plan.imbalance == pytest.approx(0)
    assert plan.group_of(3) is plan.groups[0]
    assert plan.group_of(7) is plan.groups[4]


def test_memory_decides_the_degree_when_time_does_not() -> None:
    plan = plan_microbatch(lengths((1, 999)), 4, CostModel(0, 1.0, 0), Limits(500, (1, 2)))
    assert {g.degree for g in plan.groups if g.samples} == {2}
    with pytest.raises(InvalidInput, match="1000 tokens does not fit 2 ranks with 400"):
        plan_microbatch(lengths((1, 999)), 4, SIMPLE, Limits(400, (1, 2)))


def test_what_memory_cannot_hold_is_left_out_by_name() -> None:
    plan = plan_microbatch(lengths(*[(1, 59)] * 3), 2, SIMPLE, Limits(100))
    assert len(plan.left_out) == 1
    assert all(g.tokens <= 100 for g in plan.groups)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(1, 300)), min_size=1, max_size=40),
    st.sampled_from([(1,), (1, 2), (1, 2, 4)]),
    st.sampled_from([4, 8, 12]),
)
def test_every_plan_is_whole(
    pairs: list[tuple[int, int]], degrees: tuple[int, ...], world: int
) -> None:
    samples = lengths(*pairs)
    limits = Limits(350, degrees)
    plan = plan_microbatch(samples, world, SIMPLE, limits)
    placed = [i for g in plan.groups for i in g.samples] + list(plan.left_out)
    assert sorted(placed) == list(range(len(samples)))
    assert sum(g.degree for g in plan.groups) == world
    start = 0
    for group in plan.groups:
        assert group.first_rank == start
        assert start % group.degree == 0
        assert group.degree in degrees
        own = [samples[i] for i in group.samples]
        assert group.tokens == sum(s.tokens for s in own) <= group.degree * limits.max_tokens
        assert group.seconds == pytest.approx(SIMPLE.pack_seconds(own, group.degree))
        start += group.degree


def test_impossible_worlds_are_refused() -> None:
    with pytest.raises(InvalidInput, match="6 ranks cannot be cut into groups of 4"):
        plan_microbatch(lengths((1, 2)), 6, SIMPLE, Limits(100, (1, 2, 4)))
    with pytest.raises(InvalidInput, match="degrees must be 1, 2, 4"):
        Limits(100, (1, 3))


def test_imbalance_is_the_share_of_waiting() -> None:
    assert imbalance([2, 2, 2]) == 0
    assert imbalance([4, 2, 0]) == pytest.approx(0.5)


def test_64_ranks_wait_less_than_one_percent_on_the_mixture_of_tasks() -> None:
    drawn = draw_lengths(large_mixture(), 3000)
    config = MicrobatchConfig(Limits(32768, (1, 2, 4, 8, 16)))
    result = simulate(drawn, 64, LARGE_COST, config, num_microbatches=4)
    assert result.imbalance <= 0.01
    assert result.worst <= 0.02
    assert result.round_robin > 0.5
    assert result.sharing_overhead < 0.1
    assert result.left_out == 0


def test_planned_lengths_are_those_of_encoded_samples(tmp_path: Path) -> None:
    vae = load_vae(save_small_vae(tmp_path / "vae"))
    fmt = VideoFormat(32, 48, 5, 8.0)
    for name in ("C1", "C2", "C8", "C15", "C18", "C20", "C22", "C24"):
        data = LatentCacheConfig(count=1, formats=(fmt,), format_shares=(1,), weights={name: 1.0})
        record = SampleEncoder(vae, data).record(3, fmt)
        plan = draw_plan(name, 3, fmt.duration_s, "train")
        assert planned_length(plan, fmt, 7) == record_length(record, 7), name


def microbatches(count: int = 400, **changes: object) -> Microbatches:
    rng = np.random.default_rng(0)
    drawn = lengths(*[(int(c), int(t)) for c, t in rng.integers(1, 200, (count, 2))])
    config = MicrobatchConfig(Limits(2000, (1, 2)), **changes)  # type: ignore[arg-type]
    return Microbatches(drawn, 4, SIMPLE, config)


def test_time_fills_a_microbatch_as_tokens_do() -> None:
    by_tokens, by_time = (microbatches(**c).plan(0)[1] for c in ({}, {"rank_seconds": 40.0}))
    assert max(by_time.rank_seconds) < 45 < max(by_tokens.rank_seconds)


def test_data_that_fill_no_microbatch_are_refused() -> None:
    with pytest.raises(InvalidInput, match="do not fill one micro-batch"):
        microbatches(count=3)


def test_round_robin_adds_up() -> None:
    times = round_robin_seconds(lengths((1, 1), (1, 3), (1, 5)), 2, CostModel(0, 1.0, 0))
    assert times == [8.0, 4.0]
