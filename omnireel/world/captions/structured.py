"""The structured form of a scene's description, as an enhancer writes it."""

from __future__ import annotations

from collections.abc import Mapping

from omnireel.world.captions.grammar import LEVELS, NO_NAMES, Wording, motion_phrase, noun_phrase
from omnireel.world.captions.grammar import caption as write_caption
from omnireel.world.lexicon import (
    CAMERA_NOUNS,
    EFFECT_NOUNS,
    PLACE_NOUNS,
    STYLE_NOUNS,
    WEATHER_NOUNS,
)
from omnireel.world.scene import Scene


def structured(scene: Scene, *, names: Mapping[str, str] = NO_NAMES) -> dict[str, str | list[str]]:
    """The scene as fields, one exact answer per scene and ``names`` (as in ``caption``).

    Keys: ``subjects`` (one text per body, the main one first), ``summary`` (a full caption in its
    canonical wording), ``motion`` (who does what), ``camera``, ``place`` (with weather) and
    ``style`` (with effect).
    """
    words = Wording(scene, LEVELS.index("full"), None, names)
    subjects = [noun_phrase(body, words) for body in scene.bodies]
    brief = Wording(scene, LEVELS.index("terse"), None, names)
    motions = [
        f"{noun_phrase(body, brief, article='')} {motion_phrase(body, words, gerund=False)}"
        for body in scene.bodies
    ]
    place, style = PLACE_NOUNS[scene.place], STYLE_NOUNS[scene.style]
    if scene.weather != "clear":
        place = f"{place}, {WEATHER_NOUNS[scene.weather]}"
    if scene.effect != "none":
        style = f"{style}, {EFFECT_NOUNS[scene.effect]}"
    return {
        "subjects": list(subjects),
        "summary": write_caption(scene, "full", None, names=names),
        "motion": ", ".join(motions),
        "camera": CAMERA_NOUNS[scene.camera.move],
        "place": place,
        "style": style,
    }
