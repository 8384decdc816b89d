"""Rendered clips on disk, memory-mapped: what the autoencoder and the upscaler learn from.

Shards are ``clips_000000.npy`` with ``frames_NTHWC`` uint8. A shard holds clips of one format;
shard s has format s modulo the number of formats, so every bucket is present from the first
minute. Clip i of shard s is drawn from seed (seed, s, i) and nothing else.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from omnireel.errors import InvalidInput
from omnireel.processes import Report, build_missing, one_thread
from omnireel.train.shards import open_cache_folder, read_manifest, save_array, world_version
from omnireel.types import Frames, VideoFormat
from omnireel.world.holdout import Split
from omnireel.world.render import render_clip
from omnireel.world.sampler import sample_scene

BASE_FORMATS = (
    VideoFormat(64, 64, 17, 8.0),
    VideoFormat(112, 64, 17, 8.0),
    VideoFormat(64, 112, 17, 8.0),
)
"""The tiny model's aspect buckets: 1:1, 16:9 and 9:16 with sides that are multiples of 16."""


@dataclass(frozen=True)
class ClipCacheConfig:
    """How many clips of which formats; ``count`` is rounded up to whole shards."""

    count: int = 12_000
    formats: tuple[VideoFormat, ...] = BASE_FORMATS
    seed: int = 0
    split: Split = "train"
    shard_clips: int = 100

    def __post_init__(self) -> None:
        if self.count < 1 or self.shard_clips < 1:
            raise InvalidInput("count and shard_clips must be 1 or more", field="data.count")
        if not self.formats:
            raise InvalidInput("at least one format is needed", field="data.formats")
        if self.num_shards < len(self.formats):
            raise InvalidInput(
                f"{self.count} clips make {self.num_shards} shards for {len(self.formats)} "
                "formats; raise data.count or lower data.shard_clips",
                field="data.count",
            )

    @property
    def num_shards(self) -> int:
        """Shards that hold ``count`` clips."""
        return -(-self.count // self.shard_clips)


def build_clip_cache(
    root: Path, config: ClipCacheConfig, *, workers: int = 2, report: Report | None = None
) -> Path:
    """Render what is missing of the cache under ``root`` and return its folder.

    An interrupted build goes on at the first missing shard.
    """
    description = {**asdict(config), "kind": "clips", "world": world_version()}
    description["formats"] = [asdict(f) for f in config.formats]
    folder = open_cache_folder(root, "clips", description)
    paths = [folder / f"clips_{s:06d}.npy" for s in range(config.num_shards)]
    make = partial(_render_shard, config)
    build_missing(make, paths, workers=workers, report=report, first=one_thread)
    return folder


def _render_shard(config: ClipCacheConfig, path: Path, shard: int) -> None:
    fmt = config.formats[shard % len(config.formats)]
    clips = []
    for i in range(config.shard_clips):
        rng = np.random.default_rng([config.seed, shard, i])
        scene = sample_scene(rng, split=config.split, duration_s=fmt.duration_s)
        clips.append(render_clip(scene, fmt))
    save_array(path, np.stack(clips))


class ClipCache:
    """Random access to a finished clip cache, grouped by format."""

    def __init__(self, folder: Path) -> None:
        manifest = read_manifest(folder)
        if manifest.get("kind") != "clips":
            raise InvalidInput(f"{folder} holds no clips", field="data.cache")
        self.folder = folder
        self.formats = tuple(VideoFormat(**f) for f in manifest["formats"])
        self._per_shard = int(manifest["shard_clips"])
        paths = sorted(folder.glob("clips_*.npy"))
        expected = -(-int(manifest["count"]) // self._per_shard)
        if len(paths) != expected:
            raise InvalidInput(
                f"{folder} has {len(paths)} of {expected} shards; build it to the end first",
                field="data.cache",
            )
        shards = [np.load(path, mmap_mode="r") for path in paths]
        self._buckets = [shards[b :: len(self.formats)] for b in range(len(self.formats))]

    def size(self, bucket: int) -> int:
        """Number of clips of format ``bucket``."""
        return len(self._buckets[bucket]) * self._per_shard

    def clip(self, bucket: int, index: int) -> Frames:
        """``frames_THWC`` of one clip (a view of the file)."""
        shard, i = divmod(index, self._per_shard)
        frames: Frames = self._buckets[bucket][shard][i]
        return frames


@dataclass(frozen=True)
class ClipBatchConfig:
    """Batches of clips: ``batch_size`` counts square clips; wider ones come in smaller batches."""

    batch_size: int = 8
    seed: int = 1
    flip: bool = True
    """Mirror half of the clips left to right (never for data with captions)."""
    image_share: float = 0.15
    """Share of batches that hold single frames instead of clips."""
    image_batch_factor: int = 8
    """How many times more samples an image batch holds."""

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.image_batch_factor < 1:
            raise InvalidInput("batch sizes must be 1 or more", field="batches.batch_size")
        if not 0 <= self.image_share <= 1:
            raise InvalidInput("image_share must be in 0 to 1", field="batches.image_share")


class ClipBatches:
    """``batch(step) -> frames_BTHWC`` uint8; one format a batch."""

    def __init__(self, cache: ClipCache, config: ClipBatchConfig) -> None:
        self._cache = cache
        self._config = config
        areas = np.array([f.width * f.height for f in cache.formats], dtype=float)
        self._sizes = [max(1, round(config.batch_size * areas.min() / a)) for a in areas]

    def batch(self, index: int) -> Frames:
        """Batch number ``index``."""
        rng = np.random.default_rng([self._config.seed, index])
        bucket = int(rng.integers(len(self._cache.formats)))
        image = rng.random() < self._config.image_share
        count = self._sizes[bucket] * (self._config.image_batch_factor if image else 1)
        chosen = rng.integers(self._cache.size(bucket), size=count)
        clips = []
        for i in chosen:
            frames = self._cache.clip(bucket, int(i))
            if image:
                frame = int(rng.integers(frames.shape[0]))
                frames = frames[frame : frame + 1]
            if self._config.flip and rng.random() < 0.5:
                frames = frames[:, :, ::-1]
            clips.append(frames)
        return np.stack(clips)
