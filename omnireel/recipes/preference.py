"""Recipes of preference tuning: the generator learns which of its own clips are better."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from omnireel.errors import InvalidInput
from omnireel.generate.components import (
    load_vae,
    model_limits,
    sampling_defaults,
    tokenizer_of,
)
from omnireel.model.lora import LoraConfig, add_lora, merge_lora
from omnireel.model.sequence import pack
from omnireel.recipes.base import Assembly, ComponentParts, Workplace, check_counts, module_weights
from omnireel.recipes.generator_tiny import ALL_CAPABILITY_WEIGHTS
from omnireel.recipes.post_training import load_network, refined_component
from omnireel.recipes.preference_answers import check_judged
from omnireel.recipes.preference_sampling import (
    JUDGE,
    PreferenceSamplingConfig,
    build_preferences,
)
from omnireel.recipes.preview import GeneratorPreview, Rival
from omnireel.registry import load_component
from omnireel.shipped import SHIPPED_TEACHER, SHIPPED_TINY
from omnireel.train import EmaConfig, FeedConfig, OptimizerConfig, ScheduleConfig, TrainerConfig
from omnireel.train.latent_record import LatentRecord
from omnireel.train.objectives.flow_dpo import FlowDPO, FlowDPOConfig
from omnireel.train.objectives.packed import frozen_copy
from omnireel.train.objectives.preference_loss import PreferenceScale
from omnireel.train.preferences import PreferenceBatches, PreferencePair, PreferenceSet
from omnireel.types import VideoFormat
from omnireel.world.distribution import CLEAR_SCENES

_HELD_OUT_SEED = 60_000_000


@dataclass(frozen=True)
class PreferenceRecipe:
    """One round: sample pairs with the reference, judge them, train on them."""

    title: ClassVar[str] = "Omnireel Omni-Generator, preference-tuned"

    trainer: TrainerConfig
    vae: Path = SHIPPED_TINY / "vae"
    """Component folder of the autoencoder."""
    reference: Path = SHIPPED_TEACHER
    """Component folder of the generator: it makes the pairs, is the frozen reference, and is what
    training starts from."""
    lora: LoraConfig | None = field(default_factory=lambda: LoraConfig(rank=16, alpha=32.0))
    """Train adapters, which are merged at export; None trains every weight."""
    pairs: PreferenceSamplingConfig = field(default_factory=PreferenceSamplingConfig)
    judged: Path | None = None
    """Pairs that people judged ('omnireel train preferences import'); None samples pairs and asks
    the oracles. Held-out pairs are the oracles' either way."""
    batch_size: int = 8
    max_epochs: float = 16.0
    """So often may a pair be seen. Few pairs seen often make a model worse: 53 passes over 30 pairs
    did so measurably (docs/training.md)."""
    objective: FlowDPOConfig = field(default_factory=FlowDPOConfig)
    held_out: int = 32
    """Prompts with held-out combinations for validation."""
    previews: int = 4
    """Of these, how many are generated and shown at each validation, beside the preferred clip."""
    workers: int = 2

    def __post_init__(self) -> None:
        check_counts(self, batch_size=1, held_out=1, previews=0, workers=0)

    def prepare(self, place: Workplace) -> Mapping[str, str]:
        """Sample and judge training and held-out pairs; their folders by name.

        Raises:
            InvalidInput: ``judged`` is no such set, or one of another autoencoder; or the
                reference does not make clips of the pairs' format.

        """
        self._check_format()
        held_out = replace(self.pairs, prompts=self.held_out, seed=_HELD_OUT_SEED, split="held_out")
        sets = [("pairs", self.pairs, "sampling pairs"), ("held_out", held_out, "sampling tests")]
        given: dict[str, str] = {}
        if self.judged is not None:
            check_judged(self.judged, self.vae)
            given["pairs"] = str(self.judged)
            del sets[0]
        return given | {
            name: place.pinned.get(name)
            or str(
                build_preferences(
                    place.cache,
                    config,
                    self.reference,
                    self.vae,
                    workers=self.workers,
                    report=lambda done, total, what=what: place.report(what, done, total),  # type: ignore[misc]
                )
            )
            for name, config, what in sets
        }

    def assemble(self, place: Workplace, init_from: Path | None) -> Assembly:
        """Build the pairs and the objective.

        Raises:
            InvalidInput: ``init_from`` is given.

        """
        if init_from is not None:
            raise InvalidInput(
                "preference tuning starts from its reference; use --set reference=FOLDER instead "
                "of --init-from",
                field="init_from",
            )
        pinned = self.prepare(place)
        torch.manual_seed(self.trainer.seed)
        model = load_network(self.reference, self.trainer)
        if self.lora is not None:
            # Switched off, the adapters leave the reference.
            add_lora(model, self.lora)
            reference = None
        else:
            reference = frozen_copy(model)
        device = self.trainer.device
        held_out = PreferenceSet(Path(pinned["held_out"]))
        pairs = [held_out.pair(i) for i in held_out.decided()]
        objective = FlowDPO(
            model,
            reference,
            tokenizer_of(model.config),
            self.objective,
            lambda samples: pack(samples, device),
            held_out=pairs,
            preview=self._preview(pairs),
            device=device,
        )
        training = PreferenceSet(Path(pinned["pairs"]))
        batches = PreferenceBatches(training, self.batch_size)
        self._check_epochs(len(training.decided()))
        return Assembly(objective, batches, pinned)

    def _check_format(self) -> None:
        fmt, limits = self.pairs.format, model_limits(load_component(self.reference))
        if min(fmt.width, fmt.height) > limits.short_side or fmt.num_frames > limits.max_frames:
            raise InvalidInput(
                f"{self.reference} makes clips of {limits.short_side} pixels on the short side and "
                f"{limits.max_frames} frames at most, and pairs of {fmt.width} x {fmt.height} x "
                f"{fmt.num_frames} are required; give a larger one with --set reference=FOLDER, "
                "or lower pairs.format",
                field="pairs.format",
            )

    def _check_epochs(self, decided: int) -> None:
        each_step = self.trainer.accumulate * self.batch_size
        seen = self.trainer.num_steps * each_step / decided
        if seen > self.max_epochs:
            enough = int(self.max_epochs * decided) // each_step
            raise InvalidInput(
                f"{decided} pairs are few for {self.trainer.num_steps} steps: each would be "
                f"seen {seen:.0f} times. Lower trainer.num_steps to {enough}, raise pairs.prompts, "
                "or raise max_epochs if you know better",
                field="trainer.num_steps",
            )

    def component(self, weights: Mapping[str, Tensor], place: Workplace) -> ComponentParts:
        """The generator with its adapters merged."""
        del place
        model = load_network(self.reference, self.trainer)
        if self.lora is not None:
            add_lora(model, self.lora)
        model.load_state_dict(module_weights(weights, "transformer"))
        merge_lora(model)
        return refined_component(self.reference, model.state_dict(), {"data": self._source()})

    def _preview(self, pairs: Sequence[PreferencePair]) -> GeneratorPreview:
        """The tuned model and its reference, beside the clip of each pair that was preferred."""
        reference = load_component(self.reference)
        return GeneratorPreview(
            load_vae(self.vae),
            [_preferred(pair, seed) for seed, pair in enumerate(pairs[: self.previews])],
            sampling_defaults(reference),
            self.trainer.device,
            rivals=(Rival("reference", self.reference),),
            truth="preferred",
            fps=model_limits(reference).fps,
        )

    def _source(self) -> str:
        if self.judged is None:
            return (
                f"{self.pairs.prompts} prompts of the procedural world, {self.pairs.candidates} "
                f"clips each of the model itself, judged by the oracles (round {self.pairs.round})"
            )
        manifest = check_judged(self.judged, self.vae)
        count = len(PreferenceSet(self.judged))
        people = [judge for judge in manifest["judges"] if judge != JUDGE]
        who = f"{len(people)} people" if len(people) > 1 else "one person" if people else ""
        if len(people) < len(manifest["judges"]):
            who = f"{who} and the oracles" if who else "the oracles"
        return f"{count} pairs of clips, judged by {who} (round {manifest['round']})"


def _preferred(pair: PreferencePair, seed: int) -> LatentRecord:
    """The prompt of a decided pair, and its better clip as the target."""
    better = pair.first if sum(v.sign for v in pair.verdicts) > 0 else pair.second
    return LatentRecord(
        pair.capability, seed, pair.prompt, pair.prompt, better.latents_CTHW, pair.segments
    )


_ADAPTER_OPTIMIZER = OptimizerConfig(muon_lr=0.0, adamw_lr=2e-4)


def debug_preference() -> PreferenceRecipe:
    """A minute of work that shows that everything runs; the result is of no use."""
    return PreferenceRecipe(
        trainer=TrainerConfig(
            num_steps=3, log_every=1, validate_every=3, checkpoint_every=1,
            optimizer=_ADAPTER_OPTIMIZER,
        ),
        lora=LoraConfig(rank=2, alpha=4.0),
        pairs=PreferenceSamplingConfig(
            prompts=4, candidates=2, num_inference_steps=2, tie_margin=0.0, shard_prompts=2,
            format=VideoFormat(32, 32, 9, 8.0), weights={"C8": 1.0},
        ),
        batch_size=1,
        held_out=2,
        workers=0,
    )  # fmt: skip


def tiny_preference() -> PreferenceRecipe:
    """A preference round of the tiny generator: an hour on two CPU cores, mostly sampling."""
    return PreferenceRecipe(
        trainer=TrainerConfig(
            num_steps=200,
            log_every=10,
            validate_every=50,
            checkpoint_every=50,
            threads=1,
            optimizer=_ADAPTER_OPTIMIZER,
            schedule=ScheduleConfig(kind="wsd", warmup_steps=10, decay_fraction=0.3),
            ema=EmaConfig(decays=(0.98,)),
            feed=FeedConfig(workers=1, depth=2),
        ),
        pairs=PreferenceSamplingConfig(
            prompts=512, weights=dict(ALL_CAPABILITY_WEIGHTS), scenes=CLEAR_SCENES
        ),
        objective=FlowDPOConfig(even_below=0.5),
    )


def base_preference() -> PreferenceRecipe:
    """A round of a trained ``generator-base`` with published settings (docs/training.md). None is
    shipped: name its component with ``--set reference=FOLDER``."""
    return PreferenceRecipe(
        trainer=TrainerConfig(
            num_steps=500,
            accumulate=4,
            log_every=10,
            validate_every=50,
            checkpoint_every=50,
            threads=0,
            autocast="bfloat16",
            device="cuda",
            optimizer=OptimizerConfig(muon_lr=0.0, adamw_lr=5e-6),
            schedule=ScheduleConfig(kind="wsd", warmup_steps=50, decay_fraction=0.2),
            ema=EmaConfig(decays=(0.99,)),
            feed=FeedConfig(workers=4, depth=4),
            # Without any preference it is ln 2; beyond that the model only learns its pairs.
            stop_above={"preference_loss": 1.01 * math.log(2.0)},
        ),
        lora=LoraConfig(rank=64, alpha=128.0),
        pairs=PreferenceSamplingConfig(
            prompts=4_096,
            num_inference_steps=50,
            format=VideoFormat(832, 480, 49, 16.0),
            weights=dict(ALL_CAPABILITY_WEIGHTS),
        ),
        batch_size=1,
        objective=FlowDPOConfig(
            scale=PreferenceScale("mean", 500.0), winner_weight=0.0, even_below=0.5
        ),
        held_out=64,
    )
