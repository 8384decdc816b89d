"""What trajectory matching draws and packs before its networks see a batch.

Fine steps and noise are drawn; tokens are packed for the student, and for the teacher once for each
link of its guidance chains. None of it needs a network, so it may run in the loop or in a loader's
processes (:class:`~omnireel.train.prepared.PreparedBatches`); the numbers are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from omnireel.model.sequence import PATCH, PackedSequence
from omnireel.model.text import Tokenizer
from omnireel.sampling.guidance import Guidance
from omnireel.train.latent_record import LatentRecord
from omnireel.train.objectives.packed import (
    GuidedPack,
    PackFn,
    grouped,
    guided_pack,
    omni_sample,
    stack_tokens,
)
from omnireel.train.objectives.phase_grid import PhaseGrid


@dataclass(frozen=True, eq=False)
class TrajectoryBatch:
    """Samples of one shape."""

    packed: PackedSequence
    guided: GuidedPack
    clean_BNP: Tensor
    """Target tokens without noise."""
    noise_BNP: Tensor
    step_B: Tensor
    """Fine steps 0.. ."""

    def to(self, device: torch.device | str) -> TrajectoryBatch:
        """The same with everything that the networks read on ``device``."""
        return replace(
            self,
            packed=self.packed.to(device),
            guided=self.guided.to(device),
            clean_BNP=self.clean_BNP.to(device),
            noise_BNP=self.noise_BNP.to(device),
        )


@dataclass(frozen=True, eq=False)
class TrajectoryPreparation:
    """Records -> :class:`TrajectoryBatch` for each shape among them, on the CPU."""

    tokenizer: Tokenizer
    guidance: Guidance
    grid: PhaseGrid
    pack: PackFn
    """Who attends to whom. A loader's processes need one that can be pickled."""
    patch: int = PATCH
    """Of the networks (:class:`~omnireel.model.transformer.TransformerConfig`)."""

    def __call__(
        self, records: Sequence[LatentRecord], rng: torch.Generator
    ) -> tuple[TrajectoryBatch, ...]:
        """Batches to learn from."""
        groups = grouped(records, lambda r: tuple(r.target_CTHW.shape))
        return tuple(self.at(same, self.grid.draw(len(same), rng), rng) for same in groups)

    def at(
        self, records: Sequence[LatentRecord], step_B: Tensor, rng: torch.Generator
    ) -> TrajectoryBatch:
        """One batch at given fine steps.

        Raises:
            InvalidInput: the targets differ in shape.

        """
        clean = stack_tokens([r.target_CTHW for r in records], patch=self.patch)
        samples = [
            omni_sample(self.tokenizer, r.prompt, r.segments, r.target_CTHW, self.patch)
            for r in records
        ]
        return TrajectoryBatch(
            packed=self.pack(samples),
            guided=guided_pack(samples, self.pack, self.tokenizer.empty(), self.guidance),
            clean_BNP=clean,
            noise_BNP=torch.randn(clean.shape, generator=rng),
            step_B=step_B,
        )
