"""Recipes of what shows given pixels in the super-resolver's clips; all else of it stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from omnireel.errors import InvalidInput
from omnireel.generate.components import FUSION, load_enlarger, load_fusion, with_part
from omnireel.recipes.base import Assembly, ComponentParts, Workplace, module_weights
from omnireel.recipes.on_pairs import CHOOSING_TRAINER, go_on_from
from omnireel.recipes.pixel_part import PixelPartRecipe
from omnireel.registry import load_component
from omnireel.train import TrainerConfig
from omnireel.train.objectives.fusing import Fusing
from omnireel.train.pair_batches import PairBatchConfig
from omnireel.train.pair_cache import FACTOR, PairCacheConfig
from omnireel.types import VideoFormat
from omnireel.upscale.fusion import FusionConfig, ReferenceFusion

_WEIGHTS = {
    "C1": 0.05, "C3": 0.05, "C11": 0.06, "C12": 0.06, "C13": 0.13, "C14": 0.13, "C15": 0.06,
    "C18": 0.09, "C19": 0.06, "C22": 0.12, "C25": 0.02, "C10": 0.01, "C21": 0.04,
    **{f"C{n}": 0.02 for n in range(4, 10)},
}  # fmt: skip
"""Tasks whose media may show what the result does; the shots around a video and drawings on a
picture most, where a place is seen again that nobody asked to keep."""


@dataclass(frozen=True)
class FusionRecipe(PixelPartRecipe):
    """Training of a fusion behind the enlarger of a super-resolver."""

    part: ClassVar[str] = FUSION

    data: PairCacheConfig = field(
        default_factory=lambda: PairCacheConfig(count=2_400, given=True, weights=_WEIGHTS)
    )
    batches: PairBatchConfig = field(
        default_factory=lambda: PairBatchConfig(batch_size=4, side=48, image_share=0.0)
    )
    held_out: int = 36
    model: FusionConfig = field(default_factory=FusionConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.data.given:
            raise InvalidInput(
                "a fusion learns from the media of clips; set data.given=true", field="data.given"
            )

    def assemble(self, place: Workplace, init_from: Path | None) -> Assembly:
        """Render the pairs and build the objective.

        Raises:
            InvalidInput, NotFound: see :meth:`PixelPartRecipe.origin`.
            InvalidInput: the super-resolver has no enlarger, whose features a fusion reads, or its
                fusion is of another size.

        """
        origin = self.origin(place)
        component = load_component(origin)
        enlarger = load_enlarger(component, origin)
        if enlarger is None:
            raise InvalidInput(
                f"{origin} has no enlarger, whose features a fusion reads; train one first with "
                "the recipe enlarger-tiny",
                field="init_from",
            )
        pinned = self.pinned(place)
        torch.manual_seed(self.trainer.seed)
        fusion = ReferenceFusion(self.model, FACTOR, enlarger.config.channels)
        if init_from is not None:
            go_on_from(fusion, load_fusion(component, origin), origin, "fusion")
        objective = Fusing(fusion, enlarger, self.tests(pinned), self.trainer.device)
        return Assembly(objective, self.crops(pinned), pinned)

    def component(self, weights: Mapping[str, Tensor], place: Workplace) -> ComponentParts:
        """The super-resolver that training started from, with this fusion."""
        before = load_component(self.origin(place))
        upscale = {**before.config["upscale"], FUSION: asdict(self.model)}
        state = with_part(before.state_dict, FUSION, module_weights(weights, "fusion"))
        return self.with_parts(place, upscale, state)


def debug_fusion() -> FusionRecipe:
    """A minute of work that shows that everything runs; the result is of no use."""
    fmt = VideoFormat(32, 32, 5, 8.0)
    return FusionRecipe(
        trainer=TrainerConfig(num_steps=4, log_every=2, validate_every=4, checkpoint_every=4),
        model=FusionConfig(channels=8, blocks=1),
        data=PairCacheConfig(
            count=8, formats=(fmt,), shard_pairs=4, given=True, weights={"C14": 1.0, "C18": 1.0}
        ),
        batches=PairBatchConfig(batch_size=2, side=16, frames=5, image_share=0.0),
        held_out=2,
        workers=0,
    )


def tiny_fusion() -> FusionRecipe:
    """The fusion of the shipped super-resolver: 40 minutes on two CPU cores."""
    return FusionRecipe(trainer=CHOOSING_TRAINER)
