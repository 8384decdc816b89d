"""Who works on which batch of a step: plain data, worked out alike on every rank.

A step has ``accumulate`` *places* in a row. Most batches take one of them; a batch of degree d
takes d neighbouring ones, with the room of d batches. G groups of ranks take the places in rounds,
place p by group p modulo G, so that a batch of degree d is shared by d groups at once::

    places      0   1   2   3   4   5   6   7      a step of 8
    batches    [0 .  .  .  .  ][4 .  ] [6] [7]     degrees 4, 2, 1 and 1
    4 groups    0 + 1 + 2 + 3   0 + 1   2   3      two rounds
    2 groups    0 + 1           0 + 1   0   1      three
    1 group     0               0       0   0      four

Batches, their random numbers and what they count follow from the step and the place alone, so a run
is the same run on any number of ranks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from omnireel.train.feed import TrainData


@dataclass(frozen=True)
class Part:
    """One batch of a step: its first place, and how many it takes."""

    first: int
    degree: int = 1
    seconds: float = 0.0
    """How long each of ``degree`` ranks is predicted to work on it; 0: nobody knows."""
    idle: bool = False
    """It repeats a sample, because none was left for its place: every rank must take part in every
    collective operation. It counts nothing."""


@runtime_checkable
class PlannedData(Protocol):
    """Training data that plan how many ranks share each batch."""

    @property
    def largest_degree(self) -> int:
        """Places that a batch may take: degrees are the powers of two up to this one."""

    def part(self, step: int, place: int) -> Part:
        """The batch that has ``place`` in ``step``."""

    def batch(self, index: int) -> Any:
        """Batch ``index``: of step ``index / accumulate``, whose first place is the remainder."""


@dataclass(frozen=True, eq=False)
class Turn:
    """What one group of ranks does next."""

    batch: Any
    part: Part
    degree: int
    """Groups that share the batch now: fewer than the part's degree where there are not as many."""

    def share(self, value: float) -> float:
        """Our share of a number that every group of the turn knows; nothing of idle ones."""
        return 0.0 if self.part.idle else value / self.degree

    @property
    def seconds(self) -> float:
        """Predicted; fewer groups than planned take longer."""
        return self.part.seconds * self.part.degree / self.degree


@dataclass(frozen=True, eq=False)
class Turns:
    """What group ``group`` of ``groups`` reads, see the module's docstring."""

    data: TrainData
    per_step: int
    group: int = 0
    groups: int = 1

    @property
    def rounds(self) -> int:
        """Number of rounds per step."""
        return self.per_step // self.groups

    def batch(self, index: int) -> Turn | None:
        """The turn of round ``index``, counted through all steps; ``None`` where the batch of an
        earlier round has that place too."""
        step, round_ = divmod(index, self.rounds)
        place = round_ * self.groups + self.group
        part = self.data.part(step, place) if isinstance(self.data, PlannedData) else Part(place)
        if place - part.first >= self.groups:
            return None
        batch = self.data.batch(step * self.per_step + part.first)
        return Turn(batch, part, min(part.degree, self.groups))


def step_shares(
    turns: Sequence[Turn],
    weigh: Callable[[Any], float] | None,
    total: Callable[[Sequence[float]], list[float]],
) -> list[float]:
    """What the batch of each of our turns counts, of all batches of the step.

    Args:
        turns: ours, in one step.
        weigh: how much a batch counts; ``None``: all the same.
        total: sums over the groups.

    """
    weights = [0.0 if t.part.idle else weigh(t.batch) if weigh else 1.0 for t in turns]
    (everything,) = total([sum(t.share(w) for t, w in zip(turns, weights, strict=True))])
    return [weight / everything for weight in weights]
