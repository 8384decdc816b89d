from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from omnireel.errors import InvalidInput
from omnireel.generate.components import load_vae
from omnireel.generate.conditions import ConditionEncoder
from omnireel.generate.frames import frames_to_video
from omnireel.model.text import Tokenizer
from omnireel.train.feed import Feed, FeedConfig
from omnireel.train.latent_batches import LatentBatches
from omnireel.train.latent_cache import (
    LatentCache,
    LatentCacheConfig,
    SampleEncoder,
    build_latent_cache,
)
from omnireel.train.latent_record import pack_records, read_record
from omnireel.train.online import OnlineBatches
from omnireel.types import Role, VideoFormat
from omnireel.world.tasks import sample_task
from tests.support.small_models import save_small_vae

FMT = VideoFormat(32, 32, 5, 8.0)
CONFIG = LatentCacheConfig(
    count=8,
    formats=(FMT,),
    format_shares=(1,),
    weights={"C20": 1.0, "C18": 1.0, "C1": 1.0, "C5": 1.0},
    shard_samples=4,
)


@pytest.fixture(scope="module")
def vae(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_vae(tmp_path_factory.mktemp("vae") / "vae")


@pytest.fixture(scope="module")
def folder(vae: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_latent_cache(tmp_path_factory.mktemp("cache"), CONFIG, vae, workers=0)


def test_records_equal_what_serving_encodes(folder: Path, vae: Path) -> None:
    encoder = ConditionEncoder(load_vae(vae), Tokenizer(()), 32)
    for record in LatentCache(folder, CONFIG).records():
        sample = sample_task(record.capability, record.seed, FMT)
        assert record.prompt == sample.prompt and record.vague_prompt == sample.vague_prompt
        expected = encoder.segments(sample.prompt, sample.media, FMT)
        assert len(record.segments) == len(expected)
        for mine, serving in zip(record.segments, expected, strict=True):
            assert (mine.role, mine.source_id, mine.start) == (
                serving.role,
                serving.source_id,
                serving.start,
            )
            assert torch.allclose(mine.latents_CTHW, serving.latents_CTHW, atol=0.01)
        assert record.target_CTHW.shape == (8, 2, 4, 4)


def test_pack_and_read_are_inverse_up_to_half_precision(folder: Path) -> None:
    records = LatentCache(folder, CONFIG).records()
    flat, index = pack_records(records)
    for record, row in zip(records, index, strict=True):
        again = read_record(flat, row)
        assert again.prompt == record.prompt
        assert torch.equal(again.target_CTHW, record.target_CTHW)
        assert all(
            torch.equal(a.latents_CTHW, b.latents_CTHW)
            for a, b in zip(again.segments, record.segments, strict=True)
        )


def test_asking_for_more_extends_the_same_folder(folder: Path, vae: Path) -> None:
    before = (folder / "latents_000000.npy").stat().st_mtime_ns
    more = replace(CONFIG, count=12)
    with pytest.raises(InvalidInput, match="2 of 3 shards"):
        LatentCache(folder, more)
    assert build_latent_cache(folder.parent, more, vae, workers=0) == folder
    assert (folder / "latents_000000.npy").stat().st_mtime_ns == before
    assert len(LatentCache(folder, more).records()) == 12
    assert len(LatentCache(folder, CONFIG).records()) == 8


def test_an_explicit_folder_must_hold_the_same_kind_of_samples(folder: Path, vae: Path) -> None:
    other = replace(CONFIG, seed=5)
    with pytest.raises(InvalidInput, match=r"other settings \(seed\)"):
        build_latent_cache(folder.parent, other, vae, folder=folder, workers=0)


def test_every_sample_comes_once_per_epoch(folder: Path) -> None:
    batches = LatentBatches(LatentCache(folder, CONFIG), batch_size=2)
    assert batches.per_epoch == 4
    epochs = [[r.seed for i in range(4) for r in batches.batch(4 * e + i)] for e in range(2)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(8)) and epochs[0] != epochs[1]
    with pytest.raises(InvalidInput, match="lower batch_size"):
        LatentBatches(LatentCache(folder, CONFIG), batch_size=9)


def test_online_batches_are_the_shards_of_a_cache(folder: Path, vae: Path) -> None:
    """Made by a loader process, bit for bit what the cache holds, and going on beyond its end."""
    online = OnlineBatches(vae, CONFIG, batch_size=4)
    feed = Feed(online, FeedConfig(workers=1, depth=1, processes=True), start=1)
    try:
        made = feed.take()
    finally:
        feed.close()
    cached = LatentCache(folder, CONFIG)
    assert [r.seed for r in made] == [4, 5, 6, 7]
    for i, record in enumerate(made):
        expected = cached.record(1, i)
        assert record.prompt == expected.prompt
        assert torch.equal(record.target_CTHW, expected.target_CTHW)
        for mine, kept in zip(record.segments, expected.segments, strict=True):
            assert torch.equal(mine.latents_CTHW, kept.latents_CTHW) and mine.role is kept.role


def test_super_resolution_pairs_lie_on_one_grid(vae: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, count=2, shard_samples=2, upscale=2)
    made = build_latent_cache(tmp_path, config, vae, workers=0)
    for record in LatentCache(made, config).records():
        low = record.segments[-1]
        assert low.role is Role.LOW_RESOLUTION
        assert low.latents_CTHW.shape == record.target_CTHW.shape == (8, 2, 8, 8)
        assert low.source_id == len({s.source_id for s in record.segments[:-1]}) + 1


def test_answers_that_are_more_than_their_scene_are_told_at_both_sizes(vae: Path) -> None:
    config = replace(CONFIG, weights={"C10": 1.0, "C24": 1.0}, upscale=2)
    large = VideoFormat(64, 64, 5, 8.0)
    autoencoder = load_vae(vae)
    for seed in range(2):
        record = SampleEncoder(autoencoder, config).record(seed, FMT)
        exact = sample_task(record.capability, seed, large).target.frames_THWC
        latents = autoencoder.encode(frames_to_video(exact)[None])[0]
        torch.testing.assert_close(record.target_CTHW, latents)


@pytest.mark.parametrize(
    "change", [{"count": 0}, {"format_shares": (1, 2)}, {"upscale": 3}, {"weights": {"C99": 1.0}}]
)
def test_bad_settings(change: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        replace(CONFIG, **change)  # type: ignore[arg-type]


def test_a_loaders_process_opens_the_files_itself(folder: Path) -> None:
    batches = LatentBatches(LatentCache(folder, CONFIG), batch_size=2)
    sent = pickle.dumps(batches)
    assert len(sent) < 10_000
    ours, theirs = batches.batch(1), pickle.loads(sent).batch(1)
    for one, other in zip(ours, theirs, strict=True):
        assert one.seed == other.seed and torch.equal(one.target_CTHW, other.target_CTHW)
