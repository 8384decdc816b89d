"""Encoded training shards for a recipe: what it learns from, and what it validates on.

What reads shards (pyarrow, media) is imported only where there are some: recipes of the procedural
world do without.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from omnireel.errors import InvalidInput
from omnireel.generate.components import latent_space_sha256
from omnireel.generate.settings import ModelLimits
from omnireel.model.text import Tokenizer
from omnireel.recipes.base import Workplace
from omnireel.recipes.batches import text_tokens
from omnireel.train import TrainData
from omnireel.train.balance import SampleSource
from omnireel.train.latent_record import LatentRecord
from omnireel.train.latent_samples import ChosenSamples


def encode_shards(
    place: Workplace, shards: Path, limits: ModelLimits, vae: Path, *, workers: int
) -> dict[str, str]:
    """Encode what is missing; the folder "latents", and the hashes of the "shards" and of the
    autoencoder's "latent_space".

    Raises:
        InvalidInput: the run was begun with other shards.

    """
    from omnireel.data.shards import read_manifest
    from omnireel.train.shard_latents import ShardLatentConfig, build_shard_latents

    content = read_manifest(shards).content_sha256
    begun_with = place.pinned.get("shards", content)
    if begun_with != content:
        raise InvalidInput(
            f"the run was begun with other samples than those in {shards}; restore them, or "
            "start a new run with another --out",
            field="shards",
        )
    folder = build_shard_latents(
        place.cache,
        shards,
        ShardLatentConfig.of(limits),
        vae,
        workers=workers,
        report=lambda done, total: place.report("encoding samples", done, total),
    )
    return {
        "latents": str(folder),
        "shards": content,
        "latent_space": latent_space_sha256(vae),
    }


def open_shards(
    pinned: Mapping[str, str], *, held_out: int, batch_size: int
) -> tuple[TrainData, list[LatentRecord]]:
    """Batches to learn from and the held-out records of encoded shards."""
    from omnireel.train.shard_latents import ShardBatches, ShardLatents

    latents = ShardLatents(Path(pinned["latents"]))
    learn, validate = latents.split(held_out)
    return ShardBatches(latents, learn, batch_size), [latents.record(i) for i in validate]


def shard_samples(
    pinned: Mapping[str, str], tokenizer: Tokenizer, patch: int, *, held_out: int
) -> tuple[SampleSource, list[LatentRecord]]:
    """Samples to learn from in packs, and the held-out records of encoded shards."""
    from omnireel.train.shard_latents import ShardLatents

    latents = ShardLatents(Path(pinned["latents"]))
    learn, validate = latents.split(held_out)
    samples = ChosenSamples(latents, learn, text_tokens(tokenizer), patch)
    return samples, [latents.record(i) for i in validate]


@dataclass(frozen=True)
class ShardFacts:
    """What a model card says of encoded shards."""

    capabilities: tuple[str, ...]
    count: int
    """Samples."""
    origin: str
    cut: int
    """Samples whose prompts have more tokens than the model reads."""
    max_tokens: int

    @property
    def limits(self) -> tuple[str, ...]:
        """What the model does not know for that reason."""
        if not self.cut:
            return ()
        return (
            f"Of {self.cut} of its {self.count} captions it never read the end: they have more "
            f"than {self.max_tokens} tokens.",
        )


def shard_facts(pinned: Mapping[str, str], tokenizer: Tokenizer) -> ShardFacts:
    """Facts about encoded shards, as a model with this tokenizer reads them."""
    from omnireel.train.shard_latents import ShardLatents

    latents = ShardLatents(Path(pinned["latents"]))
    return ShardFacts(
        latents.capabilities,
        len(latents),
        f"training shards {pinned['shards'][:16]}",
        sum(tokenizer.unread_words(prompt) > 0 for prompt, _ in latents.prompts()),
        tokenizer.max_tokens,
    )
