"""The facts of a free prompt in words of captions: the most that an enhancer could make of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from omnireel.world.lexicon import CLOTHED, NOUNS
from omnireel.world.phrases import CAMERA, IN_PLACE, PLACE, STYLE, TRAVEL, VERBS, WEATHER
from omnireel.world.scene import SHAPES

SOMETHING, GOES = "ball", "move_right"
"""Who and what stand in where a prompt names nobody, or nothing that anybody does."""
_SURROUNDINGS = {"place": PLACE, "weather": WEATHER, "style": STYLE, "camera": CAMERA}


def exact_words(facts: Mapping[str, Sequence[str]]) -> str:
    """One sentence that states ``facts`` (values by group) as captions do."""
    kinds = facts.get("kind", ()) or (SOMETHING,)
    colors, motions = facts.get("color", ()), facts.get("motion", ()) or (GOES,)
    subjects = [
        f"{_subject(kind, _at(colors, i))} {_motion(kind, motions[min(i, len(motions) - 1)])}"
        for i, kind in enumerate(kinds)
    ]
    scene = " and ".join(subjects)
    told = [
        phrases[value][0]
        for group, phrases in _SURROUNDINGS.items()
        for value in facts.get(group, ())[:1]
    ]
    return ", ".join([scene, *told]) + "."


def _at(values: Sequence[str], i: int) -> str:
    return values[i] if i < len(values) else ""


def _subject(kind: str, color: str) -> str:
    noun = NOUNS[kind][0]
    if kind in CLOTHED:
        return f"a {noun} in {color}" if color else f"a {noun}"
    return f"a {color} {noun}" if color else f"a {noun}"


def _motion(kind: str, motion: str) -> str:
    if motion in IN_PLACE:
        return IN_PLACE[motion][0][0].format(adv="")
    like = "ball" if kind == "ball" else "shape" if kind in SHAPES else "character"
    return TRAVEL[motion][0].format(v=VERBS[like][0][0])
