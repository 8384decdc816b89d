"""Recipes of the tiny embedder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from omnireel.embed.network import EmbedderConfig, MatchingNetwork
from omnireel.model.text import Tokenizer
from omnireel.recipes.base import Assembly, ComponentParts, Workplace, check_counts, module_weights
from omnireel.recipes.embedder_data import (
    EmbedderBatches,
    EmbedderDataConfig,
    build_embedder_cache,
)
from omnireel.recipes.embedder_scores import held_out_scores
from omnireel.train import FeedConfig, OptimizerConfig, ScheduleConfig, TrainerConfig
from omnireel.train.callbacks import ValidationReport
from omnireel.train.objectives.matching import Matching, MatchingConfig
from omnireel.train.warm_start import warm_start
from omnireel.world.lexicon import vocabulary

_LIMITS = (
    "Knows the procedural world, its words and simple subjects only; on real footage use a "
    "CLIP-like model by its path.",
    "Sees through the readers of the evaluation (omnireel/weights/oracle) and shares their errors: "
    "a generator that was filtered by it should be judged by people as well.",
    "Who somebody is means kind and colour; hair, textures and props are not looked at.",
    "Looks at two subjects at most, and sometimes mixes up who does what.",
)


@dataclass(frozen=True)
class EmbedderRecipe:
    """Contrastive training of the tiny embedder."""

    title: ClassVar[str] = "Omnireel tiny embedder"

    trainer: TrainerConfig
    model: EmbedderConfig = field(default_factory=lambda: EmbedderConfig(vocabulary()))
    data: EmbedderDataConfig = field(default_factory=EmbedderDataConfig)
    objective: MatchingConfig = field(default_factory=MatchingConfig)
    held_out: int = 32
    """Held-out scenes of each validation."""
    scored: int = 60
    """Held-out scenes behind the scores in the card."""
    render_workers: int = 2

    def __post_init__(self) -> None:
        check_counts(self, held_out=1, scored=1, render_workers=0)

    def prepare(self, place: Workplace) -> Mapping[str, str]:
        """Render clips, references and edits and look at them; their folder by name."""
        return {"pairs": str(self._pairs(place))}

    def assemble(self, place: Workplace, init_from: Path | None) -> Assembly:
        """Render the data and build the objective."""
        pinned = self.prepare(place)
        torch.manual_seed(self.trainer.seed)
        network, tokenizer = self._network()
        if init_from is not None:
            warm_start(network, init_from, ("embedder",))
        objective = Matching(
            network,
            self.objective,
            lambda: ValidationReport(held_out_scores(network, tokenizer, self.held_out)),
            self.trainer.device,
        )
        data = EmbedderBatches(Path(pinned["pairs"]), self.data, tokenizer)
        return Assembly(objective, data, pinned)

    def component(self, weights: Mapping[str, Tensor], place: Workplace) -> ComponentParts:
        """The network, scored on held-out scenes."""
        network, tokenizer = self._network()
        network.load_state_dict(module_weights(weights, "embedder"))
        place.report("scoring held-out scenes", 0, self.scored)
        card: dict[str, Any] = {
            "data": f"{self.data.clips} clips and {self.data.edits} edits of the procedural world",
            "limits": list(_LIMITS),
            "scores": held_out_scores(network.eval(), tokenizer, self.scored, first=10_000),
        }
        return ComponentParts("embedder", asdict(self.model), network.state_dict(), card)

    def _network(self) -> tuple[MatchingNetwork, Tokenizer]:
        tokenizer = Tokenizer(self.model.words, self.model.max_tokens)
        network = MatchingNetwork(self.model, len(tokenizer))
        return network, tokenizer

    def _pairs(self, place: Workplace) -> Path:
        if "pairs" in place.pinned:
            return Path(place.pinned["pairs"])
        return build_embedder_cache(
            place.cache,
            self.data,
            workers=self.render_workers,
            report=lambda done, total: place.report("rendering pairs", done, total),
        )


def debug_embedder() -> EmbedderRecipe:
    """A minute of work that shows that everything runs; the result is of no use."""
    return EmbedderRecipe(
        trainer=TrainerConfig(num_steps=8, log_every=4, validate_every=8, checkpoint_every=8),
        model=EmbedderConfig(vocabulary(), width=32, embed_dim=16, subject_dim=16),
        data=EmbedderDataConfig(clips=16, edits=8, shard=8, batch_size=4, edit_batch_size=4),
        held_out=4,
        scored=4,
        render_workers=0,
    )


def tiny_embedder() -> EmbedderRecipe:
    """The embedder of the world: an hour on one CPU core, half of it for rendering."""
    return EmbedderRecipe(
        data=EmbedderDataConfig(clips=3000, edits=1500, edits_every=2),
        trainer=TrainerConfig(
            num_steps=5000,
            log_every=20,
            validate_every=1000,
            checkpoint_every=200,
            threads=1,
            optimizer=OptimizerConfig(
                muon_lr=0.01,
                adamw_lr=2e-3,
                adamw_patterns=(
                    r"table",
                    r"positions",
                    r"roles",
                    r"slots",
                    r"_(in|out)\b",
                    r"pool",
                ),
            ),
            schedule=ScheduleConfig(kind="wsd", warmup_steps=30, decay_fraction=0.5),
            feed=FeedConfig(workers=1, depth=3),
        ),
    )
