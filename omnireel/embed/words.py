"""Texts as token ids: ``@names`` become the tokenizer's mention token, like in a prompt."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import Tensor

from omnireel.model.text import Tokenizer
from omnireel.mvl.prompt import MentionPart, Part, Prompt, TextPart

_MENTION = re.compile(r"@(\w+)")
_SIDE = re.compile(r"\b(left|right)\b")


def spoken(text: str) -> Prompt:
    """``text`` with every ``@name`` as a mention, whether or not it is declared anywhere."""
    parts: list[Part] = []
    for i, piece in enumerate(_MENTION.split(text)):
        if piece:
            parts.append(MentionPart(piece) if i % 2 else TextPart(piece))
    return Prompt(tuple(parts))


def in_mirror(text: str) -> str:
    """What is true of a clip's mirror image when ``text`` is true of the clip."""
    return _SIDE.sub(lambda found: "right" if found[0] == "left" else "left", text)


def token_ids(texts: Sequence[str], tokenizer: Tokenizer) -> Tensor:
    """Ids ``MN``, padded with 0 on the right to the longest text."""
    rows = []
    for text in texts:
        prompt = spoken(text)
        names = {p.name: 0 for p in prompt.parts if isinstance(p, MentionPart)}
        rows.append(tokenizer.encode(prompt, names).ids)
    longest = max(map(len, rows))
    return torch.tensor([[*row, *([0] * (longest - len(row)))] for row in rows])
