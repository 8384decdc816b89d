"""Recipes of what shows given pixels in an autoencoder's clips; all else of it stays.

Start from a trained autoencoder with --init-from: what comes out is that autoencoder, with the same
latents and decoder, and what compares its clips with their media.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from omnireel.errors import IntegrityError, InvalidInput
from omnireel.generate.components import (
    KEEPER,
    autoencoder_sha256,
    load_keeper,
    own_weights,
    vae_config,
    with_part,
)
from omnireel.model.keeper import Keeper, KeeperConfig
from omnireel.recipes.base import Assembly, ComponentParts, Workplace, module_weights
from omnireel.recipes.on_pairs import CHOOSING_TRAINER, PairRecipe, go_on_from
from omnireel.recipes.vae import LIMITS
from omnireel.registry import load_component
from omnireel.shipped import SHIPPED_TINY
from omnireel.train import TrainerConfig
from omnireel.train.objectives.keeping import Keeping
from omnireel.train.pair_batches import PairBatchConfig
from omnireel.train.pair_cache import PairCacheConfig
from omnireel.types import VideoFormat

_WEIGHTS = {
    "C1": 0.06, "C3": 0.04, "C7": 0.03, "C9": 0.04, "C10": 0.02, "C11": 0.06, "C12": 0.05,
    "C13": 0.10, "C14": 0.10, "C15": 0.05, "C18": 0.09, "C19": 0.07, "C21": 0.04, "C22": 0.08,
    "C23": 0.04, "C25": 0.02, **{f"C{n}": 0.05 for n in (4, 5, 6, 8)},
}  # fmt: skip
"""Tasks whose media may show what the result does."""


@dataclass(frozen=True)
class KeeperRecipe(PairRecipe):
    """Training of a keeper behind an autoencoder."""

    title: ClassVar[str] = "Omnireel video autoencoder"

    data: PairCacheConfig = field(
        default_factory=lambda: PairCacheConfig(
            count=2_400, factor=1, given=True, weights=_WEIGHTS, exact_share=0.0, base_noise=0.15
        )
    )
    batches: PairBatchConfig = field(
        default_factory=lambda: PairBatchConfig(batch_size=8, side=48, image_share=0.0)
    )
    held_out: int = 48
    model: KeeperConfig = field(default_factory=KeeperConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.data.given or self.data.factor != 1:
            raise InvalidInput(
                "a keeper learns from clips as they are and their media; set data.given=true and "
                "data.factor=1",
                field="data.given",
            )

    def autoencoder(self, place: Workplace) -> Path:
        """The one that the run begins with.

        Raises:
            InvalidInput: it starts from nothing, or from something else.

        """
        if place.started_from is None:
            raise InvalidInput(
                "the keeper is a part of an autoencoder: give its component with --init-from, for "
                f"example --init-from {SHIPPED_TINY / 'vae'}",
                field="init_from",
            )
        return place.started_from

    def assemble(self, place: Workplace, init_from: Path | None) -> Assembly:
        """Render the pairs and build the objective; raises what :meth:`autoencoder` raises.

        Raises:
            InvalidInput: the autoencoder has a keeper of another size.

        """
        origin = self.autoencoder(place)
        pinned = self.prepare(place)
        torch.manual_seed(self.trainer.seed)
        keeper = Keeper(self.model)
        if init_from is not None:
            go_on_from(keeper, load_keeper(origin), origin, "keeper")
        objective = Keeping(keeper, self.tests(pinned), self.trainer.device)
        return Assembly(objective, self.crops(pinned), pinned)

    def component(self, weights: Mapping[str, Tensor], place: Workplace) -> ComponentParts:
        """The autoencoder that training started from, with this keeper.

        Raises:
            IntegrityError: it is not the one any more that the run began with.

        """
        origin = self.autoencoder(place)
        before = load_component(origin, kind="vae")
        if autoencoder_sha256(origin) != place.pinned["autoencoder"]:
            raise IntegrityError(
                f"{origin} is no longer the autoencoder that the run began with; restore it, "
                "or train the keeper of the new one"
            )
        config = {**asdict(vae_config(before)), KEEPER: asdict(self.model)}
        own = own_weights(before.state_dict)
        state = with_part(own, KEEPER, module_weights(weights, KEEPER))
        return ComponentParts("vae", config, state, self.card(LIMITS))


def debug_keeper() -> KeeperRecipe:
    """A minute of work that shows that everything runs; the result is of no use."""
    fmt = VideoFormat(32, 32, 5, 8.0)
    return KeeperRecipe(
        trainer=TrainerConfig(num_steps=4, log_every=2, validate_every=4, checkpoint_every=4),
        model=KeeperConfig(channels=8, blocks=1),
        data=PairCacheConfig(
            count=8, formats=(fmt,), shard_pairs=4, given=True, factor=1, exact_share=0.0,
            weights={"C4": 1.0, "C18": 1.0},
        ),
        batches=PairBatchConfig(batch_size=2, side=16, frames=5, image_share=0.0),
        held_out=2,
        workers=0,
    )  # fmt: skip


def tiny_keeper() -> KeeperRecipe:
    """The keeper of the shipped autoencoder: 40 minutes on two CPU cores."""
    return KeeperRecipe(trainer=CHOOSING_TRAINER)
