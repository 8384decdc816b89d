"""Trajectory matching: a student that walks the teacher's guided ODE in one Euler step per phase.

Phased consistency models (Wang et al., arXiv 2405.18407) for rectified flow. The shifted schedule
has N fine steps and M phases; ``s(n)`` is the end of the phase that holds fine step n.

1. x_n = (1 - sigma_n) x0 + sigma_n eps, a data sample with noise.
2. Student: x^s = x_n + (s(n) - sigma_n) v_theta(x_n).
3. Teacher, one fine step with guidance w baked in (chained over text, images and videos):
   x_{n+1} = x_n + (sigma_{n+1} - sigma_n) [v_u + w (v_c - v_u)].
4. Target, with the same weights and no gradient:
   sg[ x_{n+1} + (s(n) - sigma_{n+1}) v_theta(x_{n+1}) ], which is x_{n+1} itself at a phase's end.
5. Loss: pseudo-Huber of x^s - target.

The student is sampled without guidance on ``shifted_sigmas(phases, shift, last=last)``: one network
evaluation for each phase, on the schedule that it is trained for from the first step on. Sigmas are
counted as they are walked: sigma_0 = 1 is noise, sigma_N = 0 is clean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from omnireel.errors import InvalidInput
from omnireel.model.text import Tokenizer
from omnireel.model.transformer import OmniTransformer
from omnireel.sampling.guidance import Guidance
from omnireel.sampling.schedule import shift_time, shifted_sigmas
from omnireel.train.callbacks import ValidationReport
from omnireel.train.latent_record import LatentRecord
from omnireel.train.objective import LossReport
from omnireel.train.objectives.packed import (
    PackFn,
    Preview,
    by_shape,
    fixed_velocity,
    guided_velocity,
    omni_sample,
    stack_tokens,
    tally_of,
    trained_velocity,
    validation_report,
)
from omnireel.train.objectives.velocity import (
    VelocityFn,
    euler_step,
    interpolate,
    pseudo_huber,
    sample_mean,
    times_like,
    unshift_time,
)
from omnireel.train.work import Work


@dataclass(frozen=True)
class TrajectoryMatchingConfig:
    """The schedule, the guidance that is baked in, and the width of the pseudo-Huber loss."""

    fine_steps: int = 100
    """N: fine Euler steps of the teacher, a multiple of ``phases``."""
    phases: int = 10
    """M: network evaluations of the student."""
    shift: float = 3.0
    last: float = 0.0
    """Noise level of the student's last evaluation, see :func:`omnireel.sampling.shifted_sigmas`.
    Above 0 the last phase is one guided step of the teacher, which is not asked below it; a single
    phase walks the teacher's own schedule of ``fine_steps`` steps with that end."""
    guidance: Guidance = field(default_factory=Guidance)
    huber_width: float = 1e-3

    def __post_init__(self) -> None:
        if self.phases < 1 or self.fine_steps < self.phases or self.fine_steps % self.phases:
            raise InvalidInput(
                "fine_steps must be a multiple of phases, and phases 1 or more; got "
                f"{self.fine_steps} and {self.phases}",
                field="objective.fine_steps",
            )
        for name in ("shift", "huber_width"):
            if not getattr(self, name) > 0:
                raise InvalidInput(f"{name} must be more than 0", field=f"objective.{name}")
        if not 0 <= self.last < 1:
            raise InvalidInput("last must be at least 0 and less than 1", field="objective.last")


class PhaseGrid:
    """The fine schedule and the phases on it."""

    def __init__(self, config: TrajectoryMatchingConfig) -> None:
        self.edges = shifted_sigmas(config.phases, config.shift, last=config.last)
        """``[M + 1]``: where phases begin and end, which is the student's sampling schedule."""
        self.per_phase = config.fine_steps // config.phases
        whole_jump = config.last > 0 and config.phases > 1
        last_phase = 1 if whole_jump else self.per_phase
        self.num_steps = (config.phases - 1) * self.per_phase + last_phase
        """Fine steps: N, less those that a jump in the last phase saves."""
        edges = unshift_time(self.edges, config.shift)
        share = torch.arange(self.per_phase) / self.per_phase
        fine = edges[:-1, None] + share * edges.diff()[:, None]
        fine = shift_time(fine.flatten()[: self.num_steps], config.shift)
        self.sigmas = torch.cat([fine, self.edges[-1:]])
        """``[num_steps + 1]``, falling from 1 to 0."""
        self.sigmas[: self.num_steps : self.per_phase] = self.edges[:-1]
        if config.last > 0 and config.phases == 1:
            self.sigmas = shifted_sigmas(config.fine_steps, config.shift, last=config.last)

    def phase_end(self, step_B: Tensor) -> Tensor:
        """s(n) of fine steps 0.. ."""
        return self.edges[step_B // self.per_phase + 1]

    def draw(self, count: int, rng: torch.Generator) -> Tensor:
        """Fine steps ``[B]``: a uniform phase, then a uniform step in it."""
        phase_B = torch.randint(len(self.edges) - 1, (count,), generator=rng)
        within_B = torch.randint(self.per_phase, (count,), generator=rng)
        return (phase_B * self.per_phase + within_B).clamp(max=self.num_steps - 1)


def trajectory_errors(
    student: VelocityFn,
    unchanged: VelocityFn,
    teacher: VelocityFn,
    clean: Tensor,
    noise: Tensor,
    step_B: Tensor,
    grid: PhaseGrid,
    huber_width: float,
) -> Tensor:
    """Pseudo-Huber error of each sample ``[B]`` (see the module's steps 1 to 5).

    Args:
        student: with gradient.
        unchanged: the same weights; its gradient is not taken.
        teacher: the guided teacher; its gradient is not taken.
        clean: data ``B...``.
        noise: Gaussian, like ``clean``.
        step_B: fine step of each sample, 0..N-1.
        grid: the schedule.
        huber_width: see :func:`omnireel.train.objectives.velocity.pseudo_huber`.

    """
    now_B, then_B, end_B = grid.sigmas[step_B], grid.sigmas[step_B + 1], grid.phase_end(step_B)
    x = interpolate(clean, noise, now_B)
    reached = euler_step(x, student(x, now_B), now_B, end_B)
    with torch.no_grad():
        x_next = euler_step(x, teacher(x, now_B), now_B, then_B)
        onward = euler_step(x_next, unchanged(x_next, then_B), then_B, end_B)
        at_end = times_like(then_B == end_B, x)
        target = torch.where(at_end, x_next, onward)
    return sample_mean(pseudo_huber(reached - target, huber_width))


class TrajectoryMatching:
    """Trains an :class:`OmniTransformer` on :class:`LatentRecord` batches against a teacher."""

    def __init__(
        self,
        model: OmniTransformer,
        teacher: OmniTransformer,
        tokenizer: Tokenizer,
        config: TrajectoryMatchingConfig,
        pack: PackFn,
        *,
        held_out: Sequence[LatentRecord] = (),
        preview: Preview | None = None,
        validation_batch: int = 16,
        device: str = "cpu",
    ) -> None:
        """``teacher`` is a frozen network, usually :func:`frozen_copy` of ``model`` at the start;
        ``preview`` should sample on :meth:`sigmas` with all guidance scales 1."""
        self.model = model.to(device)
        self.teacher = teacher.to(device)
        self._tokenizer = tokenizer
        self._config = config
        self._pack = pack
        self._held_out = tuple(held_out)
        self._preview = preview
        self._validation_batch = validation_batch
        self._device = device
        self._grid = PhaseGrid(config)

    def modules(self) -> Mapping[str, nn.Module]:
        """The student."""
        return {"transformer": self.model}

    def sigmas(self) -> Tensor:
        """The student's sampling schedule, ``phases + 1`` noise levels."""
        return self._grid.edges

    def loss(self, batch: Sequence[LatentRecord], rng: torch.Generator) -> LossReport:
        """One batch of samples."""
        return by_shape(
            batch, lambda r: tuple(r.target_CTHW.shape), lambda same: self._loss(same, rng)
        )

    def _loss(self, batch: Sequence[LatentRecord], rng: torch.Generator) -> LossReport:
        step_B = self._grid.draw(len(batch), rng)
        errors_B, work = self.errors(batch, step_B, rng)
        late = step_B < self._grid.num_steps // 2
        with torch.no_grad():
            metrics = {
                name: float(errors_B[chosen.to(errors_B.device)].mean())
                for name, chosen in (("loss_noisy", late), ("loss_clean", ~late))
                if bool(chosen.any())
            }
        return LossReport(errors_B.mean(), metrics, len(batch), work)

    def errors(
        self, batch: Sequence[LatentRecord], step_B: Tensor, rng: torch.Generator
    ) -> tuple[Tensor, Work]:
        """Pseudo-Huber errors ``[B]`` at given fine steps (targets of one shape), and the work of
        student and teacher."""
        patch = self.model.config.patch
        samples = [
            omni_sample(self._tokenizer, r.prompt, r.segments, r.target_CTHW, patch) for r in batch
        ]
        clean = stack_tokens([r.target_CTHW for r in batch], self._device, patch)
        noise = torch.randn(clean.shape, generator=rng).to(self._device)
        packed = self._pack(samples)
        empty, tally = self._tokenizer.empty(), tally_of(packed)
        errors_B = trajectory_errors(
            trained_velocity(self.model, packed, tally),
            fixed_velocity(self.model, packed, tally),
            guided_velocity(self.teacher, samples, self._pack, empty, self._config.guidance, tally),
            clean,
            noise,
            step_B,
            self._grid,
            self._config.huber_width,
        )
        return errors_B, tally.work

    def validate(self) -> ValidationReport:
        """Held-out loss at evenly spaced fine steps and fixed noise; then previews."""
        rng = torch.Generator().manual_seed(0)
        errors: list[float] = []

        def even(batch: list[LatentRecord]) -> LossReport:
            step_B = torch.arange(len(batch)) * self._grid.num_steps // len(batch)
            errors_B, _ = self.errors(batch, step_B, rng)
            errors.extend(errors_B.tolist())
            return LossReport(errors_B.mean(), num_samples=len(batch))

        for start in range(0, len(self._held_out), self._validation_batch):
            records = self._held_out[start : start + self._validation_batch]
            by_shape(records, lambda r: tuple(r.target_CTHW.shape), even)
        metrics = {"loss": sum(errors) / len(errors)} if errors else {}
        return validation_report(metrics, self._preview, self.model)

    def state_dict(self) -> Mapping[str, Any]:
        """Nothing beyond the weights; the teacher is not trained and not saved."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Nothing to restore."""
