"""Recipe of an adapter: a finished generator learns a look, a subject or a world from few clips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from omnireel.errors import InvalidInput
from omnireel.generate.adapters import ADAPTER, adapter_config
from omnireel.generate.components import (
    check_latent_space,
    load_vae,
    model_limits,
    sampling_defaults,
    tokenizer_of,
    weights_sha256,
)
from omnireel.model.lora import LoraConfig, add_lora, lora_state
from omnireel.model.sequence import pack
from omnireel.recipes.base import Assembly, ComponentParts, Workplace, check_counts, module_weights
from omnireel.recipes.post_training import load_network
from omnireel.recipes.preview import GeneratorPreview, Rival
from omnireel.recipes.shard_data import encode_shards, open_shards, shard_facts
from omnireel.registry import load_component
from omnireel.registry.descent import earlier_stages
from omnireel.shipped import SHIPPED_TEACHER, SHIPPED_TINY
from omnireel.train import EmaConfig, FeedConfig, OptimizerConfig, ScheduleConfig, TrainerConfig
from omnireel.train.objectives.adapter_matching import AdapterMatching
from omnireel.train.objectives.flow_matching import FlowMatchingConfig


@dataclass(frozen=True)
class LoraRecipe:
    """Flow matching on training shards, where only the adapter learns."""

    title: ClassVar[str] = "Omnireel Omni-Generator, adapter"

    trainer: TrainerConfig
    shards: Path | None = None
    """Folder of training shards (``omnireel data pack``)."""
    base: Path = SHIPPED_TEACHER
    """Component folder of the generator that is adapted."""
    vae: Path = SHIPPED_TINY / "vae"
    """Component folder of its autoencoder."""
    lora: LoraConfig = field(default_factory=LoraConfig)
    batch_size: int = 8
    objective: FlowMatchingConfig = field(default_factory=FlowMatchingConfig)
    held_out: int = 8
    """Samples that are kept for the validation loss, a fifth of all at most."""
    previews: int = 2
    """Of these, how many are generated and shown at each validation."""
    workers: int = 1

    def __post_init__(self) -> None:
        check_counts(self, batch_size=1, held_out=1, previews=0, workers=0)

    def prepare(self, place: Workplace) -> Mapping[str, str]:
        """Encode the shards; see :func:`encode_shards`, and the hash of the "base"."""
        base = load_component(self.base, kind="generator")
        check_latent_space(base, self.vae)
        limits = model_limits(base)
        found = encode_shards(place, self._shards(), limits, self.vae, workers=self.workers)
        return {**found, "base": weights_sha256(base)}

    def assemble(self, place: Workplace, init_from: Path | None) -> Assembly:
        """Encode the shards and build the objective.

        Raises:
            InvalidInput: ``init_from`` is given.

        """
        if init_from is not None:
            raise InvalidInput(
                "an adapter starts from its base; use --set base=FOLDER instead of --init-from",
                field="init_from",
            )
        pinned = self.prepare(place)
        batches, held_out = open_shards(pinned, held_out=self.held_out, batch_size=self.batch_size)
        torch.manual_seed(self.trainer.seed)
        model = load_network(self.base, self.trainer)
        add_lora(model, self.lora)
        device = self.trainer.device
        base = load_component(self.base)
        objective = AdapterMatching(
            model,
            tokenizer_of(model.config),
            self.objective,
            pack,
            held_out=held_out,
            preview=GeneratorPreview(
                load_vae(self.vae),
                held_out[: self.previews],
                sampling_defaults(base),
                device,
                rivals=(Rival("base", self.base),),
                fps=model_limits(base).fps,
            ),
            device=device,
        )
        return Assembly(objective, batches, pinned, objective.weigh)

    def component(self, weights: Mapping[str, Tensor], place: Workplace) -> ComponentParts:
        """The adapter alone; its configuration says which base it belongs to."""
        base = load_component(self.base, kind="generator")
        if weights_sha256(base) != place.pinned["base"]:
            raise InvalidInput(
                f"the run adapted another generator than the one in {self.base}; restore it",
                field="base",
            )
        model = load_network(self.base, self.trainer)
        add_lora(model, self.lora)
        model.load_state_dict(module_weights(weights, "transformer"))
        facts = shard_facts(place.pinned, tokenizer_of(model.config))
        card: dict[str, Any] = {
            "data": f"{facts.count} samples of {facts.origin}",
            "capabilities": facts.capabilities,
            "base": place.pinned["base"],
            "earlier": earlier_stages(base.card),
            "limits": [
                "Works on exactly the generator that it was trained on, and on nothing else.",
                *facts.limits,
                *base.card.get("limits", ()),
            ],
        }
        state = {name: tensor.detach() for name, tensor in lora_state(model).items()}
        return ComponentParts(ADAPTER, adapter_config(base, self.lora), state, card)

    def _shards(self) -> Path:
        if self.shards is None:
            raise InvalidInput(
                "the recipe has no training shards; use 'omnireel train lora --data FOLDER', or "
                "--set shards=FOLDER",
                field="shards",
            )
        return self.shards


def tiny_lora() -> LoraRecipe:
    """An adapter of the tiny generator: about a minute of one CPU core.

    Enough for a look from two dozen clips; more steps learn these clips by heart (``loss`` rises
    again), so give more clips first.
    """
    return LoraRecipe(
        trainer=TrainerConfig(
            num_steps=150,
            log_every=10,
            validate_every=50,
            checkpoint_every=25,
            threads=1,
            autocast="bfloat16",
            optimizer=OptimizerConfig(muon_lr=0.0, adamw_lr=3e-3),
            schedule=ScheduleConfig(kind="wsd", warmup_steps=10, decay_fraction=0.3),
            ema=EmaConfig(decays=(0.98,)),
            feed=FeedConfig(workers=1, depth=2),
        ),
        lora=LoraConfig(
            rank=16, alpha=16.0, targets=(r"attention\.(qkv|out)$", r"blocks\.\d+\.mlp_(in|out)$")
        ),
        objective=FlowMatchingConfig(shift=3.0, even_below=0.5, vague_share=0.0),
    )


def debug_lora() -> LoraRecipe:
    """A minute of work that shows that everything runs; the result is of no use."""
    recipe = tiny_lora()
    return replace(
        recipe,
        trainer=replace(
            recipe.trainer, num_steps=4, log_every=1, validate_every=2, checkpoint_every=1,
            autocast="off",
        ),
        lora=replace(recipe.lora, rank=2, alpha=2.0),
        batch_size=2,
        previews=1,
        workers=0,
    )  # fmt: skip
