"""What recipes of a super-resolver's pixel networks share: pairs of clips, and where they begin.

Start from a trained super-resolver with --init-from: what comes out is that super-resolver with
one part new, or trained further.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from omnireel.errors import IntegrityError, InvalidInput
from omnireel.generate.components import check_latent_space, weights_sha256
from omnireel.recipes.base import ComponentParts, Workplace
from omnireel.recipes.upscaler import LIMITS
from omnireel.registry import load_component
from omnireel.registry.folders import sha256_file
from omnireel.shipped import SHIPPED_TINY
from omnireel.train import TrainerConfig
from omnireel.train.pair_batches import PairBatchConfig, PairBatches
from omnireel.train.pair_cache import FACTOR, Pair, PairCache, PairCacheConfig, build_pair_cache

_HELD_OUT_SEED = 1_000_000
_ORIGIN = "super_resolver"
"""The hash of the weights that training began from, among what a run stands on."""


@dataclass(frozen=True)
class PixelPartRecipe:
    """Training of one pixel network of a super-resolver, on pairs of clips."""

    title: ClassVar[str] = "Omnireel super-resolver"
    part: ClassVar[str]
    """Its name in the component."""

    trainer: TrainerConfig
    vae: Path = SHIPPED_TINY / "vae"
    """Component folder of the autoencoder that wears the base clips."""
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

    def origin(self, place: Workplace) -> Path:
        """The super-resolver that the run begins with.

        Raises:
            InvalidInput: it starts from nothing, or from something else than a super-resolver of
                this factor and autoencoder.

        """
        if place.started_from is None:
            raise InvalidInput(
                f"the {self.part} is a part of a super-resolver: name its component with "
                f"--init-from, for example --init-from {SHIPPED_TINY / 'upscaler'}",
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

    def pinned(self, place: Workplace) -> Mapping[str, str]:
        """What the run stands on: its data, and the weights that it begins with."""
        origin = self.origin(place)
        return {**self.prepare(place), _ORIGIN: _weights_of(origin)}

    def tests(self, pinned: Mapping[str, str]) -> list[Pair]:
        """Held-out pairs, whole clips."""
        cache = PairCache(Path(pinned["held_out"]), self.held_out)
        return [cache.pair(*at) for bucket in cache.buckets for at in bucket][: self.held_out]

    def crops(self, pinned: Mapping[str, str]) -> PairBatches:
        """Training batches."""
        return PairBatches(PairCache(Path(pinned["pairs"]), self.data.count), self.batches)

    def with_parts(
        self,
        place: Workplace,
        upscale: Mapping[str, Any],
        state: Mapping[str, Tensor],
    ) -> ComponentParts:
        """The super-resolver that training started from, with other parts.

        Raises:
            IntegrityError: it is not the one any more that the run began with.

        """
        origin = self.origin(place)
        if _weights_of(origin) != place.pinned[_ORIGIN]:
            raise IntegrityError(
                f"{origin} is not the super-resolver any more that the run began with; put that "
                f"one back, or train the {self.part} of the new one"
            )
        config = {**load_component(origin).config, "upscale": dict(upscale)}
        data = (
            f"{self.data.num_shards * self.data.shard_pairs} pairs of clips of the procedural "
            "world, at both sizes"
        )
        return ComponentParts("upscaler", config, state, {"data": data, "limits": list(LIMITS)})

    def _held_out(self) -> PairCacheConfig:
        shard = max(1, min(8, self.held_out // len(self.data.formats)))
        return replace(
            self.data,
            count=self.held_out, shard_pairs=shard, split="held_out", seed=_HELD_OUT_SEED,
        )  # fmt: skip


def _weights_of(folder: Path) -> str:
    return weights_sha256(load_component(folder, kind="upscaler"))
