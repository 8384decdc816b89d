"""What a person in a hurry writes: few words, loose names, facts missing or in odd order."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from omnireel.world import phrases
from omnireel.world.distribution import pick
from omnireel.world.lexicon import NOUNS
from omnireel.world.scene import CHARACTERS, Body, Scene

NO_NAMES: Mapping[str, str] = {}
SECOND_BODY = 0.6
"""Chance that the second of two bodies is mentioned at all."""
STYLE = 0.6
"""Chance that a style other than natural is mentioned."""


def vague(
    scene: Scene,
    rng: np.random.Generator,
    *,
    names: Mapping[str, str] = NO_NAMES,
    say_motion: bool = True,
) -> str:
    """A careless prompt for ``scene``; true as far as it goes. ``names`` as in ``caption``."""
    body = scene.bodies[0]
    motion = pick(rng, phrases.VAGUE_MOTION[body.motion.kind])
    place = pick(rng, phrases.VAGUE_PLACE[scene.place])
    if body.id in names:
        pattern = pick(rng, phrases.VAGUE_NAMED)
        text = pattern.format(name=names[body.id], motion=motion, place=place)
    else:
        patterns = [p for p in phrases.VAGUE_SENTENCES if say_motion or "{motion}" not in p]
        text = pick(rng, patterns).format(
            color=body.material.color,
            noun=pick(rng, NOUNS[body.kind]),
            thing=_thing(body, rng),
            motion=motion,
            place=place,
        )
    if len(scene.bodies) == 2 and (scene.bodies[1].id in names or rng.random() < SECOND_BODY):
        text = _with_second(text, scene.bodies[1], rng, names)
    if scene.style != "natural" and rng.random() < STYLE:
        style = pick(rng, phrases.VAGUE_STYLE[scene.style])
        text = pick(rng, phrases.VAGUE_TAIL).format(text=text, style=style)
    return text


def vague_name(body: Body, rng: np.random.Generator, *, definite: bool = True) -> str:
    """A loose name of one body: "red sphere"; if ``definite`` also "the sphere", "the red one"."""
    noun = pick(rng, NOUNS[body.kind])
    options = phrases.VAGUE_NAMES if definite else phrases.VAGUE_NEW_NAMES
    return pick(rng, options).format(color=body.material.color, noun=noun)


def _with_second(
    text: str, second: Body, rng: np.random.Generator, names: Mapping[str, str]
) -> str:
    if second.id in names:
        return f"{text} and {names[second.id]}"
    return pick(rng, phrases.VAGUE_SECOND).format(
        first=text,
        noun=pick(rng, NOUNS[second.kind]),
        color=second.material.color,
        thing=_thing(second, rng),
    )


def _thing(body: Body, rng: np.random.Generator) -> str:
    return pick(rng, phrases.VAGUE_THING["character" if body.kind in CHARACTERS else "shape"])
