"""Flow-DPO: direct preference optimisation of a flow-matching model from pairs of samples.

Liu et al., "Improving video generation with human feedback" (arXiv 2501.13918), after Diffusion-DPO
(arXiv 2311.12908). Winner w and loser l of a pair share noise eps and time t:

    e(theta, y) = || v_theta(x_t^y) - (eps - x0^y) ||^2,      d(y) = e(theta, y) - e(ref, y)
    L = -log sigmoid( -(beta / 2) [ d(w) - d(l) ] )

- beta is constant in t (the paper finds it better than beta (1 - t)^2).
- The paper sums the squared error over a sample, published code often averages it; beta only has a
  meaning with its reduction, so :class:`PreferenceScale` holds both.
- The reference is a frozen copy, or the same network with its adapters switched off.
- A tie has no preference: its pair is left out of the mean (no gradient).
- With verdicts per segment of time (DenseDPO, arXiv 2506.03517) every segment is a comparison.
- Both errors may grow while the loss falls (likelihood displacement, arXiv 2410.08847): the change
  of the winner's error is logged, and ``winner_weight`` adds (beta / 2) e(theta, w), scaled like
  the preference's own gradient, as iterative reasoning DPO does (arXiv 2404.19733).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from omnireel.errors import InvalidInput
from omnireel.model.lora import has_lora, lora_disabled
from omnireel.model.text import Tokenizer
from omnireel.model.transformer import OmniTransformer
from omnireel.sampling.length_shift import CONSTANT, LengthShift
from omnireel.sampling.schedule import shift_time
from omnireel.train.callbacks import ValidationReport
from omnireel.train.objective import LossReport, Stateless
from omnireel.train.objectives.packed import (
    PackFn,
    Preview,
    by_shape,
    fixed_velocity,
    mean_metrics,
    omni_sample,
    stack_tokens,
    tally_of,
    trained_velocity,
    validation_report,
)
from omnireel.train.objectives.preference_loss import (
    PairErrors,
    PreferenceScale,
    flow_dpo_loss,
    reduce_segments,
    squared_errors,
)
from omnireel.train.objectives.velocity import VelocityFn, times_like
from omnireel.train.preferences import PreferencePair
from omnireel.train.work import Work


@dataclass(frozen=True)
class FlowDPOConfig:
    """Strength of the preference, the guard of the winner, and how times and noise are drawn."""

    scale: PreferenceScale = field(default_factory=PreferenceScale)
    winner_weight: float = 0.05
    """Weight of the winner's own flow-matching error in units of beta / 2; 0 turns it off."""
    shift: float = 3.0
    """Times are uniform, then shifted towards noise."""
    shift_by: LengthShift = CONSTANT
    """How the shift grows with the length of a sample."""
    even_below: float = 0.0
    """Below this time errors weigh (t / even_below)^2, as in flow matching: a network that predicts
    clean latents divides its error by t."""
    own_noise_share: float = 0.0
    """Share of pairs whose samples are noised with the noise that each was generated from, instead
    of fresh noise that both share."""

    def __post_init__(self) -> None:
        if not self.winner_weight >= 0:
            raise InvalidInput(
                "winner_weight must not be negative", field="objective.winner_weight"
            )
        if not self.shift > 0:
            raise InvalidInput("shift must be more than 0", field="objective.shift")
        for name in ("even_below", "own_noise_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidInput(f"{name} must be in 0 to 1", field=f"objective.{name}")


class FlowDPO(Stateless):
    """Trains an :class:`OmniTransformer` on batches of :class:`PreferencePair`."""

    def __init__(
        self,
        model: OmniTransformer,
        reference: OmniTransformer | None,
        tokenizer: Tokenizer,
        config: FlowDPOConfig,
        pack: PackFn,
        *,
        held_out: Sequence[PreferencePair] = (),
        preview: Preview | None = None,
        validation_batch: int = 16,
        device: str = "cpu",
    ) -> None:
        """``reference`` is a frozen network, or None: ``model`` with its adapters switched off.

        Raises:
            InvalidInput: no reference, and a model without adapters.

        """
        if reference is None and not has_lora(model):
            raise InvalidInput(
                "Flow-DPO needs a reference: a frozen copy, or a model with adapters",
                field="objective.reference",
            )
        self.model = model.to(device)
        self.reference = None if reference is None else reference.to(device)
        self._tokenizer = tokenizer
        self._config = config
        self._pack = pack
        self._held_out = tuple(held_out)
        self._preview = preview
        self._validation_batch = validation_batch
        self._device = device

    def modules(self) -> Mapping[str, nn.Module]:
        """The trained network; with adapters, only they have gradients."""
        return {"transformer": self.model}

    def loss(self, batch: Sequence[PreferencePair], rng: torch.Generator) -> LossReport:
        """One batch of pairs."""

        def same(pairs: list[PreferencePair]) -> LossReport:
            _, t, h, w = pairs[0].first.latents_CTHW.shape
            shift = self._config.shift_by.of(self._config.shift, (t, h, w), self.model.config.patch)
            times_B = shift_time(torch.rand(len(pairs), generator=rng), shift)
            return self._loss(pairs, times_B, rng)

        return by_shape(batch, _group, same)

    def validate(self) -> ValidationReport:
        """The loss and its metrics on held-out pairs at fixed times and noise; then previews."""
        rng = torch.Generator().manual_seed(0)
        reports: list[LossReport] = []

        def even(pairs: list[PreferencePair]) -> LossReport:
            times_B = (torch.arange(len(pairs)) + 0.5) / len(pairs)
            report = self._loss(pairs, times_B, rng)
            metrics = {"loss": float(report.loss), **report.metrics}
            reports.append(LossReport(report.loss, metrics, report.num_samples))
            return report

        for start in range(0, len(self._held_out), self._validation_batch):
            by_shape(self._held_out[start : start + self._validation_batch], _group, even)
        return validation_report(mean_metrics(reports), self._preview, self.model)

    def _loss(
        self, pairs: Sequence[PreferencePair], times_B: Tensor, rng: torch.Generator
    ) -> LossReport:
        errors, work = self._errors(pairs, times_B, rng)
        sign_BS = torch.tensor([[v.sign for v in p.verdicts] for p in pairs]).to(self._device)
        config = self._config
        loss, metrics = flow_dpo_loss(errors, sign_BS, config.scale, config.winner_weight)
        return LossReport(loss, metrics, len(pairs), work)

    def _errors(
        self, pairs: Sequence[PreferencePair], times_B: Tensor, rng: torch.Generator
    ) -> tuple[PairErrors, Work]:
        """First and second samples run as one pack of twice the batch."""
        first = [p.first.latents_CTHW for p in pairs]
        patch = self.model.config.patch
        clean = stack_tokens([*first, *(p.second.latents_CTHW for p in pairs)], self._device, patch)
        noise = self._noise(pairs, clean, rng)
        times_2B = times_B.repeat(2)
        samples = [
            omni_sample(self._tokenizer, p.prompt, p.segments, p.first.latents_CTHW, patch)
            for p in pairs
        ]
        packed = self._pack([*samples, *samples])
        tally = tally_of(packed)

        def reduced(velocity: VelocityFn) -> tuple[Tensor, Tensor]:
            square = squared_errors(velocity, clean, noise, times_2B, self._config.even_below)
            square_BTE = square.reshape(len(square), samples[0].target_shape[0], -1)
            segments = len(pairs[0].verdicts)
            both = reduce_segments(square_BTE, self._config.scale.reduction, segments)
            one, other = both.chunk(2)
            return one, other

        with torch.no_grad():
            if self.reference is not None:
                before = reduced(fixed_velocity(self.reference, packed, tally))
            else:
                with lora_disabled(self.model):
                    before = reduced(fixed_velocity(self.model, packed, tally))
        after = reduced(trained_velocity(self.model, packed, tally))
        return PairErrors(*after, *before), tally.work

    def _noise(
        self, pairs: Sequence[PreferencePair], clean: Tensor, rng: torch.Generator
    ) -> Tensor:
        shared = torch.randn(clean[: len(pairs)].shape, generator=rng)
        own = torch.rand(len(pairs), generator=rng) < self._config.own_noise_share
        noise = shared.repeat(2, 1, 1)
        if bool(own.any()):
            made_from = [p.first.noise_CTHW for p in pairs] + [p.second.noise_CTHW for p in pairs]
            before = stack_tokens(made_from, patch=self.model.config.patch)
            noise = torch.where(times_like(own.repeat(2), noise), before, noise)
        return noise.to(self._device)


def _group(pair: PreferencePair) -> tuple[int, ...]:
    return (*pair.first.latents_CTHW.shape, len(pair.verdicts))
