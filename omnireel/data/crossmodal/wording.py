"""Words of a text exchanged for another of their kind: "make the ball green" -> "... blue"."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from omnireel.data.crossmodal.altered import COLORLESS
from omnireel.world.lexicon import EFFECT_NOUNS, NOUNS, PLACE_NOUNS, STYLE_NOUNS, WEATHER_NOUNS
from omnireel.world.scene import COLORS
from omnireel.world.tasks.plan import Plan

SIBLINGS: tuple[tuple[str, ...], ...] = (
    COLORS,
    tuple(nouns[0] for nouns in NOUNS.values()),
    tuple(PLACE_NOUNS.values()),
    tuple(style for name, style in STYLE_NOUNS.items() if name != "natural"),
    tuple(weather for name, weather in WEATHER_NOUNS.items() if name != "clear"),
    tuple(effect for name, effect in EFFECT_NOUNS.items() if name != "none"),
    ("to the left", "to the right"),
    ("on the left", "on the right"),
    ("stripes", "dots", "checks"),
)
"""Words that exclude each other."""


def misworded_edit(plan: Plan, rng: np.random.Generator, text: str = "") -> str:
    """``text`` (else the instruction of ``plan``) with one word exchanged so that the pictures show
    it to be wrong: no colours where the style hides them. As it is when there is no such word."""
    assert plan.source_scene is not None
    hidden = not COLORLESS.isdisjoint((plan.source_scene.style, plan.scene.style))
    return misworded(text or plan.text, rng, SIBLINGS[1:] if hidden else SIBLINGS)


def misworded(
    text: str, rng: np.random.Generator, siblings: Sequence[tuple[str, ...]] = SIBLINGS
) -> str:
    """``text`` with one word (or fixed phrase) exchanged, or as it is when it holds none."""
    found = []
    for group in siblings:
        for word in group:
            places = re.finditer(rf"\b{re.escape(word)}\b", text)
            found += [(place.span(), word, group) for place in places]
    if not found:
        return text
    (start, end), word, group = found[int(rng.integers(len(found)))]
    others = [other for other in group if other != word]
    return text[:start] + others[int(rng.integers(len(others)))] + text[end:]
