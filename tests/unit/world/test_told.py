"""Facts that a caption leaves open are exactly those that its words do not depend on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from omnireel.types import VideoFormat
from omnireel.world.captions import LEVELS, caption
from omnireel.world.captions.grammar import Borrowed
from omnireel.world.captions.told import left_open
from omnireel.world.sampler import sample_scene
from omnireel.world.scene import Camera, Level, Scene
from omnireel.world.tasks import sample_task

FORMAT = VideoFormat(56, 48, 5, 2.5)
OTHERS = {
    "place": lambda scene: replace(scene, place="beach" if scene.place != "beach" else "studio"),
    "weather": lambda scene: replace(scene, weather="rain" if scene.weather != "rain" else "fog"),
    "camera": lambda scene: replace(scene, camera=replace(scene.camera, move="zoom_in")),
}


def one_body(seed: int) -> Scene:
    scene = sample_scene(np.random.default_rng(seed), max_bodies=1, duration_s=2.0)
    return replace(scene, camera=Camera(), effect="none", effect_on="")


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("fact", OTHERS)
def test_words_change_with_a_fact_unless_it_is_left_open(level: Level, fact: str) -> None:
    scene = one_body(1)
    same = caption(scene, level, None) == caption(OTHERS[fact](scene), level, None)
    assert same == (fact in left_open(level))


def test_given_media_tell_facts() -> None:
    assert "place" not in left_open("terse", Borrowed(place="@Image_1"))
    assert "camera" not in left_open("terse", Borrowed(camera="@Video_1"))


def test_edits_leave_nothing_open_and_frames_only_the_camera() -> None:
    for seed in range(6):
        assert sample_task("C8", seed, FORMAT, split="train").left_open == frozenset()
        assert sample_task("C18", seed, FORMAT, split="train").left_open <= {"camera"}
