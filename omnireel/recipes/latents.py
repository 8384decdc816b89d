"""The two encoded data sets of a flow-matching recipe: training and held-out samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from omnireel.generate.components import latent_space_sha256
from omnireel.recipes.base import Workplace
from omnireel.train.latent_cache import LatentCache, LatentCacheConfig, build_latent_cache
from omnireel.train.latent_record import LatentRecord
from omnireel.train.shards import world_version

_HELD_OUT_SEED = 1_000_000


@dataclass(frozen=True)
class LatentFolders:
    """Existing caches to use and extend, whatever version of the world began them; by default
    they are found, or made, by what they must hold."""

    train: Path | None = None
    held_out: Path | None = None

    def build(
        self,
        place: Workplace,
        vae: Path,
        data: LatentCacheConfig,
        *,
        held_out: int,
        workers: int,
        train: bool = True,
    ) -> dict[str, str]:
        """Encode what is missing; returns the folders "latents" and "held_out" and the hash of
        the autoencoder's "latent_space". Without ``train`` only held-out samples are encoded, and
        the "world" that the others will be rendered from is named instead."""
        sets = {"held_out": (_held_out(data, held_out), self.held_out, "encoding tests")}
        found = {"latent_space": latent_space_sha256(vae)}
        if train:
            sets = {"latents": (data, self.train, "encoding samples"), **sets}
        else:
            found["world"] = world_version()
        for name, (config, explicit, what) in sets.items():
            pinned = place.pinned.get(name)
            found[name] = str(
                build_latent_cache(
                    place.cache,
                    config,
                    vae,
                    folder=explicit or (Path(pinned) if pinned else None),
                    workers=workers,
                    report=lambda done, total, what=what: place.report(what, done, total),  # type: ignore[misc]
                )
            )
        return found

    def held_out_records(
        self, pinned: Mapping[str, str], data: LatentCacheConfig, count: int
    ) -> list[LatentRecord]:
        """The held-out samples, as many formats mixed as there are."""
        return LatentCache(Path(pinned["held_out"]), _held_out(data, count)).records()[:count]


def _held_out(data: LatentCacheConfig, count: int) -> LatentCacheConfig:
    # Small shards, so that few samples still cover every format.
    shard = max(1, min(16, count // sum(data.format_shares)))
    return replace(data, count=count, split="held_out", seed=_HELD_OUT_SEED, shard_samples=shard)
