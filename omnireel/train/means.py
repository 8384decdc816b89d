"""Means of what a run logs, and its speed."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping

Gather = Callable[[dict[str, list[float]]], list[dict[str, list[float]]]]


class RunningMeans:
    """Means of logged numbers, and samples per second, since they were last taken."""

    samples: int
    """Samples since the last :meth:`take`; the loop counts here."""

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = defaultdict(list)
        self._since = time.monotonic()
        self.samples = 0

    def add(self, values: Mapping[str, float]) -> None:
        """Note one value of each name."""
        for name, value in values.items():
            self._values[name].append(value)

    def take(self, gather: Gather = lambda own: [own]) -> tuple[dict[str, float], float]:
        """The means by name and samples per second; both start anew.

        ``gather`` gives what all ranks noted, so that the means are those of all.
        """
        merged: dict[str, list[float]] = defaultdict(list)
        for values in gather(dict(self._values)):
            for name, more in values.items():
                merged[name] += more
        means = {name: sum(v) / len(v) for name, v in merged.items()}
        now = time.monotonic()
        speed = self.samples / max(now - self._since, 1e-9)
        self._values.clear()
        self._since, self.samples = now, 0
        return means, speed
