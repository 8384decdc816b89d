"""Who has which colour, does what, and stands on which side.

A model of a million parameters keeps both motions of "the cube spins, the cone stands still" and
gives them to the wrong ones. Clauses with several subjects, or none, tell nothing of motions and
sides.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TypeVar

from omnireel.enhancer.tiny.facts import Fact, Lexicon

_T = TypeVar("_T", Fact, str)
_SAID = re.compile(r"[,;.]|\b(?:and|while|plus|with)\b")
_WRITTEN = re.compile(r"[,;.]|\b(?:and|while)\b")
"""Captions have no company after "with", but patterns: "with black stripes"."""
_SIDE = re.compile(r"\b(?:on|at) the (left|right)\b|\bin the (front|back)(?! of)\b")


def mixed_up(lexicon: Lexicon, said: str, written: str) -> list[Fact]:
    """Kinds to which the user gives a colour, and the description ``written`` another one."""
    return [
        kind
        for kind, color in lexicon.coloured(written)
        if (given := lexicon.colors_said(said, kind)) and color not in given
    ]


def swapped_motions(lexicon: Lexicon, said: str, written: str) -> list[Fact]:
    """Subjects whose motion in ``written`` is none that ``said`` gives them."""

    def motions(clause: str) -> Iterable[Fact]:
        named = [facts for facts in lexicon.stated(clause) if facts[0].group == "motion"]
        return named[0] if len(named) == 1 else ()

    asked = _by_subject(lexicon, _SAID.split(said), motions)
    given = _by_subject(lexicon, _WRITTEN.split(written), motions)
    told = [kind for kind in given if given[kind] and asked[kind]]
    return [kind for kind in told if given[kind].isdisjoint(asked[kind])]


def lost_sides(lexicon: Lexicon, said: str, written: str) -> list[Fact]:
    """Subjects that do not stand in ``written`` where ``said`` puts them."""

    def sides(clause: str) -> Iterable[str]:
        return (left_right or depth for left_right, depth in _SIDE.findall(clause))

    asked = _by_subject(lexicon, _SAID.split(said), sides)
    given = _by_subject(lexicon, _WRITTEN.split(written), sides)
    named = {facts[0] for facts in lexicon.stated(written) if facts[0].group == "kind"}
    return [kind for kind in asked if kind in named and not asked[kind] <= given[kind]]


def _by_subject(
    lexicon: Lexicon, clauses: Iterable[str], told: Callable[[str], Iterable[_T]]
) -> dict[Fact, set[_T]]:
    found: dict[Fact, set[_T]] = defaultdict(set)
    for clause in map(str.lower, clauses):
        kinds = [facts for facts in lexicon.stated(clause) if facts[0].group == "kind"]
        if len(kinds) == 1:
            for kind in kinds[0]:
                found[kind].update(told(clause))
    return found
