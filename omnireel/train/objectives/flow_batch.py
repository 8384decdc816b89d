"""What flow matching does to its samples before the network sees them: conditions are dropped and
noised, times drawn, tokens packed.

None of it needs the network, so it may run in the loop or in a loader's processes
(:class:`~omnireel.train.prepared.PreparedBatches`); the numbers are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from omnireel.model.sequence import (
    PATCH,
    OmniSample,
    PackedSequence,
    Segment,
    aligned_tokens,
    patchify,
)
from omnireel.model.text import Tokenizer
from omnireel.mvl.prompt import Prompt
from omnireel.sampling.guidance import drop
from omnireel.sampling.schedule import shift_time
from omnireel.train.latent_record import LatentRecord
from omnireel.train.objectives.packed import PackFn, omni_sample
from omnireel.types import Role

if TYPE_CHECKING:
    from omnireel.train.objectives.flow_matching import FlowMatchingConfig


@dataclass(frozen=True, eq=False)
class FlowBatch:
    """A batch that only lacks its noise."""

    packed: PackedSequence
    clean_NP: Tensor
    """Target tokens of all samples, without noise."""
    focus_N: Tensor
    """How much each target token differs from the clip to edit, see :func:`changed_tokens`."""
    times_B: Tensor
    random_state: Tensor
    """Of the generator that made the batch: the noise goes on from there."""

    @property
    def num_samples(self) -> int:
        """Samples."""
        return len(self.packed.target_shapes)

    def random_numbers(self) -> torch.Generator:
        """The generator that made the batch, as it was afterwards."""
        rng = torch.Generator()
        rng.set_state(self.random_state)
        return rng

    def to(self, device: torch.device | str) -> FlowBatch:
        """The same with everything that the network reads on ``device``."""
        return replace(
            self,
            packed=self.packed.to(device),
            clean_NP=self.clean_NP.to(device),
            focus_N=self.focus_N.to(device),
        )


@dataclass(frozen=True, eq=False)
class FlowPreparation:
    """Records -> :class:`FlowBatch`, on the CPU."""

    tokenizer: Tokenizer
    config: FlowMatchingConfig
    pack: PackFn
    """Who attends to whom. A loader's processes need one that can be pickled."""
    patch: int = PATCH
    """Of the network (:class:`~omnireel.model.transformer.TransformerConfig`)."""

    def __call__(self, records: Sequence[LatentRecord], rng: torch.Generator) -> FlowBatch:
        """A batch to learn from; targets may differ in shape."""
        samples = [self._augmented(record, rng) for record in records]
        return self._batch(records, samples, self.draw_times(records, rng), rng)

    def exact(
        self, records: Sequence[LatentRecord], times_B: Tensor, rng: torch.Generator
    ) -> FlowBatch:
        """A batch to measure with: whole conditions, given times."""
        samples = [self._sample(record, record.prompt) for record in records]
        return self._batch(records, samples, times_B, rng)

    def draw_times(self, records: Sequence[LatentRecord], rng: torch.Generator) -> Tensor:
        """Diffusion times ``[B]`` in 0..1 of samples with these targets; 1 is pure noise."""
        config, count = self.config, len(records)
        normal = config.time_mean + config.time_std * torch.randn(count, generator=rng)
        times = shift_time(torch.sigmoid(normal), self._shift(records))
        uniform = torch.rand(count, generator=rng) < config.uniform_share
        return torch.where(uniform, torch.rand(count, generator=rng), times)

    def _shift(self, records: Sequence[LatentRecord]) -> float | Tensor:
        """The shift of all samples, or of each ``[B]`` where they differ."""
        config = self.config
        shapes = [record.target_CTHW.shape[1:] for record in records]
        shifts = [config.shift_by.of(config.shift, (t, h, w), self.patch) for t, h, w in shapes]
        return shifts[0] if len(set(shifts)) == 1 else torch.tensor(shifts)

    def _batch(
        self,
        records: Sequence[LatentRecord],
        samples: Sequence[OmniSample],
        times_B: Tensor,
        rng: torch.Generator,
    ) -> FlowBatch:
        clean_NP = torch.cat([patchify(record.target_CTHW, self.patch) for record in records])
        if self.config.changed_focus > 0:
            focus_N = torch.cat([changed_tokens(record, self.patch) for record in records])
        else:
            focus_N = torch.zeros(len(clean_NP))
        return FlowBatch(self.pack(samples), clean_NP, focus_N, times_B, rng.get_state())

    def _sample(self, record: LatentRecord, prompt: Prompt) -> OmniSample:
        """The model's view of a record under one of its prompts."""
        segments, target = record.segments, record.target_CTHW
        return omni_sample(self.tokenizer, prompt, segments, target, self.patch)

    def _augmented(self, record: LatentRecord, rng: torch.Generator) -> OmniSample:
        config = self.config
        draws = torch.rand(4, generator=rng).tolist()
        prompt = record.vague_prompt if draws[0] < config.vague_share else record.prompt
        sample = self._sample(record, prompt)
        noised = tuple(self._noised(segment, rng) for segment in sample.segments)
        keep = {
            "text": draws[1] >= config.drop_text,
            "image": draws[2] >= config.drop_image,
            "video": draws[3] >= config.drop_video,
        }
        return drop(replace(sample, segments=noised), self.tokenizer.empty(), keep=keep)

    def _noised(self, segment: Segment, rng: torch.Generator) -> Segment:
        chance, level = torch.rand(2, generator=rng).tolist()
        if chance >= self.config.noisy_condition_share:
            return segment
        level *= self.config.noisy_condition_max
        noise = torch.randn(segment.latents_CTHW.shape, generator=rng)
        return replace(segment, latents_CTHW=(1 - level) * segment.latents_CTHW + level * noise)


def changed_tokens(record: LatentRecord, patch: int = PATCH) -> Tensor:
    """How far each target token ``[N]`` differs from the clip to edit, 0 (equal) to 1.

    The mean squared difference d of normalised latents becomes d / (d + 0.1). Without a clip to
    edit all are 0.
    """
    _, t, h, w = record.target_CTHW.shape
    target_NP = patchify(record.target_CTHW.float(), patch)
    changed_N = torch.zeros(len(target_NP))
    for segment in record.segments:
        if segment.role is not Role.SOURCE:
            continue
        index = aligned_tokens(segment, (t, h, w), patch)
        if index is None:
            continue
        lies = index >= 0
        source_NP = patchify(segment.latents_CTHW.float(), patch)[lies]
        difference = (target_NP[index[lies]] - source_NP).square().mean(1)
        changed_N[index[lies]] = difference / (difference + 0.1)
    return changed_N
