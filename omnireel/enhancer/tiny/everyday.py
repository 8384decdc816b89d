"""What people say, read as the words of the world that come nearest.

The tiny model knows some six hundred words and copies all others as they stand, but the generator
behind it knows no more of them than it does. People say "a kitten scampers through the forest":
there the forest is a meadow, and who scampers moves quickly. Words that say nothing which could be
shown ("majestic") are left out, as the empty ones that the model knows are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from omnireel.enhancer.tiny.camera_talk import as_captions_tell
from omnireel.enhancer.tiny.everyday_words import (
    COLOR_LIKE,
    IRREGULAR,
    MEANINGS,
    NOTHING,
    VERBS,
)
from omnireel.enhancer.tiny.spelling import repair

WORD = re.compile(r"[^\W_]+|[^\w\s]|_", re.UNICODE)
"""A word or a mark of a text."""
_TOKEN = re.compile(r"[a-z0-9]+|-")
_SIBILANTS = ("s", "x", "z", "ch", "sh")
_ONE_BEAT = re.compile(r"[^aeiou]*[aeiou][^aeiouwxy]$")
"""Verbs of one syllable that double their last letter: "run", "hop"."""
_COLORED = [(*dash, word) for word in ("colored", "coloured", "hued") for dash in ((), ("-",))]
"""What stands behind a thing that tells a colour."""


def forms(verb: str) -> tuple[tuple[str, ...], str]:
    """Finite forms and gerund of a regular verb, from its base form."""
    stem = verb.removesuffix("e")
    if _ONE_BEAT.fullmatch(verb):
        stem += verb[-1]
    if re.search(r"[^aeiou]y$", verb):
        return (verb, f"{verb[:-1]}ies", f"{verb[:-1]}ied"), f"{verb}ing"
    third = f"{verb}es" if verb.endswith(_SIBILANTS) else f"{verb}s"
    return (verb, third, f"{stem}ed"), f"{stem}ing"


def _table() -> Mapping[tuple[str, ...], tuple[str, ...]]:
    found: dict[tuple[str, ...], tuple[str, ...]] = {}
    for (finite, gerund), verbs in VERBS.items():
        for verb in verbs.split():
            told, doing = forms(verb)
            past = (form for form, base in IRREGULAR.items() if base == verb)
            found |= {(form,): tuple(finite.split()) for form in (*told, *past)}
            found[(doing,)] = tuple(gerund.split())
    for meaning, phrases in MEANINGS.items():
        for phrase in phrases.split(","):
            found[tuple(_TOKEN.findall(phrase))] = tuple(meaning.split())
    for color, things in COLOR_LIKE.items():
        for thing in things.split():
            found |= {(thing, *form): (color,) for form in _COLORED}
    return found


TABLE = _table()
"""Words that people say, in lower case, and words of the world."""
_SHORTEST = 2
"""Letters of a stem."""
_LONGEST = max(map(len, TABLE))
_NOTHING = frozenset(NOTHING.split())
_MARKS_OF_NOTHING = frozenset('"<>{}[]*#~^|\\`')


def read_words(text: str, known: frozenset[str]) -> list[str]:
    """Words and marks of ``text`` as the model reads them: those of the world for what has such,
    ``known`` ones in lower case, light typos repaired, and all others as they stand.

    Phrases come before words, and longer ones first. A word that is ``known`` means itself, and so
    does what would be read as words beyond ``known``.
    """
    words = WORD.findall(as_captions_tell(text))
    words = [w for w in words if w.lower() in known or _says_something(w)]
    read: list[str] = []
    while words:
        length, meaning = _piece(words, known)
        read += meaning
        words = words[length:]
    repaired = ((word, repair(word.lower(), known)) for word in read)
    return [meant if meant in known else word for word, meant in repaired]


def _says_something(word: str) -> bool:
    """Whether there is more to a word than politeness, and more to a mark than a smile."""
    if word.isalnum():
        return word.lower() not in _NOTHING
    return word.isascii() and word not in _MARKS_OF_NOTHING


def _piece(words: Sequence[str], known: frozenset[str]) -> tuple[int, Sequence[str]]:
    """How many of ``words`` have a meaning together, and the words for it."""
    for length in range(min(_LONGEST, len(words)), 0, -1):
        phrase = tuple(word.lower() for word in words[:length])
        meaning = TABLE.get(phrase)
        if meaning is None or not known.issuperset(meaning):
            continue
        if length > 1 or phrase[0] not in known:
            return length, meaning
    return 1, _stem(words[0], known)


def _stem(word: str, known: frozenset[str]) -> Sequence[str]:
    """The meaning of "mechs" and "purplish", by way of "mech" and "purple"."""
    if word.lower() in known:
        return (word,)
    for ending, instead in (("s", ""), ("es", ""), ("ish", ""), ("dish", ""), ("ish", "e")):
        stem = word.lower().removesuffix(ending) + instead
        if word.lower().endswith(ending) and len(stem) > _SHORTEST:
            if stem in known:
                return (stem,)
            if (meaning := TABLE.get((stem,))) and known.issuperset(meaning):
                return meaning
    return (word,)
