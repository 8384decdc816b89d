from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnireel.errors import InvalidInput
from omnireel.types import VideoFormat
from omnireel.world.distribution import SceneDistribution
from omnireel.world.sampler import LOW_CONTRAST, ODD_WEATHER, sample_scene
from omnireel.world.scene import MOTIONS, PLACES, Motion
from omnireel.world.staging import arrange, camera_suits, pace_word, size_word
from omnireel.world.truth import render_truth

FORMAT = VideoFormat(48, 48, 9, 4.0)


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32), held_out=st.booleans())
def test_scenes_obey_their_rules(seed: int, held_out: bool) -> None:
    scene = sample_scene(np.random.default_rng(seed), split="held_out" if held_out else "train")
    assert [b.id for b in scene.bodies] == ["a", "b"][: len(scene.bodies)]
    assert len({b.kind for b in scene.bodies}) == len(scene.bodies)
    assert len({b.material.color for b in scene.bodies}) == len(scene.bodies)
    assert (scene.place, scene.weather) not in ODD_WEATHER
    assert (scene.effect == "none") == (scene.effect_on == "")
    assert camera_suits(scene.camera.move, scene.bodies)
    for body in scene.bodies:
        assert (scene.place, body.material.color) not in LOW_CONTRAST
        assert body.material.accent != body.material.color
        spins_plain = body.motion.kind == "spin" and body.material.texture == "plain"
        assert not (body.kind == "ball" and spins_plain)


def test_equal_seeds_give_equal_scenes() -> None:
    first, again, other = (sample_scene(np.random.default_rng(s)) for s in (5, 5, 6))
    assert first == again
    assert first != other


def test_shares_are_those_of_the_distribution() -> None:
    rng = np.random.default_rng(0)
    scenes = [sample_scene(rng) for _ in range(1500)]
    share = {
        "pairs": np.mean([len(s.bodies) == 2 for s in scenes]),
        "natural": np.mean([s.style == "natural" for s in scenes]),
        "static": np.mean([s.camera.move == "static" for s in scenes]),
        "effects": np.mean([s.effect != "none" for s in scenes]),
    }
    expected = {"pairs": 0.30, "natural": 0.85, "static": 0.70, "effects": 0.05}
    assert share == pytest.approx(expected, abs=0.05)
    for motion in MOTIONS:
        among = np.mean([s.bodies[0].motion.kind == motion for s in scenes])
        assert among == pytest.approx(1 / len(MOTIONS), abs=0.04)
    for place in PLACES:
        assert np.mean([s.place == place for s in scenes]) == pytest.approx(0.125, abs=0.04)


@pytest.mark.parametrize("motion", MOTIONS)
def test_the_subject_is_large_and_stays_in_view(motion: str) -> None:
    rng = np.random.default_rng(3)
    plain = SceneDistribution(two_bodies=0.0, moving_camera=0.0, small=0.0)
    found = 0
    while found < 4:
        scene = sample_scene(rng, distribution=plain)
        if scene.bodies[0].motion.kind != motion:
            continue
        found += 1
        truth = render_truth(scene, FORMAT)
        center = truth.tracks["a"].center_T2
        assert (center > 0).all() and (center < 48).all()
        heights = truth.masks["a"].any(axis=2).sum(axis=1) / 48
        assert 0.30 < heights.mean() < 0.75
        assert (truth.masks["a"].sum(axis=(1, 2)) > 60).all()


def test_two_bodies_are_both_seen() -> None:
    rng = np.random.default_rng(4)
    pairs = SceneDistribution(two_bodies=1.0, moving_camera=0.0)
    for _ in range(12):
        truth = render_truth(sample_scene(rng, distribution=pairs), FORMAT)
        for body_id in ("a", "b"):
            assert truth.tracks[body_id].visible_T.mean() > 0.5


def test_long_clips_keep_travellers_in_view_without_calling_them_slow() -> None:
    rng = np.random.default_rng(7)
    plain = SceneDistribution(two_bodies=0.0, moving_camera=0.0, slow=0.0, fast=0.0)
    fmt = VideoFormat(48, 48, 9, 2.0)
    scenes = (sample_scene(rng, duration_s=4.5, distribution=plain) for _ in range(60))
    travellers = [s for s in scenes if s.bodies[0].motion.kind == "move_right"]
    assert travellers
    for scene in travellers:
        assert pace_word(scene.bodies[0], scene) == ""
        center = render_truth(scene, fmt).tracks["a"].center_T2
        assert (center[:, 0] > 0).all() and (center[:, 0] < 48).all()


def test_size_words_follow_the_height() -> None:
    rng = np.random.default_rng(0)
    scene = sample_scene(rng, max_bodies=1)
    assert size_word(replace(scene.bodies[0], kind="ball", size=0.9), scene) == "small"
    assert size_word(replace(scene.bodies[0], kind="ball", size=1.35), scene) == ""
    assert size_word(replace(scene.bodies[0], kind="ball", size=1.75), scene) == "large"


def test_bad_input_names_the_field() -> None:
    with pytest.raises(InvalidInput, match="max_bodies") as caught:
        sample_scene(np.random.default_rng(0), max_bodies=3)
    assert caught.value.violations[0].field == "max_bodies"
    with pytest.raises(InvalidInput, match="two_bodies"):
        SceneDistribution(two_bodies=1.5)


def test_a_second_body_cannot_travel() -> None:
    rng = np.random.default_rng(0)
    scene = sample_scene(rng, distribution=SceneDistribution(two_bodies=1.0))
    first, second = scene.bodies
    with pytest.raises(InvalidInput, match="move_left"):
        arrange(rng, (first, replace(second, motion=Motion("move_left"))))
