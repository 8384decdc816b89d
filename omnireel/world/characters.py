"""Characters put together from parts: big-headed figures, one unit high, facing +z.

A character is a head, a trunk, two arms and two legs, each traced on its own within its own small
rectangle, and the props it wears. Limbs swing about their joints with the walk cycle.
"""

from __future__ import annotations

import numpy as np

from omnireel.errors import InvalidInput
from omnireel.world.faces import head_paint, limb_paint, torso_paint
from omnireel.world.figure_types import Part
from omnireel.world.kinematics import Pose, rotation
from omnireel.world.palette import F32
from omnireel.world.props import prop
from omnireel.world.scene import PROPS, Body, Vec3
from omnireel.world.shapes import capsule, ellipsoid, frustum, rounded_box, sphere, taper, union
from omnireel.world.trace import Distance, Solid

NECK_Y = 0.47
SWING_RAD = 0.65


def character_parts(body: Body, pose: Pose) -> list[Part]:
    """The parts of a body whose kind is in CHARACTERS."""
    head_pose = _head_pose(pose)
    matte = min(body.material.shine, 0.35) * 0.5
    shine = body.material.shine if body.kind == "robot" else matte
    low, high, distance = _head(body.kind)
    out = [Part(Solid(low, high, distance, head_paint(body), shine), head_pose)]
    low, high, distance = _torso(body.kind)
    out.append(Part(Solid(low, high, distance, torso_paint(body), shine), pose))
    for side in (-1.0, 1.0):
        out.append(_leg(body, pose, side, shine))
        out.append(_arm(body, pose, side, shine))
    for name, color in body.wears:
        if name not in PROPS:
            raise InvalidInput(
                f"Unknown prop {name!r}; use one of {', '.join(PROPS)}.", field="body.wears"
            )
        on_head = name in ("hat", "crown")
        out.append(Part(prop(name, color, body.kind), head_pose if on_head else pose))
    return out


def _head_pose(pose: Pose) -> Pose:
    """The head nods a little with each step and sways gently at rest."""
    nod = 0.05 * np.sin(2 * pose.stride_T) * pose.gait_T
    sway = 0.05 * np.sin(pose.stride_T) * pose.gait_T
    turn = rotation(0, nod.astype(np.float32)) @ rotation(2, sway.astype(np.float32))
    neck = np.asarray([0, NECK_Y, 0], np.float32)
    return pose.child(turn, (neck - (turn * neck).sum(-1)).astype(np.float32))


def _swing(pose: Pose, angle_T: F32, joint: Vec3) -> Pose:
    """A pose whose origin is ``joint`` and that is turned about x by ``angle_T``."""
    origin = np.repeat(np.asarray([joint], np.float32), len(angle_T), 0)
    return pose.child(rotation(0, angle_T.astype(np.float32)), origin)


def _leg(body: Body, pose: Pose, side: float, shine: float) -> Part:
    swing = SWING_RAD * np.sin(pose.stride_T) * pose.gait_T * side
    joint = (side * 0.105, 0.21, 0.0)
    if body.kind == "robot":
        distance = union(
            rounded_box((0, -0.07, 0), (0.055, 0.09, 0.055), 0.02),
            rounded_box((0, -0.165, 0.02), (0.085, 0.045, 0.105), 0.03),
        )
    else:
        distance = union(
            capsule((0, 0, 0), (0, -0.13, 0), 0.068),
            ellipsoid((0, -0.155, 0.03), (0.08, 0.055, 0.105)),
        )
    solid = Solid(
        (-0.09, -0.21, -0.10), (0.09, 0.07, 0.14), distance, limb_paint(body, leg=True), shine
    )
    return Part(solid, _swing(pose, swing, joint))


def _arm(body: Body, pose: Pose, side: float, shine: float) -> Part:
    swing = -0.8 * SWING_RAD * np.sin(pose.stride_T) * pose.gait_T * side - 0.1
    holds = side > 0 and any(name == "balloon" for name, _ in body.wears)
    if holds:
        swing = swing * 0 - 0.5
    joint = (side * 0.165, 0.435, 0.0)
    x = side * 0.095
    if body.kind == "robot":
        distance: Distance = union(
            capsule((side * 0.05, 0, 0), (x, -0.13, 0), 0.040), sphere((x, -0.17, 0), 0.062)
        )
    else:
        distance = taper((0, 0, 0), (x, -0.175, 0.02), 0.052, 0.062)
    solid = Solid(
        (-0.165, -0.24, -0.065),
        (0.165, 0.06, 0.085),
        distance,
        limb_paint(body, leg=False),
        shine,
    )
    return Part(solid, _swing(pose, swing, joint))


Shape3 = tuple[Vec3, Vec3, Distance]


def _head(kind: str) -> Shape3:
    """Bounds and distance of the head with its ears, hair or antenna."""
    if kind == "robot":
        return (
            (-0.30, 0.49, -0.21),
            (0.30, 1.06, 0.21),
            union(
                rounded_box((0, 0.70, 0), (0.255, 0.21, 0.205), 0.07),
                capsule((-0.27, 0.70, 0), (0.27, 0.70, 0), 0.028 + 0.03),
                capsule((0, 0.90, 0), (0, 0.99, 0), 0.016),
                sphere((0, 1.0, 0), 0.05),
            ),
        )
    skull = ellipsoid((0, 0.70, 0), (0.275, 0.245, 0.245))
    if kind == "cat":
        ears = _pair((0.15, 0.84, 0.0), (0.215, 1.0, 0.0), 0.095, 0.018)
        return (-0.28, 0.45, -0.25), (0.28, 1.02, 0.25), union(skull, ears)
    if kind == "bunny":
        ears = _pair((0.085, 0.88, -0.02), (0.145, 1.19, -0.03), 0.058, 0.062)
        return (-0.28, 0.45, -0.25), (0.28, 1.26, 0.25), union(skull, ears)
    if kind == "bear":
        ears = _pair((0.195, 0.905, 0.0), (0.20, 0.915, 0.0), 0.088, 0.088)
        snout = ellipsoid((0, 0.62, 0.20), (0.12, 0.09, 0.09))
        return (-0.29, 0.45, -0.25), (0.29, 1.01, 0.295), union(skull, ears, snout)
    if kind == "girl":
        tails = _pair((0.285, 0.72, -0.05), (0.335, 0.50, -0.05), 0.085, 0.055)
        return (-0.40, 0.44, -0.25), (0.40, 0.97, 0.25), union(skull, tails)
    tuft = taper((0.0, 0.92, 0.03), (0.09, 1.0, 0.05), 0.06, 0.02)
    return (-0.28, 0.45, -0.25), (0.28, 1.03, 0.25), union(skull, tuft)


def _pair(a: Vec3, b: Vec3, ra: float, rb: float) -> Distance:
    """Two mirrored tapers, for the price of one."""
    one = taper(a, b, ra, rb)
    return lambda x, y, z: one(np.abs(x), y, z)


def _torso(kind: str) -> Shape3:
    """Bounds and distance of the trunk with its tail or dress."""
    if kind == "robot":
        return (
            (-0.20, 0.17, -0.15),
            (0.20, 0.53, 0.15),
            union(
                rounded_box((0, 0.33, 0), (0.195, 0.155, 0.145), 0.05),
                capsule((0, 0.45, 0), (0, 0.51, 0), 0.06),
            ),
        )
    if kind == "girl":
        return (-0.25, 0.11, -0.25), (0.25, 0.52, 0.25), frustum(0.12, 0.52, 0.245, 0.10, 0.04)
    if kind == "boy":
        return (
            (-0.18, 0.15, -0.15),
            (0.18, 0.52, 0.15),
            rounded_box((0, 0.335, 0), (0.175, 0.18, 0.145), 0.12),
        )
    trunk = ellipsoid((0, 0.325, 0), (0.215 if kind == "bear" else 0.185, 0.20, 0.17))
    if kind == "bear":
        return (
            (-0.22, 0.12, -0.22),
            (0.22, 0.53, 0.18),
            union(trunk, sphere((0, 0.26, -0.17), 0.05)),
        )
    if kind == "bunny":
        return (
            (-0.19, 0.12, -0.28),
            (0.19, 0.53, 0.18),
            union(trunk, sphere((0, 0.25, -0.19), 0.085)),
        )
    tail = union(
        capsule((0.05, 0.22, -0.14), (0.27, 0.25, -0.20), 0.036),
        capsule((0.27, 0.25, -0.20), (0.33, 0.46, -0.20), 0.036),
    )
    return (-0.19, 0.12, -0.245), (0.375, 0.53, 0.18), union(trunk, tail)
