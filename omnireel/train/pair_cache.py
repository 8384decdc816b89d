"""Base clips and better ones on disk, memory-mapped: what networks in pixels learn from.

Pair i of shard s is task number ``seed + s * shard_pairs + i`` of the mixture, rendered at the base
size and at ``factor`` times of it. Most base clips are worn, as a generator's are: decoded by the
autoencoder from latents with noise; the others are as the renderer made them. A shard holds one
format; it is ``small_000000.npy`` and ``large_000000.npy``, both ``frames_NTHWC`` uint8. With
``given`` the media that the clip was made from are there too, at the size of the large one, see
:mod:`omnireel.train.given_frames`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch

from omnireel.errors import InvalidInput
from omnireel.generate.components import autoencoder_sha256
from omnireel.generate.frames import frames_to_video, video_to_frames
from omnireel.generate.given import given_videos
from omnireel.generate.pipeline import GeneratorPipeline
from omnireel.generate.redraw import redrawn
from omnireel.generate.wear import worn
from omnireel.model.vae import VideoVAE
from omnireel.processes import Report, build_missing
from omnireel.registry.folders import sha256_file
from omnireel.shipped import located
from omnireel.train.clip_cache import BASE_FORMATS
from omnireel.train.given_frames import load_given, save_given
from omnireel.train.latent_cache import cached_vae, prepare_worker
from omnireel.train.shards import open_cache_folder, read_manifest, save_array, world_version
from omnireel.types import Frames, VideoFormat
from omnireel.world.distribution import SceneDistribution
from omnireel.world.holdout import Split
from omnireel.world.tasks import TaskSample
from omnireel.world.tasks.mix import TaskMix, default_weights, sample_mixed

FACTOR = 2


@dataclass(frozen=True, eq=False)
class Pair:
    """A clip at both sizes, and what a result may show of its media at the large one."""

    small: Frames
    large: Frames
    given: tuple[Frames, ...] = ()
    """``frames_THWC`` of each: one of a picture, as many as the clip's of a video."""
    looks: tuple[Frames, ...] = ()
    """With ``factor`` 1, the same media after a trip through the autoencoder."""


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
    generator: Path | None = None
    """Component folder of the generator that draws half of the other worn clips again, each from
    another of its steps on; None: noise wears all of them."""
    factor: int = FACTOR
    """How many times as large the large clip is; with 1 it is the base clip as rendered."""
    given: bool = False
    """Keep the media that a large result may show, see :mod:`omnireel.generate.given`."""

    def __post_init__(self) -> None:
        if self.count < 1 or self.shard_pairs < 1:
            raise InvalidInput("count and shard_pairs must be 1 or more", field="data.count")
        if not 0 <= self.exact_share <= 1:
            raise InvalidInput("exact_share must be in 0 to 1", field="data.exact_share")
        if self.factor not in (1, FACTOR):
            raise InvalidInput(f"factor must be 1 or {FACTOR}", field="data.factor")
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
    content = {k: v for k, v in asdict(config).items() if k not in ("count", "generator")}
    content["formats"] = [asdict(f) for f in config.formats]
    content |= {"kind": "pairs", "world": world_version()}
    content["autoencoder"] = autoencoder_sha256(vae)
    if config.generator is not None:
        content["generator"] = sha256_file(located(config.generator) / "model.safetensors")
    folder = open_cache_folder(root, "pairs", content)
    paths = [folder / f"small_{s:06d}.npy" for s in range(config.num_shards)]
    make = partial(_render_shard, config, vae)
    build_missing(make, paths, workers=workers, report=report, first=prepare_worker)
    return folder


def _render_shard(config: PairCacheConfig, vae: Path, path: Path, shard: int) -> None:
    """Render one shard; its small clips are written last and say that it is complete."""
    fmt = config.formats[shard % len(config.formats)]
    first = config.seed + shard * config.shard_pairs
    generator = None if config.generator is None else _cached_generator(config.generator, vae)
    pairs = [
        render_pair(config, cached_vae(vae), first + i, fmt, generator)
        for i in range(config.shard_pairs)
    ]

    def beside(name: str) -> Path:
        return path.with_name(path.name.replace("small", name))

    if config.given:
        given = [(*pair.given, *pair.looks) for pair in pairs]
        save_given(beside("given"), beside("spans"), given, pairs[0].large.shape[1:3])
    save_array(beside("large"), np.stack([pair.large for pair in pairs]))
    save_array(path, np.stack([pair.small for pair in pairs]))


@cache
def _cached_generator(folder: Path, vae: Path) -> GeneratorPipeline:
    return GeneratorPipeline.open(folder, vae)


@torch.inference_mode()
def render_pair(
    config: PairCacheConfig,
    vae: VideoVAE,
    seed: int,
    fmt: VideoFormat,
    generator: GeneratorPipeline | None = None,
) -> Pair:
    """Task number ``seed`` as base clip, worn or exact, and at twice the size."""
    mix = TaskMix(config.weights)

    def rendered(size: VideoFormat) -> TaskSample:
        return sample_mixed(
            seed, size, mix, split=config.split, scenes=config.scenes, with_mask=False
        )

    base = rendered(fmt)
    small = base.target.frames_THWC
    rng = torch.Generator().manual_seed(seed)
    exact, spread = torch.rand(2, generator=rng).tolist()
    if generator is not None and exact >= (1 + config.exact_share) / 2:
        step = int(spread * generator.defaults.num_inference_steps)
        drawn = redrawn(generator, base.target, base.prompt, base.media, step, seed)
        small = video_to_frames(drawn)
    elif exact >= config.exact_share:
        small = video_to_frames(worn(vae, frames_to_video(small), config.base_noise * spread, rng))
    big = replace(fmt, width=fmt.width * config.factor, height=fmt.height * config.factor)
    sample = rendered(big)
    given = given_videos(sample.prompt, sample.media, big) if config.given else []
    looks = [worn(vae, video, 0.0, rng) for video in given] if config.factor == 1 else []
    shown, worn_out = (tuple(map(video_to_frames, videos)) for videos in (given, looks))
    return Pair(small, sample.target.frames_THWC, shown, worn_out)


class PairCache:
    """Random access to the first ``count`` pairs of a cache, grouped by format."""

    def __init__(self, folder: Path, count: int) -> None:
        manifest = read_manifest(folder)
        if manifest.get("kind") != "pairs":
            raise InvalidInput(f"{folder} holds no pairs", field="data.cache")
        self.folder = folder
        self.formats = tuple(VideoFormat(**f) for f in manifest["formats"])
        self._count = count
        self._looks = int(manifest["factor"]) == 1
        shards = -(-count // int(manifest["shard_pairs"]))
        self._files: list[tuple[Frames, Frames]] = []
        self._given: list[list[list[Frames]]] = []
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
            self._given.append(self._load_given(path))
        number = len(self.formats)
        self.buckets = [
            [(s, i) for s in range(b, shards, number) for i in range(len(self._files[s][0]))]
            for b in range(number)
        ]

    def __reduce__(self) -> tuple[type[PairCache], tuple[Path, int]]:
        # A loader's process maps the files itself; pickled, they would be copied.
        return PairCache, (self.folder, self._count)

    def pair(self, shard: int, i: int) -> Pair:
        """One of a shard (views of the files)."""
        small, large = self._files[shard]
        given = tuple(self._given[shard][i])
        number = len(given) // 2 if self._looks else len(given)
        return Pair(small[i], large[i], given[:number], given[number:])

    def _load_given(self, small: Path) -> list[list[Frames]]:
        """By pair of a shard; nothing in a cache without such media."""
        items = len(self._files[-1][0])
        frames, spans = (
            small.with_name(small.name.replace("small", name)) for name in ("given", "spans")
        )
        return load_given(frames, spans, items) if spans.is_file() else [[] for _ in range(items)]
