"""A bounded, even selection from a stream whose length nobody knows."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class EvenKeeper(Generic[T]):
    """Keeps every item, then every second, every fourth and so on: at most ``limit`` of them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._step = 1
        self._seen = 0
        self.kept: list[T] = []

    def add(self, item: T) -> None:
        """Take the next item of the stream."""
        if self._seen % self._step == 0:
            if len(self.kept) == self._limit:
                self.kept = self.kept[::2]
                self._step *= 2
            if self._seen % self._step == 0:
                self.kept.append(item)
        self._seen += 1
