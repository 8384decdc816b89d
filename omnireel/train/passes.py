"""The forward and backward passes of a step, and what is noted of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from omnireel.train.engine import Engine
from omnireel.train.objective import LossReport, Objective
from omnireel.train.randomness import step_seed
from omnireel.train.step_reports import StepReports
from omnireel.train.trainer_config import TrainerConfig
from omnireel.train.turns import Turn, step_shares


@dataclass(frozen=True, eq=False)
class Passes:
    """Passes of one rank; losses, metrics, work and time go to ``reports``."""

    config: TrainerConfig
    objective: Objective
    engine: Engine
    reports: StepReports
    weigh: Callable[[Any], float] | None
    """How much a batch counts in the mean of a step; ``None``: all the same."""

    def run(
        self, turns: Sequence[Turn], beat: Callable[[int], None], data_step: int
    ) -> tuple[float, float]:
        """Our group's part of the step's loss and of its samples: their sums over all groups are
        the step's.

        Args:
            turns: ours, in one step.
            beat: called with a turn's place among ``turns`` when it begins.
            data_step: number of the step that random numbers follow from.

        """
        meter = self.reports.meter
        with meter.phase("communication"):
            shares = step_shares(turns, self.weigh, self.engine.sum)
        with meter.phase("passes"):
            total = samples = 0.0
            for i, (turn, share) in enumerate(zip(turns, shares, strict=True)):
                beat(i)
                report = self._forward(
                    turn, step_seed(self.config.seed, data_step, turn.part.first)
                )
                self.engine.backward(report.loss, share, last=i == len(turns) - 1)
                loss, own = float(report.loss.detach()), turn.share(share)
                total += own * loss if own else 0.0
                samples += turn.share(report.num_samples)
                meter.count(report.work * turn.share(1.0), turn.share(report.num_samples))
                if own and math.isfinite(loss):
                    self.reports.log.add({"loss": loss, **report.metrics}, own)
        meter.expect(sum(turn.seconds for turn in turns))
        return total, samples

    def _forward(self, turn: Turn, seed: int) -> LossReport:
        rng = torch.Generator().manual_seed(seed)
        for module in self.objective.modules().values():
            module.train()
        with self.config.precision():
            return self.engine.forward(lambda: self.objective.loss(turn.batch, rng), turn.degree)
