"""Where bodies and camera go so that everything stays in view and can be told apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from omnireel.errors import InvalidInput
from omnireel.world.distribution import SceneDistribution, pick
from omnireel.world.scene import CAMERA_MOVES, Body, Camera, Scene, Vec3

VIEW_HEIGHT_M = 3.3
"""Height of the visible plane through the subject for the default camera, in metres."""

SMALL, NORMAL, LARGE = (0.27, 0.32), (0.37, 0.45), (0.51, 0.55)
"""Ranges of a lone subject's height as a share of the frame's height, by size word."""

LARGE_FITS = ("still", "spin")
"""Motions that keep even a large subject in view; the others need the room."""

TRAVEL = ("move_right", "move_left", "approach", "recede")
"""Motions whose path grows with time."""

NATURAL_DURATION_S = 2.125
"""Clip length that the travelling motions' natural speeds are made for, in seconds."""

LATERAL = ("move_right", "move_left", "circle")
"""Motions that need the width of the frame."""

BEHIND_M = {"approach": 0.65, "recede": 0.65, "jump": 0.3, "circle": 0.4}
"""How far behind the origin a lone body needs its middle to stay in view, in metres."""

WIDTH_FACTOR = {"cube": 0.85}
"""Factor on the height of kinds that look larger than they are high; 1 for all others."""

JUMPING = (0.33, 0.39)
"""Range of a jumping body's height, which leaves room for the leap."""

IN_PLACE = ("still", "jump", "spin")
"""Motions that need no room beside the body; the second of two bodies has only these."""

CONFUSED_BY = {
    "move_right": ("pan_left", "pan_right", "orbit", "zoom_in"),
    "move_left": ("pan_left", "pan_right", "orbit", "zoom_in"),
    "approach": ("zoom_in", "zoom_out"),
    "recede": ("zoom_in", "zoom_out"),
}
"""Camera moves that hide a motion or take it out of view; they are never combined."""

PAN_AMOUNT = 0.75
"""Less than a whole pan, so that the subject stays in the frame."""


def arrange(
    rng: np.random.Generator,
    bodies: tuple[Body, ...],
    *,
    distribution: SceneDistribution | None = None,
) -> tuple[Body, ...]:
    """Gives one or two bodies size, position and heading so that they stay in view.

    One body stands near the middle. Two stand left and right of each other, or, when the first
    needs the width of the frame, one in front of the other.

    Raises:
        InvalidInput: if the second body's motion is not one of ``IN_PLACE``.

    """
    distribution = distribution or SceneDistribution()
    if len(bodies) == 1:
        body = bodies[0]
        share = _sample_size(rng, body.motion.kind, distribution)
        return (_place(rng, body, share, (0.0, 0.0, -BEHIND_M.get(body.motion.kind, 0.0))),)
    first, second = bodies
    if second.motion.kind not in IN_PLACE:
        raise InvalidInput(
            f"the second body cannot {second.motion.kind}; use one of {', '.join(IN_PLACE)}",
            field="bodies[1].motion.kind",
        )
    side = 1.0 if rng.random() < 0.5 else -1.0
    if first.motion.kind in LATERAL:
        near = 0.0 if first.motion.kind == "circle" else 0.45
        front = _place(rng, first, rng.uniform(0.30, 0.34), (-0.35 * side, 0.0, near))
        back = _place(rng, second, rng.uniform(0.38, 0.42), (0.45 * side, 0.0, near - 1.6))
        return (front, back)
    depth = -1.0 if first.motion.kind in ("approach", "recede") else -0.3
    one = _place(rng, first, rng.uniform(0.32, 0.38), (-0.74 * side, 0.0, depth))
    other = _place(rng, second, rng.uniform(0.32, 0.38), (0.74 * side, 0.0, -0.3))
    return (one, other)


def sample_camera(
    rng: np.random.Generator, bodies: tuple[Body, ...], *, distribution: SceneDistribution
) -> Camera:
    """A camera in front of the origin, mostly static, whose move suits the bodies' motions."""
    moves = [move for move in CAMERA_MOVES[1:] if camera_suits(move, bodies)]
    move = pick(rng, moves) if rng.random() < distribution.moving_camera else "static"
    return Camera(
        move=move,
        amount=PAN_AMOUNT if move in ("pan_left", "pan_right") else 1.0,
        azimuth=float(rng.uniform(-0.15, 0.15)),
        elevation=float(rng.uniform(0.14, 0.22)),
        distance=float(rng.uniform(4.0, 4.4)),
    )


def camera_suits(move: str, bodies: tuple[Body, ...]) -> bool:
    """Whether the bodies' motions can still be told while the camera makes ``move``."""
    return all(move not in CONFUSED_BY.get(body.motion.kind, ()) for body in bodies)


def width_factor(kind: str) -> float:
    """Factor on the height of bodies of ``kind`` at equal visual size."""
    return WIDTH_FACTOR.get(kind, 1.0)


def size_word(body: Body, scene: Scene) -> str:
    """Size word of a lone subject ("small", "large" or ""); two bodies carry no size word."""
    if len(scene.bodies) != 1:
        return ""
    share = body.size / VIEW_HEIGHT_M / width_factor(body.kind)
    if share <= SMALL[1]:
        return "small"
    return "large" if share >= LARGE[0] else ""


def pace_word(body: Body, scene: Scene) -> str:
    """Pace of a body's motion ("slow", "fast" or ""), whatever the length of the clip."""
    speed = body.motion.speed
    if body.motion.kind in TRAVEL:
        speed /= travel_pace(scene.duration_s)
    return "slow" if speed < 0.9 else "fast" if speed > 1.1 else ""


def fit_pace(body: Body, duration_s: float) -> Body:
    """``body`` with its natural travelling speed fitted to a clip of ``duration_s`` seconds."""
    if body.motion.kind not in TRAVEL:
        return body
    speed = body.motion.speed * travel_pace(duration_s)
    return replace(body, motion=replace(body.motion, speed=speed))


def travel_pace(duration_s: float) -> float:
    """Factor on the speed of travelling motions that keeps long clips in view."""
    return min(1.0, NATURAL_DURATION_S / duration_s)


def _sample_size(rng: np.random.Generator, motion: str, dist: SceneDistribution) -> float:
    u = rng.random()
    large = motion in LARGE_FITS and u > 1.0 - dist.large
    normal = JUMPING if motion == "jump" else NORMAL
    low, high = SMALL if u < dist.small else LARGE if large else normal
    return float(rng.uniform(low, high))


def _place(rng: np.random.Generator, body: Body, share: float, at: Vec3) -> Body:
    """``body`` at ``at`` with a little jitter, ``share`` of the frame's height tall."""
    x, y, z = at
    jitter = float(rng.uniform(-0.08, 0.08))
    return replace(
        body,
        size=float(share) * VIEW_HEIGHT_M * width_factor(body.kind),
        position=(x + jitter, y, z),
        heading=float(rng.uniform(-0.3, 0.3)),
    )
