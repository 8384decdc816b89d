"""Clips at both sizes: the same scenes, worn and exact, and crops that lie over each other."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from omnireel.errors import InvalidInput
from omnireel.generate.pipeline import GeneratorPipeline
from omnireel.shipped import SHIPPED_TINY
from omnireel.train.latent_cache import cached_vae
from omnireel.train.pair_batches import PairBatchConfig, PairBatches
from omnireel.train.pair_cache import (
    PairCache,
    PairCacheConfig,
    build_pair_cache,
    render_pair,
)
from omnireel.types import VideoFormat
from omnireel.world.render import render_clip
from omnireel.world.tasks.mix import TaskMix, sample_mixed

VAE = SHIPPED_TINY / "vae"
SMALL = PairCacheConfig(
    count=8,
    formats=(VideoFormat(32, 32, 5, 8.0), VideoFormat(48, 32, 5, 8.0)),
    shard_pairs=2,
    exact_share=0.5,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_pair_cache(tmp_path_factory.mktemp("cache"), SMALL, VAE, workers=0)


def test_both_clips_of_a_pair_show_one_scene(folder: Path) -> None:
    cache = PairCache(folder, SMALL.count)
    exact = 0
    for bucket, fmt in zip(cache.buckets, SMALL.formats, strict=True):
        assert len(bucket) == 4
        for shard, i in bucket:
            pair = cache.pair(shard, i)
            small, large = pair.small, pair.large
            assert not pair.given
            seed = shard * SMALL.shard_pairs + i
            scene = sample_mixed(seed, fmt, TaskMix(SMALL.weights), scenes=SMALL.scenes).scene
            large_format = replace(fmt, width=2 * fmt.width, height=2 * fmt.height)
            assert np.array_equal(large, render_clip(scene, large_format))
            clean = render_clip(scene, fmt)
            exact += np.array_equal(small, clean)
            assert np.abs(small.astype(int) - clean).mean() < 20
    assert 0 < exact < 8


def test_a_cache_rebuilds_to_the_same_bytes_and_grows(folder: Path) -> None:
    shard = folder / "small_000001.npy"
    before = shard.read_bytes()
    shard.unlink()
    more = replace(SMALL, count=10)
    assert build_pair_cache(folder.parent, more, VAE, workers=0) == folder
    assert shard.read_bytes() == before
    assert sum(map(len, PairCache(folder, 10).buckets)) == 10
    with pytest.raises(InvalidInput, match="5 of 6 shards"):
        PairCache(folder, 12)
    assert build_pair_cache(folder.parent, replace(SMALL, seed=2), VAE, workers=0) != folder


def test_wear_grows_with_the_noise() -> None:
    fmt = SMALL.formats[0]

    def far(noise: float) -> float:
        config = replace(SMALL, exact_share=0.0, base_noise=noise)
        small = render_pair(config, cached_vae(VAE), 3, fmt).small
        exact = render_pair(replace(config, exact_share=1.0), cached_vae(VAE), 3, fmt).small
        return float(np.square(small.astype(float) - exact).mean())

    assert 0 < far(0.0) < far(1.0)


def test_half_of_the_worn_clips_are_drawn_by_a_generator() -> None:
    config = replace(SMALL, factor=1, given=True, weights={"C18": 1.0}, exact_share=0.0)
    vae, generator = cached_vae(VAE), GeneratorPipeline.open(SHIPPED_TINY / "generator", VAE)
    changed, fmt = [], VideoFormat(64, 64, 5, 8.0)
    for seed in range(6):
        worn = render_pair(config, vae, seed, fmt)
        drawn = render_pair(config, vae, seed, fmt, generator)
        assert np.array_equal(worn.large, drawn.large)
        assert np.array_equal(worn.given[0], drawn.given[0])
        changed.append(not np.array_equal(worn.small, drawn.small))
        assert worn.looks[0].shape == worn.given[0].shape == (1, 64, 64, 3)
        assert 0 < np.abs(worn.looks[0].astype(int) - worn.given[0]).mean() < 30
    assert 0 < sum(changed) < 6


def test_crops_of_both_sizes_lie_over_each_other(folder: Path) -> None:
    cache = PairCache(folder, SMALL.count)
    batches = PairBatches(cache, PairBatchConfig(batch_size=3, side=16, frames=3, image_share=0.5))
    shapes = set()
    for step in range(8):
        batch = batches.batch(step)
        small, large = batch.small_BTHWC, batch.large_BTHWC
        shapes.add(small.shape)
        assert large.shape == (*small.shape[:2], 32, 32, 3)
        again = pickle.loads(pickle.dumps(batches)).batch(step)
        assert np.array_equal(again.small_BTHWC, small)
        assert np.array_equal(again.large_BTHWC, large)
        blocks = large.reshape(*large.shape[:2], 16, 2, 16, 2, 3).mean((3, 5))
        assert np.abs(blocks - small).mean() < 12
        assert np.abs(blocks - small[:, :, ::-1, ::-1]).mean() > np.abs(blocks - small).mean()
    assert shapes == {(3, 3, 16, 16, 3), (9, 1, 16, 16, 3)}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"count": 1}, "data.count"),
        ({"exact_share": 1.5}, "data.exact_share"),
        ({"base_noise": -0.1}, "data.base_noise"),
        ({"factor": 3}, "data.factor"),
    ],
)
def test_wrong_settings_are_named(change: dict[str, float], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        replace(SMALL, **change)
    assert [v.field for v in caught.value.violations] == [field]


def test_crops_that_do_not_fit_are_refused(folder: Path) -> None:
    with pytest.raises(InvalidInput, match="do not fit"):
        PairBatches(PairCache(folder, 8), PairBatchConfig(side=64, frames=3))
    with pytest.raises(InvalidInput, match="even"):
        PairBatchConfig(side=15)


@pytest.mark.parametrize("capability", ["C10", "C20", "C24"])
def test_answers_that_are_more_than_their_scene_are_told_at_both_sizes(capability: str) -> None:
    config = replace(SMALL, weights={capability: 1.0}, exact_share=1.0)
    pair = render_pair(config, cached_vae(VAE), 5, SMALL.formats[0])
    blocks = pair.large.reshape(5, 32, 2, 32, 2, 3).mean((2, 4))
    assert np.abs(blocks - pair.small).mean() < 6
