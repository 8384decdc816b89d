"""How far a run is, over all its parts: the larger share of its steps and of its time budget."""

from __future__ import annotations

import time


class RunClock:
    """Wall clock of a run that may have been interrupted. Several ranks go by that of rank 0."""

    def __init__(self, num_steps: int, max_minutes: float | None) -> None:
        """``max_minutes``: of wall clock over all parts, ``None`` for no limit."""
        self._num_steps, self._max_minutes = num_steps, max_minutes
        self._before = 0.0
        self._started = time.monotonic()
        self._agreed: float | None = None

    def start(self) -> None:
        """Training begins (again) now."""
        self._started = time.monotonic()

    def resume(self, elapsed_s: float) -> None:
        """Earlier parts of the run took so long."""
        self._before = elapsed_s

    def agree(self, elapsed_s: float) -> None:
        """Go by this time until told the next."""
        self._agreed = elapsed_s

    @property
    def own_s(self) -> float:
        """Seconds so far by our own clock."""
        return self._before + time.monotonic() - self._started

    @property
    def elapsed_s(self) -> float:
        """Seconds so far, the same on all ranks."""
        return self.own_s if self._agreed is None else self._agreed

    def progress(self, step: int) -> float:
        """0 at the start, 1 when the steps or the time are used up."""
        progress = step / self._num_steps
        if self._max_minutes is not None:
            progress = max(progress, self.elapsed_s / (60.0 * self._max_minutes))
        return min(1.0, progress)

    def left_s(self, step: int) -> float:
        """Seconds until the end, if it goes on as it did."""
        progress = self.progress(step)
        return self.elapsed_s * (1 - progress) / progress if progress else 0.0
