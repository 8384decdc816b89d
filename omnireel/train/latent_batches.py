"""Batches of one format from a latent cache, in an order that the epoch decides."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from omnireel.errors import InvalidInput
from omnireel.train.latent_cache import LatentCache
from omnireel.train.latent_record import LatentRecord


class LatentBatches:
    """``batch(step) -> list[LatentRecord]``: one format a batch, every sample once per epoch."""

    def __init__(self, cache: LatentCache, batch_size: int, seed: int = 1) -> None:
        """``batch_size`` counts samples.

        Raises:
            InvalidInput: no bucket holds a whole batch.

        """
        self._cache = cache
        self._batch_size = batch_size
        self._seed = seed
        self.per_epoch = sum(len(b) // batch_size for b in cache.buckets)
        if self.per_epoch < 1:
            raise InvalidInput(
                f"no format has {batch_size} samples; raise data.count or lower batch_size",
                field="batch_size",
            )
        # One epoch's order is kept; read-ahead may straddle two.
        self._order = lru_cache(maxsize=2)(self._shuffled)

    def __reduce__(self) -> tuple[type[LatentBatches], tuple[LatentCache, int, int]]:
        return LatentBatches, (self._cache, self._batch_size, self._seed)

    def batch(self, index: int) -> list[LatentRecord]:
        """Batch number ``index``."""
        epoch, i = divmod(index, self.per_epoch)
        return [self._cache.record(*place) for place in self._order(epoch)[i]]

    def _shuffled(self, epoch: int) -> list[list[tuple[int, int]]]:
        rng = np.random.default_rng([self._seed, epoch])
        batches: list[list[tuple[int, int]]] = []
        for bucket in self._cache.buckets:
            order = rng.permutation(len(bucket))
            batches.extend(
                [bucket[i] for i in order[start : start + self._batch_size]]
                for start in range(0, len(bucket) - self._batch_size + 1, self._batch_size)
            )
        return [batches[i] for i in rng.permutation(len(batches))]
