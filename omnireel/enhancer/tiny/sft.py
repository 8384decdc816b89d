"""Supervised examples for the tiny enhancer: a prompt with media, and the answer to learn.

Texts of an answer name inputs by slot (``<m0>``) and are lower case, as the model writes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from omnireel.enhancer.schema import StructuredPrompt
from omnireel.enhancer.tiny import vocabulary as v
from omnireel.enhancer.tiny.dialogue import Dialogue

IGNORED = -100
"""Label of a token that is not part of the answer."""


@dataclass(frozen=True, eq=False)
class SftExample:
    """One training sequence. ``pictures`` index into a table of pictures that examples share."""

    ids: tuple[int, ...]
    answer_start: int
    pictures: tuple[int, ...]

    def only_sight(self, end_id: int) -> SftExample:
        """The example up to the first ``end_id`` of its answer: what the pictures show."""
        end = self.ids.index(end_id, self.answer_start)
        return SftExample(self.ids[: end + 1], self.answer_start, self.pictures)


@dataclass(frozen=True, eq=False)
class SftBatch:
    """``ids_BN`` and ``labels_BN`` (padded on the right), pictures in order of their tokens."""

    ids_BN: Tensor
    labels_BN: Tensor
    pixels_ICHW: Tensor


def thought_tokens(thought: str, tokenizer: PreTrainedTokenizerFast) -> list[str]:
    """The tokens of a whole thought."""
    return [v.THINK, *tokenizer.tokenize(thought), v.THINK_END]


def answer_tokens(
    thought: str, answer: StructuredPrompt, tokenizer: PreTrainedTokenizerFast
) -> list[str]:
    """The tokens of an answer, ``<end>`` included."""

    def cut(text: str) -> list[str]:
        return list(tokenizer.tokenize(text))

    tokens = [*thought_tokens(thought, tokenizer), v.OPEN]
    for i, subject in enumerate(answer.subjects):
        tokens += [*([v.AND] if i else []), *cut(subject)]
    for key in v.KEYS[1:]:
        tokens += [v.key_token(key), *cut(getattr(answer, key))]
    return [*tokens, v.CLOSE, v.END]


def make_example(
    dialogue: Dialogue,
    thought: str,
    answer: StructuredPrompt,
    pictures: tuple[int, ...],
    tokenizer: PreTrainedTokenizerFast,
) -> SftExample:
    """Join a dialogue and its answer."""
    tokens = answer_tokens(thought, answer, tokenizer)
    ids = (*dialogue.ids, *tokenizer.convert_tokens_to_ids(tokens))
    return SftExample(ids, len(dialogue.ids), pictures)


def collate(examples: Sequence[SftExample], pictures_ICHW: Tensor, *, pad_id: int) -> SftBatch:
    """Pad ``examples`` to equal length; ``pictures_ICHW`` (uint8) is the shared table."""
    longest = max(len(e.ids) for e in examples)
    ids = torch.full((len(examples), longest), pad_id)
    labels = torch.full((len(examples), longest), IGNORED)
    for row, example in enumerate(examples):
        sequence = torch.tensor(example.ids)
        ids[row, : len(sequence)] = sequence
        labels[row, example.answer_start : len(sequence)] = sequence[example.answer_start :]
    order = [p for e in examples for p in e.pictures]
    return SftBatch(ids, labels, pictures_ICHW[order].float() / 127.5 - 1.0)
