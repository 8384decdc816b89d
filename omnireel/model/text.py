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

    def encode(self, prompt: Prompt, source_ids: Mapping[str, int]) -> TextTokens:
        """Tokenise a parsed prompt; ``source_ids`` maps input and element names to 1.. .

        Tokens beyond ``max_tokens`` are dropped (callers validate the prompt's length first).
        """
        ids, sources = [BEGIN], [0]
        for part in prompt.parts:
            if isinstance(part, MentionPart):
                ids.append(MENTION)
                sources.append(source_ids[part.name])
                continue
            for word in _WORD.findall(part.text.lower()):
                pieces = self._pieces(word)
                ids.extend(pieces)
                sources.extend([0] * len(pieces))
        return TextTokens(tuple(ids[: self.max_tokens]), tuple(sources[: self.max_tokens]))

    def empty(self) -> TextTokens:
        """What dropped text looks like to the model."""
        return TextTokens((BEGIN,), (0,))

    def _pieces(self, word: str) -> list[int]:
        if word in self._ids:
            return [self._ids[word]]
        return [self._ids.get(f"#{c}", UNKNOWN) for c in word]
