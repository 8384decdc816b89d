"""Signs of life of one job on a device, and how long it may go without one.

A denoising loop repeats itself, so it says by itself what a hang is: once two steps are done, a
step that lasts many times the longest before it is one. Decoding media, the first steps (which
encode conditions and may compile), decoding the result and writing to a store that may be away
give no such measure: they have a fixed, generous bound.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

UNMEASURED_STEPS = 1
"""The first step is not like the others: conditions are encoded in it."""


@dataclass(frozen=True)
class Patience:
    """Seconds without a sign of life after which a job counts as hung."""

    part_s: float = 600.0
    """For whatever is not a denoising step of known length; also the upper bound for those."""
    step_s: float = 30.0
    """Every step may take this long: a busy machine is not a hung one."""
    step_times: float = 10.0
    """A step may take this many times the longest step of its job so far."""


class Pulse:
    """The ``cancelled`` that work on the device is given: each look at it is a sign of life.

    Written by the thread of the work, read by that of the probe.
    """

    def __init__(
        self,
        cancelled: Callable[[], bool],
        patience: Patience,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cancelled = cancelled
        self._patience = patience
        self._clock = clock
        self._steps = 0
        self._longest_s = 0.0
        self._step_begun: float | None = None
        self._last_sign = clock()

    def __call__(self) -> bool:
        """Whether the work is to stop."""
        self._last_sign = self._clock()
        return self._cancelled()

    def step_begins(self) -> None:
        """From now until :meth:`step_done` a denoising step runs, and nothing else."""
        self._last_sign = self._step_begun = self._clock()

    def step_done(self) -> None:
        """The step is over, and measured; what follows is not a step until the next begins."""
        now = self._clock()
        if self._step_begun is not None and self._steps >= UNMEASURED_STEPS:
            self._longest_s = max(self._longest_s, now - self._step_begun)
        self._steps += 1
        self.aside()

    def aside(self) -> None:
        """From now on something else than a step runs."""
        self._step_begun = None
        self._last_sign = self._clock()

    @property
    def silent_s(self) -> float:
        """Seconds since the last sign of life."""
        return self._clock() - self._last_sign

    @property
    def allowed_s(self) -> float:
        """How long it may be silent at present."""
        patience = self._patience
        if self._step_begun is None or self._steps <= UNMEASURED_STEPS:
            return patience.part_s
        return min(max(patience.step_s, patience.step_times * self._longest_s), patience.part_s)

    @property
    def hung(self) -> bool:
        """Whether it has been silent for longer."""
        return self.silent_s > self.allowed_s
