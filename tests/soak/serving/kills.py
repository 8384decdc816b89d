"""Kills at random, and how long each took to get over."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.soak.serving.stack import SoakStack


@dataclass(frozen=True)
class Kill:
    """``at`` in seconds of the epoch; ``back_s`` until what was killed answered again."""

    kind: str
    at: float
    back_s: float


class Killer:
    """A thread that kills one thing after another; each kind is due equally often."""

    def __init__(self, stack: SoakStack, mean_gap_s: float, seed: int) -> None:
        self.kills: list[Kill] = []
        self._stack = stack
        self._gap_s = mean_gap_s
        self._random = random.Random(seed)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="killer", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Kill no more."""
        self._over.set()
        self._thread.join()

    def once_each(self) -> None:
        """Every kind once, in random order, without waiting until the last one serves again."""
        for name in self._round():
            time.sleep(self._random.expovariate(1 / self._gap_s))
            self._kill(name, wait=False)

    def _run(self) -> None:
        while not self._over.is_set():
            for name in self._round():
                if self._over.wait(self._random.expovariate(1 / self._gap_s)):
                    return
                self._kill(name)

    def _round(self) -> list[str]:
        names = [*self._stack.names, *self._stack.cuts]
        self._random.shuffle(names)
        return names

    def _kill(self, name: str, *, wait: bool = True) -> None:
        at, begun = time.time(), time.monotonic()
        self._stack.kill(name)
        if wait and name in self._stack.names:
            self._stack.wait_until_serving(name)
        kind = name.partition("-")[0] if name.startswith("worker") else name
        self.kills.append(Kill(kind, at, time.monotonic() - begun))


def run_until(done: Callable[[], bool], report: Callable[[], None], every_s: float) -> None:
    """Wait, and say now and then how far it is."""
    said = time.monotonic()
    while not done():
        time.sleep(0.2)
        if time.monotonic() - said >= every_s:
            report()
            said = time.monotonic()
