"""The subject of a clip: found when it moves by itself, not made up when the camera alone does."""

from __future__ import annotations

import numpy as np
import pytest

from omnireel.data.synthesis.segment import subject_mask
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
    found = subject_mask(render_clip(scene, FMT))
    assert found is not None
    (truth,) = render_truth(scene, FMT).masks.values()
    assert (found & truth).sum() > 0.8 * (found | truth).sum()


@pytest.mark.parametrize("seed", [(6, 49), (6, 53)])
def test_a_plain_sky_under_a_moving_camera_is_no_subject(seed: tuple[int, int]) -> None:
    scene = _scene(*seed)
    assert scene.camera.move in ("pan_left", "rise")
    assert [body.motion.kind for body in scene.bodies] in (["still"], ["spin"])
    assert subject_mask(render_clip(scene, FMT)) is None
