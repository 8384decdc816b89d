"""How much of a job's time trains, when its ranks fail now and then.

Failures are independent with a mean time between failures M of one rank, so a job of N ranks meets
one every M / N. Work goes in segments of T seconds between checkpoints, each followed by s seconds
in which training waits for the checkpoint; one that is written in the background counts w seconds
later. A failure costs the time to find it and to start again (R), and the work since the last
checkpoint that counts. With r = N / M the expected time of a segment, failures while restarting
included, is (Daly, "A higher order estimate of the optimum checkpoint interval", 2006)::

    (1 / r) exp(r (R + w)) (exp(r (T + s)) - 1)

A failure loses the work of w seconds more, as if it took so much longer to restart.

Of a run that took place, :func:`trained_s` says how much of its time is in the result.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

from omnireel.errors import InvalidInput
from omnireel.train.checkpoint import latest_checkpoint


@dataclass(frozen=True)
class FailureModel:
    """Seconds, but for the number of ranks."""

    ranks: int
    rank_mtbf_s: float
    """Mean time between failures of one rank with its share of machine and network."""
    restart_s: float
    """From a failure until training goes on: found, ended, started, loaded, warmed up."""
    checkpoint_s: float
    """Training waits so long for each checkpoint."""
    write_s: float = 0.0
    """A checkpoint counts so long after it was begun."""

    def __post_init__(self) -> None:
        if self.ranks < 1 or not self.rank_mtbf_s > 0:
            raise InvalidInput("ranks and rank_mtbf_s must be more than 0", field="rank_mtbf_s")
        for name in ("restart_s", "checkpoint_s", "write_s"):
            if not getattr(self, name) >= 0:
                raise InvalidInput(f"{name} must not be negative", field=name)

    @property
    def rate(self) -> float:
        """Failures of the job per second."""
        return self.ranks / self.rank_mtbf_s

    def effective(self, interval_s: float) -> float:
        """Share of the time that trains, with a checkpoint after every ``interval_s`` of work."""
        if not interval_s > 0:
            raise InvalidInput("interval_s must be more than 0", field="interval_s")
        rate = self.rate
        lost = math.exp(rate * (self.restart_s + self.write_s)) / rate
        return interval_s / (lost * math.expm1(rate * (interval_s + self.checkpoint_s)))

    def best_interval_s(self) -> float:
        """Young's interval ``sqrt(2 s / r)``: waiting and lost work cost alike."""
        return math.sqrt(2.0 * self.checkpoint_s / self.rate)


def trained_s(run: Path) -> float:
    """Seconds of steps, validations and checkpoints that led to the last checkpoint of ``run``,
    over all its attempts; 0 without one. What was repeated after a failure counts once."""
    folder = latest_checkpoint(run)
    if folder is None:
        return 0.0
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    return float(state["elapsed_s"])
