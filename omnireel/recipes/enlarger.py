"""Recipes of the super-resolver's learned enlargement; its transformer stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from omnireel.errors import InvalidInput
from omnireel.generate.components import (
    ENLARGER,
    FUSION,
    load_enlarger,
    own_weights,
    with_part,
)
from omnireel.recipes.base import Assembly, ComponentParts, Workplace, module_weights
from omnireel.recipes.pixel_part import PixelPartRecipe
from omnireel.registry import load_component
from omnireel.train import EmaConfig, FeedConfig, OptimizerConfig, ScheduleConfig, TrainerConfig
from omnireel.train.objectives.enlarging import Enlarging
from omnireel.train.pair_batches import PairBatchConfig
from omnireel.train.pair_cache import FACTOR, PairCacheConfig
from omnireel.types import VideoFormat
from omnireel.upscale.enlarger import Enlarger, EnlargerConfig


@dataclass(frozen=True)
class EnlargerRecipe(PixelPartRecipe):
    """Training of an enlarger: network, pairs of clips, loop."""

    part: ClassVar[str] = ENLARGER

    model: EnlargerConfig = field(default_factory=EnlargerConfig)

    def assemble(self, place: Workplace, init_from: Path | None) -> Assembly:
        """Render the pairs and build the objective.

        Raises:
            InvalidInput, NotFound: see :meth:`PixelPartRecipe.origin`.
        """
        pinned = self.pinned(place)
        torch.manual_seed(self.trainer.seed)
        enlarger = Enlarger(self.model, FACTOR)
        if init_from is not None:
            self._continue(enlarger, self.origin(place))
        objective = Enlarging(enlarger, self.tests(pinned), self.trainer.device)
        return Assembly(objective, self.crops(pinned), pinned)

    def component(self, weights: Mapping[str, Tensor], place: Workplace) -> ComponentParts:
        """The super-resolver that training started from, with this enlarger; without the fusion
        that read the features of another."""
        before = load_component(self.origin(place))
        upscale = {k: v for k, v in before.config["upscale"].items() if k != FUSION}
        upscale[ENLARGER] = asdict(self.model)
        state = own_weights(before.state_dict)
        state = with_part(state, ENLARGER, module_weights(weights, "enlarger"))
        return self.with_parts(place, upscale, state)

    def _continue(self, enlarger: Enlarger, folder: Path) -> None:
        """Begin with the enlarger that the super-resolver has, if any."""
        before = load_enlarger(load_component(folder), folder)
        if before is None:
            return
        try:
            enlarger.start_from(before)
        except ValueError as error:
            raise InvalidInput(
                f"{folder} has an enlarger of {before.config.channels} channels and "
                f"{before.config.blocks} blocks; set model.channels to the same, and model.blocks "
                "to as many or more",
                field="model",
            ) from error


def debug_enlarger() -> EnlargerRecipe:
    """A minute of work that shows that everything runs; the result is of no use."""
    fmt = VideoFormat(32, 32, 5, 8.0)
    return EnlargerRecipe(
        trainer=TrainerConfig(num_steps=4, log_every=2, validate_every=4, checkpoint_every=4),
        model=EnlargerConfig(channels=8, blocks=1),
        data=PairCacheConfig(count=8, formats=(fmt,), shard_pairs=4),
        batches=PairBatchConfig(batch_size=2, side=16, frames=5),
        held_out=2,
        workers=0,
    )


def tiny_enlarger() -> EnlargerRecipe:
    """The enlargement of the shipped super-resolver: 45 minutes on one CPU core."""
    return EnlargerRecipe(
        trainer=TrainerConfig(
            num_steps=50_000,
            max_minutes=45.0,
            log_every=50,
            validate_every=100_000,
            checkpoint_every=250,
            threads=1,
            autocast="bfloat16",
            optimizer=OptimizerConfig(
                muon_lr=0.01,
                adamw_lr=1e-3,
                muon_kernels=True,
                newton_schulz_type="bfloat16",
                adamw_patterns=(r"gain", r"\.out\.", r"stem\."),
            ),
            schedule=ScheduleConfig(kind="wsd", warmup_steps=50, decay_fraction=0.6),
            ema=EmaConfig(decays=(0.995,)),
            feed=FeedConfig(workers=1, depth=3),
        ),
        data=PairCacheConfig(count=4_500),
    )
