"""Text to token ids: whole words of a fixed vocabulary, single characters for everything else.

The vocabulary travels inside the model's configuration, so a checkpoint needs no further file.
A mention (``@Image_1``) is one token that carries the source id of what it names; the transformer
gives it the same rotary source coordinate as the tokens of that image or video.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from omnireel.mvl.prompt import MentionPart, Prompt

_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_SPECIAL = ("<pad>", "<begin>", "<mention>", "<unknown>")
_WORD = re.compile(r"[a-z0-9]+|[^\sa-z0-9]")
BEGIN, MENTION, UNKNOWN = 1, 2, 3


@dataclass(frozen=True)
class TextTokens:
    """Token ids and, for mentions, the source id that they name (0 otherwise)."""

    ids: tuple[int, ...]
    sources: tuple[int, ...]


@dataclass(frozen=True)
class _Piece:
    """One token of a prompt: of the mention of a ``name``, or of a numbered ``word``."""

    id: int
    name: str | None = None
    word: int | None = None


def words_of(text: str) -> list[str]:
    """The words and other characters of a text that are tokens where a vocabulary has them."""
    return _WORD.findall(text.lower())


class Tokenizer:
    """Greedy word-level tokenizer with character fallback; every text has a tokenization."""

    def __init__(self, words: Sequence[str], max_tokens: int = 96) -> None:
        """``words`` is the vocabulary (lower case); ``max_tokens`` bounds one prompt."""
        pieces = [*_SPECIAL, *(f"#{c}" for c in _CHARACTERS), *dict.fromkeys(words)]
        self.words = tuple(dict.fromkeys(words))
        self.max_tokens = max_tokens
        self._ids = {piece: i for i, piece in enumerate(pieces)}

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def ids(self) -> Mapping[str, int]:
        """The id of every token, by what it stands for."""
        return self._ids

    def encode(self, prompt: Prompt, source_ids: Mapping[str, int]) -> TextTokens:
        """Tokenise a parsed prompt; ``source_ids`` maps input and element names to 1.. .

        Of a prompt with more than ``max_tokens`` tokens the end of the text is left out, see
        :meth:`unread_words`; its mentions are kept as long as there is room for them at all, each
        name's first one before any repeated one.
        """
        kept, _ = self._within(self._pieces_of(prompt))
        return TextTokens(
            tuple(piece.id for piece in kept),
            tuple(0 if piece.name is None else source_ids[piece.name] for piece in kept),
        )

    def unread_words(self, prompt: Prompt) -> int:
        """How many words of the prompt :meth:`encode` leaves out, wholly or in part."""
        _, left_out = self._within(self._pieces_of(prompt))
        return len({piece.word for piece in left_out if piece.word is not None})

    def empty(self) -> TextTokens:
        """What dropped text looks like to the model."""
        return TextTokens((BEGIN,), (0,))

    def _pieces_of(self, prompt: Prompt) -> list[_Piece]:
        pieces = [_Piece(BEGIN)]
        count = 0
        for part in prompt.parts:
            if isinstance(part, MentionPart):
                pieces.append(_Piece(MENTION, name=part.name))
                continue
            for written in part.text.lower().split():
                # Punctuation that stands alone is no word to a person.
                word = count if any(c.isalnum() for c in written) else None
                count += 1
                for found in _WORD.findall(written):
                    pieces += [_Piece(i, word=word) for i in self._spelled(found)]
        return pieces

    def _within(self, pieces: list[_Piece]) -> tuple[list[_Piece], list[_Piece]]:
        """Those that fit ``max_tokens``, and those that are left out, both in their order."""
        if len(pieces) <= self.max_tokens:
            return pieces, []
        named: set[str] = set()
        ranks = []
        for i, piece in enumerate(pieces):
            if piece.name is None:
                rank = 0 if i == 0 else 3
            else:
                rank = 2 if piece.name in named else 1
                named.add(piece.name)
            ranks.append((rank, i))
        kept = {i for _, i in sorted(ranks)[: self.max_tokens]}
        return (
            [piece for i, piece in enumerate(pieces) if i in kept],
            [piece for i, piece in enumerate(pieces) if i not in kept],
        )

    def _spelled(self, word: str) -> list[int]:
        if word in self._ids:
            return [self._ids[word]]
        return [self._ids.get(f"#{c}", UNKNOWN) for c in word]
