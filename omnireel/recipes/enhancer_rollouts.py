"""Prompts for the enhancer's policy, and the answers that it writes for them, judged.

The thought of an answer is given: what the pictures truly show and what the user says. Only what
the model writes after it is its choice. So the certainty with which it names what it sees, which
the check relies on, is not rewarded away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from omnireel.enhancer.tiny.backend import MAX_ANSWER_TOKENS
from omnireel.enhancer.tiny.dialogue import read_prompt
from omnireel.enhancer.tiny.facts import Lexicon
from omnireel.enhancer.tiny.modeling import TinyEnhancer
from omnireel.enhancer.tiny.sft import thought_tokens
from omnireel.enhancer.tiny.vocabulary import END, THINK_END, join_tokens
from omnireel.enhancer.tiny.writing import ByChance, Written, write
from omnireel.errors import InvalidInput
from omnireel.recipes.enhancer_data import draw_lesson, with_slots
from omnireel.recipes.enhancer_mix import capability_of, default_mix
from omnireel.recipes.enhancer_rewards import Judge, RewardCase
from omnireel.train.objectives.group_relative_policy import Rollout


@dataclass(frozen=True)
class PromptsConfig:
    """Which prompts, how many at once, and how often their answers are trained on."""

    mix: dict[str, float] = field(default_factory=default_mix)
    """Relative weights of the capabilities."""
    batch_size: int = 8
    updates: int = 2
    """Steps on the answers to the same prompts."""
    seed: int = 20_000_000
    """First number of a prompt; far from those of the supervised examples."""

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.updates < 1:
            name = "batch_size" if self.batch_size < 1 else "updates"
            raise InvalidInput(f"{name} must be 1 or more", field=f"prompts.{name}")
        if not self.mix or min(self.mix.values()) < 0 or sum(self.mix.values()) <= 0:
            raise InvalidInput("mix needs positive weights", field="prompts.mix")


@dataclass(frozen=True, eq=False)
class PolicyPrompt:
    """What the policy continues (dialogue and thought), and what the answer is judged by."""

    prefix: tuple[int, ...]
    thought: str
    case: RewardCase


@dataclass(frozen=True, eq=False)
class PolicyBatch:
    """Prompts of one rollout; ``pixels_ICHW`` are the pictures of all their answers."""

    rollout: int
    prompts: tuple[PolicyPrompt, ...]
    pixels_ICHW: Tensor


class PolicyPrompts:
    """Batches of training prompts; ``updates`` batches in a row are the same."""

    def __init__(
        self,
        config: PromptsConfig,
        group: int,
        tokenizer: PreTrainedTokenizerFast,
        lexicon: Lexicon,
        image_side: int,
    ) -> None:
        """``group``: answers that will be written for each prompt."""
        self._config, self._group = config, group
        self._tokenizer, self._lexicon, self._side = tokenizer, lexicon, image_side

    def batch(self, index: int) -> PolicyBatch:
        """Draw and render the prompts of batch ``index``."""
        number = index // self._config.updates
        first = self._config.seed + number * self._config.batch_size
        prompts = tuple(self._prompt(first + i) for i in range(self._config.batch_size))
        pictures = [p.case.dialogue.pixels_ICHW.repeat(self._group, 1, 1, 1) for p in prompts]
        return PolicyBatch(number, prompts, torch.cat(pictures))

    def _prompt(self, seed: int) -> PolicyPrompt:
        lesson = draw_lesson(capability_of(self._config.mix, seed), seed, "train", self._lexicon)
        dialogue = read_prompt(lesson.prompt, lesson.media, self._tokenizer, self._side)
        thought, right = with_slots(lesson, dialogue, self._lexicon)
        tokens = thought_tokens(thought, self._tokenizer)
        prefix = (*dialogue.ids, *self._tokenizer.convert_tokens_to_ids(tokens))
        sees = thought.rpartition("said")[0]
        return PolicyPrompt(prefix, thought, RewardCase(lesson.prompt, dialogue, sees, right))


class JudgedWriter:
    """Writes answers with a model and judges them."""

    def __init__(
        self, model: TinyEnhancer, tokenizer: PreTrainedTokenizerFast, judge: Judge
    ) -> None:
        """``model`` may go on learning."""
        self._model, self._tokenizer, self._judge = model, tokenizer, judge
        self._end_id = int(tokenizer.convert_tokens_to_ids(END))

    def __call__(self, batch: PolicyBatch, group: int, rng: torch.Generator) -> Rollout:
        """``group`` answers for each prompt, drawn at temperature 1."""
        prompts = [prompt for prompt in batch.prompts for _ in range(group)]
        written = write(
            self._model,
            [prompt.prefix for prompt in prompts],
            batch.pixels_ICHW,
            max_new_tokens=MAX_ANSWER_TOKENS,
            end_id=self._end_id,
            rule=ByChance(rng),
        )
        terms = [self.judge(p, w) for p, w in zip(prompts, written, strict=True)]
        ids_BN, chosen_BN = self._lay_out(prompts, written)
        mean = {name: fmean(row[name] for row in terms) for name in terms[0] if name != "total"}
        return Rollout(ids_BN, chosen_BN, torch.tensor([row["total"] for row in terms]), mean)

    def judge(self, prompt: PolicyPrompt, written: Written) -> Mapping[str, float]:
        """The rewards of one answer."""
        tokens = self._tokenizer.convert_ids_to_tokens(list(written.ids))
        text = f"<think> {prompt.thought} {THINK_END}{join_tokens(tokens)}"
        return self._judge(prompt.case, text, ended=written.ended)

    def _lay_out(
        self, prompts: list[PolicyPrompt], written: list[Written]
    ) -> tuple[Tensor, Tensor]:
        rows = [
            (p.prefix, (*w.ids, *([self._end_id] if w.ended else [])))
            for p, w in zip(prompts, written, strict=True)
        ]
        longest = max(len(prefix) + len(answer) for prefix, answer in rows)
        ids = np.full((len(rows), longest), self._tokenizer.pad_token_id, np.int64)
        chosen = np.zeros((len(rows), longest), np.bool_)
        for row, (prefix, answer) in enumerate(rows):
            end = len(prefix) + len(answer)
            ids[row, :end] = (*prefix, *answer)
            chosen[row, len(prefix) : end] = True
        return torch.from_numpy(ids), torch.from_numpy(chosen)
