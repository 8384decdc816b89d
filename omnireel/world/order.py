"""In which order the bodies of a scene stand in a picture of it."""

from __future__ import annotations

import numpy as np

from omnireel.world.camera import camera_path
from omnireel.world.kinematics import pose
from omnireel.world.render import scene_times
from omnireel.world.scene import Body, Scene

_SIDE = 64
"""Pixels; a picture of any other size shows the same order."""


def from_left(scene: Scene, time_s: float) -> tuple[Body, ...]:
    """The bodies of ``scene`` from left to right, as a square picture at ``time_s`` seconds
    shows their middles."""
    times_T = scene_times(scene, np.asarray([time_s], np.float32))
    path = camera_path(scene.camera, times_T, scene.duration_s, _SIDE, _SIDE)

    def column(body: Body) -> float:
        middle_T3 = pose(body, times_T, scene.duration_s).centre()
        return float(path.project(middle_T3[:, None, :])[0][0, 0])

    return tuple(sorted(scene.bodies, key=column))
