"""Where a run is: what a checkpoint says of it beside tensors, random states and the objective."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from omnireel.train.clock import RunClock
from omnireel.train.stability import StepJudge
from omnireel.train.trainer_config import TrainerConfig


@dataclass(frozen=True)
class TrainResult:
    """How a run ended."""

    step: int
    elapsed_s: float
    num_samples: int
    skipped_steps: int
    stopped_early: bool


@dataclass(eq=False)
class Position:
    """Steps done, samples seen, time used and steps that went wrong."""

    clock: RunClock
    judge: StepJudge
    step: int = 0
    num_samples: int = 0
    data_offset: int = 0
    """Steps whose batches were left out, by returns to a checkpoint."""

    @classmethod
    def at_start(cls, config: TrainerConfig) -> Position:
        """Nothing done yet."""
        return cls(
            RunClock(config.num_steps, config.max_minutes),
            StepJudge(config.non_finite, config.spike, config.spike_factor, config.max_skips),
        )

    @property
    def data_step(self) -> int:
        """The number that the next step's batches and random numbers follow from."""
        return self.step + self.data_offset

    @property
    def progress(self) -> float:
        """0 at the start, 1 when the steps or the time are used up."""
        return self.clock.progress(self.step)

    @property
    def complete(self) -> bool:
        """Whether the steps or the time are used up."""
        return self.progress >= 1.0

    def result(self, *, stopped_early: bool) -> TrainResult:
        """If the run ends here."""
        skipped = self.judge.skipped
        return TrainResult(self.step, self.clock.own_s, self.num_samples, skipped, stopped_early)

    def state_dict(self) -> dict[str, Any]:
        """JSON data; the step itself is the checkpoint's."""
        return {
            "elapsed_s": self.clock.own_s,
            "num_samples": self.num_samples,
            "skipped": self.judge.skipped,
            "data_offset": self.data_offset,
            "norms": self.judge.norms(),
        }

    def load_state_dict(self, step: int, state: Mapping[str, Any]) -> None:
        """Go back to where a checkpoint was written."""
        self.step, self.num_samples = step, state["num_samples"]
        self.clock.resume(state["elapsed_s"])
        # Checkpoints of earlier releases have neither.
        self.data_offset = state.get("data_offset", 0)
        self.judge.restore(state["skipped"], state.get("norms", ()))

    def leave_out(self, data_step: int, skipped: int, elapsed_s: float) -> None:
        """After a return from a bad step: what happened until then still counts, and the data go
        on after those of ``data_step``."""
        self.judge.skipped = skipped
        self.clock.resume(elapsed_s)
        self.clock.start()
        self.data_offset = data_step + 1 - self.step
