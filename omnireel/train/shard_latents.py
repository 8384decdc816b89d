"""Training shards, encoded once: the same records as from the procedural world, from real files.

1. Samples n * per_file to (n + 1) * per_file of the shards make file n of the cache, so an
   interrupted build goes on at a file, and reads the shards from exactly there.
2. A target gets the size of the model that is nearest to its aspect (centre crop, then resize), the
   model's frame rate, and as many of its first frames as the model takes (1 + 4 k of them).
3. Conditions are encoded as the serving pipeline does it.

The cache's key holds the hash of the shards' content, so changed data never meet old latents.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from omnireel.data.decode import decode_inputs, decode_target
from omnireel.data.sample import TrainingSample
from omnireel.data.shards import ShardReader
from omnireel.errors import InvalidInput
from omnireel.generate.components import latent_space_sha256, load_vae
from omnireel.generate.conditions import ConditionEncoder
from omnireel.generate.frames import frames_to_video, resample_frames, resize_video
from omnireel.generate.settings import ModelLimits
from omnireel.media import DecodeLimits
from omnireel.model.text import Tokenizer
from omnireel.model.vae import TIME_STRIDE, VideoVAE
from omnireel.mvl.prompt import Prompt
from omnireel.processes import Report, build_missing, one_thread
from omnireel.registry import write_text_atomic
from omnireel.train.latent_record import (
    LatentRecord,
    pack_records,
    read_record,
    record_prompts,
)
from omnireel.train.shards import open_cache_folder, read_manifest, save_array
from omnireel.types import Clip, MediaKind, VideoFormat

_KIND = "shard-latents"
_TIME_SLACK = 1e-3


@dataclass(frozen=True)
class ShardLatentConfig:
    """The formats of the model that is to learn from the shards."""

    sizes: tuple[tuple[int, int], ...]
    max_frames: int
    fps: float
    short_side: int
    """Of reference images, pixels."""
    per_file: int = 32

    @classmethod
    def of(cls, limits: ModelLimits) -> ShardLatentConfig:
        """What a model with these limits learns from."""
        return cls(limits.sizes, limits.max_frames, limits.fps, limits.short_side)

    def format_of(self, clip: Clip, kind: MediaKind) -> VideoFormat:
        """What a target becomes."""
        _, height, width, _ = clip.frames_THWC.shape

        def distance(size: tuple[int, int]) -> float:
            return abs(math.log(size[0] / size[1]) - math.log(width / height))

        nearest = min(self.sizes, key=distance)
        frames = 1
        if kind is MediaKind.VIDEO:
            playing = math.floor(clip.format.duration_s * self.fps + _TIME_SLACK)
            whole = TIME_STRIDE * ((min(playing, self.max_frames) - 1) // TIME_STRIDE)
            frames = max(1, 1 + whole)
        return VideoFormat(*nearest, frames, self.fps)


def build_shard_latents(
    root: Path,
    shards: Path,
    config: ShardLatentConfig,
    vae: Path,
    *,
    workers: int = 1,
    report: Report | None = None,
) -> Path:
    """Encode what is missing and return the cache's folder.

    Args:
        root: where caches live.
        shards: folder of training shards.
        config: formats of the model.
        vae: component folder of the autoencoder.
        workers: processes with one thread each; 0 works in this process.
        report: progress in files of the cache.

    Raises:
        NotFound, FailedPrecondition, IntegrityError: see :class:`ShardReader`; also a file that
            changed since it was written.
        InvalidInput: a sample cannot be decoded; it is named.

    """
    reader = ShardReader(shards)
    content = {
        **asdict(config),
        "sizes": [list(size) for size in config.sizes],
        "kind": _KIND,
        "shards": reader.manifest.content_sha256,
        "num_samples": len(reader),
        "latent_space": latent_space_sha256(vae),
    }
    folder = open_cache_folder(root, _KIND, content)
    paths = [_index_path(folder, n) for n in range(-(-len(reader) // config.per_file))]
    if not all(path.exists() for path in paths):
        reader.verify()
    make = partial(_encode_file, shards, config, vae)
    build_missing(make, paths, workers=workers, report=report, first=_prepare_worker)
    return folder


def _index_path(folder: Path, number: int) -> Path:
    return folder / f"latents_{number:06d}.json"


def _prepare_worker() -> None:
    one_thread()
    torch.set_num_threads(1)


def _encode_file(
    shards: Path, config: ShardLatentConfig, vae: Path, path: Path, number: int
) -> None:
    """Encode one file; its index is written last and says that it is complete."""
    encoder = ShardSampleEncoder(_load_vae(vae), config)
    start = number * config.per_file
    samples = islice(ShardReader(shards).samples(start), config.per_file)
    flat, index = pack_records([encoder.record(n, sample) for n, sample in samples])
    save_array(path.with_suffix(".npy"), flat)
    write_text_atomic(path, json.dumps(index))


@cache
def _load_vae(folder: Path) -> VideoVAE:
    return load_vae(folder)


class ShardSampleEncoder:
    """Decodes, fits and encodes samples of shards."""

    def __init__(self, vae: VideoVAE, config: ShardLatentConfig) -> None:
        self._vae = vae
        self._config = config
        self._encoder = ConditionEncoder(vae, Tokenizer(()), config.short_side)
        self._limits = DecodeLimits()
        # Twice the model's size keeps the antialiasing of the last resize worth having.
        self._short_side = 2 * max(min(size) for size in config.sizes)

    def record(self, number: int, sample: TrainingSample) -> LatentRecord:
        """Sample ``number``, encoded."""
        clip = decode_target(sample, self._limits, shrink_short_side=self._short_side)
        fmt = self._config.format_of(clip, sample.target.kind)
        media = decode_inputs(sample, self._limits, shrink_short_side=self._short_side)
        frames = resample_frames(clip.frames_THWC, clip.fps, fmt.fps, fmt.num_frames)
        target = resize_video(frames_to_video(frames), fmt.height, fmt.width)
        with torch.no_grad():
            return LatentRecord(
                capability=sample.capability,
                seed=number,
                prompt=sample.prompt,
                vague_prompt=sample.vague_prompt,
                target_CTHW=self._vae.encode(target[None])[0],
                segments=self._encoder.segments(sample.prompt, media, fmt),
            )


class ShardLatents:
    """Random access to a finished cache; record n is sample n of the shards."""

    def __init__(self, folder: Path) -> None:
        """Open it.

        Raises:
            InvalidInput: the folder holds something else, or was not built to the end.

        """
        manifest = read_manifest(folder)
        if manifest.get("kind") != _KIND:
            raise InvalidInput(f"{folder} holds no latents of shards", field="shards")
        self.folder = folder
        self._flat: list[Any] = []
        self._rows: list[tuple[int, Mapping[str, Any]]] = []
        for number in range(-(-int(manifest["num_samples"]) // int(manifest["per_file"]))):
            path = _index_path(folder, number)
            if not path.is_file():
                raise InvalidInput(
                    f"{folder} lacks {path.name}; run the same command again to build it",
                    field="shards",
                )
            self._flat.append(np.load(path.with_suffix(".npy"), mmap_mode="r"))
            self._rows += [(number, row) for row in json.loads(path.read_text(encoding="utf-8"))]

    def __reduce__(self) -> tuple[type[ShardLatents], tuple[Path]]:
        # A loader's process maps the files itself; pickled, they would be copied.
        return ShardLatents, (self.folder,)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def capabilities(self) -> tuple[str, ...]:
        """Of all samples, sorted."""
        return tuple(sorted({str(row["capability"]) for _, row in self._rows}))

    def prompts(self) -> Iterator[tuple[Prompt, Prompt]]:
        """The prompt and the vague prompt of every record."""
        return (record_prompts(row) for _, row in self._rows)

    def row(self, index: int) -> Mapping[str, Any]:
        """What the index says of record ``index``."""
        return self._rows[index][1]

    def record(self, index: int) -> LatentRecord:
        """Record ``index``."""
        number, row = self._rows[index]
        return read_record(self._flat[number], row)

    def split(self, held_out: int) -> tuple[Sequence[int], Sequence[int]]:
        """Indices to learn from, and to validate on: the first of the shuffled samples,
        ``held_out`` of them but not more than a fifth of all."""
        count = min(held_out, len(self) // 5)
        return range(count, len(self)), range(count)


class ShardBatches:
    """``batch(step) -> list[LatentRecord]`` of any formats; every sample once per epoch.

    Epochs follow each other without a gap, so even fewer samples than a batch holds are enough.
    """

    def __init__(
        self, latents: ShardLatents, indices: Sequence[int], batch_size: int, seed: int = 1
    ) -> None:
        """``batch_size`` counts samples, of which ``indices`` may be drawn.

        Raises:
            InvalidInput: there is nothing to draw, or no batch to draw it for.

        """
        if batch_size < 1:
            raise InvalidInput("batch_size must be 1 or more", field="batch_size")
        if not indices:
            raise InvalidInput("the shards hold no sample to learn from", field="shards")
        self._latents = latents
        self._indices = tuple(indices)
        self._batch_size = batch_size
        self._seed = seed
        # One epoch's order is kept; a batch and read-ahead may straddle two.
        self._order = lru_cache(maxsize=3)(self._shuffled)

    def __reduce__(
        self,
    ) -> tuple[type[ShardBatches], tuple[ShardLatents, tuple[int, ...], int, int]]:
        return ShardBatches, (self._latents, self._indices, self._batch_size, self._seed)

    def batch(self, index: int) -> list[LatentRecord]:
        """Batch number ``index``."""
        first = index * self._batch_size
        places = (divmod(n, len(self._indices)) for n in range(first, first + self._batch_size))
        return [self._latents.record(self._order(epoch)[i]) for epoch, i in places]

    def _shuffled(self, epoch: int) -> list[int]:
        rng = np.random.default_rng([self._seed, epoch])
        return [self._indices[i] for i in rng.permutation(len(self._indices))]
