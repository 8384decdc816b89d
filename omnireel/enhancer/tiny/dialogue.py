"""A prompt with its media as tokens, and an answer's tokens as text.

Layout of one sequence (a dialogue of one turn)::

    <begin> [<mK> <role> <image> x 16 per picture] for each input and element
    <user> words, mentions as <mK>, unknown words as <wK> <answer>
    <think> what the pictures show; what the user said </think> {"subjects":[...  <end>
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from omnireel.enhancer.schema import StructureError
from omnireel.enhancer.tiny import vocabulary as v
from omnireel.enhancer.tiny.everyday import read_words
from omnireel.enhancer.tiny.modeling import PATCHES
from omnireel.enhancer.tiny.unwanted import wanted_of
from omnireel.mvl.prompt import MentionPart, Prompt
from omnireel.types import Clip, Frames, MediaSet, Role

MAX_WORDS = 64
_SLOT = re.compile(r"<([mw])(\d)>")
_READABLE = re.compile(r"\w")


@dataclass(frozen=True, eq=False)
class Dialogue:
    """What the model reads, and what its slots stand for."""

    ids: tuple[int, ...]
    pixels_ICHW: Tensor
    text: str
    """The user's words as the model sees them, with slots; see
    :func:`~omnireel.enhancer.tiny.everyday.read_words`."""
    names: tuple[str, ...]
    copies: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    """Words of the user that are not in ``text``, and come back at the end of an answer."""
    unwanted: str = ""
    """What an answer must not name; see :mod:`~omnireel.enhancer.tiny.unwanted`."""

    @property
    def empty_slots(self) -> frozenset[str]:
        """Slots of the vocabulary that stand for nothing here: an answer must not use them."""
        return frozenset((*v.MENTIONS[len(self.names) :], *v.COPIES[len(self.copies) :]))

    def restore(self, text: str) -> str:
        """``text`` with slots replaced by mentions and by the words copied through."""

        def fill(match: re.Match[str]) -> str:
            names, index = (self.names if match[1] == "m" else self.copies), int(match[2])
            if index >= len(names):
                raise StructureError("the answer speaks of an input that was not given")
            return f"@{names[index]}" if match[1] == "m" else names[index]

        return _SLOT.sub(fill, text)


def read_prompt(
    prompt: Prompt,
    media: MediaSet,
    tokenizer: PreTrainedTokenizerFast,
    image_side: int,
    leave_out: Sequence[str] = (),
) -> Dialogue:
    """Lay out one prompt without the words of ``leave_out``; pictures become squares of
    ``image_side`` pixels.

    Raises:
        StructureError: more inputs, words or unknown words than the model can hold.
    """
    declared = _declared(prompt)
    if len(declared) > len(v.MENTIONS):
        raise StructureError(f"the tiny enhancer reads at most {len(v.MENTIONS)} inputs")
    names = tuple(name for name, _ in declared)
    tokens, pictures = [v.BEGIN], list[Tensor]()
    for slot, (name, role) in zip(v.MENTIONS, declared, strict=False):
        shown = _pictures(media.get(name, ()), role, image_side)
        tokens += [slot, v.ROLES[role], *[v.IMAGE] * (PATCHES * len(shown))]
        pictures += shown
    known = known_words(tokenizer)
    prompt, unwanted = wanted_of(prompt)
    words, copies = _words(prompt, names, known, leave_out)
    if not (names or unwanted or any(map(_READABLE.search, words))):
        raise StructureError("the tiny enhancer finds no words in this prompt")
    tokens += [v.USER, *words, v.ANSWER]
    pixels = torch.stack(pictures) if pictures else torch.zeros(0, 3, image_side, image_side)
    return Dialogue(
        ids=tuple(tokenizer.convert_tokens_to_ids(tokens)),
        pixels_ICHW=pixels,
        text=" ".join(words),
        names=names,
        copies=copies,
        left_out=tuple(leave_out),
        unwanted=" ".join(read_words(unwanted, known)),
    )


def picture_tensor(frame_HWC: Frames, side: int) -> Tensor:
    """One frame as ``(3, side, side)`` in -1..1, area-averaged."""
    pixels = torch.from_numpy(np.ascontiguousarray(frame_HWC)).permute(2, 0, 1)[None].float()
    small = functional.interpolate(pixels, size=(side, side), mode="area")[0]
    return small / 127.5 - 1.0


def _pictures(clips: tuple[Clip, ...], role: Role, side: int) -> list[Tensor]:
    """What the model looks at: the first frame of the first clip. Motion and camera references
    are borrowed by name, so there is nothing to see in them."""
    if role in (Role.MOTION, Role.CAMERA) or not clips:
        return []
    return [picture_tensor(clips[0].frames_THWC[0], side)]


def _declared(prompt: Prompt) -> list[tuple[str, Role]]:
    return [(i.name, i.role) for i in prompt.inputs] + [
        (e.name, Role.ELEMENT) for e in prompt.elements
    ]


def known_words(tokenizer: PreTrainedTokenizerFast) -> frozenset[str]:
    """Whole words and marks of a vocabulary."""
    return frozenset(t for t in tokenizer.get_vocab() if not t.startswith(("##", "<", '"', "{")))


def is_latin(word: str) -> bool:
    """Whether all letters of ``word`` are Latin ones, accents included."""
    return all(unicodedata.name(c, "").startswith("LATIN ") for c in word if c.isalpha())


def _words(
    prompt: Prompt, names: tuple[str, ...], known: frozenset[str], leave_out: Sequence[str]
) -> tuple[list[str], tuple[str, ...]]:
    words: list[str] = []
    copies: list[str] = []
    for part in prompt.parts:
        if isinstance(part, MentionPart):
            words.append(v.MENTIONS[names.index(part.name)])
            continue
        for word in read_words(part.text, known):
            token = word
            if word in leave_out:
                continue
            if word not in known:
                if word not in copies:
                    copies.append(word)
                if not is_latin(word):
                    raise StructureError(f"the tiny enhancer reads English, not '{word}'")
                if len(copies) > len(v.COPIES):
                    raise StructureError(
                        f"the tiny enhancer does not know {len(copies)} words or more of this "
                        f"prompt ({', '.join(copies[:3])}, ...)"
                    )
                token = v.COPIES[copies.index(word)]
            words.append(token)
    if len(words) > MAX_WORDS:
        raise StructureError(f"the tiny enhancer reads at most {MAX_WORDS} words")
    return words, tuple(copies)
