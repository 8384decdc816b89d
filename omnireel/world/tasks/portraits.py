"""Reference pictures of a body: standing still, large, in a studio or another plain place."""

from __future__ import annotations

from dataclasses import replace

from omnireel.world.sampler import LOW_CONTRAST
from omnireel.world.scene import PLACES, Body, Camera, Motion, Scene
from omnireel.world.staging import VIEW_HEIGHT_M
from omnireel.world.tasks.plan import Draw, Picture

IN_STUDIO = 0.6
"""Chance that a reference picture was taken in the studio."""
ELEMENT_AZIMUTHS = (0.0, 0.9, -0.9)
"""From where an element's pictures show it, in radians: front, right and left."""


def portrait(draw: Draw, body: Body, *, place: str = "", azimuth: float = 0.0) -> Picture:
    """A picture of ``body`` alone; ``place`` "" draws one."""
    if not place:
        others = tuple(p for p in PLACES if (p, body.material.color) not in LOW_CONTRAST)
        place = "studio" if draw.chance(IN_STUDIO) and "studio" in others else draw.one_of(others)
    posed = replace(
        body,
        size=float(draw.rng.uniform(0.44, 0.52)) * VIEW_HEIGHT_M,
        position=(0.0, 0.0, 0.0),
        heading=float(draw.rng.uniform(-0.25, 0.25)),
        motion=Motion("still"),
    )
    scene = Scene(
        bodies=(posed,),
        place=place,
        camera=Camera(azimuth=azimuth, elevation=0.2, target=(0.0, 0.68, 0.0)),
        seed=int(draw.rng.integers(2**31)),
        duration_s=draw.duration_s,
    )
    return Picture(scene, draw.duration_s / 2)


def turnaround(draw: Draw, body: Body) -> tuple[Picture, ...]:
    """The pictures of an element: ``body`` in the studio from several sides, at equal size."""
    first = portrait(draw, body, place="studio")
    return tuple(
        Picture(replace(first.scene, camera=replace(first.scene.camera, azimuth=a)), first.time_s)
        for a in ELEMENT_AZIMUTHS
    )
