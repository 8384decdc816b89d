"""Random scenes that a small model can learn from: large subjects, few at a time, always in view.

The order of choices is: place and mood, then the bodies (what they are, how they move), then
where they stand so that the motion stays in view, then the camera.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from omnireel.errors import InvalidInput
from omnireel.world.distribution import SceneDistribution, pick
from omnireel.world.holdout import Split, split_of
from omnireel.world.scene import (
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
    Material,
    Motion,
    Scene,
)
from omnireel.world.staging import (
    IN_PLACE,
    NATURAL_DURATION_S,
    NORMAL,
    VIEW_HEIGHT_M,
    arrange,
    fit_pace,
    sample_camera,
)

FAST_FITS = ("jump", "spin", "circle")
"""Motions whose path does not grow with speed."""

SLOW, FAST = 0.65, 1.4
"""Speeds that captions call slowly and quickly."""

LOW_CONTRAST = {
    ("snowfield", "white"),
    ("night", "black"),
    ("desert", "orange"),
    ("studio", "white"),
}
"""(place, colour of the main subject) pairs that hide the subject; never sampled."""

ACCENTS: dict[str, tuple[str, ...]] = {
    "white": ("black",),
    "yellow": ("black",),
    "pink": ("black",),
    "orange": ("black", "white"),
    "black": ("white", "yellow"),
}
"""Accents that stand out on a colour when stripes are two pixels wide; else DEFAULT_ACCENTS."""
DEFAULT_ACCENTS = ("white", "black")

ODD_WEATHER = {(p, w) for p in ("studio", "room") for w in WEATHERS[1:]} | {("night", "sunset")}
"""(place, weather) pairs that make no sense; never sampled."""


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
        weather="clear" if (place, weather) in ODD_WEATHER else weather,
        style=style,
        effect=effect,
        effect_on="a" if effect != "none" else "",
        camera=sample_camera(rng, tuple(bodies), distribution=dist),
        seed=int(rng.integers(2**31)),
        duration_s=duration_s,
    )


def sample_body(
    rng: np.random.Generator, body_id: str, *, place: str, distribution: SceneDistribution
) -> Body:
    """A body of any kind, colour and motion, standing at the origin at normal size."""
    kind = pick(rng, CHARACTERS if rng.random() < distribution.character else SHAPES)
    color = pick(rng, [c for c in COLORS if (place, c) not in LOW_CONTRAST])
    body = Body(
        id=body_id,
        kind=kind,
        material=sample_material(rng, color, distribution=distribution),
        size=NORMAL[0] * VIEW_HEIGHT_M,
        motion=sample_motion(rng, pick(rng, MOTIONS), distribution=distribution),
        skin=pick(rng, [c for c in ("white", "yellow", "pink", "orange") if c != color]),
        wears=_sample_props(rng, kind, color, distribution),
    )
    return with_visible_spin(body)


def with_visible_spin(body: Body) -> Body:
    """``body``, but never a plain ball that spins: nobody could see it."""
    plain = body.kind == "ball" and body.material.texture == "plain"
    if not plain or body.motion.kind != "spin":
        return body
    return replace(body, material=replace(body.material, texture="striped"))


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
    """A second body that differs from ``main`` in kind and colour and stays where it is."""
    while True:
        body = sample_body(rng, body_id, place=place, distribution=distribution)
        if body.kind != main.kind and body.material.color != main.material.color:
            break
    if rng.random() < distribution.second_still:
        return replace(body, motion=Motion("still"))
    motion = sample_motion(rng, pick(rng, IN_PLACE[1:]), distribution=distribution)
    return with_visible_spin(replace(body, motion=motion))


def sample_material(
    rng: np.random.Generator, color: str, *, distribution: SceneDistribution
) -> Material:
    """A surface of the given colour, mostly plain, with a contrasting accent."""
    texture = pick(rng, TEXTURES[1:]) if rng.random() < distribution.textured else "plain"
    accent = pick(rng, ACCENTS.get(color, DEFAULT_ACCENTS))
    return Material(color=color, texture=texture, accent=accent)


def _sample_props(
    rng: np.random.Generator, kind: str, color: str, dist: SceneDistribution
) -> tuple[tuple[str, str], ...]:
    if kind not in CHARACTERS or rng.random() >= dist.prop:
        return ()
    return ((pick(rng, PROPS), pick(rng, [c for c in COLORS if c != color])),)
