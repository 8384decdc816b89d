"""A scene of the world with exactly one fact changed: what wrong captions are made of.

Only facts that the caption tells *and* the picture shows are changed, so that a wrong caption can
be told from a right one by looking.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from omnireel.world import phrases
from omnireel.world.captions.grammar import LEVELS, Wording, noun_phrase
from omnireel.world.distribution import pick
from omnireel.world.lexicon import CAMERA_NOUNS, NOUNS, STYLE_NOUNS, WEATHER_NOUNS
from omnireel.world.sampler import ODD_WEATHER, with_visible_spin
from omnireel.world.scene import (
    CAMERA_MOVES,
    CHARACTERS,
    COLORS,
    MOTIONS,
    PLACES,
    SHAPES,
    STYLES,
    WEATHERS,
    Body,
    Level,
    Scene,
)

BODY_FACTS = ("kind", "color", "motion")
FACTS = (*BODY_FACTS, "place", "style", "weather", "camera")
COLORLESS = frozenset({"sepia", "pencil", "neon"})
"""Styles that hide what colour something has."""
_CALM = frozenset({"room", "studio"})


def tellable(scene: Scene, level: Level) -> tuple[str, ...]:
    """The facts of ``scene`` that a caption of ``level`` tells and its picture shows."""
    rank = LEVELS.index(level)
    found = ["style"]
    if scene.bodies:
        found += ["kind", "motion"]
        if scene.style not in COLORLESS:
            found.append("color")
    if rank >= LEVELS.index("short"):
        found.append("place")
        if scene.place not in _CALM:
            found.append("weather")
    if rank >= LEVELS.index("full"):
        found.append("camera")
    return tuple(found)


def altered(scene: Scene, fact: str, rng: np.random.Generator, body: int = 0) -> Scene:
    """``scene`` with another ``fact``; ``body`` is the index of the one that body facts are of."""
    if fact == "place":
        fits = [p for p in PLACES if p != scene.place and (p, scene.weather) not in ODD_WEATHER]
        return replace(scene, place=pick(rng, fits))
    if fact == "style":
        return replace(scene, style=_other(rng, STYLES, scene.style))
    if fact == "weather":
        fits = [w for w in WEATHERS if w != scene.weather and (scene.place, w) not in ODD_WEATHER]
        return replace(scene, weather=pick(rng, fits))
    if fact == "camera":
        moves = tuple(m for m in CAMERA_MOVES if m != "static")
        move = _other(rng, moves, scene.camera.move)
        return replace(scene, camera=replace(scene.camera, move=move))
    bodies = list(scene.bodies)
    bodies[body] = _other_body(scene, fact, rng, body)
    return replace(scene, bodies=tuple(bodies))


def fact_phrase(scene: Scene, fact: str, rng: np.random.Generator, body: int = 0) -> str:
    """The shortest words for one fact: "red ball", "cat spinning", "in the city"."""
    if fact == "place":
        return pick(rng, phrases.PLACE[scene.place])
    if fact == "style":
        return STYLE_NOUNS[scene.style]
    if fact == "weather":
        return WEATHER_NOUNS[scene.weather]
    if fact == "camera":
        return CAMERA_NOUNS[scene.camera.move]
    words = Wording(scene, LEVELS.index("terse"), rng)
    one = scene.bodies[body]
    if fact in ("kind", "color"):
        return noun_phrase(one, words, article="")
    group = "ball" if one.kind == "ball" else "shape" if one.kind in SHAPES else "character"
    verb = pick(rng, [pair[1] for pair in phrases.VERBS[group]])
    return f"{NOUNS[one.kind][0]} {pick(rng, phrases.TERSE_MOTION[one.motion.kind]).format(v=verb)}"


def _other_body(scene: Scene, fact: str, rng: np.random.Generator, index: int) -> Body:
    body = scene.bodies[index]
    if fact == "color":
        taken = {b.material.color for b in scene.bodies} | {body.material.accent, body.skin}
        color = pick(rng, [c for c in COLORS if c not in taken])
        return replace(body, material=replace(body.material, color=color))
    if fact == "kind":
        taken = {b.kind for b in scene.bodies}
        kind = pick(rng, [k for k in (*SHAPES, *CHARACTERS) if k not in taken])
        wears = body.wears if kind in CHARACTERS else ()
        return with_visible_spin(replace(body, kind=kind, wears=wears))
    motion = replace(body.motion, kind=_other(rng, MOTIONS, body.motion.kind))
    return with_visible_spin(replace(body, motion=motion))


def _other(rng: np.random.Generator, options: tuple[str, ...], old: str) -> str:
    return pick(rng, [option for option in options if option != old])
