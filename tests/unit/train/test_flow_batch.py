"""Batches that a loader's processes prepare are those that the loop would have made."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from omnireel.model.sequence import Segment, pack
from omnireel.model.text import Tokenizer
from omnireel.mvl import parse
from omnireel.mvl.prompt import Input
from omnireel.train.feed import Feed, FeedConfig
from omnireel.train.latent_record import LatentRecord
from omnireel.train.objectives.flow_batch import FlowBatch
from omnireel.train.objectives.flow_matching import FlowMatching, FlowMatchingConfig
from omnireel.train.prepared import PreparedBatches
from omnireel.train.randomness import step_seed
from omnireel.types import MediaKind, Role
from tests.support.equal_learning import assert_learned_alike
from tests.support.tiny_models import small_transformer

WORDS = ("a", "red", "ball", "move")
PER_STEP = 2
SEED = 5


def _record(seed: int) -> LatentRecord:
    rng = torch.Generator().manual_seed(seed)
    inputs = [Input("V", MediaKind.VIDEO, Role.SOURCE)]
    channels, size = small_transformer().config.latent_channels, 2 + 2 * (seed % 2)
    return LatentRecord(
        capability="C8",
        seed=seed,
        prompt=parse("a red ball @V", inputs, []),
        vague_prompt=parse("ball @V", inputs, []),
        target_CTHW=torch.randn(channels, 2, size, size, generator=rng),
        segments=(Segment(torch.randn(channels, 2, size, size, generator=rng), Role.SOURCE, 1),),
    )


@dataclass(frozen=True)
class Records:
    """Three records a batch, of two shapes."""

    def batch(self, index: int) -> list[LatentRecord]:
        return [_record(3 * index + i) for i in range(3)]


def _objective(mean_over: str) -> FlowMatching:
    torch.manual_seed(0)
    config = FlowMatchingConfig(
        changed_focus=2.0,
        noisy_condition_share=0.5,
        mean_over=mean_over,  # type: ignore[arg-type]
    )
    model = small_transformer()
    for parameter in model.parameters():  # what starts at 0 would hide half of the network
        torch.nn.init.normal_(parameter, std=0.1)
    return FlowMatching(model, Tokenizer(WORDS), config, pack)


@pytest.mark.parametrize("mean_over", ["samples", "tokens"])
def test_losses_and_gradients_are_equal_bit_for_bit(mean_over: str) -> None:
    alone, fed = _objective(mean_over), _objective(mean_over)
    data = PreparedBatches(Records(), fed.preparation, SEED, PER_STEP)
    feed = Feed(data, FeedConfig(workers=1, depth=2, processes=True))
    try:
        for index in range(3):
            prepared, records = feed.take(), Records().batch(index)
            assert isinstance(prepared, FlowBatch)
            assert fed.weigh(prepared) == alone.weigh(records)
            seed = step_seed(SEED, index // PER_STEP, index % PER_STEP)
            assert_learned_alike(alone, fed, records, prepared, seed)
    finally:
        feed.close()


def test_another_batch_or_another_run_has_other_random_numbers() -> None:
    objective = _objective("samples")
    data = PreparedBatches(Records(), objective.preparation, SEED, PER_STEP)
    other = PreparedBatches(Records(), objective.preparation, SEED + 1, PER_STEP)
    assert torch.equal(data.batch(0).times_B, data.batch(0).times_B)
    assert not torch.equal(data.batch(0).times_B, data.batch(1).times_B)
    assert not torch.equal(data.batch(0).times_B, other.batch(0).times_B)
