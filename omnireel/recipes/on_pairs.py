"""What recipes of networks in pixels share: the pairs of clips that they learn from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from omnireel.errors import InvalidInput
from omnireel.generate.components import autoencoder_sha256
from omnireel.model.keeper import Keeper
from omnireel.recipes.base import Workplace, check_counts
from omnireel.train import EmaConfig, FeedConfig, OptimizerConfig, ScheduleConfig, TrainerConfig
from omnireel.train.pair_batches import PairBatchConfig, PairBatches
from omnireel.train.pair_cache import Pair, PairCache, PairCacheConfig, build_pair_cache
from omnireel.upscale.fusion import ReferenceFusion

_HELD_OUT_SEED = 1_000_000

CHOOSING_TRAINER = TrainerConfig(
    num_steps=50_000,
    max_minutes=40.0,
    log_every=50,
    validate_every=100_000,
    checkpoint_every=250,
    threads=2,
    optimizer=OptimizerConfig(
        muon_lr=0.01,
        adamw_lr=1e-3,
        muon_kernels=True,
        adamw_patterns=(r"gain", r"\.out\.", r"stem\."),
    ),
    schedule=ScheduleConfig(kind="wsd", warmup_steps=50, decay_fraction=0.6),
    ema=EmaConfig(decays=(0.99,)),
    feed=FeedConfig(workers=1, depth=3),
)
"""Of networks that choose pixels: 40 minutes on two CPU cores."""


Chooser = TypeVar("Chooser", Keeper, ReferenceFusion)


@dataclass(frozen=True)
class PairRecipe(ABC):
    """Training on pairs of clips; what of a component is trained, the recipes themselves say."""

    trainer: TrainerConfig
    data: PairCacheConfig = field(default_factory=PairCacheConfig)
    batches: PairBatchConfig = field(default_factory=PairBatchConfig)
    held_out: int = 24
    workers: int = 2

    def __post_init__(self) -> None:
        check_counts(self, held_out=1, workers=0)

    @abstractmethod
    def autoencoder(self, place: Workplace) -> Path:
        """Component folder of the autoencoder that wears the base clips."""

    def prepare(self, place: Workplace) -> Mapping[str, str]:
        """Render training and held-out pairs; their folders by name."""
        vae = self.autoencoder(place)
        found = {"autoencoder": autoencoder_sha256(vae)}
        for name, config, what in (
            ("pairs", self.data, "rendering pairs"),
            ("held_out", self._held_out(), "rendering tests"),
        ):
            pinned = place.pinned.get(name)
            found[name] = pinned or str(
                build_pair_cache(
                    place.cache,
                    config,
                    vae,
                    workers=self.workers,
                    report=lambda done, total, what=what: place.report(what, done, total),  # type: ignore[misc]
                )
            )
        return found

    def tests(self, pinned: Mapping[str, str]) -> list[Pair]:
        """Held-out pairs, whole clips."""
        cache = PairCache(Path(pinned["held_out"]), self.held_out)
        return [cache.pair(*at) for bucket in cache.buckets for at in bucket][: self.held_out]

    def crops(self, pinned: Mapping[str, str]) -> PairBatches:
        """Training batches."""
        return PairBatches(PairCache(Path(pinned["pairs"]), self.data.count), self.batches)

    def card(self, limits: tuple[str, ...]) -> Mapping[str, Any]:
        """What a component's card says of its data, beside its limits."""
        number = self.data.num_shards * self.data.shard_pairs
        sizes = "exact and worn" if self.data.factor == 1 else "at both sizes"
        data = f"{number} pairs of clips of the procedural world, {sizes}"
        return {"data": data, "limits": list(limits)}

    def _held_out(self) -> PairCacheConfig:
        shard = max(1, min(8, self.held_out // len(self.data.formats)))
        return replace(
            self.data,
            count=self.held_out, shard_pairs=shard, split="held_out", seed=_HELD_OUT_SEED,
        )  # fmt: skip


def go_on_from(network: Chooser, before: Chooser | None, origin: Path, name: str) -> None:
    """Give ``network`` the weights of the ``name`` that ``origin`` has, if any.

    Raises:
        InvalidInput: that one is of another size.

    """
    if before is None:
        return
    if before.config != network.config:
        raise InvalidInput(
            f"{origin} has a {name} of {before.config.channels} channels and "
            f"{before.config.blocks} blocks; set model to the same",
            field="model",
        )
    network.load_state_dict(before.state_dict())
