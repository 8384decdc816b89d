"""Batches of crops from :mod:`omnireel.train.pair_cache`: both sizes of a clip, and its media."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from omnireel.errors import InvalidInput
from omnireel.train.pair_cache import Pair, PairCache
from omnireel.types import Frames


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


@dataclass(frozen=True, eq=False)
class PairBatch:
    """Crops of a step, uint8."""

    small_BTHWC: Frames
    large_BTHWC: Frames
    given: tuple[tuple[Frames, ...], ...]
    """Of each clip, the same place of its large media, ``frames_THWC`` (T may be 1)."""
    looks: tuple[tuple[Frames, ...], ...]
    """The same of what :attr:`~omnireel.train.pair_cache.Pair.looks` holds."""


class PairBatches:
    """``batch(step)``: crops, half of them mirrored."""

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

    def batch(self, index: int) -> PairBatch:
        """Batch number ``index``."""
        rng = np.random.default_rng([self._config.seed, index])
        count, frames = self._config.batch_size, self._config.frames
        if rng.random() < self._config.image_share:
            count, frames = count * frames, 1
        crops = [self._crop(rng, frames) for _ in range(count)]
        return PairBatch(
            np.stack([crop.small for crop in crops]),
            np.stack([crop.large for crop in crops]),
            tuple(crop.given for crop in crops),
            tuple(crop.looks for crop in crops),
        )

    def _crop(self, rng: np.random.Generator, frames: int) -> Pair:
        pair = self._cache.pair(*self._places[rng.integers(len(self._places))])
        side = self._config.side
        t, h, w = pair.small.shape[:3]
        start = int(rng.integers(t - frames + 1))
        # Even places, for the network looks at 2 x 2 pixels at a time.
        top, left = (2 * int(rng.integers((size - side) // 2 + 1)) for size in (h, w))
        step = -1 if rng.random() < 0.5 else 1

        def cut(clip: Frames) -> Frames:
            scale = clip.shape[1] // h
            # A picture is there at any time.
            times = slice(start, start + frames) if len(clip) > 1 else slice(None)
            rows = slice(scale * top, scale * (top + side))
            columns = slice(scale * left, scale * (left + side))
            crop: Frames = clip[times, rows, columns][:, :, ::step]
            return crop

        return Pair(
            cut(pair.small),
            cut(pair.large),
            tuple(map(cut, pair.given)),
            tuple(map(cut, pair.looks)),
        )
