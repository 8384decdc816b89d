"""Means of what a run logs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

Sum = tuple[float, float]
"""Weighted values, and their weights."""
Gather = Callable[[dict[str, Sum]], list[dict[str, Sum]]]


class RunningMeans:
    """Weighted means of logged numbers since they were last taken."""

    def __init__(self) -> None:
        self._sums: dict[str, Sum] = {}

    def add(self, values: Mapping[str, float], weight: float = 1.0) -> None:
        """Note one value of each name, which counts ``weight``."""
        for name, value in values.items():
            total, weights = self._sums.get(name, (0.0, 0.0))
            self._sums[name] = total + weight * value, weights + weight

    def take(self, gather: Gather = lambda own: [own]) -> dict[str, float]:
        """The means by name; they start anew.

        ``gather`` gives what all ranks noted, so that the means are those of all.
        """
        merged: dict[str, Sum] = {}
        for sums in gather(dict(self._sums)):
            for name, (total, weights) in sums.items():
                before = merged.get(name, (0.0, 0.0))
                merged[name] = before[0] + total, before[1] + weights
        self._sums.clear()
        return {name: total / weights for name, (total, weights) in merged.items()}
