"""What a run reports of its steps: means and speed of all ranks since the report before."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from omnireel.train.callbacks import CallbackList, RunInfo, StepEvent
from omnireel.train.engine import Engine
from omnireel.train.means import RunningMeans
from omnireel.train.position import Position
from omnireel.train.throughput import Meter


@dataclass(eq=False)
class StepReports:
    """Collects what the steps of one rank measure, and reports what those of all ranks did.

    All ranks make the same calls, since means and speeds are gathered from all of them; only rank 0
    has ``callbacks`` that listen.
    """

    about: RunInfo
    """The run; where it starts is filled in by :meth:`start`."""
    engine: Engine
    callbacks: CallbackList
    meter: Meter
    log: RunningMeans = field(default_factory=RunningMeans)
    last_step: int = 0
    """The step that was reported last, or where the run started."""

    def start(self, position: Position) -> CallbackList:
        """Announce the run; the callbacks hear of its end when the ``with`` block ends."""
        self.last_step = position.step
        return self.callbacks.start(replace(self.about, start_step=position.step))

    def report(self, position: Position, lr_multiplier: float) -> None:
        """Report the steps since the last call; means and measurements start anew."""
        engine = self.engine
        metrics = self.log.take(engine.gather)
        speed = self.meter.take(engine.sum, engine.gather, engine.groups, engine.rank.world)
        self.last_step = position.step
        self.callbacks.on_step(
            StepEvent(
                step=position.step,
                num_steps=self.about.num_steps,
                progress=position.progress,
                metrics={
                    **metrics,
                    "lr_multiplier": lr_multiplier,
                    "skipped_steps": float(position.judge.skipped),
                },
                throughput=speed,
                eta_s=position.clock.left_s(position.step),
            )
        )
