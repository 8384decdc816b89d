"""The order of bodies in a picture is that of their masks."""

from __future__ import annotations

import numpy as np
import pytest

from omnireel.types import VideoFormat
from omnireel.world.distribution import SceneDistribution
from omnireel.world.order import from_left
from omnireel.world.sampler import sample_scene
from omnireel.world.truth import render_truth


@pytest.mark.parametrize("seed", range(6))
def test_bodies_come_in_the_order_of_their_middles(seed: int) -> None:
    two = SceneDistribution(two_bodies=1.0)
    scene = sample_scene(np.random.default_rng(seed), duration_s=2.0, distribution=two)
    fmt = VideoFormat(64, 64, 5, 2.0)
    tracks = render_truth(scene, fmt).tracks
    for frame in (0, 4):
        columns = [tracks[b.id].center_T2[frame, 0] for b in from_left(scene, frame / fmt.fps)]
        assert columns == sorted(columns) and len(columns) == 2
