"""Clips at both sizes on disk, memory-mapped: what the super-resolver's enlarger learns from.

Pair i of shard s is task number ``seed + s * shard_pairs + i`` of the mixture, rendered at the base
size and at twice of it. Most base clips are worn, as a generator's are: decoded by the autoencoder
from latents with noise; the others are as the renderer made them. A shard holds one format; it is
``small_000000.npy`` and ``large_000000.npy``, both ``frames_NTHWC`` uint8.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from omnireel.errors import InvalidInput
from omnireel.generate.frames import frames_to_video, video_to_frames
from omnireel.generate.wear import worn
from omnireel.model.vae import VideoVAE
from omnireel.processes import Report, build_missing
from omnireel.registry.folders import sha256_file
from omnireel.train.clip_cache import BASE_FORMATS
from omnireel.train.latent_cache import cached_vae, prepare_worker
from omnireel.train.shards import open_cache_folder, read_manifest, save_array, world_version
from omnireel.types import Frames, VideoFormat
from omnireel.world.distribution import SceneDistribution
from omnireel.world.holdout import Split
from omnireel.world.tasks.mix import TaskMix, default_weights, sample_mixed

FACTOR = 2


@dataclass(frozen=True)
class PairCacheConfig:
    """How many pairs of which formats; ``count`` is rounded up to whole shards."""

    count: int = 3_000
    formats: tuple[VideoFormat, ...] = BASE_FORMATS
    """Of the base clips; shard s has format s modulo their number."""
    weights: dict[str, float] = field(default_factory=default_weights)
    scenes: SceneDistribution = field(default_factory=SceneDistribution)
    seed: int = 0
    split: Split = "train"
    shard_pairs: int = 50
    exact_share: float = 0.25
    """Share of pairs whose base clip is as rendered."""
    base_noise: float = 0.3
    """The others: the largest spread of noise on the latents (which have spread 1)."""

    def __post_init__(self) -> None:
        if self.count < 1 or self.shard_pairs < 1:
            raise InvalidInput("count and shard_pairs must be 1 or more", field="data.count")
        if not 0 <= self.exact_share <= 1:
            raise InvalidInput("exact_share must be in 0 to 1", field="data.exact_share")
        if not self.base_noise >= 0:
            raise InvalidInput("base_noise must not be negative", field="data.base_noise")
        if self.num_shards < len(self.formats):
            raise InvalidInput(
                f"{self.count} pairs make {self.num_shards} shards for {len(self.formats)} "
                "formats; raise data.count or lower data.shard_pairs",
                field="data.count",
            )
        TaskMix(self.weights)

    @property
    def num_shards(self) -> int:
        """Shards that hold ``count`` pairs."""
        return -(-self.count // self.shard_pairs)


def build_pair_cache(
    root: Path,
    config: PairCacheConfig,
    vae: Path,
    *,
    workers: int = 2,
    report: Report | None = None,
) -> Path:
    """Render what is missing of the cache under ``root`` and return its folder.

    An interrupted build goes on at the first missing shard.
    """
    content: dict[str, Any] = {k: v for k, v in asdict(config).items() if k != "count"}
    content["formats"] = [asdict(f) for f in config.formats]
    content |= {"kind": "pairs", "world": world_version()}
    content["autoencoder"] = sha256_file(vae / "model.safetensors")
    folder = open_cache_folder(root, "pairs", content)
    paths = [folder / f"small_{s:06d}.npy" for s in range(config.num_shards)]
    make = partial(_render_shard, config, vae)
    build_missing(make, paths, workers=workers, report=report, first=prepare_worker)
    return folder


def _render_shard(config: PairCacheConfig, vae: Path, path: Path, shard: int) -> None:
    """Render one shard; its small clips are written last and say that it is complete."""
    fmt = config.formats[shard % len(config.formats)]
    first = config.seed + shard * config.shard_pairs
    pairs = [
        render_pair(config, cached_vae(vae), first + i, fmt) for i in range(config.shard_pairs)
    ]
    small, large = zip(*pairs, strict=True)
    save_array(path.with_name(path.name.replace("small", "large")), np.stack(large))
    save_array(path, np.stack(small))


@torch.inference_mode()
def render_pair(
    config: PairCacheConfig, vae: VideoVAE, seed: int, fmt: VideoFormat
) -> tuple[Frames, Frames]:
    """Task number ``seed`` as base clip, worn or exact, and at twice the size."""

    def target(size: VideoFormat) -> Frames:
        mix = TaskMix(config.weights)
        sample = sample_mixed(
            seed, size, mix, split=config.split, scenes=config.scenes, with_mask=False
        )
        frames: Frames = sample.target.frames_THWC
        return frames

    small = target(fmt)
    rng = torch.Generator().manual_seed(seed)
    exact, spread = torch.rand(2, generator=rng).tolist()
    if exact >= config.exact_share:
        small = video_to_frames(worn(vae, frames_to_video(small), config.base_noise * spread, rng))
    return small, target(replace(fmt, width=fmt.width * FACTOR, height=fmt.height * FACTOR))


class PairCache:
    """Random access to the first ``count`` pairs of a cache, grouped by format."""

    def __init__(self, folder: Path, count: int) -> None:
        manifest = read_manifest(folder)
        if manifest.get("kind") != "pairs":
            raise InvalidInput(f"{folder} holds no pairs", field="data.cache")
        self.folder = folder
        self.formats = tuple(VideoFormat(**f) for f in manifest["formats"])
        self._count = count
        shards = -(-count // int(manifest["shard_pairs"]))
        self._files = []
        for shard in range(shards):
            path = folder / f"small_{shard:06d}.npy"
            if not path.is_file():
                raise InvalidInput(
                    f"{folder} has {shard} of {shards} shards; build it first with "
                    "'omnireel train prepare'",
                    field="data.count",
                )
            large = path.with_name(path.name.replace("small", "large"))
            self._files.append((np.load(path, mmap_mode="r"), np.load(large, mmap_mode="r")))
        number = len(self.formats)
        self.buckets = [
            [(s, i) for s in range(b, shards, number) for i in range(len(self._files[s][0]))]
            for b in range(number)
        ]

    def __reduce__(self) -> tuple[type[PairCache], tuple[Path, int]]:
        # A loader's process maps the files itself; pickled, they would be copied.
        return PairCache, (self.folder, self._count)

    def pair(self, shard: int, i: int) -> tuple[Frames, Frames]:
        """``frames_THWC`` of the base clip and of the large one (views of the files)."""
        small, large = self._files[shard]
        return small[i], large[i]


@dataclass(frozen=True)
class PairBatchConfig:
    """Batches of crops: what is right for a pixel hangs on what is near it in space and time."""

    batch_size: int = 8
    side: int = 32
    """Of a square crop, in pixels of the base clip; even."""
    frames: int = 9
    image_share: float = 0.1
    """Share of batches that hold single frames, ``frames`` times as many."""
    seed: int = 1

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.frames < 1:
            raise InvalidInput(
                "batch_size and frames must be 1 or more", field="batches.batch_size"
            )
        if not 0 <= self.image_share <= 1:
            raise InvalidInput("image_share must be in 0 to 1", field="batches.image_share")
        if self.side < 2 or self.side % 2:
            raise InvalidInput("side must be even, and 2 or more", field="batches.side")


class PairBatches:
    """``batch(step) -> (small_BTHWC, large_BTHWC)`` uint8: crops, half of them mirrored."""

    def __init__(self, cache: PairCache, config: PairBatchConfig) -> None:
        """Raises:
        InvalidInput: a format is smaller or shorter than a crop.
        """
        self._cache, self._config = cache, config
        for f in cache.formats:
            if min(f.width, f.height) < config.side or f.num_frames < config.frames:
                raise InvalidInput(
                    f"crops of {config.side} pixels and {config.frames} frames do not fit into "
                    f"{f}; lower batches.side or batches.frames",
                    field="batches.side",
                )
        self._places = [place for bucket in cache.buckets for place in bucket]

    def batch(self, index: int) -> tuple[Frames, Frames]:
        """Batch number ``index``."""
        rng = np.random.default_rng([self._config.seed, index])
        count, frames = self._config.batch_size, self._config.frames
        if rng.random() < self._config.image_share:
            count, frames = count * frames, 1
        crops = [self._crop(rng, frames) for _ in range(count)]
        small, large = zip(*crops, strict=True)
        return np.stack(small), np.stack(large)

    def _crop(self, rng: np.random.Generator, frames: int) -> tuple[Frames, Frames]:
        small, large = self._cache.pair(*self._places[rng.integers(len(self._places))])
        side = self._config.side
        t, h, w = small.shape[:3]
        start = int(rng.integers(t - frames + 1))
        # Even places, for the network looks at 2 x 2 pixels at a time.
        top, left = (2 * int(rng.integers((size - side) // 2 + 1)) for size in (h, w))
        step = -1 if rng.random() < 0.5 else 1

        def cut(clip: Frames, scale: int) -> Frames:
            rows = slice(scale * top, scale * (top + side))
            columns = slice(scale * left, scale * (left + side))
            crop: Frames = clip[start : start + frames, rows, columns][:, :, ::step]
            return crop

        return cut(small, 1), cut(large, FACTOR)
