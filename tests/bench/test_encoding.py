"""Samples from a cache against samples encoded while training runs, per second of one core.

Run with ``make bench``. The tiny generator's clips (64 x 64, 17 frames, all tasks); processor time
of one thread, so that other work on the machine does not count.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from omnireel.train.latent_batches import LatentBatches
from omnireel.train.latent_cache import (
    LatentCache,
    LatentCacheConfig,
    build_latent_cache,
)
from omnireel.train.latent_record import LatentRecord
from omnireel.train.online import OnlineBatches
from omnireel.types import VideoFormat

VAE = Path(__file__).parents[2] / "omnireel/weights/tiny/vae"
CONFIG = LatentCacheConfig(
    count=16, formats=(VideoFormat(64, 64, 17, 8.0),), format_shares=(1,), shard_samples=16
)
BATCH = 8


def _per_second(batch: Callable[[int], list[LatentRecord]], count: int) -> float:
    start = time.process_time()
    samples = sum(len(batch(number)) for number in range(count))
    return samples / (time.process_time() - start)


def test_encoding_online_against_a_cache(tmp_path: Path) -> None:
    online = OnlineBatches(VAE, CONFIG, BATCH)
    online.batch(9)  # loads the autoencoder
    folder = build_latent_cache(tmp_path, CONFIG, VAE, workers=0)
    cached = LatentBatches(LatentCache(folder, CONFIG), BATCH)
    encoded, read = _per_second(online.batch, 2), _per_second(cached.batch, 50)
    print(f"\nencoded: {encoded:.1f} samples/s; read from a cache: {read:.0f} samples/s")
