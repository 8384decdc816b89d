"""Random scenes that a small model can learn from: large subjects, few at a time, always in view.

The order of choices is: place and mood, then the bodies (what they are, how they move), then
where they stand so that the motion stays in view, then the camera.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from omnireel.errors import InvalidInput
from omnireel.world.holdout import Split, split_of
from omnireel.world.scene import (
    CAMERA_MOVES,
    CHARACTERS,
    COLORS,
    EFFECTS,
    MOTIONS,
    PLACES,
    PROPS,
    SHAPES,
    STYLES,
    TEXTURES,
    WEATHERS,
    Body,
    Camera,
    Material,
    Motion,
    Scene,
    Vec3,
)

VIEW_HEIGHT_M = 3.3
"""Height of the visible plane through the subject for the default camera, in metres."""

SMALL, NORMAL, LARGE = (0.27, 0.32), (0.37, 0.45), (0.51, 0.55)
"""Ranges of a lone subject's height as a share of the frame's height, by size word."""

LARGE_FITS = ("still", "spin")
"""Motions that keep even a large subject in view; the others need the room."""

FAST_FITS = ("jump", "spin", "circle")
"""Motions whose path does not grow with speed."""

SLOW, FAST = 0.65, 1.4
"""Speeds that captions call slowly and quickly."""

TRAVEL = ("move_right", "move_left", "approach", "recede")
"""Motions whose path grows with time."""

NATURAL_DURATION_S = 2.125
"""Clip length that the travelling motions' natural speeds are made for, in seconds."""

LATERAL = ("move_right", "move_left", "circle")
"""Motions that need the width of the frame."""

DEPTH_OFFSET = -0.5
"""How far behind the origin a body that moves in depth has its middle, in metres."""

LOW_CONTRAST = {
    ("snowfield", "white"),
    ("night", "black"),
    ("desert", "orange"),
    ("studio", "white"),
}
"""(place, colour of the main subject) pairs that hide the subject; never sampled."""


@dataclass(frozen=True)
class SceneDistribution:
    """Probabilities of :func:`sample_scene`; every remaining choice is uniform."""

    two_bodies: float = 0.30
    character: float = 0.35
    prop: float = 0.40
    """Chance that a character wears one prop."""
    small: float = 0.10
    large: float = 0.30
    """Chance of a large subject when its motion leaves the room for it."""
    textured: float = 0.30
    other_weather: float = 0.25
    other_style: float = 0.15
    moving_camera: float = 0.30
    effect: float = 0.05
    slow: float = 0.10
    fast: float = 0.10
    second_still: float = 0.50
    """Chance that the second body stands still; else its motion is uniform."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0.0 <= value <= 1.0:
                raise InvalidInput(f"{name} must be a probability in 0..1, not {value}", field=name)


def sample_scene(
    rng: np.random.Generator,
    *,
    split: Split = "train",
    max_bodies: int = 2,
    duration_s: float = NATURAL_DURATION_S,
    distribution: SceneDistribution | None = None,
) -> Scene:
    """Draws a scene of ``split`` with one to ``max_bodies`` (1 or 2) bodies.

    Raises:
        InvalidInput: if ``max_bodies`` is neither 1 nor 2.

    """
    if max_bodies not in (1, 2):
        raise InvalidInput(f"max_bodies must be 1 or 2, not {max_bodies}", field="max_bodies")
    distribution = distribution or SceneDistribution()
    while True:  # one combination in ten is held out, so this ends after about ten draws
        scene = _draw_scene(rng, max_bodies, duration_s, distribution)
        if split_of(scene) == split:
            return scene


def pick(rng: np.random.Generator, options: tuple[str, ...] | list[str]) -> str:
    """One of ``options``, uniformly."""
    return options[int(rng.integers(len(options)))]


def _draw_scene(
    rng: np.random.Generator, max_bodies: int, duration_s: float, dist: SceneDistribution
) -> Scene:
    place = pick(rng, PLACES)
    weather = pick(rng, WEATHERS[1:]) if rng.random() < dist.other_weather else "clear"
    style = pick(rng, STYLES[1:]) if rng.random() < dist.other_style else "natural"
    effect = pick(rng, EFFECTS[1:]) if rng.random() < dist.effect else "none"
    bodies = [sample_body(rng, "a", place=place, distribution=dist)]
    if max_bodies == 2 and rng.random() < dist.two_bodies:
        bodies.append(sample_companion(rng, bodies[0], "b", place=place, distribution=dist))
    return Scene(
        bodies=tuple(
            fit_pace(body, duration_s) for body in arrange(rng, tuple(bodies), distribution=dist)
        ),
        place=place,
        weather="clear" if place == "studio" or place == "room" else weather,
        style=style,
        effect=effect,
        effect_on="a" if effect != "none" else "",
        camera=sample_camera(rng, distribution=dist),
        seed=int(rng.integers(2**31)),
        duration_s=duration_s,
    )


def sample_body(
    rng: np.random.Generator, body_id: str, *, place: str, distribution: SceneDistribution
) -> Body:
    """A body of any kind, colour and motion, standing at the origin at normal size."""
    kind = pick(rng, CHARACTERS if rng.random() < distribution.character else SHAPES)
    color = pick(rng, [c for c in COLORS if (place, c) not in LOW_CONTRAST])
    return Body(
        id=body_id,
        kind=kind,
        material=sample_material(rng, color, distribution=distribution),
        size=NORMAL[0] * VIEW_HEIGHT_M,
        motion=sample_motion(rng, pick(rng, MOTIONS), distribution=distribution),
        skin=pick(rng, [c for c in ("white", "yellow", "pink", "orange") if c != color]),
        wears=_sample_props(rng, kind, color, distribution),
    )


def sample_motion(
    rng: np.random.Generator, kind: str, *, distribution: SceneDistribution
) -> Motion:
    """A motion of ``kind``, mostly at its natural pace."""
    pace = rng.random()
    if kind != "still" and pace < distribution.slow:
        return Motion(kind, speed=SLOW)
    if kind in FAST_FITS and pace > 1.0 - distribution.fast:
        return Motion(kind, speed=FAST)
    return Motion(kind)


def sample_companion(
    rng: np.random.Generator,
    main: Body,
    body_id: str,
    *,
    place: str,
    distribution: SceneDistribution,
) -> Body:
    """A second body that differs from ``main`` in kind and colour."""
    while True:
        body = sample_body(rng, body_id, place=place, distribution=distribution)
        if body.kind != main.kind and body.material.color != main.material.color:
            break
    if rng.random() < distribution.second_still:
        body = replace(body, motion=Motion("still"))
    return body


def sample_material(
    rng: np.random.Generator, color: str, *, distribution: SceneDistribution
) -> Material:
    """A surface of the given colour, mostly plain, with a contrasting accent."""
    texture = pick(rng, TEXTURES[1:]) if rng.random() < distribution.textured else "plain"
    accents = [c for c in ("white", "yellow", "black") if c != color]
    return Material(color=color, texture=texture, accent=pick(rng, accents))


def arrange(
    rng: np.random.Generator,
    bodies: tuple[Body, ...],
    *,
    distribution: SceneDistribution | None = None,
) -> tuple[Body, ...]:
    """Gives one or two bodies size, position and heading so that they stay in view.

    One body stands near the middle. Two stand left and right of each other, or one in front of
    the other when either of them needs the width of the frame.
    """
    distribution = distribution or SceneDistribution()
    if len(bodies) == 1:
        body = bodies[0]
        depth = DEPTH_OFFSET if body.motion.kind in ("approach", "recede") else 0.0
        share = _sample_size(rng, body.motion.kind, distribution)
        return (_place(rng, body, share, (0.0, 0.0, depth)),)
    first, second = bodies
    side = 1.0 if rng.random() < 0.5 else -1.0
    if first.motion.kind in LATERAL or second.motion.kind in LATERAL:
        front = _place(rng, first, rng.uniform(0.30, 0.34), (-0.35 * side, 0.0, 0.45))
        back = _place(rng, second, rng.uniform(0.38, 0.42), (0.45 * side, 0.0, -1.15))
        return (front, back)
    left = _place(rng, first, rng.uniform(0.32, 0.38), (-0.78 * side, 0.0, -0.3))
    right = _place(rng, second, rng.uniform(0.32, 0.38), (0.78 * side, 0.0, -0.3))
    return (left, right)


def sample_camera(rng: np.random.Generator, *, distribution: SceneDistribution) -> Camera:
    """A camera in front of the origin, mostly static."""
    moving = rng.random() < distribution.moving_camera
    return Camera(
        move=pick(rng, CAMERA_MOVES[1:]) if moving else "static",
        azimuth=float(rng.uniform(-0.15, 0.15)),
        elevation=float(rng.uniform(0.22, 0.32)),
        distance=float(rng.uniform(4.0, 4.4)),
        target=(0.0, 0.62, 0.0),
    )


def size_word(body: Body, scene: Scene) -> str:
    """Size word of a lone subject ("small", "large" or ""); two bodies carry no size word."""
    if len(scene.bodies) != 1:
        return ""
    share = body.size / VIEW_HEIGHT_M
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
    low, high = SMALL if u < dist.small else LARGE if large else NORMAL
    return float(rng.uniform(low, high))


def _place(rng: np.random.Generator, body: Body, share: float, at: Vec3) -> Body:
    """``body`` at ``at`` with a little jitter, ``share`` of the frame's height tall."""
    x, y, z = at
    jitter = float(rng.uniform(-0.08, 0.08))
    return replace(
        body,
        size=float(share) * VIEW_HEIGHT_M,
        position=(x + jitter, y, z),
        heading=float(rng.uniform(-0.3, 0.3)),
    )


def _sample_props(
    rng: np.random.Generator, kind: str, color: str, dist: SceneDistribution
) -> tuple[tuple[str, str], ...]:
    if kind not in CHARACTERS or rng.random() >= dist.prop:
        return ()
    return ((pick(rng, PROPS), pick(rng, [c for c in COLORS if c != color])),)
