"""Ground and sky of every place, per pixel, before any body stands in it.

A backdrop is built in layers over world-space rays: the sky by direction, ridges and skylines on
upright cylinders about the origin (so that they shift against each other as the camera moves), and
the ground plane by position. Every edge is filtered by the pixel's footprint.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from omnireel.errors import InvalidInput
from omnireel.world import places_built, places_nature
from omnireel.world.camera import CameraPath
from omnireel.world.palette import F32
from omnireel.world.rays import Canvas, Rays, cast_rays
from omnireel.world.scene import PLACES, Scene


@dataclass(frozen=True, eq=False)
class Backdrop:
    """``color_CTHW`` linear RGB, ``depth_THW`` metres (inf in the sky), ``ground_THW`` 0..1."""

    color_CTHW: F32
    depth_THW: F32
    ground_THW: F32


Painter = Callable[[Scene, Rays], Canvas]

_PAINTERS: dict[str, Painter] = {
    "meadow": places_nature.meadow,
    "desert": places_nature.desert,
    "beach": places_nature.beach,
    "snowfield": places_nature.snowfield,
    "night": places_nature.night,
    "city": places_built.city,
    "studio": places_built.studio,
    "room": places_built.room,
}


def backdrop(scene: Scene, camera: CameraPath) -> Backdrop:
    """Render the place behind a scene's bodies for each frame of ``camera``."""
    if scene.place not in _PAINTERS:
        raise InvalidInput(
            f"Unknown place {scene.place!r}; use one of {', '.join(PLACES)}.", field="scene.place"
        )
    rays = cast_rays(camera)
    canvas = _PAINTERS[scene.place](scene, rays)
    return Backdrop(canvas.color, canvas.depth, canvas.floor)


def backdrop_of_clip(scene: Scene, camera: CameraPath) -> Backdrop:
    """As `backdrop`; one picture serves every frame while the camera rests."""
    if not camera.is_static or camera.num_frames == 1:
        return backdrop(scene, camera)
    still = backdrop(scene, camera.frames(0, 1))
    n = camera.num_frames
    return Backdrop(
        np.repeat(still.color_CTHW, n, 1),
        np.repeat(still.depth_THW, n, 0),
        np.repeat(still.ground_THW, n, 0),
    )
