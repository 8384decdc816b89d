"""Flow matching over packed multimodal samples (rectified flow, arXiv 2209.03003).

For each sample: x_t = (1 - t) x0 + t eps, v = eps - x0, loss = mean ||v^ - v||^2 over target tokens
only. t = shift(sigmoid(N(mean, std))), with a share of uniform times mixed in. Text, images and
videos are dropped independently, so that guidance can be chained; some clean conditions get a
little noise, so that the model trusts imperfect ones less. In an edit most tokens equal their
source, which a network that predicts changes knows from its first step: those that differ can be
made to count more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from omnireel.errors import InvalidInput
from omnireel.generate.conditions import source_ids
from omnireel.model.sequence import (
    PATCH,
    OmniSample,
    PackedSequence,
    Segment,
    aligned_tokens,
    patchify,
)
from omnireel.model.text import Tokenizer
from omnireel.model.transformer import OmniTransformer
from omnireel.mvl.prompt import Prompt
from omnireel.sampling.guidance import drop
from omnireel.sampling.schedule import shift_time
from omnireel.train.callbacks import ValidationReport
from omnireel.train.latent_record import LatentRecord
from omnireel.train.objective import LossReport
from omnireel.train.work import training_work
from omnireel.types import Role

PackFn = Callable[[Sequence[OmniSample]], PackedSequence]


@dataclass(frozen=True)
class FlowMatchingConfig:
    """Times and condition dropout. Probabilities are per sample."""

    time_mean: float = 0.0
    time_std: float = 1.0
    shift: float = 3.0
    uniform_share: float = 0.15
    even_below: float = 0.0
    """Below this time the error of the clean latents, not of the velocity, weighs evenly: the
    velocity's grows like 1 / t^2 and would spend a small network on the last grain of detail
    (the clamp of Min-SNR, arXiv 2303.09556, in terms of t)."""
    drop_text: float = 0.1
    drop_image: float = 0.1
    drop_video: float = 0.1
    vague_share: float = 0.1
    """Share of samples that are described by their vague prompt."""
    mean_over: Literal["samples", "tokens"] = "samples"
    """What counts equally in the loss of a batch, and in the mean over the batches of a step."""
    noisy_condition_share: float = 0.15
    noisy_condition_max: float = 0.2
    changed_focus: float = 0.0
    """A token that differs from the clip to edit counts up to 1 + this."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            is_share = name.endswith("_share") or name.startswith("drop_")
            if is_share and not 0 <= value <= 1:
                raise InvalidInput(f"{name} must be in 0 to 1", field=f"objective.{name}")
        if not self.time_std > 0 or not self.shift > 0:
            raise InvalidInput("time_std and shift must be more than 0", field="objective.shift")
        if self.changed_focus < 0:
            raise InvalidInput("changed_focus must be 0 or more", field="objective.changed_focus")
        if self.mean_over not in ("samples", "tokens"):
            raise InvalidInput("mean_over is 'samples' or 'tokens'", field="objective.mean_over")
        for name in ("noisy_condition_max", "even_below"):
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidInput(f"{name} must be in 0 to 1", field=f"objective.{name}")


class FlowMatching:
    """Trains an :class:`OmniTransformer` on batches of :class:`LatentRecord` of any shapes."""

    def __init__(
        self,
        model: OmniTransformer,
        tokenizer: Tokenizer,
        config: FlowMatchingConfig,
        pack: PackFn,
        *,
        held_out: Sequence[LatentRecord] = (),
        preview: Callable[[OmniTransformer], ValidationReport] | None = None,
        validation_batch: int = 16,
        device: str = "cpu",
    ) -> None:
        """``pack`` decides who attends to whom; ``preview`` adds generated clips to validation."""
        self.model = model.to(device)
        self._tokenizer = tokenizer
        self._config = config
        self._pack = pack
        self._held_out = tuple(held_out)
        self._preview = preview
        self._validation_batch = validation_batch
        self._device = device

    def modules(self) -> Mapping[str, nn.Module]:
        """The transformer."""
        return {"transformer": self.model}

    def loss(self, batch: Sequence[LatentRecord], rng: torch.Generator) -> LossReport:
        """One batch; targets may differ in shape."""
        samples = [self._augmented(record, rng) for record in batch]
        times_B = self.draw_times(len(batch), rng)
        packed = self._pack(samples)
        errors_B = self._errors(batch, packed, times_B, [rng] * len(batch))
        late = times_B.to(errors_B.device) > 0.75
        with torch.no_grad():
            metrics = {
                name: float(errors_B[chosen].mean())
                for name, chosen in (("loss_noisy", late), ("loss_clean", ~late))
                if bool(chosen.any())
            }
        work = training_work(self.model, packed)
        return LossReport(self._mean(errors_B, batch), metrics, len(batch), work)

    def weigh(self, batch: Sequence[LatentRecord]) -> float:
        """How much a batch counts in the mean over the batches of a step."""
        if self._config.mean_over == "samples":
            return float(len(batch))
        return float(sum(target_tokens(record) for record in batch))

    def validate(self) -> ValidationReport:
        """Loss on held-out samples at fixed times and noise, also per capability; then previews."""
        metrics = self.held_out_losses()
        report = self._preview(self.model) if self._preview else ValidationReport({})
        return ValidationReport({**metrics, **report.metrics}, report.comparisons)

    def held_out_losses(self) -> dict[str, float]:
        """``loss`` and ``loss_<capability>``; empty without held-out samples."""
        rng = torch.Generator().manual_seed(0)
        total: dict[str, list[float]] = {}
        by_shape: dict[tuple[int, ...], list[LatentRecord]] = {}
        for record in self._held_out:
            by_shape.setdefault(tuple(record.target_CTHW.shape), []).append(record)
        for records in by_shape.values():
            for start in range(0, len(records), self._validation_batch):
                batch = records[start : start + self._validation_batch]
                samples = [self.sample(record, record.prompt) for record in batch]
                times_B = (torch.arange(len(batch)) + 0.5) / len(batch)
                errors_B = self._errors(batch, self._pack(samples), times_B, [rng] * len(batch))
                for record, error in zip(batch, errors_B.tolist(), strict=True):
                    total.setdefault(record.capability, []).append(error)
        every = [error for errors in total.values() for error in errors]
        metrics = {"loss": sum(every) / len(every)} if every else {}
        return metrics | {f"loss_{name}": sum(e) / len(e) for name, e in sorted(total.items())}

    def state_dict(self) -> Mapping[str, Any]:
        """Nothing beyond the weights."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Nothing to restore."""

    def _mean(self, errors_B: Tensor, batch: Sequence[LatentRecord]) -> Tensor:
        if self._config.mean_over == "samples":
            return errors_B.mean()
        lengths_B = torch.tensor([target_tokens(r) for r in batch], device=errors_B.device)
        return (errors_B * lengths_B).sum() / lengths_B.sum()

    def draw_times(self, count: int, rng: torch.Generator) -> Tensor:
        """Diffusion times ``[B]`` in 0..1, 1 is pure noise."""
        config = self._config
        normal = config.time_mean + config.time_std * torch.randn(count, generator=rng)
        times = shift_time(torch.sigmoid(normal), config.shift)
        uniform = torch.rand(count, generator=rng) < config.uniform_share
        return torch.where(uniform, torch.rand(count, generator=rng), times)

    def sample(self, record: LatentRecord, prompt: Prompt) -> OmniSample:
        """The model's view of a record under one of its prompts."""
        _, t, h, w = record.target_CTHW.shape
        return OmniSample(
            text=self._tokenizer.encode(prompt, source_ids(prompt)),
            segments=record.segments,
            target_shape=(t, h, w),
        )

    def _augmented(self, record: LatentRecord, rng: torch.Generator) -> OmniSample:
        config = self._config
        draws = torch.rand(4, generator=rng).tolist()
        prompt = record.vague_prompt if draws[0] < config.vague_share else record.prompt
        sample = self.sample(record, prompt)
        noised = tuple(self._noised(segment, rng) for segment in sample.segments)
        keep = {
            "text": draws[1] >= config.drop_text,
            "image": draws[2] >= config.drop_image,
            "video": draws[3] >= config.drop_video,
        }
        return drop(replace(sample, segments=noised), self._tokenizer.empty(), keep=keep)

    def _noised(self, segment: Segment, rng: torch.Generator) -> Segment:
        chance, level = torch.rand(2, generator=rng).tolist()
        if chance >= self._config.noisy_condition_share:
            return segment
        level *= self._config.noisy_condition_max
        noise = torch.randn(segment.latents_CTHW.shape, generator=rng)
        return replace(segment, latents_CTHW=(1 - level) * segment.latents_CTHW + level * noise)

    def _errors(
        self,
        batch: Sequence[LatentRecord],
        packed: PackedSequence,
        times_B: Tensor,
        rngs: Sequence[torch.Generator],
    ) -> Tensor:
        """Weighted mean squared velocity error of each sample ``[B]``; noise from its generator."""
        patches = [patchify(record.target_CTHW) for record in batch]
        clean_NP = torch.cat(patches)
        noise = [torch.randn(p.shape, generator=g) for p, g in zip(patches, rngs, strict=True)]
        noise_NP = torch.cat(noise)
        lengths_B = torch.tensor([len(p) for p in patches])
        times_N1 = times_B.repeat_interleave(lengths_B)[:, None]
        noisy_NP = ((1 - times_N1) * clean_NP + times_N1 * noise_NP).to(self._device)
        velocity_NP = (noise_NP - clean_NP).to(self._device)
        predicted_NP = self.model(noisy_NP, times_B.to(self._device), packed)
        squares_N: Tensor = (predicted_NP.float() - velocity_NP).square().mean(1)
        if self._config.changed_focus > 0:
            focus_N = torch.cat([changed_tokens(record) for record in batch])
            squares_N = squares_N * (1 + self._config.changed_focus * focus_N.to(self._device))
        errors_B = torch.stack([s.mean() for s in torch.split(squares_N, lengths_B.tolist())])
        floor = max(self._config.even_below, 1e-6)
        weight_B = (times_B / times_B.clamp(min=floor)).square()
        return errors_B * weight_B.to(self._device)


def changed_tokens(record: LatentRecord) -> Tensor:
    """How far each target token ``[N]`` differs from the clip to edit, 0 (equal) to 1.

    The mean squared difference d of normalised latents becomes d / (d + 0.1). Without a clip to
    edit all are 0.
    """
    _, t, h, w = record.target_CTHW.shape
    target_NP = patchify(record.target_CTHW.float())
    changed_N = torch.zeros(len(target_NP))
    for segment in record.segments:
        if segment.role is not Role.SOURCE:
            continue
        index = aligned_tokens(segment, (t, h, w))
        if index is None:
            continue
        lies = index >= 0
        source_NP = patchify(segment.latents_CTHW.float())[lies]
        difference = (target_NP[index[lies]] - source_NP).square().mean(1)
        changed_N[index[lies]] = difference / (difference + 0.1)
    return changed_N


def target_tokens(record: LatentRecord) -> int:
    """Tokens of a record's target."""
    _, t, h, w = record.target_CTHW.shape
    return t * (h // PATCH) * (w // PATCH)
