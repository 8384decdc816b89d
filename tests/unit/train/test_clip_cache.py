from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from omnireel.errors import InvalidInput, ResourceExhausted
from omnireel.train import clip_cache, shards
from omnireel.train.clip_cache import (
    ClipBatchConfig,
    ClipBatches,
    ClipCache,
    ClipCacheConfig,
    build_clip_cache,
)
from omnireel.types import VideoFormat

SMALL = ClipCacheConfig(
    count=8,
    formats=(VideoFormat(16, 16, 5, 8.0), VideoFormat(32, 16, 5, 8.0)),
    shard_clips=2,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_clip_cache(tmp_path_factory.mktemp("cache"), SMALL, workers=0)


def test_shards_alternate_formats_and_rebuild_to_the_same_bytes(folder: Path) -> None:
    cache = ClipCache(folder)
    assert cache.clip(0, 3).shape == (5, 16, 16, 3) and cache.clip(1, 0).shape == (5, 16, 32, 3)
    assert cache.size(0) == cache.size(1) == 4
    shard = folder / "clips_000002.npy"
    before, others = shard.read_bytes(), (folder / "clips_000001.npy").stat().st_mtime_ns
    shard.unlink()
    seen: list[tuple[int, int]] = []
    again = build_clip_cache(folder.parent, SMALL, workers=0, report=lambda *x: seen.append(x))
    assert again == folder and shard.read_bytes() == before
    assert seen == [(3, 4), (4, 4)]
    assert (folder / "clips_000001.npy").stat().st_mtime_ns == others


def test_other_settings_and_other_worlds_get_other_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clip_cache, "build_missing", lambda *a, **k: None)
    first = build_clip_cache(tmp_path, SMALL)
    assert build_clip_cache(tmp_path, replace(SMALL, seed=1)) != first
    monkeypatch.setattr(clip_cache, "world_version", lambda: "another")
    assert build_clip_cache(tmp_path, SMALL) != first


def test_unfinished_or_foreign_folders_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="not a data cache"):
        ClipCache(tmp_path)
    (tmp_path / "manifest.json").write_text((folder / "manifest.json").read_text())
    with pytest.raises(InvalidInput, match="0 of 4 shards"):
        ClipCache(tmp_path)


def test_disk_full_keeps_finished_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = np.save, [0]

    def full(file: object, array: np.ndarray) -> None:  # type: ignore[type-arg]
        calls[0] += 1
        if calls[0] == 2:
            raise OSError(28, "No space left on device")
        real(file, array)  # type: ignore[call-overload]

    monkeypatch.setattr(shards.np, "save", full)
    with pytest.raises(ResourceExhausted, match="finished shards are kept"):
        build_clip_cache(tmp_path, SMALL, workers=0)
    (made,) = tmp_path.iterdir()
    assert sorted(p.name for p in made.iterdir()) == ["clips_000000.npy", "manifest.json"]


def test_batches_depend_on_their_number_only(folder: Path) -> None:
    config = ClipBatchConfig(batch_size=3, image_share=0.5, image_batch_factor=2)
    one, two = (ClipBatches(ClipCache(folder), config) for _ in range(2))
    shapes = set()
    for index in (7, 0, 3, 3, 11, 4, 5):
        batch = one.batch(index)
        assert np.array_equal(batch, two.batch(index))
        shapes.add(batch.shape)
    # Squares come in threes, wide clips in twos, images in twice as many.
    assert shapes <= {(3, 5, 16, 16, 3), (2, 5, 16, 32, 3), (6, 1, 16, 16, 3), (4, 1, 16, 32, 3)}
    assert len(shapes) >= 3


def test_too_few_clips_for_the_formats() -> None:
    with pytest.raises(InvalidInput, match=r"raise data\.count"):
        ClipCacheConfig(count=2, shard_clips=2, formats=SMALL.formats)
