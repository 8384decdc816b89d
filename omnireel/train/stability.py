"""Steps that went wrong: a loss or gradient that is not finite, or a gradient that leaps.

What is done is a policy of the configuration, and every case is told:

- ``skip``: the step changes nothing; its batches are lost.
- ``stop``: the run ends with an error; its last checkpoint stays.
- ``roll_back``: back to the last checkpoint, and on with the batches after the bad step, so that
  whatever led to it is not met again (PaLM, arXiv 2204.02311, section 5.1).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal

from omnireel.errors import FailedPrecondition
from omnireel.train.checkpoint import latest_checkpoint

Policy = Literal["skip", "stop", "roll_back"]
_WINDOW = 50
_LEAST = 10
"""Norms that must be known before one can be called a leap."""


@dataclass(frozen=True)
class Verdict:
    """What was wrong with a step."""

    what: str
    policy: Policy
    reason: str = "LOSS_NOT_FINITE"


def last_good(run: Path, what: str, step: int, reason: str) -> Path:
    """The checkpoint to go back to after ``what`` happened at ``step``.

    Raises:
        FailedPrecondition: there is none.

    """
    folder = latest_checkpoint(run)
    if folder is None:
        raise FailedPrecondition(
            f"the {what} at step {step}, and there is no checkpoint to go back to",
            reason=reason,
        )
    return folder


class StepJudge:
    """Called once a step; remembers the norms of good steps and counts the bad ones."""

    def __init__(
        self, non_finite: Policy, spike: Policy, spike_factor: float, max_skips: int
    ) -> None:
        """See the fields of the same names in ``TrainerConfig``."""
        self._non_finite, self._spike = non_finite, spike
        self._factor, self._max_skips = spike_factor, max_skips
        self._norms: deque[float] = deque(maxlen=_WINDOW)
        self.skipped = 0
        """Steps that changed nothing or were taken back."""

    @property
    def norm_limit(self) -> float:
        """The largest norm that is no spike."""
        if self._factor == 0 or len(self._norms) < _LEAST:
            return math.inf
        return self._factor * median(self._norms)

    def __call__(self, step: int, loss: float, norm: float) -> Verdict | None:
        """What is wrong with a step, if anything.

        Raises:
            FailedPrecondition: the run must not go on.

        """
        verdict = self._verdict(loss, norm)
        if verdict is None:
            if self._factor:
                self._norms.append(norm)
            return None
        self.count(step, verdict)
        return verdict

    def count(self, step: int, verdict: Verdict) -> None:
        """Note a step that went wrong.

        Raises:
            FailedPrecondition: the run must not go on.

        """
        self.skipped += 1
        if verdict.policy == "stop" or self.skipped > self._max_skips:
            raise FailedPrecondition(
                f"the {verdict.what} at step {step} ({self.skipped} such steps); lower "
                "optimizer.muon_lr and optimizer.adamw_lr, or resume from the last checkpoint",
                reason=verdict.reason,
            )

    def norms(self) -> list[float]:
        """What a resumed run needs, beside ``skipped``."""
        return list(self._norms)

    def restore(self, skipped: int, norms: Sequence[float]) -> None:
        """Go back to a saved state."""
        self.skipped, self._norms = skipped, deque(norms, maxlen=_WINDOW)

    def _verdict(self, loss: float, norm: float) -> Verdict | None:
        if not math.isfinite(loss):
            return Verdict("loss is not finite", self._non_finite)
        if not math.isfinite(norm):
            return Verdict("gradient norm is not finite", self._non_finite)
        if norm > self.norm_limit:
            what = f"gradient norm {norm:.3g} is a spike (limit {self.norm_limit:.3g})"
            return Verdict(what, self._spike)
        return None
