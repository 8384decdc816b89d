"""The letters of MVL: how literal words and mentions are written as text and read back.

::

    @Name      mentions Name, when the character before is not an ASCII letter or digit
    @{Name}    mentions Name anywhere, also right before a letter: ``@{Girl}s``
    @@         a literal @
    a@b.com    literal: an @ right after an ASCII letter or digit belongs to the word

Names are ASCII (a letter, then letters, digits or underscores, 64 at most), so that a mention ends
by itself in scripts that put no spaces between words.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from omnireel.errors import PromptSyntaxError

MAX_NAME_CHARACTERS = 64
_NAME_CHARACTERS = re.compile(r"[A-Za-z0-9_]+")
_LEGAL_NAME = re.compile(rf"[A-Za-z][A-Za-z0-9_]{{0,{MAX_NAME_CHARACTERS - 1}}}\Z")
NAME_RULE = (
    "a name starts with an ASCII letter and goes on with letters, digits or underscores, "
    f"{MAX_NAME_CHARACTERS} characters at most"
)


@dataclass(frozen=True)
class Token:
    """A run of literal ``value``, or a mention of the name ``value``, at 0-based ``position``."""

    value: str
    is_mention: bool
    position: int


def is_legal_name(name: str) -> bool:
    """Whether inputs and elements may have this name."""
    return _LEGAL_NAME.match(name) is not None


def nearest_name(name: str, known: Iterable[str]) -> str:
    """The known name that was probably meant, or an empty string."""
    by_folded = {k.casefold(): k for k in known}
    close = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.5)
    return by_folded[close[0]] if close else ""


def scan(text: str, *, field: str = "prompt") -> Iterator[Token]:
    """Split text into literal runs (escapes resolved) and mentions, in order.

    Raises:
        PromptSyntaxError: at an ``@`` that starts no legal mention.

    """
    literal: list[str] = []
    literal_start = i = 0
    while i < len(text):
        if text[i] != "@":
            run_end = text.find("@", i)
            run_end = len(text) if run_end < 0 else run_end
            literal.append(text[i:run_end])
            i = run_end
        elif text.startswith("@@", i):
            literal.append("@")
            i += 2
        elif text[i + 1 : i + 2] != "{" and literal and _joins_a_word(literal[-1]):
            literal.append("@")
            i += 1
        else:
            if literal:
                yield Token("".join(literal), is_mention=False, position=literal_start)
                literal.clear()
            name, after = _read_mention(text, i, field)
            yield Token(name, is_mention=True, position=i)
            i = literal_start = after
    if literal:
        yield Token("".join(literal), is_mention=False, position=literal_start)


def write(tokens: Iterable[tuple[str, bool]]) -> str:
    """The inverse of `scan` for ``(value, is_mention)`` pairs; neighbouring literals are joined."""
    merged = _merge(tokens)
    out: list[str] = []
    for i, (value, is_mention) in enumerate(merged):
        if not is_mention:
            out.append(_escape(value))
            continue
        before = merged[i - 1][0] if i > 0 and not merged[i - 1][1] else ""
        after = merged[i + 1][0] if i + 1 < len(merged) and not merged[i + 1][1] else ""
        needs_braces = _joins_a_word(before) or _NAME_CHARACTERS.match(after) is not None
        out.append(f"@{{{value}}}" if needs_braces else f"@{value}")
    return "".join(out)


def _joins_a_word(text_before: str) -> bool:
    return bool(text_before) and text_before[-1].isascii() and text_before[-1].isalnum()


def _read_mention(text: str, at: int, field: str) -> tuple[str, int]:
    """The name mentioned at the ``@`` at index ``at``, and the index right after it."""
    if text.startswith("@{", at):
        end = text.find("}", at)
        if end < 0:
            raise PromptSyntaxError("'@{' is never closed; add '}'", position=at, field=field)
        name, after = text[at + 2 : end], end + 1
    else:
        match = _NAME_CHARACTERS.match(text, at + 1)
        name, after = (match.group(), match.end()) if match else ("", at + 1)
    if not name:
        raise PromptSyntaxError(
            "'@' starts a mention but no name follows; write '@@' for a literal @",
            position=at,
            field=field,
        )
    if not is_legal_name(name):
        shown = name if len(name) <= MAX_NAME_CHARACTERS else name[:MAX_NAME_CHARACTERS] + "…"
        raise PromptSyntaxError(
            f"'@{shown}' is not a legal name: {NAME_RULE}; write '@@' for a literal @",
            position=at,
            field=field,
        )
    return name, after


def _merge(tokens: Iterable[tuple[str, bool]]) -> list[tuple[str, bool]]:
    merged: list[tuple[str, bool]] = []
    for value, is_mention in tokens:
        if not is_mention and not value:
            continue
        if not is_mention and merged and not merged[-1][1]:
            merged[-1] = (merged[-1][0] + value, False)
        else:
            merged.append((value, is_mention))
    return merged


def _escape(literal: str) -> str:
    """Double every @ but those that `scan` reads as part of a word, such as an e-mail address."""
    out: list[str] = []
    for i, character in enumerate(literal):
        after = literal[i + 1 : i + 2]
        plain = character != "@" or (
            _joins_a_word(literal[max(i - 1, 0) : i]) and after not in ("", "@", "{")
        )
        out.append(character if plain else "@@")
    return "".join(out)
