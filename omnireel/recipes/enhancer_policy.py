"""Recipes that tune the tiny enhancer with rewards, after its supervised fine-tuning."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from omnireel.enhancer.tiny.backend import TinyEnhancer
from omnireel.enhancer.tiny.facts import Lexicon
from omnireel.enhancer.tiny.modeling import TinyEnhancer as Model
from omnireel.enhancer.tiny.modeling import TinyEnhancerConfig
from omnireel.enhancer.tiny.vocabulary import build_tokenizer
from omnireel.errors import InvalidInput
from omnireel.recipes.base import Assembly, ComponentParts, Workplace, check_counts, module_weights
from omnireel.recipes.enhancer import EXPORT_HELD_OUT, held_out_lessons
from omnireel.recipes.enhancer_closeness import caption_model
from omnireel.recipes.enhancer_examples import SftDataConfig
from omnireel.recipes.enhancer_rewards import Judge, RewardConfig
from omnireel.recipes.enhancer_rollouts import JudgedWriter, PolicyPrompts, PromptsConfig
from omnireel.recipes.enhancer_scores import score
from omnireel.registry import load_component, verify
from omnireel.registry.descent import earlier_stages
from omnireel.shipped import SHIPPED_TINY
from omnireel.train import EmaConfig, FeedConfig, OptimizerConfig, ScheduleConfig, TrainerConfig
from omnireel.train.callbacks import ValidationReport
from omnireel.train.objectives.group_relative_policy import (
    GroupRelativeConfig,
    GroupRelativePolicy,
)


@dataclass(frozen=True)
class EnhancerPolicyRecipe:
    """The enhancer writes several answers to each prompt and learns from what they are worth."""

    title: ClassVar[str] = "Omnireel tiny prompt enhancer, tuned with rewards"

    trainer: TrainerConfig
    reference: Path = SHIPPED_TINY / "enhancer"
    """Component folder of the supervised enhancer: what training starts from and is held to."""
    prompts: PromptsConfig = field(default_factory=PromptsConfig)
    rewards: RewardConfig = field(default_factory=RewardConfig)
    objective: GroupRelativeConfig = field(default_factory=GroupRelativeConfig)
    held_out: int = 40
    """Held-out prompts of each validation: those of the supervised recipe."""
    scored: int = EXPORT_HELD_OUT
    """Held-out prompts behind the scores in the card; again those of the supervised recipe."""

    def __post_init__(self) -> None:
        check_counts(self, held_out=1, scored=1)
        if self.trainer.parallel.zero == 3:
            raise InvalidInput(
                "the policy writes its answers within a step, and ZeRO-3 gathers weights for each "
                "token: ranks whose answers differ in length would wait for each other forever; "
                "use parallel.zero=2",
                field="trainer.parallel.zero",
            )

    def prepare(self, place: Workplace) -> Mapping[str, str]:
        """Nothing to build: prompts are drawn when they are needed. The hash of the reference."""
        del place
        return {"reference_sha256": " ".join(verify(self.reference)["sha256"].values())}

    def assemble(self, place: Workplace, init_from: Path | None) -> Assembly:
        """Load the reference and build the objective.

        Raises:
            InvalidInput: ``init_from`` is given.

        """
        if init_from is not None:
            raise InvalidInput(
                "the policy starts from its reference; use --set reference=FOLDER instead of "
                "--init-from",
                field="init_from",
            )
        pinned = self.prepare(place)
        torch.manual_seed(self.trainer.seed)
        model = self._load()
        lexicon = Lexicon.from_data(model.config.lexicon)
        tokenizer = build_tokenizer(model.config.words)
        place.report("reading captions", 0, 1)
        captions = caption_model(tuple(sorted(self.prompts.mix)))
        lessons = held_out_lessons(SftDataConfig(mix=self.prompts.mix), self.held_out)
        objective = GroupRelativePolicy(
            model,
            copy.deepcopy(model),
            JudgedWriter(model, tokenizer, Judge(lexicon, captions.closeness, self.rewards)),
            self.objective,
            evaluate=lambda: ValidationReport(score(TinyEnhancer(model), lessons)),
            device=self.trainer.device,
        )
        data = PolicyPrompts(
            self.prompts, self.objective.group, tokenizer, lexicon, model.config.image_side
        )
        return Assembly(objective, data, pinned)

    def component(self, weights: Mapping[str, Tensor], place: Workplace) -> ComponentParts:
        """The tuned model; everything else as in the reference."""
        model = self._load()
        model.load_state_dict(module_weights(weights, "enhancer"))
        place.report("scoring held-out prompts", 0, self.scored)
        config = SftDataConfig(mix=self.prompts.mix)
        lessons = held_out_lessons(config, self.scored, first=config.held_out)
        before = load_component(self.reference)
        card: dict[str, Any] = {
            "earlier": earlier_stages(before.card),
            "scores": score(TinyEnhancer(model), lessons),
            "data": "prompts of the procedural world, the model's own answers and their rewards",
        }
        if "limits" in before.card:
            card["limits"] = before.card["limits"]
        return ComponentParts("enhancer", dict(before.config), model.state_dict(), card)

    def _load(self) -> Model:
        component = load_component(self.reference, kind="enhancer")
        model = Model(TinyEnhancerConfig.from_dict(component.config))
        model.load_state_dict(component.state_dict)
        return model


def debug_enhancer_policy() -> EnhancerPolicyRecipe:
    """A minute of work that shows that everything runs; the result is of no use."""
    return EnhancerPolicyRecipe(
        trainer=TrainerConfig(num_steps=4, log_every=1, validate_every=4, checkpoint_every=1),
        prompts=PromptsConfig(batch_size=2),
        objective=GroupRelativeConfig(group=2),
        held_out=2,
        scored=2,
    )


def tiny_enhancer_policy() -> EnhancerPolicyRecipe:
    """The shipped enhancer's second stage: some minutes on one CPU core."""
    return EnhancerPolicyRecipe(
        trainer=TrainerConfig(
            num_steps=90,
            log_every=10,
            validate_every=90,
            checkpoint_every=30,
            threads=1,
            optimizer=OptimizerConfig(muon_lr=0.0, adamw_lr=2e-4),
            schedule=ScheduleConfig(kind="wsd", warmup_steps=5, decay_fraction=0.3),
            ema=EmaConfig(decays=(0.9,)),
            feed=FeedConfig(workers=1, depth=2),
        ),
        prompts=PromptsConfig(updates=3),
        objective=GroupRelativeConfig(group=6),
    )
