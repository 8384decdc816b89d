"""What a body is made of: posed solids, and the ellipsoids that cast its shadow."""

from __future__ import annotations

import numpy as np

from omnireel.errors import InvalidInput
from omnireel.world.characters import character_parts
from omnireel.world.figure_types import Part
from omnireel.world.kinematics import Pose, rotation
from omnireel.world.scene import CHARACTERS, SHAPES, Body, Vec3
from omnireel.world.shadow import Occluder
from omnireel.world.shapes import CUBE_YAW, primitive


def parts(body: Body, pose: Pose) -> list[Part]:
    """The solids of ``body``; raises InvalidInput for an unknown kind."""
    if body.kind == "cube":
        turn = rotation(1, np.full(len(pose.origin_T3), CUBE_YAW, np.float32))
        return [Part(primitive(body), pose.child(turn, np.zeros_like(pose.origin_T3)))]
    if body.kind in SHAPES:
        return [Part(primitive(body), pose)]
    if body.kind in CHARACTERS:
        return character_parts(body, pose)
    known = ", ".join(SHAPES + CHARACTERS)
    raise InvalidInput(f"Unknown body kind {body.kind!r}; use one of {known}.", field="body.kind")


_SHADOW: dict[str, tuple[Vec3, Vec3]] = {
    "ball": ((0, 0.5, 0), (0.5, 0.5, 0.5)),
    "cube": ((0, 0.48, 0), (0.62, 0.55, 0.62)),
    "cone": ((0, 0.38, 0), (0.41, 0.50, 0.41)),
    "cylinder": ((0, 0.48, 0), (0.36, 0.56, 0.36)),
    "ring": ((0, 0.5, 0), (0.5, 0.5, 0.28)),
    "star": ((0, 0.45, 0), (0.44, 0.50, 0.28)),
}
"""Centre and radii of the ellipsoid that stands for each shape when it throws a shadow."""


def occluders(body: Body, pose: Pose) -> list[Occluder]:
    """Upright ellipsoids that throw the shadow of ``body``."""
    if body.kind in CHARACTERS:
        return [
            occluder(pose, (0, 0.06, 0.02), (0.21, 0.09, 0.16)),
            occluder(pose, (0, 0.30, 0), (0.23, 0.30, 0.19)),
            occluder(pose, (0, 0.70, 0), (0.27, 0.25, 0.25)),
        ]
    centre, radii = _SHADOW[body.kind]
    return [occluder(pose, centre, radii)]


def occluder(pose: Pose, centre: Vec3, radii: Vec3) -> Occluder:
    """An ellipsoid given in body coordinates; its width along world x follows the body's turn."""
    m = pose.matrix_T33
    squared = (m * m * np.square(np.asarray(radii, np.float32))).sum(-1)
    return Occluder(pose.apply(centre), np.sqrt(squared).astype(np.float32))
