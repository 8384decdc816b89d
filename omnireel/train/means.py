"""Means of what a run logs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping

Gather = Callable[[dict[str, list[float]]], list[dict[str, list[float]]]]


class RunningMeans:
    """Means of logged numbers since they were last taken."""

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = defaultdict(list)

    def add(self, values: Mapping[str, float]) -> None:
        """Note one value of each name."""
        for name, value in values.items():
            self._values[name].append(value)

    def take(self, gather: Gather = lambda own: [own]) -> dict[str, float]:
        """The means by name; they start anew.

        ``gather`` gives what all ranks noted, so that the means are those of all.
        """
        merged: dict[str, list[float]] = defaultdict(list)
        for values in gather(dict(self._values)):
            for name, more in values.items():
                merged[name] += more
        means = {name: sum(v) / len(v) for name, v in merged.items()}
        self._values.clear()
        return means
