"""Distribution matching on ODE samples: the student's own trajectory meets the teacher's scores.

Trajectory distribution matching (TDM, Luo et al., arXiv 2503.06674) for rectified flow. The student
has K steps at times 1 = t_K > ... > t_0 = 0 (the schedule that it is sampled on).

1. Without gradient, roll out the student's ODE from noise and keep every x_{t_k}.
2. Draw k; with gradient, v^ = v_theta(x_{t_k}), x0^ = x_{t_k} - t_k v^,
   eps^ = x_{t_k} + (1 - t_k) v^ and x_s = (1 - s) x0^ + s eps^ with s = t_{k-1}.
3. tau ~ U[s, t_k]; x_tau = a x_s + b eps, a = (1 - tau)/(1 - s), b = sqrt(tau^2 - a^2 s^2).
4. The fake network learns where the student's samples lie: minimise
   min((1 - tau)^2, 5 tau^2) w ||v_fake(x_tau) - (x_tau - sg x0^)/tau||^2. The noise within x_tau,
   m = (a s eps^ + b eps)/tau, is not fresh; w = exp(-mean(m^2)/2) / exp(-mean(eps^2)/2) corrects
   for that.
5. The student follows the difference of scores, guidance g on the teacher only: pseudo-Huber of
   x0^ - sg[ x0^ + x0_real - x0_fake + (g - 1)(x0_real_c - x0_real_u) ], divided by
   mean |x0^ - x0_guided|. With x0_guided = x0_u + g (x0_c - x0_u) the target is
   sg[ x0^ + x0_guided - x0_fake ].
6. Both networks step at once: loss = L_student + lambda L_trajectory + L_fake. Neither term reaches
   the other's weights (each sees the other without gradient), and Adam and Muon do not feel the
   scale of a loss, so one optimiser on the sum makes one update of each. Only clipping knows both:
   it bounds the norm of their gradients together, where the code of DMD2 bounds each by its own
   (ZeRO, which may have shared the gradients out, knows their common norm only). The fake network
   learns faster by ``optimizer.lr_multipliers`` (its parameters begin with "fake."; the paper's
   factor is 5) and Adam's betas are (0, 0.95). L_trajectory is the loss of
   :mod:`omnireel.train.objectives.trajectory_matching` on data.

``fake_path`` names other samples for the fake network, both without a weight:

- "renoised": the student's end points with fresh noise, as in DMD2 (arXiv 2405.14867). The fake
  network is then exactly the denoiser of the student's final distribution.
- "straight": straight lines between the noise that a sample began with and its end point
  (Hyper-Bagel, arXiv 2509.18824, section 3.2.3). Noise and end point belong together, so the two
  clean estimates differ even where both distributions agree: the gap does not go to zero, and
  without the trajectory loss a good student is pulled away.

The equations are in :mod:`omnireel.train.objectives.trajectory_distribution`; what a roll-back rule
needs to watch is logged (:mod:`omnireel.train.objectives.watch`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

import torch
from torch import Tensor, nn

from omnireel.errors import InvalidInput
from omnireel.model.text import Tokenizer
from omnireel.model.transformer import OmniTransformer
from omnireel.train.callbacks import ValidationReport
from omnireel.train.latent_record import LatentRecord
from omnireel.train.objective import LossReport, Stateless
from omnireel.train.objectives.packed import (
    PackFn,
    Preview,
    by_shape,
    fixed_velocity,
    guided_pack,
    guided_velocity,
    mean_metrics,
    omni_sample,
    stack_tokens,
    tally_of,
    trained_velocity,
    validation_report,
)
from omnireel.train.objectives.phase_grid import PhaseGrid, TrajectoryMatchingConfig
from omnireel.train.objectives.trajectory_distribution import (
    FakePath,
    Matched,
    match_distributions,
)
from omnireel.train.objectives.trajectory_matching import trajectory_errors
from omnireel.train.objectives.velocity import VelocityFn, roll_out
from omnireel.train.objectives.watch import diversity, gap_by_step, likeness
from omnireel.train.work import Tally


@dataclass(frozen=True)
class DistributionMatchingConfig:
    """The student's schedule is ``trajectory``'s: its phases, shift and guidance."""

    trajectory: TrajectoryMatchingConfig = field(default_factory=TrajectoryMatchingConfig)
    trajectory_weight: float = 0.1
    """lambda: weight of the trajectory-matching loss; 0 leaves it out."""
    fake_path: FakePath = "trajectory"
    huber_width: float = 1e-3
    min_time: float = 0.02
    """Smallest tau: below it both scores only differ by the networks' own errors."""

    def __post_init__(self) -> None:
        paths = get_args(FakePath)
        if self.fake_path not in paths:
            raise InvalidInput(f"fake_path must be one of {paths}", field="objective.fake_path")
        if not self.trajectory_weight >= 0:
            raise InvalidInput(
                "trajectory_weight must not be negative", field="objective.trajectory_weight"
            )
        if not self.huber_width > 0:
            raise InvalidInput("huber_width must be more than 0", field="objective.huber_width")
        if not 0 < self.min_time < 1:
            raise InvalidInput("min_time must lie in 0 to 1", field="objective.min_time")


@dataclass(frozen=True, eq=False)
class _Bound:
    """The networks with the conditions of one batch bound, and the batch's targets."""

    student: VelocityFn
    unchanged: VelocityFn
    fake: VelocityFn
    teacher: VelocityFn
    data: Tensor
    """``[B, N, P]``."""
    grid: PhaseGrid
    """For samples of their length."""
    frames: int
    tally: Tally


class DistributionMatching(Stateless):
    """Trains a student :class:`OmniTransformer` and a fake one beside it on latent records."""

    def __init__(
        self,
        model: OmniTransformer,
        fake: OmniTransformer,
        teacher: OmniTransformer,
        tokenizer: Tokenizer,
        config: DistributionMatchingConfig,
        pack: PackFn,
        *,
        held_out: Sequence[LatentRecord] = (),
        preview: Preview | None = None,
        validation_batch: int = 16,
        device: str = "cpu",
    ) -> None:
        """``fake`` starts as a copy of the teacher; ``teacher`` is frozen."""
        self.model = model.to(device)
        self.fake = fake.to(device)
        self.teacher = teacher.to(device)
        self._tokenizer = tokenizer
        self._config = config
        self._pack = pack
        self._held_out = tuple(held_out)
        self._preview = preview
        self._validation_batch = validation_batch
        self._device = device
        self._grid = PhaseGrid(config.trajectory)

    def modules(self) -> Mapping[str, nn.Module]:
        """The student and the fake network."""
        return {"transformer": self.model, "fake": self.fake}

    def sigmas(self) -> Tensor:
        """The student's sampling schedule at the configured shift."""
        return self._grid.edges

    def loss(self, batch: Sequence[LatentRecord], rng: torch.Generator) -> LossReport:
        """One batch; of the records' targets only the trajectory loss and the metrics see data."""
        return by_shape(
            batch, lambda r: tuple(r.target_CTHW.shape), lambda same: self._loss(same, rng)
        )

    def _loss(self, batch: Sequence[LatentRecord], rng: torch.Generator) -> LossReport:
        bound = self._bind(batch)
        matched = self._match(bound, rng)
        total = matched.student_B.mean() + matched.fake_B.mean()
        metrics = {
            "loss_student": float(matched.student_B.detach().mean()),
            "loss_fake": float(matched.fake_B.detach().mean()),
            **gap_by_step(matched.gap_B, matched.step_B),
            **likeness(matched.clean, bound.data, bound.frames),
        }
        if self._config.trajectory_weight > 0:
            trajectory = self._trajectory_errors(bound, rng).mean()
            total = total + self._config.trajectory_weight * trajectory
            metrics["loss_trajectory"] = float(trajectory.detach())
        return LossReport(total, metrics, len(batch), bound.tally.work)

    def validate(self) -> ValidationReport:
        """The student's samples for held-out prompts from two fixed noises each: ``saturation``,
        ``motion`` and seed ``diversity`` (relative to the data), and the real-fake ``gap``."""
        rng = torch.Generator().manual_seed(0)
        reports: list[LossReport] = []

        def watch(batch: list[LatentRecord]) -> LossReport:
            reports.append(LossReport(torch.zeros(()), self._watch(batch, rng), len(batch)))
            return reports[-1]

        for start in range(0, len(self._held_out), self._validation_batch):
            records = self._held_out[start : start + self._validation_batch]
            by_shape(records, lambda r: tuple(r.target_CTHW.shape), watch)
        return validation_report(mean_metrics(reports), self._preview, self.model)

    def _bind(self, batch: Sequence[LatentRecord]) -> _Bound:
        patch = self.model.config.patch
        samples = [
            omni_sample(self._tokenizer, r.prompt, r.segments, r.target_CTHW, patch) for r in batch
        ]
        packed = self._pack(samples).to(self._device)
        tally = tally_of(packed)
        guided = guided_pack(
            samples, self._pack, self._tokenizer.empty(), self._config.trajectory.guidance
        )
        return _Bound(
            student=trained_velocity(self.model, packed, tally),
            unchanged=fixed_velocity(self.model, packed, tally),
            fake=trained_velocity(self.fake, packed, tally),
            teacher=guided_velocity(self.teacher, guided.to(self._device), tally),
            data=stack_tokens([r.target_CTHW for r in batch], self._device, patch),
            grid=self._grid.for_shape(samples[0].target_shape, patch),
            frames=samples[0].target_shape[0],
            tally=tally,
        )

    def _match(self, bound: _Bound, rng: torch.Generator) -> Matched:
        return match_distributions(
            bound.student,
            bound.unchanged,
            bound.fake,
            bound.teacher,
            tuple(bound.data.shape),
            bound.grid.edges,
            rng,
            fake_path=self._config.fake_path,
            huber_width=self._config.huber_width,
            min_time=self._config.min_time,
            device=self._device,
        )

    def _trajectory_errors(self, bound: _Bound, rng: torch.Generator) -> Tensor:
        noise = torch.randn(bound.data.shape, generator=rng).to(self._device)
        return trajectory_errors(
            bound.student,
            bound.unchanged,
            bound.teacher,
            bound.data,
            noise,
            bound.grid.draw(len(noise), rng),
            bound.grid,
            self._config.trajectory.huber_width,
        )

    def _watch(self, batch: Sequence[LatentRecord], rng: torch.Generator) -> dict[str, float]:
        bound = self._bind(batch)
        one, other = (
            roll_out(
                bound.unchanged,
                torch.randn(bound.data.shape, generator=rng).to(self._device),
                bound.grid.edges,
            )[-1]
            for _ in range(2)
        )
        return {
            **likeness(one, bound.data, bound.frames),
            "diversity": diversity(one, other, bound.data),
            "gap": float(self._match(bound, rng).gap_B.mean()),
        }
