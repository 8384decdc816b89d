"""Where a body is, at any time: rigid poses with real kinematics.

A motion is laid out around the middle of the clip, where the body stands on its ``position``.
Distances suit the default camera, whose frame is about 3.3 m wide at the origin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from omnireel.errors import InvalidInput
from omnireel.world.palette import F32
from omnireel.world.scene import CHARACTERS, MOTIONS, Body

GRAVITY = 9.81
CROSS_SPEED = 0.92
"""Metres per second sideways: 1.95 m in a default clip, 59 % of the default frame."""
DEPTH_SPEED = 1.55
"""Metres per second towards or away from the default camera."""
BOUNCE_PERIOD_S = 0.72
"""Time between two landings; with real gravity the apex is then 0.64 m. A motion's ``speed`` plays
the same bounce faster or slower."""
CIRCLE_RADIUS = 0.85
LEAN_RAD = {"ball": 0.6, "cone": 0.22, "cylinder": 0.22}
"""How far these lean while they spin, like a top: turning upright they would look still."""
STRIDE_M = 0.55
"""Ground that a character covers in one full step cycle."""


@dataclass(frozen=True, eq=False)
class Pose:
    """Per frame: ``world = matrix_T33 @ local + origin_T3`` (local bodies are 1 unit high).

    ``stride_T`` is the walk cycle in radians, ``gait_T`` how much of it shows (0 standing, 1
    walking).
    """

    matrix_T33: F32
    origin_T3: F32
    stride_T: F32
    gait_T: F32

    def centre(self) -> F32:
        """World position of the body's middle (half its height)."""
        return self.apply((0.0, 0.5, 0.0))

    def apply(self, local: tuple[float, float, float]) -> F32:
        """World position, per frame, of one point in body coordinates."""
        point = np.asarray(local, np.float32)
        out: F32 = (self.matrix_T33 * point).sum(axis=-1) + self.origin_T3
        return out

    def child(self, matrix_T33: F32, origin_T3: F32) -> Pose:
        """Pose of a part that sits at ``origin`` and turns by ``matrix`` in this pose's frame."""
        origin = (self.matrix_T33 * origin_T3[:, None, :]).sum(-1) + self.origin_T3
        matrix = np.einsum("tij,tjk->tik", self.matrix_T33, matrix_T33)
        return Pose(matrix, origin, self.stride_T, self.gait_T)


def rotation(axis: int, angle_T: F32) -> F32:
    """Right-handed rotation matrices (T, 3, 3) about x (0), y (1) or z (2)."""
    c, s = np.cos(angle_T), np.sin(angle_T)
    out = np.zeros((len(angle_T), 3, 3), np.float32)
    a, b = (axis + 1) % 3, (axis + 2) % 3
    out[:, axis, axis] = 1.0
    out[:, a, a] = out[:, b, b] = c
    out[:, a, b], out[:, b, a] = -s, s
    return out


@dataclass(frozen=True, eq=False)
class _Track:
    """Offsets from the body's position, and turning, before they become matrices."""

    dx: F32
    dy: F32
    dz: F32
    yaw: F32
    squash: F32
    travelled: F32
    """Signed path length in metres since mid-clip."""
    moving: bool


def pose(body: Body, times_T: F32, duration_s: float) -> Pose:
    """The pose of ``body`` at each time (seconds); raises InvalidInput for an unknown motion."""
    track = _track(body, times_T.astype(np.float32), duration_s)
    is_character = body.kind in CHARACTERS
    stretch = 1.0 / np.sqrt(track.squash)
    scale = body.size * np.stack([stretch, track.squash, stretch], -1)
    bob = np.zeros_like(track.dx)
    stride = track.travelled * np.float32(2 * math.pi / STRIDE_M / max(body.size, 1e-3) ** 0.5)
    if is_character:
        breathe = 1.0 + 0.012 * np.sin(times_T * 4.0)
        scale[:, 1] *= 1.0 if track.moving else breathe
        bob = (0.035 * body.size * np.abs(np.sin(stride))) if track.moving else bob
    turn = rotation(1, track.yaw)
    if not is_character:
        turn = _roll(body, track) @ turn
    path = np.stack([track.dx, track.dy + bob, track.dz], -1)
    if body.motion.bearing:
        steer = rotation(1, np.full_like(track.dx, body.motion.bearing))
        turn = steer @ turn
        path = (steer @ path[..., None])[..., 0]
    matrix = (turn * scale[:, None, :]).astype(np.float32)
    ground = path + np.asarray(body.position, np.float32)
    origin = ground.astype(np.float32)
    if body.kind in ("ball", "ring"):  # these turn about their middle, not about their foot
        middle = np.asarray([0.0, 0.5, 0.0], np.float32)
        lift = np.stack([bob * 0, 0.5 * scale[:, 1], bob * 0], -1)
        origin = origin + lift - (matrix * middle).sum(-1)
    gait = np.full_like(track.dx, 1.0 if track.moving else 0.0)
    return Pose(matrix, origin.astype(np.float32), stride.astype(np.float32), gait)


def _track(body: Body, times_T: F32, duration_s: float) -> _Track:
    """Dispatch on the motion's kind."""
    motion = body.motion
    if motion.kind not in MOTIONS:
        raise InvalidInput(
            f"Unknown motion {motion.kind!r}; use one of {', '.join(MOTIONS)}.",
            field="body.motion.kind",
        )
    zero = np.zeros_like(times_T)
    one = zero + 1
    rest_yaw = zero + body.heading
    s = (times_T - duration_s / 2) * motion.speed
    is_character = body.kind in CHARACTERS
    if motion.kind in ("move_right", "move_left"):
        sign = 1.0 if motion.kind == "move_right" else -1.0
        path = s * CROSS_SPEED
        yaw = zero + sign * 1.0 if is_character else rest_yaw
        return _Track(sign * path, zero, zero, yaw, one, path, True)
    if motion.kind in ("approach", "recede"):
        sign = 1.0 if motion.kind == "approach" else -1.0
        path = s * DEPTH_SPEED
        away = zero + (0.0 if sign > 0 else 2.55)
        yaw = away if is_character else rest_yaw
        return _Track(zero, zero, sign * path, yaw, one, path, True)
    if motion.kind == "jump":
        cycle = np.mod((times_T * motion.speed) / BOUNCE_PERIOD_S + motion.phase, 1.0)
        flight = cycle * BOUNCE_PERIOD_S
        height = 0.5 * GRAVITY * flight * (BOUNCE_PERIOD_S - flight)
        near = np.exp(-((np.minimum(cycle, 1 - cycle) / 0.07) ** 2))
        return _Track(zero, height, zero, rest_yaw, one - 0.16 * near, zero, False)
    if motion.kind == "spin":
        turn = (times_T * motion.speed / 2 + motion.phase) * (2 * math.pi)
        return _Track(zero, zero, zero, rest_yaw + turn, one, zero, False)
    if motion.kind == "circle":
        turn = (times_T * motion.speed / 2 + motion.phase) * (2 * math.pi)
        yaw = turn + math.pi / 2 if is_character else rest_yaw
        r = CIRCLE_RADIUS
        return _Track(r * np.sin(turn), zero, r * np.cos(turn), yaw, one, turn * r, True)
    return _Track(zero, zero, zero, rest_yaw, one, zero, False)


def _roll(body: Body, track: _Track) -> F32:
    """Extra rotation in world axes: balls and rings roll, tops lean, the rest rocks a little."""
    kind, motion = body.kind, body.motion.kind
    zero = np.zeros_like(track.dx)
    if kind == "ball" and track.moving:
        radius = 0.5 * body.size
        if motion == "circle":  # rolls sideways-on; the axis is kept simple and steady
            return rotation(2, -track.travelled / radius)
        along_x = motion in ("move_right", "move_left")
        return rotation(2, -track.dx / radius) if along_x else rotation(0, track.dz / radius)
    if kind == "ring" and motion in ("move_right", "move_left"):
        return rotation(2, -track.dx / (0.5 * body.size))
    if motion == "spin" and kind in LEAN_RAD:
        return rotation(1, track.yaw) @ rotation(2, zero + LEAN_RAD[kind]) @ rotation(1, -track.yaw)
    if track.moving and kind != "ball":
        return rotation(2, 0.10 * np.sin(track.travelled * 7.0))
    return rotation(1, zero)
