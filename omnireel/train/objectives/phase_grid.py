"""The schedule of trajectory matching: fine steps of the teacher, and the phases on it.

Sigmas are counted as they are walked: sigma_0 = 1 is noise, sigma_N = 0 is clean.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from omnireel.errors import InvalidInput
from omnireel.sampling.guidance import Guidance
from omnireel.sampling.length_shift import CONSTANT, LengthShift
from omnireel.sampling.schedule import shift_time, shifted_sigmas
from omnireel.train.objectives.velocity import unshift_time


@dataclass(frozen=True)
class TrajectoryMatchingConfig:
    """The schedule, the guidance that is baked in, and the width of the pseudo-Huber loss."""

    fine_steps: int = 100
    """N: fine Euler steps of the teacher, a multiple of ``phases``."""
    phases: int = 10
    """M: network evaluations of the student."""
    shift: float = 3.0
    shift_by: LengthShift = CONSTANT
    """How the shift grows with the length of a sample."""
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
    """The fine schedule and the phases on it; :meth:`for_shape` gives that of a sample's length."""

    def __init__(self, config: TrajectoryMatchingConfig, shift: float | None = None) -> None:
        """``shift`` is that of a sample's length; by default the configured one."""
        self._config = config
        shift = config.shift if shift is None else shift
        self.edges = shifted_sigmas(config.phases, shift, last=config.last)
        """``[M + 1]``: where phases begin and end, which is the student's sampling schedule."""
        self.per_phase = config.fine_steps // config.phases
        whole_jump = config.last > 0 and config.phases > 1
        last_phase = 1 if whole_jump else self.per_phase
        self.num_steps = (config.phases - 1) * self.per_phase + last_phase
        """Fine steps: N, less those that a jump in the last phase saves."""
        edges = unshift_time(self.edges, shift)
        share = torch.arange(self.per_phase) / self.per_phase
        fine = edges[:-1, None] + share * edges.diff()[:, None]
        fine = shift_time(fine.flatten()[: self.num_steps], shift)
        self.sigmas = torch.cat([fine, self.edges[-1:]])
        """``[num_steps + 1]``, falling from 1 to 0."""
        self.sigmas[: self.num_steps : self.per_phase] = self.edges[:-1]
        if config.last > 0 and config.phases == 1:
            self.sigmas = shifted_sigmas(config.fine_steps, shift, last=config.last)

    def for_shape(self, latent_shape: tuple[int, int, int], patch: int) -> PhaseGrid:
        """The same steps and phases at the noise levels for a target of latent (T, H, W)."""
        config = self._config
        return PhaseGrid(config, config.shift_by.of(config.shift, latent_shape, patch))

    def phase_end(self, step_B: Tensor) -> Tensor:
        """s(n) of fine steps 0.. ."""
        return self.edges[step_B // self.per_phase + 1]

    def draw(self, count: int, rng: torch.Generator) -> Tensor:
        """Fine steps ``[B]``: a uniform phase, then a uniform step in it."""
        phase_B = torch.randint(len(self.edges) - 1, (count,), generator=rng)
        within_B = torch.randint(self.per_phase, (count,), generator=rng)
        return (phase_B * self.per_phase + within_B).clamp(max=self.num_steps - 1)
