"""Recipes of the super-resolver's learned enlargement; its transformer stays as it is.

Start from a trained super-resolver with --init-from: what comes out is that super-resolver with a
new enlarger, or with its own one trained further.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from omnireel.errors import IntegrityError, InvalidInput
from omnireel.generate.components import (
    check_latent_space,
    load_enlarger,
    weights_sha256,
    with_enlarger,
    without_enlarger,
)
from omnireel.recipes.base import Assembly, ComponentParts, Workplace, module_weights
from omnireel.recipes.upscaler import LIMITS
from omnireel.registry import load_component
from omnireel.registry.folders import sha256_file
from omnireel.shipped import SHIPPED_TINY
from omnireel.train import EmaConfig, FeedConfig, OptimizerConfig, ScheduleConfig, TrainerConfig
from omnireel.train.objectives.enlarging import Enlarging
from omnireel.train.pair_cache import (
    FACTOR,
    PairBatchConfig,
    PairBatches,
    PairCache,
    PairCacheConfig,
    build_pair_cache,
)
from omnireel.types import VideoFormat
from omnireel.upscale.enlarger import Enlarger, EnlargerConfig

_HELD_OUT_SEED = 1_000_000
_ORIGIN = "super_resolver"
"""The hash of the weights that training began from, among what a run stands on."""


@dataclass(frozen=True)
class EnlargerRecipe:
    """Training of an enlarger: network, pairs of clips, loop."""

    title: ClassVar[str] = "Omnireel super-resolver"

    trainer: TrainerConfig
    vae: Path = SHIPPED_TINY / "vae"
    """Component folder of the autoencoder that wears the base clips."""
    model: EnlargerConfig = field(default_factory=EnlargerConfig)
    data: PairCacheConfig = field(default_factory=PairCacheConfig)
    batches: PairBatchConfig = field(default_factory=PairBatchConfig)
    held_out: int = 24
    workers: int = 2

    def prepare(self, place: Workplace) -> Mapping[str, str]:
        """Render training and held-out pairs; their folders by name."""
        found = {"autoencoder": sha256_file(self.vae / "model.safetensors")}
        for name, config, what in (
            ("pairs", self.data, "rendering pairs"),
            ("held_out", self._held_out(), "rendering tests"),
        ):
            pinned = place.pinned.get(name)
            found[name] = pinned or str(
                build_pair_cache(
                    place.cache,
                    config,
                    self.vae,
                    workers=self.workers,
                    report=lambda done, total, what=what: place.report(what, done, total),  # type: ignore[misc]
                )
            )
        return found

    def assemble(self, place: Workplace, init_from: Path | None) -> Assembly:
        """Render the pairs and build the objective.

        Raises:
            InvalidInput: it starts from nothing, or from something else than a super-resolver of
                this factor and autoencoder.

        """
        started_from = self._started_from(place)
        pinned = self.prepare(place)
        torch.manual_seed(self.trainer.seed)
        enlarger = Enlarger(self.model, FACTOR)
        if init_from is not None:
            self._continue(enlarger, started_from)
        tests = PairCache(Path(pinned["held_out"]), self.held_out)
        held_out = [tests.pair(*at) for bucket in tests.buckets for at in bucket][: self.held_out]
        batches = PairBatches(PairCache(Path(pinned["pairs"]), self.data.count), self.batches)
        pinned = {**pinned, _ORIGIN: _weights_of(started_from)}
        return Assembly(Enlarging(enlarger, held_out, self.trainer.device), batches, pinned)

    def component(self, weights: Mapping[str, Tensor], place: Workplace) -> ComponentParts:
        """The super-resolver that training started from, with this enlarger."""
        origin = self._started_from(place)
        if _weights_of(origin) != place.pinned[_ORIGIN]:
            raise IntegrityError(
                f"{origin} is not the super-resolver any more that the run began with; put that "
                "one back, or train the enlarger of the new one"
            )
        before = load_component(origin)
        both = with_enlarger(
            without_enlarger(before.state_dict), module_weights(weights, "enlarger")
        )
        data = (
            f"{self.data.num_shards * self.data.shard_pairs} pairs of clips of the procedural "
            "world, at both sizes"
        )
        upscale = {**before.config["upscale"], "enlarger": asdict(self.model)}
        config = {**before.config, "upscale": upscale}
        return ComponentParts("upscaler", config, both, {"data": data, "limits": list(LIMITS)})

    def _held_out(self) -> PairCacheConfig:
        shard = max(1, min(8, self.held_out // len(self.data.formats)))
        return replace(
            self.data,
            count=self.held_out, shard_pairs=shard, split="held_out", seed=_HELD_OUT_SEED,
        )  # fmt: skip

    def _started_from(self, place: Workplace) -> Path:
        if place.started_from is None:
            raise InvalidInput(
                "an enlarger belongs to a super-resolver: name its component with --init-from, "
                f"for example --init-from {SHIPPED_TINY / 'upscaler'}",
                field="init_from",
            )
        component = load_component(place.started_from, kind="upscaler")
        check_latent_space(component, self.vae)
        factor = int(component.config["upscale"]["factor"])
        if factor != FACTOR:
            raise InvalidInput(
                f"{place.started_from} enlarges {factor} times, this recipe {FACTOR} times",
                field="init_from",
            )
        return place.started_from

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


def _weights_of(folder: Path) -> str:
    return weights_sha256(load_component(folder, kind="upscaler"))


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
