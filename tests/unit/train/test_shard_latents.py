"""Latents of training shards: fitted to the model, built once, from wherever a build goes on."""

from __future__ import annotations

import pickle
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from omnireel.data.sample import Media, TrainingSample
from omnireel.data.shards import ShardReader, write_shards
from omnireel.errors import IntegrityError, InvalidInput
from omnireel.generate.components import load_vae
from omnireel.generate.settings import ModelLimits
from omnireel.media import write_mp4, write_png
from omnireel.model.text import words_of
from omnireel.recipes.base import Workplace
from omnireel.recipes.shard_words import pin_words, run_words
from omnireel.train.balance import record_length
from omnireel.train.latent_samples import ChosenSamples
from omnireel.train.shard_latents import (
    ShardBatches,
    ShardLatentConfig,
    ShardLatents,
    ShardSampleEncoder,
    build_shard_latents,
)
from omnireel.types import Clip, MediaKind, Role, VideoFormat
from omnireel.world.lexicon import vocabulary
from tests.support.engines.random_weights import save_random_weights
from tests.support.shard_samples import Samples, edit_sample, frames

WORKPLACE = Workplace(Path("unused"), lambda what, done, total: None)
SIZES = ((64, 64), (112, 64), (64, 112))
CONFIG = ShardLatentConfig(((32, 32), (64, 32)), max_frames=9, fps=8.0, short_side=32, per_file=3)


def clip_of(width: int, height: int, count: int, fps: float) -> Clip:
    return Clip(np.zeros((count, height, width, 3), np.uint8), fps=fps)


@pytest.mark.parametrize(
    ("width", "height", "count", "fps", "expected"),
    [
        (1920, 1080, 100, 24.0, (112, 64, 17)),
        (1080, 1920, 51, 24.0, (64, 112, 17)),
        (600, 500, 50, 24.0, (64, 64, 13)),
        (500, 600, 17, 8.0, (64, 64, 17)),
        (64, 64, 15, 29.97, (64, 64, 1)),
        (64, 64, 16, 24.0, (64, 64, 5)),
        (64, 64, 17, 7.9999, (64, 64, 17)),
    ],
)
def test_targets_are_fitted_to_the_nearest_format(width, height, count, fps, expected) -> None:
    config = ShardLatentConfig.of(ModelLimits(sizes=SIZES))
    found = config.format_of(clip_of(width, height, count, fps), MediaKind.VIDEO)
    assert found == VideoFormat(*expected, 8.0)


def test_an_image_is_one_frame() -> None:
    config = ShardLatentConfig.of(ModelLimits(sizes=SIZES))
    found = config.format_of(clip_of(300, 100, 1, 1.0), MediaKind.IMAGE)
    assert found == VideoFormat(112, 64, 1, 8.0)


@pytest.fixture(scope="module")
def vae(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return save_random_weights(tmp_path_factory.mktemp("weights")) / "vae"


def samples() -> list[TrainingSample]:
    wide = write_mp4(frames(1, 20, height=48, width=96, fps=16.0))
    still = write_png(frames(2, 1).frames_THWC)
    square = [write_mp4(frames(10 + i, 9)) for i in range(4)]
    plain = [("wide", wide, MediaKind.VIDEO), ("still", still, MediaKind.IMAGE)]
    plain += [(f"square_{i}", data, MediaKind.VIDEO) for i, data in enumerate(square)]
    return [
        edit_sample(),
        *(TrainingSample(key, Media(data, kind), f"a {key} ball") for key, data, kind in plain),
    ]


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    write_shards(folder, Samples(samples()))
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory, shards: Path, vae: Path) -> Path:
    return build_shard_latents(tmp_path_factory.mktemp("cache"), shards, CONFIG, vae, workers=0)


def test_records_are_the_encoded_samples_in_their_order(cache, shards, vae) -> None:
    latents = ShardLatents(cache)
    encoder = ShardSampleEncoder(load_vae(vae), CONFIG)
    assert len(latents) == 7 and latents.capabilities == ("C20", "C21")
    for n, sample in ShardReader(shards).samples():
        record, direct = latents.record(n), encoder.record(n, sample)
        assert (record.prompt, record.capability, record.seed) == (
            direct.prompt,
            sample.capability,
            n,
        )
        assert torch.equal(record.target_CTHW, direct.target_CTHW.half().float())
    shapes = {
        s.key: latents.record(n).target_CTHW.shape[1:] for n, s in ShardReader(shards).samples()
    }
    assert shapes["wide"] == (3, 4, 8) and shapes["still"] == (1, 4, 4)
    assert shapes["edit"] == (3, 4, 4)


def test_conditions_keep_their_roles_and_sources(cache, shards) -> None:
    (n,) = [n for n, sample in ShardReader(shards).samples() if sample.key == "edit"]
    record = ShardLatents(cache).record(n)
    assert [(s.role, s.source_id, s.start) for s in record.segments] == [
        (Role.SOURCE, 1, 0.0),
        (Role.REFERENCE, 2, 0.0),
        (Role.ELEMENT, 3, 0.0),
        (Role.ELEMENT, 3, 1.0),
    ]
    assert record.vague_prompt.text == "give @Hero in @Clip @Hat"


def test_a_build_goes_on_at_the_missing_file(cache, shards, vae) -> None:
    files = sorted(cache.glob("latents_*.npy"))
    assert len(files) == 3
    before = {path.name: path.read_bytes() for path in files}
    (cache / "latents_000001.json").unlink()
    (cache / "latents_000001.npy").write_bytes(b"half")
    with pytest.raises(InvalidInput, match=r"lacks latents_000001\.json"):
        ShardLatents(cache)
    times = {path.name: path.stat().st_mtime_ns for path in files}
    assert build_shard_latents(cache.parent, shards, CONFIG, vae, workers=0) == cache
    assert {path.name: path.read_bytes() for path in files} == before
    changed = [path.name for path in files if path.stat().st_mtime_ns != times[path.name]]
    assert changed == ["latents_000001.npy"]


def test_other_samples_have_another_cache_and_changed_shards_are_refused(
    tmp_path: Path, cache: Path, vae: Path
) -> None:
    write_shards(tmp_path / "shards", Samples(samples()[4:]))
    other = build_shard_latents(cache.parent, tmp_path / "shards", CONFIG, vae, workers=0)
    assert other != cache and len(ShardLatents(other)) == 3
    path = tmp_path / "shards" / "shard-00000.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match="changed since they were written"):
        build_shard_latents(tmp_path, tmp_path / "shards", CONFIG, vae, workers=0)


def test_batches_show_every_sample_once_per_epoch(cache: Path) -> None:
    latents = ShardLatents(cache)
    learn, validate = latents.split(5)
    assert list(validate) == [0] and list(learn) == [1, 2, 3, 4, 5, 6]
    batches = ShardBatches(latents, learn, batch_size=4)
    seen = [record.seed for step in range(6) for record in batches.batch(step)]
    assert all(
        Counter(seen[start : start + 6]) == Counter(learn) for start in range(0, len(seen), 6)
    )
    assert len({tuple(seen[start : start + 6]) for start in range(0, 24, 6)}) > 1
    again = ShardBatches(latents, learn, batch_size=4)
    sent = pickle.dumps(again)
    assert len(sent) < 10_000
    for ours, theirs in zip(again.batch(3), pickle.loads(sent).batch(3), strict=True):
        assert ours.seed == theirs.seed and torch.equal(ours.target_CTHW, theirs.target_CTHW)
    assert [r.seed for r in again.batch(5)] == seen[20:24]
    assert len(ShardBatches(latents, [3], batch_size=4).batch(9)) == 4
    with pytest.raises(InvalidInput, match="no sample"):
        ShardBatches(latents, [], batch_size=4)


def test_samples_for_packs_have_the_lengths_that_their_index_says(cache: Path) -> None:
    latents = ShardLatents(cache)
    source = ChosenSamples(latents, [3, 1, 0], lambda prompt: len(prompt.text))
    assert [source.sample(i).seed for i in range(3)] == [3, 1, 0]
    for i, length in enumerate(source.lengths()):
        record = source.sample(i)
        assert length == record_length(record, len(record.prompt.text))


def test_prompts_are_read_without_latents(cache: Path) -> None:
    latents = ShardLatents(cache)
    records = [latents.record(i) for i in range(len(latents))]
    assert list(latents.prompts()) == [(r.prompt, r.vague_prompt) for r in records]


def test_the_words_of_captions_are_the_vocabulary(cache: Path) -> None:
    pinned = pin_words(WORKPLACE, {"latents": str(cache)}, 3)
    known, words = vocabulary(), run_words(pinned, 3)
    assert words[: len(known)] == known
    assert len(words) == len(known) + 3 and not set(words[-3:]) & set(known)
    counts = Counter(w for p in ShardLatents(cache).prompts() for w in words_of(p[0].text))
    assert counts[words[-3]] >= 1
    with pytest.raises(InvalidInput, match="shard_words"):
        run_words(pinned, 2)


def test_a_run_of_an_earlier_release_keeps_its_words(cache: Path) -> None:
    begun = replace(WORKPLACE, pinned={"latents": str(cache), "shards": "0"})
    pinned = pin_words(begun, begun.pinned, 3)
    assert pinned == begun.pinned and run_words(pinned, 3) == vocabulary()


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"kind": "latents"}')
    with pytest.raises(InvalidInput, match="no latents of shards"):
        ShardLatents(tmp_path)
