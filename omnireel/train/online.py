"""Samples that are rendered and encoded while training goes on, without a cache.

For a first look at new data, and where disks are small and loader cores many: no sample comes
twice, and training starts at once. It is as fast as the loader processes encode.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from omnireel.train.latent_cache import LatentCacheConfig, SampleEncoder, cached_vae
from omnireel.train.latent_record import LatentRecord


@dataclass(frozen=True)
class OnlineBatches:
    """``batch(index) -> list[LatentRecord]``: one format a batch, in the cache's own order.

    Batch i of ``shard_samples`` samples is what shard i of a cache would hold. Meant for loader
    processes (:class:`~omnireel.train.feed.FeedConfig`); each of them works with one thread.
    """

    vae: Path
    config: LatentCacheConfig
    batch_size: int

    def batch(self, index: int) -> list[LatentRecord]:
        """Render and encode batch number ``index``."""
        torch.set_num_threads(1)
        encoder = SampleEncoder(cached_vae(self.vae), self.config)
        fmt = self.config.formats[self.config.format_of(index)]
        first = self.config.seed + index * self.batch_size
        return [_rounded(encoder.record(first + i, fmt)) for i in range(self.batch_size)]


def _rounded(record: LatentRecord) -> LatentRecord:
    """The same numbers as from a cache, which keeps halves."""

    def half(latents: Tensor) -> Tensor:
        return latents.half().float()

    segments = tuple(replace(s, latents_CTHW=half(s.latents_CTHW)) for s in record.segments)
    return replace(record, target_CTHW=half(record.target_CTHW), segments=segments)
