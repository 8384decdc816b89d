"""Flow matching over packed multimodal samples (rectified flow, arXiv 2209.03003).

For each sample: x_t = (1 - t) x0 + t eps, v = eps - x0, loss = mean ||v^ - v||^2 over target tokens
only. t = shift(sigmoid(N(mean, std))), with a share of uniform times mixed in; the shift may grow
with the sample's length (:mod:`omnireel.sampling.length_shift`). Text, images and
videos are dropped independently, so that guidance can be chained; some clean conditions get a
little noise, so that the model trusts imperfect ones less. In an edit most tokens equal their
source, which a network that predicts changes knows from its first step: those that differ can be
made to count more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from omnireel.errors import InvalidInput
from omnireel.model.sequence import grid_tokens
from omnireel.model.text import Tokenizer
from omnireel.model.transformer import OmniTransformer
from omnireel.sampling.length_shift import CONSTANT, LengthShift
from omnireel.train.callbacks import ValidationReport
from omnireel.train.latent_record import LatentRecord
from omnireel.train.objective import LossReport, Stateless
from omnireel.train.objectives.flow_batch import FlowBatch, FlowPreparation
from omnireel.train.objectives.packed import PackFn, grouped
from omnireel.train.work import training_work

_NOISY_FROM = 0.75
"""Times above are logged as the noisy ones, where a clip's plan is made rather than its detail."""


@dataclass(frozen=True)
class FlowMatchingConfig:
    """Times, condition dropout and weights of the loss. Probabilities are per sample, times lie in
    0 (clean) to 1 (noise)."""

    time_mean: float = 0.0
    time_std: float = 1.0
    """Times are shift(sigmoid(z)), z normal with this mean and standard deviation: before the shift
    0 makes one half the median, and more is noisier."""
    shift: float = 3.0
    """Moves times towards noise: t becomes s t / (1 + (s - 1) t); 1 moves nothing."""
    shift_by: LengthShift = CONSTANT
    """How the shift grows with the length of a sample."""
    uniform_share: float = 0.15
    """Share of samples whose time is uniform instead, so that no time is rare."""
    even_below: float = 0.0
    """Below this time the error of the clean latents, not of the velocity, weighs evenly: the
    velocity's grows like 1 / t^2 and would spend a small network on the last grain of detail
    (the clamp of Min-SNR, arXiv 2303.09556, in terms of t)."""
    drop_text: float = 0.1
    """Probability that the text is left out."""
    drop_image: float = 0.1
    """Probability that all images are left out."""
    drop_video: float = 0.1
    """Probability that all videos are left out."""
    vague_share: float = 0.1
    """Share of samples that are described by their vague prompt."""
    mean_over: Literal["samples", "tokens"] = "samples"
    """What counts equally in the loss of a batch, and in the mean over the batches of a step."""
    noisy_condition_share: float = 0.15
    """Probability that a segment gets noise; each segment is drawn by itself."""
    noisy_condition_max: float = 0.2
    """Largest noise level of such a segment; levels are uniform from 0, in units of time."""
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
            raise InvalidInput(
                "mean_over must be 'samples' or 'tokens'", field="objective.mean_over"
            )
        for name in ("noisy_condition_max", "even_below"):
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidInput(f"{name} must be in 0 to 1", field=f"objective.{name}")


class FlowMatching(Stateless):
    """Trains an :class:`OmniTransformer` on batches of :class:`LatentRecord` of any shapes, or on
    batches that a loader prepared (:class:`FlowBatch`)."""

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
        """``pack`` decides, on the CPU, who attends to whom; ``preview`` adds generated clips to
        validation."""
        self.model = model.to(device)
        self.preparation = FlowPreparation(tokenizer, config, pack, model.config.patch)
        self._config = config
        self._held_out = tuple(held_out)
        self._preview = preview
        self._validation_batch = validation_batch
        self._device = device

    def modules(self) -> Mapping[str, nn.Module]:
        """The transformer."""
        return {"transformer": self.model}

    def loss(self, batch: Sequence[LatentRecord] | FlowBatch, rng: torch.Generator) -> LossReport:
        """One batch; targets may differ in shape."""
        prepared = batch if isinstance(batch, FlowBatch) else self.preparation(batch, rng)
        here = prepared.to(self._device)
        errors_B = self._errors(here, _noise_like(here.clean_NP, here.random_numbers()))
        noisy = here.times_B > _NOISY_FROM
        metrics = _means(errors_B.detach(), {"loss_noisy": noisy, "loss_clean": ~noisy})
        work = training_work(self.model, here.packed)
        return LossReport(self._mean(errors_B, here), metrics, here.num_samples, work)

    def weigh(self, batch: Sequence[LatentRecord] | FlowBatch) -> float:
        """How much a batch counts in the mean over the batches of a step."""
        if isinstance(batch, FlowBatch):
            over_samples = self._config.mean_over == "samples"
            return float(batch.num_samples if over_samples else len(batch.clean_NP))
        if self._config.mean_over == "samples":
            return float(len(batch))
        patch = self.preparation.patch
        return float(sum(grid_tokens(r.target_CTHW.shape, patch) for r in batch))

    def validate(self) -> ValidationReport:
        """Loss on held-out samples at fixed times and noise, also per capability; then previews."""
        # Compiled blocks would be compiled again for it: it runs in another precision.
        with torch.compiler.set_stance("force_eager"):
            metrics = self.held_out_losses()
            report = self._preview(self.model) if self._preview else ValidationReport({})
        return ValidationReport({**metrics, **report.metrics}, report.comparisons)

    def held_out_losses(self) -> dict[str, float]:
        """``loss`` and ``loss_<capability>``; empty without held-out samples."""
        rng = torch.Generator().manual_seed(0)
        total: dict[str, list[float]] = {}
        for records in grouped(self._held_out, lambda r: tuple(r.target_CTHW.shape)):
            for start in range(0, len(records), self._validation_batch):
                batch = records[start : start + self._validation_batch]
                times_B = (torch.arange(len(batch)) + 0.5) / len(batch)
                exact = self.preparation.exact(batch, times_B, rng).to(self._device)
                errors_B = self._errors(exact, _noise_like(exact.clean_NP, rng))
                for record, error in zip(batch, errors_B.tolist(), strict=True):
                    total.setdefault(record.capability, []).append(error)
        every = [error for errors in total.values() for error in errors]
        metrics = {"loss": sum(every) / len(every)} if every else {}
        return metrics | {f"loss_{name}": sum(e) / len(e) for name, e in sorted(total.items())}

    def _mean(self, errors_B: Tensor, batch: FlowBatch) -> Tensor:
        if self._config.mean_over == "samples":
            return errors_B.mean()
        lengths_B = torch.tensor(batch.packed.target_lengths, device=errors_B.device)
        return (errors_B * lengths_B).sum() / lengths_B.sum()

    def _errors(self, batch: FlowBatch, noise_NP: Tensor) -> Tensor:
        """Weighted mean squared velocity error of each sample ``[B]`` under a given noise."""
        packed, clean_NP, times_B = batch.packed, batch.clean_NP, batch.times_B.to(self._device)
        times_N1 = times_B[packed.sample_of_target][:, None]
        noisy_NP = (1 - times_N1) * clean_NP + times_N1 * noise_NP
        predicted_NP = self.model(noisy_NP, times_B, packed)
        squares_N: Tensor = (predicted_NP.float() - (noise_NP - clean_NP)).square().mean(1)
        squares_N = squares_N * (1 + self._config.changed_focus * batch.focus_N)
        lengths_B = torch.tensor(packed.target_lengths, device=squares_N.device)
        errors_B = squares_N.new_zeros(len(lengths_B))
        errors_B = errors_B.index_add(0, packed.sample_of_target, squares_N) / lengths_B
        floor = max(self._config.even_below, 1e-6)
        return errors_B * (times_B / times_B.clamp(min=floor)).square()


def _means(errors_B: Tensor, parts: Mapping[str, Tensor]) -> dict[str, float]:
    """The mean over each part that is not empty; the device is asked once."""
    chosen = {name: mask_B for name, mask_B in parts.items() if bool(mask_B.any())}
    masks_MB = torch.stack([m.float() / m.sum() for m in chosen.values()]).to(errors_B.device)
    return dict(zip(chosen, (masks_MB @ errors_B.float()).tolist(), strict=True))


def _noise_like(x: Tensor, rng: torch.Generator) -> Tensor:
    """Gaussian noise from ``rng``, drawn where ``x`` is: on an accelerator from a seed of it."""
    if x.device.type == "cpu":
        return torch.randn(x.shape, generator=rng)
    seed = int(torch.randint(2**62, (), generator=rng))
    there = torch.Generator(x.device).manual_seed(seed)
    return torch.randn(x.shape, generator=there, device=x.device)
