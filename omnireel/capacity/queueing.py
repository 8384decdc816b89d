"""Waiting in lines: the formulas.

Erlang's C for servers with one line; Krämer and Langenbach-Belz (1976) for a server whose jobs come
more regularly than by chance; Whitt's queueing network analyser (The Bell System Technical Journal
62, 1983) for how service, splitting and joining change that, and for service times that vary.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Wait:
    """Seconds in a line: only a ``share`` of the jobs waits, those ``mean_s / share`` on average,
    exponentially distributed."""

    mean_s: float
    share: float

    @property
    def of_those_s(self) -> float:
        """Mean of those that wait."""
        return self.mean_s / self.share if self.share else 0.0

    @property
    def variance(self) -> float:
        """Of the seconds that all jobs wait."""
        return 2 * self.mean_s * self.of_those_s - self.mean_s**2


@dataclass(frozen=True)
class Stream:
    """Jobs that come at a ``rate`` a second; ``variation`` is that of the times between them: their
    variance over their mean squared, 1 for jobs that come by chance and 0 for a clock's."""

    rate: float
    variation: float = 1.0

    def part(self, share: float) -> Stream:
        """A share of it, taken by chance."""
        return Stream(self.rate * share, share * self.variation + 1 - share)

    def in_turn(self, servers: int, callers: int) -> Stream:
        """What one of ``servers`` gets from ``callers`` that each go round: from one of them every
        ``servers``-th job; the more callers there are, the less they know of each other's turns."""
        regular = self.variation / servers
        return Stream(self.rate / servers, 1 - (1 - regular) / callers)

    def served(self, mean_s: float, cv: float) -> Stream:
        """After one server (Whitt's equation 38 for one server)."""
        busy = min(self.rate * mean_s, 1.0)
        return Stream(self.rate, busy**2 * cv**2 + (1 - busy**2) * self.variation)

    def joined(self, count: int, busy: float) -> Stream:
        """``count`` like this one together, on their way to servers that are so ``busy``
        (Whitt's equations 29 to 33)."""
        weight = 1 / (1 + 4 * (1 - busy) ** 2 * (count - 1))
        return Stream(self.rate * count, weight * self.variation + 1 - weight)


def erlang_c(servers: int, load: float) -> float:
    """The share of jobs that find all ``servers`` busy; ``load`` in servers, below ``servers``."""
    blocked = 1.0
    for n in range(1, servers + 1):  # Erlang's B, by recursion
        blocked = load * blocked / (n + load * blocked)
    busy = load / servers
    return blocked / (1 - busy * (1 - blocked))


def one_line(servers: int, rate: float, mean_s: float, cv: float) -> Wait:
    """Jobs that come by chance, ``rate`` a second, before ``servers`` that share a line (M/G/c)."""
    load = rate * mean_s
    if load >= servers:
        return Wait(math.inf, 1.0)
    share = erlang_c(servers, load)
    return Wait(share * mean_s / (servers - load) * (1 + cv**2) / 2, share)


def own_line(stream: Stream, mean_s: float, cv: float) -> Wait:
    """Jobs that come as a stream before a server of their own (G/G/1)."""
    busy = stream.rate * mean_s
    if busy >= 1:
        return Wait(math.inf, 1.0)
    varies = stream.variation + cv**2
    if busy == 0 or varies == 0:
        return Wait(0.0, 0.0)
    regular = max(1 - stream.variation, 0.0)
    correction = math.exp(-2 * (1 - busy) * regular**2 / (3 * busy * varies))
    return Wait(busy / (1 - busy) * mean_s * varies / 2 * correction, busy)


def quantile_s(waits: Sequence[Wait], share: float, points: int = 4000) -> float:
    """Seconds that a ``share`` of the jobs wait at most, in all of these lines one after the other.

    The lines are taken as independent of each other.
    """
    waits = [wait for wait in waits if wait.mean_s > 0]
    if any(math.isinf(wait.mean_s) for wait in waits):
        return math.inf
    if not waits:
        return 0.0
    longest = sum(wait.of_those_s for wait in waits) * max(3.0, -2 * math.log(1 - share))
    edges = np.linspace(0, longest, points)
    whole: npt.NDArray[np.float64] = np.eye(1, points)[0]
    for wait in waits:
        exceed = wait.share * np.exp(-edges / wait.of_those_s)
        mass = -np.diff(exceed, append=0.0)
        mass[1:], mass[0] = mass[:-1], 1 - wait.share  # a bin's mass stands at its far edge
        whole = np.convolve(whole, mass)[:points]
    below = np.cumsum(whole)
    return float(edges[min(int(np.searchsorted(below, share)), points - 1)])
