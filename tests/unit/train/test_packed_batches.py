"""Batches of all formats mixed: what is in them, and that packing changes no loss."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from omnireel.errors import InvalidInput
from omnireel.generate.conditions import source_ids
from omnireel.model.sequence import pack
from omnireel.mvl.prompt import Prompt
from omnireel.recipes.base import Workplace
from omnireel.recipes.config import override
from omnireel.recipes.generator_tiny import debug_generator
from omnireel.recipes.planning.activations import plan_activations
from omnireel.recipes.planning.workload import packed_workload, relative_cost
from omnireel.recipes.transformer_size import TransformerSize
from omnireel.train.balance import (
    CostModel,
    Limits,
    MicrobatchConfig,
    PackedBatches,
    PackingConfig,
    SampleLength,
)
from omnireel.train.balance.lengths import record_length
from omnireel.train.balance.simulate import simulate
from omnireel.train.latent_cache import LatentCache, LatentCacheConfig
from omnireel.train.latent_record import LatentRecord, pack_records
from omnireel.train.latent_samples import LatentSamples
from omnireel.train.objectives.flow_matching import FlowMatching, FlowMatchingConfig
from omnireel.train.same_run import check_same_config
from omnireel.types import VideoFormat
from tests.support.mixture import draw_lengths, large_mixture
from tests.support.parallel_cases import four_heads, gradients_of
from tests.support.rank_training import RecordSource
from tests.support.tiny_records import TOKENIZER, record

COST = CostModel(0.0, 1.0, 0.001)
CLEAN = FlowMatchingConfig(
    drop_text=0, drop_image=0, drop_video=0, vague_share=0, noisy_condition_share=0
)


def packs(parts: int, source: RecordSource | None = None, **config: float) -> PackedBatches:
    values = PackingConfig(**{"max_tokens": 60, **config})  # type: ignore[arg-type]
    return PackedBatches(source or RecordSource(80), parts=parts, cost=COST, config=values)


def test_a_step_mixes_formats_within_the_budget_and_its_batches_take_equally_long() -> None:
    batches = packs(4, max_tokens=120)
    seen: list[int] = []
    for step in range(3):
        numbers, plan = batches.plan(step)
        loaded = [batches.batch(4 * step + part) for part in range(4)]
        placed = [numbers[i] for group in plan.groups for i in group.samples]
        assert [r.seed for batch in loaded for r in batch] == placed
        lengths = [[record_length(r, RecordSource.TEXT) for r in batch] for batch in loaded]
        assert all(sum(n.tokens for n in own) <= 120 for own in lengths)
        assert len({r.target_CTHW.shape for batch in loaded for r in batch}) == 3
        assert {len(r.segments) for batch in loaded for r in batch} == {0, 2}
        seconds = [COST.pack_seconds(own) for own in lengths]
        assert 1 - np.mean(seconds) / max(seconds) == pytest.approx(plan.imbalance)
        assert plan.imbalance < 0.05
        seen += placed
    assert len(seen) == len(set(seen))


def test_a_batch_depends_on_its_number_alone() -> None:
    one, other = packs(2), packs(2)
    late = [[r.seed for r in one.batch(i)] for i in (0, 41, 3)]
    assert [[r.seed for r in other.batch(i)] for i in (0, 41, 3)] == late


def test_no_batch_is_empty_even_where_samples_fill_the_budget() -> None:
    class Alike(RecordSource):
        def lengths(self) -> list[SampleLength]:
            return [SampleLength(20, 40)] * self.count

    batches = packs(4, Alike(9))
    assert [len(batches.batch(i)) for i in range(16)] == [1] * 16


def test_64_batches_of_a_step_take_equally_long_when_three_long_samples_fit_one() -> None:
    """Where batches are not shared by varying numbers of ranks, one long sample must be a part of
    a batch, not all of it."""
    drawn = draw_lengths(large_mixture(), 6000)
    cost = relative_cost(2048, 28, 4.0)
    longest = max(length.tokens for length in drawn)
    three, one = (
        simulate(drawn, 64, cost, MicrobatchConfig(Limits(n * longest)), num_microbatches=3)
        for n in (3, 1)
    )
    assert three.imbalance <= 0.01 and three.worst <= 0.01 and three.left_out == 0
    assert three.round_robin > 0.3 and one.imbalance > 0.3


def test_what_cannot_be_packed_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match=r"set packing\.max_tokens to 34 or more"):
        packs(1, max_tokens=33)
    with pytest.raises(InvalidInput, match=r"3 samples .* lower packing\.max_tokens"):
        packs(4, RecordSource(3))
    for wrong in ({"max_tokens": 0}, {"fill": 1.5}):
        with pytest.raises(InvalidInput) as caught:
            PackingConfig(**wrong)  # type: ignore[arg-type]
        assert caught.value.violations[0].field == f"packing.{next(iter(wrong))}"


def _text_tokens(prompt: Prompt) -> int:
    return len(TOKENIZER.encode(prompt, source_ids(prompt)).ids)


def test_lengths_of_a_cache_are_known_from_its_index(tmp_path: Path) -> None:
    records = [record(seed, frames=1 + seed % 3) for seed in range(6)]
    fmt = VideoFormat(32, 32, 9, 8.0)
    config = LatentCacheConfig(count=6, formats=(fmt, fmt), format_shares=(1, 1), shard_samples=3)
    (tmp_path / "manifest.json").write_text(json.dumps({"kind": "latents"}))
    for shard in range(2):
        flat, index = pack_records(records[3 * shard : 3 * shard + 3])
        np.save(tmp_path / f"latents_{shard:06d}.npy", flat)
        (tmp_path / f"latents_{shard:06d}.json").write_text(json.dumps(index))
    samples = LatentSamples(LatentCache(tmp_path, config), _text_tokens)
    assert [samples.sample(i).seed for i in range(6)] == list(range(6))
    assert list(samples.lengths()) == [record_length(r, _text_tokens(r.prompt)) for r in records]


def _flow(mean_over: str) -> FlowMatching:
    config = FlowMatchingConfig(**{**asdict(CLEAN), "mean_over": mean_over})
    return FlowMatching(four_heads(), TOKENIZER, config, pack)


def _step(objective: FlowMatching, batches: list[list[LatentRecord]]) -> dict[str, torch.Tensor]:
    """Gradients of one step's weighted mean, and the mean itself, at fixed times and noise."""
    weights = [objective.weigh(batch) for batch in batches]
    objective.model.zero_grad()
    total = torch.zeros(())
    for batch, weight in zip(batches, weights, strict=True):
        times_B = torch.tensor([0.1 + 0.08 * (r.seed % 10) for r in batch])
        exact = objective.preparation.exact(batch, times_B, torch.Generator())
        noise = [
            torch.randn(n, exact.clean_NP.shape[1], generator=torch.Generator().manual_seed(r.seed))
            for r, n in zip(batch, exact.packed.target_lengths, strict=True)
        ]
        errors_B = objective._errors(exact, torch.cat(noise))
        total = total + objective._mean(errors_B, exact) * (weight / sum(weights))
    total.backward()  # type: ignore[no-untyped-call]
    return {**gradients_of(objective.model), "loss": total.detach()}


@pytest.mark.parametrize("mean_over", ["samples", "tokens"])
def test_packed_samples_have_the_loss_and_gradient_of_single_ones(mean_over: str) -> None:
    """However a step's samples are packed: each counts once (or each of its tokens)."""
    objective = _flow(mean_over)
    source = packs(2, max_tokens=120)
    records = [*source.batch(0), *source.batch(1)]
    batches = [records[:3], records[3:]]
    packed = _step(objective, batches)
    single = _step(objective, [[r] for batch in batches for r in batch])
    assert packed.keys() == single.keys()
    for name, expected in single.items():
        torch.testing.assert_close(packed[name], expected, atol=2e-6, rtol=2e-4, msg=name)


def test_noise_drawn_by_sample_is_that_of_the_whole_batch() -> None:
    """Runs that drew the noise of a batch at once go on with the same numbers."""
    whole, parts = torch.Generator().manual_seed(3), torch.Generator().manual_seed(3)
    by_sample = [torch.randn(n, 192, generator=parts) for n in (5, 80, 16)]
    assert torch.equal(torch.randn(101, 192, generator=whole), torch.cat(by_sample))


def test_a_plan_of_memory_and_time_is_made_from_packs() -> None:
    long, still = VideoFormat(64, 64, 17, 8.0), VideoFormat(64, 64, 1, 8.0)
    data = LatentCacheConfig(formats=(still, long), format_shares=(1, 1), weights={"C20": 1.0})
    network = TransformerSize(width=64, depth=2, heads=2).build(8, ())
    shapes = packed_workload(network, data, PackingConfig(max_tokens=512)).batches
    assert all(s.conditions + s.target <= 512 for s in shapes)
    assert any(not s.equal_targets for s in shapes)
    filled = sum(s.conditions + s.target for s in shapes) / len(shapes) / 512
    assert 0.7 < filled <= 0.95
    # Texts of up to 96 tokens are guessed; a budget that holds the clips is not refused for them.
    tight = packed_workload(network, data, PackingConfig(max_tokens=90)).batches
    assert max(s.conditions + s.target for s in tight) <= 90
    cost = relative_cost(64, 2, 4.0)
    assert cost.token_s > 0 and cost.fixed_s == 0


def test_a_plan_of_memory_knows_which_batches_are_shared() -> None:
    long, still = VideoFormat(64, 64, 17, 8.0), VideoFormat(64, 64, 1, 8.0)
    data = LatentCacheConfig(formats=(still, long), format_shares=(1, 1), weights={"C20": 1.0})
    network = TransformerSize(width=64, depth=2, heads=2).build(8, ())
    workload = packed_workload(network, data, PackingConfig(max_tokens=64, max_degree=2))
    assert 2 in workload.degrees and workload.places == 24
    for shape, degree in zip(workload.batches, workload.degrees, strict=True):
        assert shape.conditions + shape.target <= 64 * degree
    alone, shared = (
        plan_activations(
            network, workload.batches, "float32", 1e12, degrees=workload.sharing(groups)
        ).bytes
        for groups in (1, 2)
    )
    assert shared < 0.8 * alone


def test_runs_of_earlier_releases_go_on_unless_they_change_their_batches() -> None:
    saved = {"batch_size": 4}
    now = {
        "batch_size": 4, "batching": "formats", "encoding": "cache", "packing.max_tokens": 99,
    }  # fmt: skip
    check_same_config(saved, now)
    with pytest.raises(InvalidInput, match=r"batching \('formats' -> 'packed'\)"):
        check_same_config(saved, {**now, "batching": "packed"})
    with pytest.raises(InvalidInput, match=r"packing\.max_tokens"):
        check_same_config({**now, "packing.max_tokens": 98}, now)
    with pytest.raises(InvalidInput, match=r"packing\.max_degree \(1 -> 4\)"):
        check_same_config(saved, {**now, "packing.max_degree": 4})


@pytest.mark.parametrize(
    ("batching", "degree", "words"),
    [("formats", 2, "set batching=packed"), ("packed", 64, "heads cannot be shared by 64 ranks")],
)
def test_degrees_that_fit_nothing_are_refused_before_any_data_are_made(
    tmp_path: Path, batching: str, degree: int, words: str
) -> None:
    changes = (f"batching={batching}", f"packing.max_degree={degree}")
    with pytest.raises(InvalidInput, match=words):
        override(debug_generator(), changes).prepare(Workplace(tmp_path, lambda *_: None))
    assert not list(tmp_path.iterdir())


def test_the_recipe_names_its_choices() -> None:
    recipe = debug_generator()
    assert recipe.batching == "formats"
    with pytest.raises(InvalidInput, match="'formats' or 'packed'"):
        type(recipe)(trainer=recipe.trainer, batching="mixed")  # type: ignore[arg-type]
