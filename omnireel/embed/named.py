"""What a text names outright: kinds with their colours, patterns, sides, and what is to be gone.

A network that reads words as vectors learns slowly that "the blue cat" is wrong when the cat is
red and something else is blue. These few ids say it at once: `omnireel.embed.network` looks each of
them up among what is seen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from omnireel.evaluate.perception.names import CLOTHED, COLORS, KINDS, NOUNS, TEXTURE_NOUNS

MENTIONS = 2
"""Subjects that a text names, in their order; others are not looked up."""
NO_KIND, NO_COLOR = len(KINDS), len(COLORS)
"""Ids of what is not said."""
PATTERNS = tuple(TEXTURE_NOUNS.values())
FLAGS = 3
NAMED = 2 * MENTIONS + 1 + 2 + 2 + FLAGS
"""Ids of one text: kind and colour of each mention; a colour that stands by itself ("to teal"); the
pattern and its colour; sides (right -1 or 1, front -1 or 1); flags: to be gone, to be there, told
in the order "new in the place of old"."""

_KINDS = {
    noun: i
    for i, kind in enumerate(KINDS)
    for noun in NOUNS[kind]
    if sum(noun in nouns for nouns in NOUNS.values()) == 1
} | {"subject": NO_KIND}
_CLOTHED = {noun for kind in CLOTHED for noun in NOUNS[kind]}
_BEFORE, _AFTER = 3, 5
"""Words before and after a noun that may tell its colour."""
_STOPS = frozenset({"a", "an", "the", ",", "."})
_PART = re.compile(r"[\w@]+|[,.]")
_DRESS = frozenset({"in", "dressed", *TEXTURE_NOUNS})
_GONE = re.compile(r"\b(remove|erase|without the|go away)\b")
_THERE = re.compile(r"\badd\b|\binto @")


def named(texts: Sequence[str]) -> Tensor:
    """Ids ``N`` x `NAMED` of texts."""
    return torch.tensor([_named(text) for text in texts])


@lru_cache(maxsize=4096)
def _named(text: str) -> tuple[int, ...]:
    words = _PART.findall(text.lower())
    found: list[tuple[int, int]] = []
    taken: set[int] = set()
    for i, word in enumerate(words):
        if word in _KINDS and len(found) < MENTIONS:
            at = _color_at(words, i)
            taken.add(at)
            found.append((_KINDS[word], COLORS.index(words[at]) if at >= 0 else NO_COLOR))
    found += [(NO_KIND, NO_COLOR)] * (MENTIONS - len(found))
    pattern, accent = -1, NO_COLOR
    lone = NO_COLOR
    for i, word in enumerate(words):
        after = words[i + 1] if i + 1 < len(words) else "."
        if word in PATTERNS and pattern < 0:
            pattern = PATTERNS.index(word)
        if word not in COLORS or i in taken:
            continue
        if after in PATTERNS:
            accent = COLORS.index(word)
        elif after in (",", "."):
            lone = COLORS.index(word)
    told = " ".join(words)
    right = ("on the right" in told) - ("on the left" in told)
    front = ("in the front" in told) - ("in the back" in told)
    flags = (bool(_GONE.search(told)), bool(_THERE.search(told)), "the place of the" in told)
    subjects = (n for one in found for n in one)
    return (*subjects, lone, pattern, accent, right, front, *map(int, flags))


def _color_at(words: list[str], noun: int) -> int:
    """Where the colour of a noun is told; -1: nowhere."""
    for i in range(noun - 1, max(noun - 1 - _BEFORE, -1), -1):
        if words[i] in COLORS:
            return i
        if words[i] in _STOPS:
            break
    if words[noun] in _CLOTHED:
        for i in range(noun + 1, min(noun + 1 + _AFTER, len(words))):
            if words[i] in COLORS:
                return i
            if words[i] not in _DRESS:
                break
    return -1
