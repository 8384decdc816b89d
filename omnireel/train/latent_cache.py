"""Encoded tasks of the procedural world: what the generator and the upscaler learn from.

1. Sample i of shard s is task number ``seed + s * shard_samples + i`` of the mixture.
2. A worker process renders it, encodes target and conditions with the frozen autoencoder exactly
   as the serving pipeline does (:class:`ConditionEncoder`), and keeps float16 latents.
3. A shard is ``latents_000000.npy`` (flat, memory-mapped) and ``latents_000000.json`` (index).

The number of samples is not part of the cache's key: asking for more later adds shards.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from omnireel.errors import InvalidInput
from omnireel.generate.components import (
    autoencoder_sha256,
    latent_space_sha256,
    load_enlarger,
    load_vae,
)
from omnireel.generate.conditions import ConditionEncoder, source_ids
from omnireel.generate.enlarging import enlarged
from omnireel.generate.frames import frames_to_video
from omnireel.generate.wear import worn
from omnireel.model.sequence import Segment
from omnireel.model.text import Tokenizer
from omnireel.model.vae import VideoVAE
from omnireel.processes import Report, build_missing, one_thread
from omnireel.registry import load_component, write_text_atomic
from omnireel.registry.folders import sha256_file
from omnireel.shipped import located
from omnireel.train.clip_cache import BASE_FORMATS
from omnireel.train.latent_record import LatentRecord, pack_records, read_record
from omnireel.train.shards import open_cache_folder, read_manifest, save_array, world_version
from omnireel.types import Role, VideoFormat
from omnireel.upscale.enlarger import Enlarger
from omnireel.world.distribution import SceneDistribution
from omnireel.world.holdout import Split
from omnireel.world.tasks import TaskSample
from omnireel.world.tasks.mix import TaskMix, default_weights, sample_mixed


@dataclass(frozen=True)
class LatentCacheConfig:
    """What to encode. ``weights`` are the shares of the capabilities; ``upscale`` 2 makes
    super-resolution pairs (target of twice the size, the base clip as a condition)."""

    count: int = 12_000
    formats: tuple[VideoFormat, ...] = BASE_FORMATS
    format_shares: tuple[int, ...] = (2, 1, 1)
    """Of every sum(format_shares) shards, how many hold each format."""
    weights: dict[str, float] = field(default_factory=default_weights)
    scenes: SceneDistribution = field(default_factory=SceneDistribution)
    seed: int = 0
    split: Split = "train"
    shard_samples: int = 64
    upscale: int = 1
    base_noise: float = 0.3
    """Upscaling: the base clip is decoded from latents with noise of up to this spread, so that the
    model meets the kind of faults that a generator makes."""
    enlarger: Path | None = None
    """Upscaling: component folder of the super-resolver whose enlarger makes the base clip large;
    None: interpolation does."""

    def __post_init__(self) -> None:
        if self.count < 1 or self.shard_samples < 1:
            raise InvalidInput("count and shard_samples must be 1 or more", field="data.count")
        if len(self.format_shares) != len(self.formats) or min(self.format_shares) < 1:
            raise InvalidInput(
                "format_shares needs one share of 1 or more per format", field="data.format_shares"
            )
        if self.upscale not in (1, 2):
            raise InvalidInput("upscale must be 1 or 2", field="data.upscale")
        TaskMix(self.weights)

    @property
    def num_shards(self) -> int:
        """Shards that hold ``count`` samples."""
        return -(-self.count // self.shard_samples)

    def format_of(self, shard: int) -> int:
        """Which format a shard holds."""
        pattern = [b for b, share in enumerate(self.format_shares) for _ in range(share)]
        return pattern[shard % len(pattern)]


def build_latent_cache(
    root: Path,
    config: LatentCacheConfig,
    vae: Path,
    *,
    folder: Path | None = None,
    workers: int = 2,
    report: Report | None = None,
) -> Path:
    """Encode what is missing and return the cache's folder.

    Args:
        root: where caches live.
        config: what to encode.
        vae: component folder of the autoencoder.
        folder: an existing cache to extend, even if another version of the world began it.
        workers: processes; each renders and encodes with one thread.
        report: progress in shards.

    Raises:
        InvalidInput: ``folder`` holds something else than ``config`` asks for.

    """
    content = _content(config, vae)
    if folder is None:
        folder = open_cache_folder(root, "latents", {**content, "world": world_version()})
    else:
        found = {k: v for k, v in read_manifest(folder).items() if k != "world"}
        if found != content:
            wrong = sorted(k for k in found.keys() | content if found.get(k) != content.get(k))
            raise InvalidInput(
                f"{folder} was made with other settings ({', '.join(wrong)}); leave the recipe's "
                "folders empty to build a new cache",
                field="folders.train",
            )
    paths = [_index_path(folder, s) for s in range(config.num_shards)]
    make = partial(_encode_shard, config, vae)
    build_missing(make, paths, workers=workers, report=report, first=prepare_worker)
    return folder


def _content(config: LatentCacheConfig, vae: Path) -> dict[str, Any]:
    """Everything but the world that decides a sample, as JSON."""
    content = {k: v for k, v in asdict(config).items() if k not in ("count", "enlarger")}
    content["format_shares"] = list(config.format_shares)
    content["formats"] = [asdict(f) for f in config.formats]
    if config.upscale > 1:
        # Base clips are decoded, so the decoder decides too.
        content["autoencoder"] = autoencoder_sha256(vae)
    if config.enlarger is not None:
        content["enlarger"] = sha256_file(located(config.enlarger) / "model.safetensors")
    return {**content, "kind": "latents", "latent_space": latent_space_sha256(vae)}


def _index_path(folder: Path, shard: int) -> Path:
    return folder / f"latents_{shard:06d}.json"


def prepare_worker() -> None:
    """Let a worker's libraries use one thread."""
    one_thread()
    torch.set_num_threads(1)


def _encode_shard(config: LatentCacheConfig, vae: Path, path: Path, shard: int) -> None:
    """Render and encode one shard; its index is written last and says that it is complete."""
    fmt = config.formats[config.format_of(shard)]
    encoder = SampleEncoder(cached_vae(vae), config)
    first = config.seed + shard * config.shard_samples
    records = [encoder.record(first + i, fmt) for i in range(config.shard_samples)]
    flat, index = pack_records(records)
    save_array(path.with_suffix(".npy"), flat)
    write_text_atomic(path, json.dumps(index))


@cache
def _cached_enlarger(folder: Path) -> Enlarger:
    enlarger = load_enlarger(load_component(folder, kind="upscaler"), folder)
    if enlarger is None:
        raise InvalidInput(
            f"the super-resolver in {folder} has no enlarger; leave data.enlarger empty",
            field="data.enlarger",
        )
    return enlarger


@cache
def cached_vae(folder: Path) -> VideoVAE:
    """The autoencoder, loaded once in a process."""
    return load_vae(folder)


class SampleEncoder:
    """Renders task number n of the mixture and encodes it."""

    def __init__(self, vae: VideoVAE, config: LatentCacheConfig) -> None:
        self._vae = vae
        self._config = config
        self._mix = TaskMix(config.weights)
        short = min(min(f.width, f.height) for f in config.formats)
        self._encoder = ConditionEncoder(vae, Tokenizer(()), short)
        self._enlarger = None if config.enlarger is None else _cached_enlarger(config.enlarger)

    def record(self, seed: int, fmt: VideoFormat) -> LatentRecord:
        """One sample. ``fmt`` is the base size; super-resolution targets are larger."""
        sample = self._sample(seed, fmt)
        segments = self._encoder.segments(sample.prompt, sample.media, fmt)
        target = sample.target.frames_THWC
        if self._config.upscale > 1:
            base = frames_to_video(target)
            factor = self._config.upscale
            large = VideoFormat(fmt.width * factor, fmt.height * factor, fmt.num_frames, fmt.fps)
            rng = torch.Generator().manual_seed(seed)
            spread = self._config.base_noise * float(torch.rand((), generator=rng))
            worn_CTHW = worn(self._vae, base, spread, rng)
            low = enlarged(worn_CTHW, factor, self._enlarger).video_CTHW
            condition = Segment(
                self._vae.encode(low[None])[0],
                Role.LOW_RESOLUTION,
                len(source_ids(sample.prompt)) + 1,
            )
            segments = (*segments, condition)
            target = self._sample(seed, large).target.frames_THWC
        return LatentRecord(
            capability=sample.capability,
            seed=seed,
            prompt=sample.prompt,
            vague_prompt=sample.vague_prompt,
            target_CTHW=self._vae.encode(frames_to_video(target)[None])[0],
            segments=segments,
        )

    def _sample(self, seed: int, fmt: VideoFormat) -> TaskSample:
        config = self._config
        return sample_mixed(
            seed, fmt, self._mix, split=config.split, scenes=config.scenes, with_mask=False
        )


class LatentCache:
    """Random access to the first ``count`` samples of a cache, grouped by format."""

    def __init__(self, folder: Path, config: LatentCacheConfig) -> None:
        manifest = read_manifest(folder)
        if manifest.get("kind") != "latents":
            raise InvalidInput(f"{folder} holds no latents", field="folders.train")
        self.folder, self._config = folder, config
        self._flat: list[Any] = []
        self._rows: list[list[Mapping[str, Any]]] = []
        self.buckets: list[list[tuple[int, int]]] = [[] for _ in config.formats]
        for shard in range(config.num_shards):
            path = _index_path(folder, shard)
            if not path.is_file():
                raise InvalidInput(
                    f"{folder} has {shard} of {config.num_shards} shards; build it first with "
                    "'omnireel train prepare'",
                    field="data.count",
                )
            rows = json.loads(path.read_text(encoding="utf-8"))
            self._rows.append(rows)
            self._flat.append(np.load(path.with_suffix(".npy"), mmap_mode="r"))
            self.buckets[config.format_of(shard)] += [(shard, i) for i in range(len(rows))]

    def __reduce__(self) -> tuple[type[LatentCache], tuple[Path, LatentCacheConfig]]:
        # A loader's process maps the files itself; pickled, they would be copied.
        return LatentCache, (self.folder, self._config)

    def row(self, shard: int, i: int) -> Mapping[str, Any]:
        """What the index says of sample ``i`` of ``shard``."""
        return self._rows[shard][i]

    def record(self, shard: int, i: int) -> LatentRecord:
        """Sample ``i`` of ``shard``."""
        return read_record(self._flat[shard], self._rows[shard][i])

    def records(self) -> list[LatentRecord]:
        """All samples (for small validation caches)."""
        return [self.record(s, i) for s, rows in enumerate(self._rows) for i in range(len(rows))]
