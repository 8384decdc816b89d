"""Which facts careless words state: only these can be followed, all others are open.

A case knows everything about its scene, and a person in a hurry says little of it. Whether words
are followed better after the enhancer rewrote them is therefore asked of the stated facts alone,
the same ones with and without it.
"""

from __future__ import annotations

from functools import cache

from omnireel.enhancer.tiny.facts import Lexicon
from omnireel.registry import load_component
from omnireel.shipped import SHIPPED_TINY

GROUPS = ("color", "kind", "place", "weather", "style", "motion", "camera")
"""Groups of the lexicon's facts; an oracle of the same name asks about each."""


def stated_oracles(words: str) -> list[str]:
    """The oracles whose fact ``words`` state, in the world's vocabulary. A group in which they can
    be read in several ways ("kid", "sideways") is left out: the case knows only one of them."""
    stated = _lexicon().stated(words)
    said = {facts[0].group for facts in stated}
    open_ = {fact.group for facts in stated if len(facts) > 1 for fact in facts}
    return [group for group in GROUPS if group in said - open_]


@cache
def _lexicon() -> Lexicon:
    enhancer = load_component(SHIPPED_TINY / "enhancer", kind="enhancer")
    return Lexicon.from_data(enhancer.config["lexicon"])
