"""Supervised examples of the tiny enhancer on disk, and batches of them.

Examples are drawn in shards, so that several processes draw and an interrupted run goes on.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from omnireel.enhancer.tiny.dialogue import read_prompt
from omnireel.enhancer.tiny.modeling import TinyEnhancerConfig
from omnireel.enhancer.tiny.sft import SftBatch, SftExample, collate, make_example
from omnireel.enhancer.tiny.vocabulary import SIGHT_END, build_tokenizer
from omnireel.errors import InvalidInput
from omnireel.files import atomic_write
from omnireel.processes import Report, build_missing, one_thread
from omnireel.recipes import enhancer_words as words
from omnireel.recipes.enhancer_data import draw_lesson, with_slots
from omnireel.recipes.enhancer_mix import capability_of, default_mix

_POOL = 8
"""Batches that are cut from one pool of examples sorted by length, so that little is padding."""
SHARD = 500
"""Examples of one file."""
_VERSION = 4
"""Raised when the same settings make other examples."""


@dataclass(frozen=True)
class SftDataConfig:
    """How many examples of which capability; ``mix`` holds relative weights."""

    count: int = 12_000
    mix: dict[str, float] = field(default_factory=default_mix)
    batch_size: int = 16
    held_out: int = 40
    """Held-out prompts of each validation."""

    def __post_init__(self) -> None:
        for name in ("batch_size", "held_out"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"{name} must be 1 or more", field=f"data.{name}")
        if self.count < self.batch_size * _POOL:
            raise InvalidInput(
                f"count must be at least {self.batch_size * _POOL}", field="data.count"
            )
        if not self.mix or min(self.mix.values()) < 0 or sum(self.mix.values()) <= 0:
            raise InvalidInput("mix needs positive weights", field="data.mix")

    def capability(self, seed: int) -> str:
        """The capability of example ``seed``."""
        return capability_of(self.mix, seed)


def build_examples(
    cache: Path, config: SftDataConfig, model: TinyEnhancerConfig, workers: int, report: Report
) -> Path:
    """The folder of the examples for ``model`` below ``cache``, drawn where they are missing."""
    made_of = [config.count, config.mix, sorted(model.words), model.image_side, _VERSION]
    key = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]
    folder = cache / f"enhancer-{key}"
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"examples-{i:05d}.npz" for i in range(-(-config.count // SHARD))]
    make = partial(_write_shard, config, tuple(model.words), model.image_side)
    build_missing(make, paths, workers=workers, report=report, first=one_thread)
    return folder


def _write_shard(
    config: SftDataConfig, known: tuple[str, ...], side: int, path: Path, index: int
) -> None:
    lexicon, tokenizer = words.lexicon(), build_tokenizer(known)
    examples: list[SftExample] = []
    pictures: list[np.ndarray[Any, np.dtype[np.uint8]]] = []
    for seed in range(index * SHARD, min((index + 1) * SHARD, config.count)):
        lesson = draw_lesson(config.capability(seed), seed, "train", lexicon)
        dialogue = read_prompt(lesson.prompt, lesson.media, tokenizer, side)
        shown = range(len(pictures), len(pictures) + len(dialogue.pixels_ICHW))
        pixels = ((dialogue.pixels_ICHW + 1.0) * 127.5).round().to(torch.uint8)
        pictures += list(pixels.numpy())
        thought, answer = with_slots(lesson, dialogue, lexicon)
        examples.append(make_example(dialogue, thought, answer, tuple(shown), tokenizer))
    buffer = io.BytesIO()
    np.savez(
        buffer,
        ids=np.concatenate([np.array(e.ids, np.int32) for e in examples]),
        lengths=np.array([len(e.ids) for e in examples]),
        answers=np.array([e.answer_start for e in examples]),
        pictures=np.stack(pictures) if pictures else np.zeros((0, 3, side, side), np.uint8),
        counts=np.array([len(e.pictures) for e in examples]),
    )
    atomic_write(path, buffer.getvalue())


class SftData:
    """Batches of examples; a batch follows from its number alone.

    Every third batch is of what pictures show only: such examples are short, so seeing is practised
    more often at little cost.
    """

    def __init__(
        self, folder: Path, batch_size: int, seed: int, tokenizer: PreTrainedTokenizerFast
    ) -> None:
        self.examples: list[SftExample] = []
        pictures: list[Tensor] = []
        shown = 0
        for path in sorted(folder.glob("examples-*.npz")):
            with np.load(path) as shard:
                ends = np.cumsum(shard["lengths"])
                each = np.split(shard["ids"], ends[:-1])
                for ids, answer, count in zip(each, shard["answers"], shard["counts"], strict=True):
                    numbers = tuple(range(shown, shown := shown + int(count)))
                    self.examples.append(SftExample(tuple(ids.tolist()), int(answer), numbers))
                pictures.append(torch.from_numpy(shard["pictures"]))
        self.pictures = torch.cat(pictures)
        sight_end = int(tokenizer.convert_tokens_to_ids(SIGHT_END))
        self.sights = [e.only_sight(sight_end) for e in self.examples if e.pictures]
        self._batch_size, self._seed = batch_size, seed
        self._pad_id = int(tokenizer.pad_token_id)

    def batch(self, index: int) -> SftBatch:
        """Batch ``index``: sights, or one of eight cut from a sorted random pool."""
        rng = np.random.default_rng((self._seed, 1, index))
        if index % 3 == 2 and self.sights:
            picked = rng.integers(len(self.sights), size=2 * self._batch_size)
            return self._collate([self.sights[i] for i in picked], rng)
        pool, part = divmod(index, _POOL)
        rng = np.random.default_rng((self._seed, 0, pool))
        chosen = rng.choice(len(self.examples), size=self._batch_size * _POOL, replace=False)
        ordered = sorted(chosen.tolist(), key=lambda i: len(self.examples[i].ids))
        part = int(rng.permutation(_POOL)[part])
        cut = ordered[part * self._batch_size : (part + 1) * self._batch_size]
        return self._collate([self.examples[i] for i in cut], rng)

    def _collate(self, examples: list[SftExample], rng: np.random.Generator) -> SftBatch:
        batch = collate(examples, self.pictures, pad_id=self._pad_id)
        return replace(batch, pixels_ICHW=_jitter(batch.pixels_ICHW, rng))


def _jitter(pixels_ICHW: Tensor, rng: np.random.Generator) -> Tensor:
    """Pictures moved by up to two pixels (edges repeated) and a little brighter or darker."""
    out = torch.empty_like(pixels_ICHW)
    padded = nn.functional.pad(pixels_ICHW, (2, 2, 2, 2), mode="replicate")
    side = pixels_ICHW.shape[-1]
    for i in range(len(out)):
        x, y = rng.integers(0, 5, size=2)
        out[i] = padded[i, :, y : y + side, x : x + side]
    gain = torch.from_numpy(rng.uniform(0.9, 1.1, size=(len(out), 1, 1, 1))).float()
    return ((out + 1.0) * gain - 1.0).clamp(-1.0, 1.0)
