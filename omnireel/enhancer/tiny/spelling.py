"""Light typos: a word that is one slip away from exactly one known word is read as that word."""

from __future__ import annotations

from collections.abc import Iterable

MIN_LETTERS = 5
"""Shorter words are too close to each other ("bell", "bull", "ball")."""
MIN_LETTERS_SUBSTITUTED = 6
_REAL_WORDS = """
    beard bears boxed clown coned crowd brown paint point right light sight might stare start stark
    state stage plate plane black block clock flock sheep shape share shake snake horse mouse three
    there where these those write white while dance trees glass class stone store story score spine
    train brain wings kings sings peach teach reach knight tower lower flower shower power father
    mother brother other water later hotel model metal medal round sound mound found ground sleep
    sweep steep jumper singer finger dinner winner dragon wagon
"""
NO_TYPOS = frozenset(_REAL_WORDS.split())
"""Words of their own that lie one slip away from a word of the world."""


def slips(word: str) -> set[str]:
    """All strings one slip away: two letters swapped, one left out, one doubled or added, and for
    longer words one letter replaced."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    cuts = [(word[:i], word[i:]) for i in range(1, len(word) + 1)]  # first letters are rarely wrong
    found = {a + b[1:] for a, b in cuts if b}
    found |= {a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1}
    found |= {a + c + b for a, b in cuts for c in letters}
    if len(word) >= MIN_LETTERS_SUBSTITUTED:
        found |= {a + c + b[1:] for a, b in cuts if b for c in letters}
    return found - {word}


def repair(word: str, known: Iterable[str]) -> str:
    """The known word that ``word`` (lower case) is a slip of, or ``word`` itself."""
    vocabulary = known if isinstance(known, set | frozenset) else frozenset(known)
    if word in vocabulary or len(word) < MIN_LETTERS or not word.isalpha() or word in NO_TYPOS:
        return word
    meant = {w for w in slips(word) if w in vocabulary and len(w) >= MIN_LETTERS - 1}
    return meant.pop() if len(meant) == 1 else word
