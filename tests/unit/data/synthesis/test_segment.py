"""The subject of a clip: found when it moves by itself, not made up when the camera alone does."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from omnireel.data.bench.filming import Filming, film_with_truth
from omnireel.data.synthesis.segment import find_subject
from omnireel.data.synthesis.steady import steady
from omnireel.data.synthesis.views import Mask
from omnireel.types import VideoFormat
from omnireel.world.render import render_clip
from omnireel.world.sampler import sample_scene
from omnireel.world.scene import Scene
from omnireel.world.truth import render_truth

FMT = VideoFormat(192, 192, 25, 8.0)


def _scene(*seed: int) -> Scene:
    return sample_scene(np.random.default_rng(seed), split="train", duration_s=FMT.duration_s)


def test_what_moves_before_a_camera_that_stands_is_cut_out() -> None:
    scene = _scene(5, 11)
    assert scene.camera.move == "static" and scene.bodies[0].motion.kind == "move_right"
    assert _overlap(scene) > 0.8


@pytest.mark.parametrize("seed", [(6, 49), (6, 53)])
def test_a_plain_sky_under_a_moving_camera_is_no_subject(seed: tuple[int, int]) -> None:
    scene = _scene(*seed)
    assert scene.camera.move in ("pan_left", "rise")
    assert [body.motion.kind for body in scene.bodies] in (["still"], ["spin"])
    # It moves against the place by parallax, or before a wall that tells of no pan.
    assert _overlap(scene) > 0.8


@pytest.mark.parametrize("seed", range(3))
def test_what_moves_under_a_camera_that_moves_is_cut_out(seed: int) -> None:
    config = Filming(width=240, height=160, things=1, size=0.26, pan=(0.14, 0.02))
    frames, truth = film_with_truth(np.random.default_rng([31, seed]), config)
    found = find_subject(frames)
    assert found is not None
    assert _agreement(found.mask_THW, truth) > 0.8


def test_the_motion_of_a_camera_is_found_without_what_is_hidden() -> None:
    config = Filming(width=240, height=160, things=1, size=0.4, pan=(0.14, 0.02), zoom=0.1)
    frames, truth = film_with_truth(np.random.default_rng(5), config)
    hidden = (
        np.stack([cv2.dilate(m.astype(np.uint8), np.ones((9, 9), np.uint8)) for m in truth]) > 0
    )
    other = np.where(hidden[..., None], np.uint8(90), frames)
    one, two = steady(frames, hidden), steady(other, hidden)
    assert np.array_equal(one.matrices_T33, two.matrices_T33)
    # Half of a pan of 0.14 widths a second, and of a zoom by exp(0.1) a second, over 2.5 s.
    way = one.between(0, len(frames) // 2, 160)
    middle = way @ np.array([120, 80, 1.0])
    assert abs(way[0, 0] - np.exp(0.1 * 1.25)) < 0.02
    assert abs(middle[0] / middle[2] - (120 - 0.14 * 240 * 1.25)) < 1


def test_a_camera_that_stands_has_no_motion_at_all() -> None:
    assert not steady(render_clip(_scene(5, 11), FMT)).moving


def _overlap(scene: Scene) -> float:
    found = find_subject(render_clip(scene, FMT))
    assert found is not None
    (truth,) = render_truth(scene, FMT).masks.values()
    return _agreement(found.mask_THW, truth)


def _agreement(found: Mask, truth: Mask) -> float:
    return float((found & truth).sum() / (found | truth).sum())
