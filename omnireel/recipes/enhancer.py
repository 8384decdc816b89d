"""Recipes of the tiny prompt enhancer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from omnireel.enhancer.tiny.backend import TinyEnhancer
from omnireel.enhancer.tiny.dialogue import read_prompt
from omnireel.enhancer.tiny.facts import Lexicon
from omnireel.enhancer.tiny.modeling import TinyEnhancer as Model
from omnireel.enhancer.tiny.modeling import TinyEnhancerConfig, tiny_config
from omnireel.enhancer.tiny.sft import SftBatch, SftExample, collate, make_example
from omnireel.enhancer.tiny.vocabulary import SIGHT_END, build_tokenizer
from omnireel.errors import InvalidInput
from omnireel.recipes import enhancer_words as words
from omnireel.recipes.base import Assembly, ComponentParts, Report, Workplace, module_weights
from omnireel.recipes.enhancer_data import Lesson, draw_lesson, with_slots
from omnireel.recipes.enhancer_mix import capability_of, default_mix, full_mix
from omnireel.recipes.enhancer_scores import score
from omnireel.registry import atomic_folder
from omnireel.train import FeedConfig, OptimizerConfig, ScheduleConfig, TrainerConfig
from omnireel.train.callbacks import ValidationReport
from omnireel.train.objectives.cross_entropy import CrossEntropy
from omnireel.train.warm_start import warm_start

_POOL = 8
"""Batches that are cut from one pool of examples sorted by length, so that little is padding."""
EXPORT_HELD_OUT = 160
"""Held-out prompts behind the scores in the card; validation during training uses others."""
_LIMITS = (
    "Knows the words of Omnireel's procedural world and common synonyms, in English. Other words "
    "are copied through; where that fails, the user's text is used and the reply says so.",
    "Looks at the first frame of each input at 32 x 32 pixels and sees place and colour, but does "
    "not recognise what a subject is. Where a prompt depends on that ('make it blue'), the user's "
    "text is used.",
    "Two subjects in one prompt are often mixed up; the check then sends the user's text back.",
    "Fills what the user left open with what is most common in the procedural world.",
)


@dataclass(frozen=True)
class SftDataConfig:
    """How many examples of which capability; ``mix`` holds relative weights."""

    count: int = 12_000
    mix: dict[str, float] = field(default_factory=default_mix)
    batch_size: int = 16
    held_out: int = 40
    """Held-out prompts of each validation."""

    def __post_init__(self) -> None:
        if self.count < self.batch_size * _POOL:
            raise InvalidInput(
                f"count must be at least {self.batch_size * _POOL}", field="data.count"
            )
        if not self.mix or min(self.mix.values()) < 0 or sum(self.mix.values()) <= 0:
            raise InvalidInput("mix needs positive weights", field="data.mix")

    def capability(self, seed: int) -> str:
        """The capability of example ``seed``."""
        return capability_of(self.mix, seed)


class SftData:
    """Batches of examples; a batch follows from its number alone.

    Every third batch is of what pictures show only: such examples are short, so seeing is practised
    more often at little cost.
    """

    def __init__(
        self, folder: Path, batch_size: int, seed: int, tokenizer: PreTrainedTokenizerFast
    ) -> None:
        with np.load(folder / "examples.npz") as data:
            ids, starts = data["ids"], data["starts"].tolist()
            answers, pictures, first = data["answers"], data["pictures"], data["first"].tolist()
        self.pictures = torch.from_numpy(pictures)
        self.examples = [
            SftExample(
                tuple(ids[starts[i] : starts[i + 1]].tolist()),
                int(answers[i]),
                tuple(range(first[i], first[i + 1])),
            )
            for i in range(len(answers))
        ]
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


@dataclass(frozen=True)
class EnhancerRecipe:
    """Supervised fine-tuning of the tiny enhancer: model, examples and loop."""

    title: ClassVar[str] = "Omnireel tiny prompt enhancer"

    trainer: TrainerConfig
    width: int = 128
    layers: int = 4
    data: SftDataConfig = field(default_factory=SftDataConfig)
    scored: int = EXPORT_HELD_OUT
    """Held-out prompts behind the scores in the card."""

    def model_config(self) -> TinyEnhancerConfig:
        """Sizes, vocabulary and facts of the model."""
        lexicon = words.lexicon().to_data()
        tasks = [name for name, weight in self.data.mix.items() if weight > 0]
        return tiny_config(
            words.vocabulary(), lexicon, tasks=tasks, width=self.width, layers=self.layers
        )

    def prepare(self, place: Workplace) -> Mapping[str, str]:
        """Render and tokenise the examples; their folder by name."""
        return {"examples": str(self._examples(place, build_tokenizer(self.model_config().words)))}

    def assemble(self, place: Workplace, init_from: Path | None) -> Assembly:
        """Render and tokenise the examples once, and build the objective."""
        config = self.model_config()
        tokenizer = build_tokenizer(config.words)
        folder = self._examples(place, tokenizer)
        torch.manual_seed(self.trainer.seed)
        model = Model(config)
        if init_from is not None:
            warm_start(model, init_from, ("enhancer",))
        lessons = held_out_lessons(self.data, self.data.held_out)
        objective = CrossEntropy(
            model,
            evaluate=lambda: ValidationReport(score(TinyEnhancer(model), lessons)),
            device=self.trainer.device,
        )
        data = SftData(folder, self.data.batch_size, self.trainer.seed, tokenizer)
        return Assembly(objective, data, {"examples": str(folder)})

    def component(self, weights: Mapping[str, Tensor], place: Workplace) -> ComponentParts:
        """The model with its vocabulary and facts inside the configuration."""
        model = Model(self.model_config())
        model.load_state_dict(module_weights(weights, "enhancer"))
        place.report("scoring held-out prompts", 0, self.scored)
        lessons = held_out_lessons(self.data, self.scored, first=self.data.held_out)
        card: dict[str, Any] = {
            "scores": score(TinyEnhancer(model), lessons),
            "data": f"{self.data.count} careless -> exact prompts of the procedural world",
            "limits": list(_LIMITS),
        }
        return ComponentParts(
            "enhancer", json.loads(model.config.to_json_string(False)), model.state_dict(), card
        )

    def _examples(self, place: Workplace, tokenizer: PreTrainedTokenizerFast) -> Path:
        made_of = [self.data.count, self.data.mix, sorted(tokenizer.get_vocab()), _DATA_VERSION]
        key = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]
        folder = place.cache / f"enhancer-{key}"
        if not folder.is_dir():
            place.cache.mkdir(parents=True, exist_ok=True)
            with atomic_folder(folder) as work:
                _write_examples(work / "examples.npz", self.data, tokenizer, place.report)
        return folder


_DATA_VERSION = 2
"""Raised when the same settings make other examples."""


def held_out_lessons(config: SftDataConfig, count: int, first: int = 0) -> list[Lesson]:
    """Lessons whose scenes hold combinations that training never shows."""
    lexicon = words.lexicon()
    return [
        draw_lesson(config.capability(10_000_000 + i), i, "held_out", lexicon)
        for i in range(first, first + count)
    ]


def _write_examples(
    path: Path, config: SftDataConfig, tokenizer: PreTrainedTokenizerFast, report: Report
) -> None:
    lexicon: Lexicon = words.lexicon()
    examples: list[SftExample] = []
    pictures: list[np.ndarray[Any, np.dtype[np.uint8]]] = []
    for seed in range(config.count):
        lesson = draw_lesson(config.capability(seed), seed, "train", lexicon)
        dialogue = read_prompt(lesson.prompt, lesson.media, tokenizer)
        shown = range(len(pictures), len(pictures) + len(dialogue.pixels_ICHW))
        pixels = ((dialogue.pixels_ICHW + 1.0) * 127.5).round().to(torch.uint8)
        pictures += list(pixels.numpy())
        thought, answer = with_slots(lesson, dialogue, lexicon)
        examples.append(make_example(dialogue, thought, answer, tuple(shown), tokenizer))
        if seed % 200 == 0:
            report("drawing examples", seed, config.count)
    report("drawing examples", config.count, config.count)
    lengths = np.array([len(e.ids) for e in examples])
    counts = np.array([len(e.pictures) for e in examples])
    np.savez(
        path,
        ids=np.concatenate([np.array(e.ids, np.int32) for e in examples]),
        starts=np.concatenate([[0], np.cumsum(lengths)]),
        answers=np.array([e.answer_start for e in examples]),
        pictures=np.stack(pictures) if pictures else np.zeros((0, 3, 32, 32), np.uint8),
        first=np.concatenate([[0], np.cumsum(counts)]),
    )


def debug_enhancer() -> EnhancerRecipe:
    """A minute of work that shows that everything runs; the result is of no use."""
    return EnhancerRecipe(
        trainer=TrainerConfig(num_steps=20, log_every=5, validate_every=20, checkpoint_every=20),
        width=64,
        layers=2,
        data=SftDataConfig(count=64, batch_size=8, held_out=2),
        scored=2,
    )


def tiny_enhancer() -> EnhancerRecipe:
    """The shipped enhancer: a quarter of an hour on one CPU core, and some minutes of rendering."""
    return EnhancerRecipe(
        trainer=TrainerConfig(
            num_steps=3_000,
            log_every=20,
            validate_every=1_000,
            checkpoint_every=100,
            threads=1,
            optimizer=OptimizerConfig(
                muon_lr=0.02,
                adamw_lr=3e-3,
                adamw_patterns=(r"embed", r"lm_head", r"norm", r"convs"),
            ),
            schedule=ScheduleConfig(kind="wsd", warmup_steps=50, decay_fraction=0.4),
            feed=FeedConfig(workers=1, depth=3),
        ),
    )


def tiny_enhancer_all() -> EnhancerRecipe:
    """The enhancer of all 25 capabilities, puzzles included."""
    recipe = tiny_enhancer()
    return replace(recipe, data=replace(recipe.data, count=16_000, mix=full_mix()))
