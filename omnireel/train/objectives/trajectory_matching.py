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

import torch
from torch import Tensor, nn

from omnireel.model.text import Tokenizer
from omnireel.model.transformer import OmniTransformer
from omnireel.train.callbacks import ValidationReport
from omnireel.train.latent_record import LatentRecord
from omnireel.train.objective import LossReport, Stateless
from omnireel.train.objectives.packed import (
    PackFn,
    Preview,
    fixed_velocity,
    grouped,
    guided_velocity,
    joined,
    tally_of,
    trained_velocity,
    validation_report,
)
from omnireel.train.objectives.phase_grid import PhaseGrid, TrajectoryMatchingConfig
from omnireel.train.objectives.trajectory_batch import TrajectoryBatch, TrajectoryPreparation
from omnireel.train.objectives.velocity import (
    VelocityFn,
    euler_step,
    interpolate,
    pseudo_huber,
    sample_mean,
    times_like,
)
from omnireel.train.work import Work


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


class TrajectoryMatching(Stateless):
    """Trains an :class:`OmniTransformer` against a teacher, on batches of :class:`LatentRecord` or
    on batches that a loader prepared (:class:`TrajectoryBatch`)."""

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
        """``teacher`` is a frozen network, usually ``model`` as it is at the start
        (:func:`omnireel.train.objectives.packed.frozen_copy`); ``preview`` should sample on
        :meth:`sigmas` with all guidance scales 1."""
        self.model = model.to(device)
        self.teacher = teacher.to(device)
        self.preparation = TrajectoryPreparation(
            tokenizer, config.guidance, PhaseGrid(config), pack, model.config.patch
        )
        self._config = config
        self._held_out = tuple(held_out)
        self._preview = preview
        self._validation_batch = validation_batch
        self._device = device

    def modules(self) -> Mapping[str, nn.Module]:
        """The student."""
        return {"transformer": self.model}

    def sigmas(self) -> Tensor:
        """The student's sampling schedule, ``phases + 1`` noise levels, at the configured shift."""
        return self.preparation.grid.edges

    def loss(
        self, batch: Sequence[LatentRecord] | tuple[TrajectoryBatch, ...], rng: torch.Generator
    ) -> LossReport:
        """One batch; targets may differ in shape."""
        if not isinstance(batch, tuple):
            batch = self.preparation(batch, rng)
        return joined([self._loss(part) for part in batch])

    def _loss(self, batch: TrajectoryBatch) -> LossReport:
        errors_B, work = self.errors(batch)
        noisy = batch.step_B < self.preparation.grid.num_steps // 2
        with torch.no_grad():
            metrics = {
                name: float(errors_B[chosen.to(errors_B.device)].mean())
                for name, chosen in (("loss_noisy", noisy), ("loss_clean", ~noisy))
                if bool(chosen.any())
            }
        return LossReport(errors_B.mean(), metrics, len(errors_B), work)

    def errors(self, batch: TrajectoryBatch) -> tuple[Tensor, Work]:
        """Pseudo-Huber errors ``[B]``, and the work of student and teacher."""
        here = batch.to(self._device)
        tally = tally_of(here.packed)
        errors_B = trajectory_errors(
            trained_velocity(self.model, here.packed, tally),
            fixed_velocity(self.model, here.packed, tally),
            guided_velocity(self.teacher, here.guided, tally),
            here.clean_BNP,
            here.noise_BNP,
            here.step_B,
            self.preparation.grid.for_shape(here.packed.target_shapes[0], self.preparation.patch),
            self._config.huber_width,
        )
        return errors_B, tally.work

    def validate(self) -> ValidationReport:
        """Held-out loss at evenly spaced fine steps and fixed noise; then previews."""
        rng = torch.Generator().manual_seed(0)
        errors: list[float] = []
        steps = self.preparation.grid.num_steps
        for start in range(0, len(self._held_out), self._validation_batch):
            records = self._held_out[start : start + self._validation_batch]
            for same in grouped(records, lambda r: tuple(r.target_CTHW.shape)):
                step_B = torch.arange(len(same)) * steps // len(same)
                errors_B, _ = self.errors(self.preparation.at(same, step_B, rng))
                errors.extend(errors_B.tolist())
        metrics = {"loss": sum(errors) / len(errors)} if errors else {}
        return validation_report(metrics, self._preview, self.model)
