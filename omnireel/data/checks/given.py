"""What the words say about inputs that are looked at, not recognised."""

from __future__ import annotations

import re

_DRAWING = r"\b(?:drawing|sketch|outlines?|line art)(?: of)? @{name}\b"
_PLACE = r"\b(?:place|scene|background|setting)(?: of)? @{name}\b"
_RESTYLED = re.compile(r"@\w+, [^.@]+, into natural footage", re.IGNORECASE)


def is_drawing(name: str, words: str) -> bool:
    """Whether the words call the input a drawing."""
    return bool(re.search(_DRAWING.format(name=re.escape(name)), words, re.IGNORECASE))


def is_place(name: str, words: str) -> bool:
    """Whether the words call the input a place."""
    return bool(re.search(_PLACE.format(name=re.escape(name)), words, re.IGNORECASE))


def is_restyled(words: str) -> bool:
    """Whether the edit is from a drawing, a painting or an old film to natural footage."""
    return bool(_RESTYLED.search(words))
