from __future__ import annotations

import hashlib

import numpy as np
import pytest

from omnireel.errors import IntegrityError, InvalidInput, NotFound
from omnireel.media import read_clip
from omnireel.store import open_store
from omnireel.types import Audio, Clip, VideoFormat
from services.common.artifacts import JobOutput, read_latents
from tests.support.engines.frames import base_frames, base_latents

FORMAT = VideoFormat(64, 64, 5, 8.0)


@pytest.fixture
def store(tmp_path):
    return open_store(f"file://{tmp_path}/store")


def keys(store) -> list[str]:
    return [info.key for info in store.list()]


def test_a_video_is_stored_with_its_facts(store):
    clip = Clip(base_frames(FORMAT, 1), 8.0, Audio(np.zeros((1, 30000), np.float32), 48000))
    video = JobOutput(store, "jobs/7/1").put_video("base", clip)
    data = store.get(video.uri)
    assert keys(store) == ["jobs/7/1/base.mp4"]
    assert (video.size_bytes, video.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert (video.width, video.height, video.num_frames, video.fps) == (64, 64, 5, 8.0)
    assert video.has_audio
    assert read_clip(data).format == FORMAT


def test_latents_come_back_exactly(store):
    latents = base_latents(FORMAT, 3)
    uri = JobOutput(store, "jobs/7/1").put_latents(latents)
    assert np.array_equal(read_latents(store, uri), latents)


@pytest.mark.parametrize("data", [b"", b"not safetensors at all", b"\xff" * 64])
def test_damaged_latents_are_an_integrity_error(store, data):
    uri = store.put("x.safetensors", data)
    with pytest.raises(IntegrityError, match="not a file of latents"):
        read_latents(store, uri)


def test_missing_latents_are_not_found(store):
    with pytest.raises(NotFound):
        read_latents(store, store.uri("gone.safetensors"))


@pytest.mark.parametrize(
    "prefix", ["", "/jobs", "jobs/", "../up", "jobs/../up", "jobs//1", "jobs/.hidden", "jobs 7"]
)
def test_a_prefix_stays_in_its_folder(store, prefix):
    with pytest.raises(InvalidInput) as caught:
        JobOutput(store, prefix)
    assert caught.value.violations[0].field == "output_prefix"


def test_a_job_that_fails_leaves_nothing_behind(store):
    store.put("jobs/7/1/other", b"someone else's")
    output = JobOutput(store, "jobs/7/1")
    with pytest.raises(ZeroDivisionError), output.kept_on_success():
        output.put_latents(base_latents(FORMAT, 3))
        output.put_preview(1, base_frames(FORMAT, 1))
        output.put_preview(2, base_frames(FORMAT, 1)[:1])
        assert len(keys(store)) == 4
        _ = 1 / 0
    assert keys(store) == ["jobs/7/1/other"]
