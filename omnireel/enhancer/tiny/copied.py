"""Where words that the model does not know may stand in a draft: beside what they stood beside.

They are copied as slots, as names and adjectives of subjects. Of other words, of verbs above all,
a model of a million parameters makes such too: "the cat purrs" becomes "a purrs cat".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise, takewhile

from omnireel.enhancer.tiny.facts import Fact, Lexicon

_TOKEN = re.compile(r"<?[a-z0-9]+>?|[.,;]")
_SLOT = re.compile(r"<w\d>")
_ANY_SLOT = re.compile(r"<[mw]\d>")
_REACH, _NEAR = 4, 2
"""Words from what is described, and from who may wear it."""
_BORDERS = frozenset({"and", "with", "a", "an", "the", ",", ".", ";"})
"""Where another phrase begins."""
_SOMEONE = frozenset({"one", "someone", "somebody", "figure", "character", "person"})
_VERB = re.compile(r"[a-z]((?<![sui])s|ing|ed)$")
"""How an unknown word ends that tells what somebody does."""


def unknown_actions(lexicon: Lexicon, said: str, copies: Sequence[str]) -> list[str]:
    """Those of ``copies``, the words behind the slots of ``said``, that tell what somebody does:
    one right behind who does it and with the ending of a verb, and those right behind that one
    ("plays chess")."""
    tokens = _TOKEN.findall(said)
    found: list[str] = []
    goes_on = False
    for before, token in pairwise(tokens):
        word = copies[int(token[2])] if _SLOT.fullmatch(token) else ""
        subject = _ANY_SLOT.fullmatch(before) or _kinds(lexicon, before)
        goes_on = bool(word and (goes_on or (subject and _VERB.search(word.lower()))))
        if goes_on:
            found.append(word)
    return found


def misplaced(lexicon: Lexicon, said: str, written: str) -> list[str]:
    """Slots of ``written`` that describe there whom they do not describe in ``said``, or what
    somebody wears and cannot here. Who is not named in ``said`` ("the <w0> one") may be described
    by any."""
    asked, given = _TOKEN.findall(said.lower()), ["", *_TOKEN.findall(written.lower()), ""]
    found = dict[str, None]()
    for before, slot, after in zip(given, given[1:], given[2:], strict=False):
        if not _SLOT.fullmatch(slot):
            continue
        places = [i for i, token in enumerate(asked) if token == slot]
        right_before = [asked[max(i - 1, 0) : i] for i in places]
        fits = _among(lexicon, after, asked, [_phrase(asked, i) for i in places])
        fits = fits and _among(lexicon, before, asked, right_before)
        if (before == "in" or after == "clothes") and [before] not in right_before:
            around = (asked[max(i - _NEAR, 0) : i + 1 + _NEAR] for i in places)
            fits = fits and any(_dressed(lexicon, words) for words in around)
        if not fits:
            found[slot] = None
    return list(found)


def _among(
    lexicon: Lexicon, word: str, asked: Sequence[str], near: Sequence[Sequence[str]]
) -> bool:
    """Whether ``word``, if it names somebody who is asked for, is said among ``near``."""
    named = _SLOT.fullmatch(word) or _kinds(lexicon, word)
    if not named or not any(_same(lexicon, token, word) for token in asked):
        return True
    return any(_same(lexicon, token, word) for tokens in near for token in tokens)


def _phrase(tokens: Sequence[str], at: int) -> Sequence[str]:
    """The words behind place ``at`` that may belong to one phrase with it."""
    return list(takewhile(lambda t: t not in _BORDERS, tokens[at + 1 : at + 1 + _REACH]))


def _dressed(lexicon: Lexicon, words: Sequence[str]) -> bool:
    facts = {fact.group for facts in lexicon.stated(" ".join(words)) for fact in facts}
    several = sum(map(bool, map(_SLOT.fullmatch, words))) > 1
    return several or bool(facts & {"kind", "color"} or _SOMEONE.intersection(words))


def _kinds(lexicon: Lexicon, word: str) -> frozenset[Fact]:
    facts = (fact for facts in lexicon.stated(word) for fact in facts)
    return frozenset(fact for fact in facts if fact.group == "kind")


def _same(lexicon: Lexicon, one: str, other: str) -> bool:
    return one == other or bool(_kinds(lexicon, one) & _kinds(lexicon, other))
