"""Whether a caption can be used: length, language, form, and facts that can be looked up."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise

from omnireel.data.captioning.levels import RULES
from omnireel.errors import OmnireelError
from omnireel.mvl import parse
from omnireel.world.lexicon import vocabulary, words_of
from omnireel.world.scene import Level, Scene

_LATIN = 0.9
_PREFACE = re.compile(r"^(here is|here's|sure|the caption|caption:|this (image|video) shows)", re.I)


def trouble_of(text: str, level: Level) -> str:
    """What is wrong with a caption of any footage; empty: nothing."""
    rule, words = RULES[level], re.findall(r"\w+", text)
    if not rule.least <= len(words) <= rule.most:
        return f"{len(words)} words; {rule.least} to {rule.most} are asked for"
    letters = [c for c in text if c.isalpha()]
    if sum(c.isascii() for c in letters) < _LATIN * len(letters):
        return "it is not written in English"
    if _PREFACE.match(text) or text.startswith(("{", "[", "-", "*", "#", '"')):
        return "it is no plain sentence"
    doubled = [words[i : i + 4] for i in range(len(words) - 3)]
    if len(doubled) > 8 and len({tuple(d) for d in doubled}) < 0.6 * len(doubled):
        return "it repeats itself"
    try:
        parse(text)
    except OmnireelError as error:
        return error.message
    return ""


def disorder_of(captions: Mapping[Level, str]) -> str:
    """What is wrong between levels: each must say at least as much as the one before."""
    lengths = [len(captions[level].split()) for level in RULES if level in captions]
    if any(b < a for a, b in pairwise(lengths)):
        return "a more elaborate level says less than a terser one"
    return ""


def untruth_of(text: str, scene: Scene) -> str:
    """What a caption of a world clip gets wrong: words out of the vocabulary, missing facts."""
    known = set(vocabulary())
    if strange := [word for word in words_of(text) if word not in known]:
        return f"{strange[0]!r} is no word of the world"
    said = set(words_of(text))
    for body in scene.bodies:
        if body.material.color not in said:
            return f"it does not say that the {body.kind} is {body.material.color}"
    return ""
