"""Portraits of who is in a scene, and of who is not; the same character in another scene."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from omnireel.data.crossmodal.altered import altered
from omnireel.world.holdout import Split
from omnireel.world.scene import CHARACTERS, COLORS, SHAPES, Body, Scene
from omnireel.world.tasks.plan import Draw
from omnireel.world.tasks.portraits import portrait


def key_of(body: Body) -> int:
    """Equal for bodies that nobody would tell apart by kind and colour; never 0."""
    kinds = (*SHAPES, *CHARACTERS)
    return 1 + kinds.index(body.kind) * len(COLORS) + COLORS.index(body.material.color)


def references(
    scene: Scene, rng: np.random.Generator, split: Split = "train"
) -> tuple[Scene, Scene, float]:
    """Portraits of one of the scene's bodies and of another that is not there, and their time."""
    draw = Draw(rng, split, scene.duration_s)
    index = int(rng.integers(len(scene.bodies)))
    wrong = other_identity(scene, rng, index)
    azimuth = float(rng.uniform(-0.9, 0.9))
    right = portrait(draw, scene.bodies[index], azimuth=azimuth)
    other = portrait(draw, wrong.bodies[index], azimuth=azimuth)
    return right.scene, other.scene, right.time_s


def other_identity(scene: Scene, rng: np.random.Generator, index: int) -> Scene:
    """``scene`` with somebody else in the place of a body: of another kind, colour or both."""
    fact = ("kind", "color", "both")[int(rng.integers(3))]
    wrong = scene
    for one in ("kind", "color") if fact == "both" else (fact,):
        wrong = altered(wrong, one, rng, index)
    return wrong


def recast(scene: Scene, body: Body) -> Scene:
    """``scene`` played by ``body``: its looks, the first body's place, size and motion."""
    first = scene.bodies[0]
    plays = replace(first, kind=body.kind, material=body.material, skin=body.skin, wears=body.wears)
    return replace(scene, bodies=(plays, *scene.bodies[1:]))
