"""Who works on what: samples of one global micro-batch over all ranks.

1. With T the time that every rank would work if all were equal, each sample gets the smallest
   Ulysses degree at which it takes no longer than T (or a half or a quarter of it) and fits into
   memory. The samples' degrees say how many groups of each size there should be.
2. As that is never certain nor a whole number, several sets of groups are tried. In each, samples
   go longest first to the group that would be done first with them (longest processing time
   first, Graham 1969); the exchange of tokens counts, so large groups must be worth it.
3. The best plans are refined: the busiest group gives a sample away, or swaps one, while that
   helps. The plan that is done first wins.

It depends on its arguments alone, so every rank computes the same plan and nothing is sent.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnireel.errors import InvalidInput
from omnireel.train.balance.cost import CostModel
from omnireel.train.balance.lengths import SampleLength

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_GOOD_ENOUGH = 0.001
"""Imbalance below which refining stops: it is far below what a clock could measure."""
_MAX_REFINEMENTS = 200
_QUICKNESS = (1.0, 0.5, 0.25)
_REFINED = 4
"""So many of the best plans are refined before the best of them is taken."""


@dataclass(frozen=True)
class Limits:
    """What a rank can hold and how many ranks may share a sample.

    ``degrees`` must be powers of two from 1 upwards; each must divide the number of heads.
    """

    max_tokens: int
    """Tokens of a micro-batch on one rank."""
    degrees: tuple[int, ...] = (1,)

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise InvalidInput("max_tokens must be 1 or more", field="packing.max_tokens")
        powers = tuple(2**i for i in range(len(self.degrees)))
        if not self.degrees or self.degrees != powers:
            raise InvalidInput(
                f"degrees must be 1, 2, 4, .. in order, not {self.degrees}",
                field="packing.max_degree",
            )


@dataclass(frozen=True)
class WorkGroup:
    """Ranks ``first_rank .. first_rank + degree - 1`` work on ``samples`` (indices) together."""

    first_rank: int
    degree: int
    samples: tuple[int, ...]
    seconds: float
    tokens: int


@dataclass(frozen=True)
class MicrobatchPlan:
    """A whole global micro-batch. ``left_out`` are samples that no group had memory for."""

    groups: tuple[WorkGroup, ...]
    left_out: tuple[int, ...] = ()

    @property
    def rank_seconds(self) -> tuple[float, ...]:
        """Predicted working time of every rank."""
        return tuple(g.seconds for g in self.groups for _ in range(g.degree))

    @property
    def imbalance(self) -> float:
        """``1 - mean / max`` of the ranks' predicted times: the share of time spent waiting."""
        return imbalance(self.rank_seconds)

    def group_of(self, rank: int) -> WorkGroup:
        """The group that ``rank`` is in."""
        for group in self.groups:
            if group.first_rank <= rank < group.first_rank + group.degree:
                return group
        raise ValueError(f"rank {rank} is in no group")


def imbalance(rank_seconds: Sequence[float]) -> float:
    """``1 - mean / max``; 0 when nobody has any work."""
    longest = max(rank_seconds)
    return 1.0 - sum(rank_seconds) / len(rank_seconds) / longest if longest > 0 else 0.0


def plan_microbatch(
    lengths: Sequence[SampleLength], world: int, cost: CostModel, limits: Limits
) -> MicrobatchPlan:
    """Spread samples over ``world`` ranks.

    Raises:
        InvalidInput: a sample fits no group, or ``world`` is no multiple of the largest degree.

    """
    if world % limits.degrees[-1]:
        raise InvalidInput(
            f"{world} ranks cannot be cut into groups of {limits.degrees[-1]}; choose degrees that "
            "divide the number of ranks",
            field="packing.max_degree",
        )
    table = _Table.build(lengths, cost, limits)
    found = [_longest_first(table, sizes) for sizes in _group_sizes(table, world)]
    found = sorted(found, key=_Assignment.rank)[:_REFINED]
    for assignment in found:
        _refine(assignment)
    return min(found, key=_Assignment.rank).plan()


@dataclass(frozen=True, eq=False)
class _Table:
    """Seconds ``[samples, degrees]`` and tokens of every sample."""

    seconds_SD: Floats
    tokens_S: Floats
    fixed_s: float
    limits: Limits

    @classmethod
    def build(cls, lengths: Sequence[SampleLength], cost: CostModel, limits: Limits) -> _Table:
        if not lengths:
            raise InvalidInput("a micro-batch needs samples", field="balance")
        longest = max(length.tokens for length in lengths)
        if longest > limits.max_tokens * limits.degrees[-1]:
            raise InvalidInput(
                f"a sample of {longest} tokens does not fit {limits.degrees[-1]} ranks with "
                f"{limits.max_tokens} tokens each; raise packing.max_tokens or packing.max_degree",
                field="packing.max_tokens",
            )
        seconds = [[cost.sample_seconds(n, d) for d in limits.degrees] for n in lengths]
        tokens = np.array([n.tokens for n in lengths], np.float64)
        return cls(np.array(seconds), tokens, cost.fixed_s, limits)

    def wanted_degrees(self, world: int, quickness: float) -> tuple[Ints, float]:
        """Index of each sample's smallest useful degree, and the even time T that follows.

        A degree is useful when the sample fits and takes no longer than ``quickness`` times T.
        """
        degrees = np.array(self.limits.degrees)
        fits_SD = self.tokens_S[:, None] <= degrees * self.limits.max_tokens
        smallest = fits_SD.argmax(axis=1)
        at = np.arange(len(smallest))
        for _ in range(3):  # splitting costs a little, which raises T; this settles at once
            even_s = float((self.seconds_SD[at, smallest] * degrees[smallest]).sum()) / world
            quick_SD = fits_SD & (self.seconds_SD <= quickness * even_s)
            quick = np.where(quick_SD.any(axis=1), quick_SD.argmax(axis=1), len(degrees) - 1)
            smallest = np.maximum(smallest, quick)
        return smallest, even_s


def _group_sizes(table: _Table, world: int) -> list[tuple[int, ...]]:
    """Candidates for the groups' degrees, largest first and summing to ``world``.

    For every quickness each degree gets as many groups as its samples keep busy, rounded down and
    up; then all groups alike.
    """
    degrees = table.limits.degrees
    found: set[tuple[int, ...]] = set()
    for quickness in _QUICKNESS:
        wanted_S, even_s = table.wanted_degrees(world, quickness)
        options: list[tuple[int, ...]] = []
        for j in range(len(degrees) - 1, 0, -1):
            busy = float(table.seconds_SD[wanted_S == j, j].sum()) / even_s
            options.append((math.floor(busy), math.floor(busy) + 1) if busy else (0,))
        for counts in itertools.product(*options):
            sizes = [d for n, d in zip(counts, degrees[:0:-1], strict=True) for _ in range(n)]
            while sum(sizes) > world:
                sizes.pop()
            found.add((*sizes, *[1] * (world - sum(sizes))))
    found |= {(d,) * (world // d) for d in degrees}
    # Someone must be able to hold the longest sample.
    needed = -(-table.tokens_S.max() // table.limits.max_tokens)
    return sorted(sizes for sizes in found if sizes[0] >= needed)


@dataclass(eq=False)
class _Assignment:
    """A plan in the making: degree index, time, tokens and samples of every group."""

    table: _Table
    degree_G: Ints
    loads: Floats
    tokens: Floats
    members: list[list[int]]
    left_out: list[int]

    def rank(self) -> tuple[int, float]:
        """Smaller is better: samples left out, then the time until all are done."""
        return len(self.left_out), float(self.loads.max())

    @property
    def room(self) -> Floats:
        """Tokens that every group can hold."""
        degrees = np.array(self.table.limits.degrees, np.float64)
        result: Floats = degrees[self.degree_G] * self.table.limits.max_tokens
        return result

    def move(self, sample: int, source: int, target: int) -> None:
        """Take a sample from one group to another."""
        self.members[source].remove(sample)
        self._add(sample, source, -1.0)
        self.place(sample, target)

    def place(self, sample: int, group: int) -> None:
        """Give a sample to a group."""
        self.members[group].append(sample)
        self._add(sample, group, 1.0)

    def _add(self, sample: int, group: int, sign: float) -> None:
        self.loads[group] += sign * self.table.seconds_SD[sample, self.degree_G[group]]
        self.tokens[group] += sign * self.table.tokens_S[sample]

    def plan(self) -> MicrobatchPlan:
        """The finished plan; groups follow each other from rank 0."""
        sizes = [self.table.limits.degrees[j] for j in self.degree_G]
        firsts = itertools.accumulate(sizes, initial=0)
        groups = tuple(
            WorkGroup(first, size, tuple(sorted(members)), float(load), int(tokens))
            for first, size, members, load, tokens in zip(
                firsts, sizes, self.members, self.loads, self.tokens, strict=False
            )
        )
        return MicrobatchPlan(groups, tuple(sorted(self.left_out)))


def _longest_first(table: _Table, sizes: Sequence[int]) -> _Assignment:
    degree_G = np.array([table.limits.degrees.index(size) for size in sizes])
    count = len(sizes)
    result = _Assignment(
        table,
        degree_G,
        np.full(count, table.fixed_s),
        np.zeros(count),
        [[] for _ in range(count)],
        [],
    )
    room = result.room
    for sample in np.argsort(-table.seconds_SD[:, 0], kind="stable"):
        finish = result.loads + table.seconds_SD[sample, degree_G]
        finish[result.tokens + table.tokens_S[sample] > room] = np.inf
        group = int(finish.argmin())
        if np.isinf(finish[group]):
            result.left_out.append(int(sample))
        else:
            result.place(int(sample), group)
    return result


def _refine(state: _Assignment) -> None:
    """Lower the longest time by single moves and swaps of the busiest group."""
    for _ in range(_MAX_REFINEMENTS):
        if imbalance(np.repeat(state.loads, 1 << state.degree_G).tolist()) < _GOOD_ENOUGH:
            return
        busiest = int(state.loads.argmax())
        best = min(_exchanges(state, busiest), default=None)
        if best is None or best[0] >= state.loads[busiest] * (1 - 1e-9):
            return
        _, given, taken, other = best
        state.move(given, busiest, other)
        if taken >= 0:
            state.move(taken, other, busiest)


def _exchanges(state: _Assignment, busiest: int) -> Iterator[tuple[float, int, int, int]]:
    """(later finish of the two groups, sample given, sample taken or -1, other group)."""
    seconds, tokens, degree = state.table.seconds_SD, state.table.tokens_S, state.degree_G
    others = [g for g in range(len(degree)) if g != busiest]
    owner = np.array([g for g in others for _ in (*state.members[g], -1)], np.int64)
    taken = np.array([s for g in others for s in (*state.members[g], -1)], np.int64)
    if not len(owner):
        return
    real = taken >= 0
    taken_here = np.where(real, seconds[taken, degree[busiest]], 0.0)
    taken_there = np.where(real, seconds[taken, degree[owner]], 0.0)
    taken_tokens = np.where(real, tokens[taken], 0.0)
    room = state.room
    for given in state.members[busiest]:
        here = state.loads[busiest] - seconds[given, degree[busiest]] + taken_here
        there = state.loads[owner] + seconds[given, degree[owner]] - taken_there
        later = np.maximum(here, there)
        change = tokens[given] - taken_tokens
        later[state.tokens[owner] + change > room[owner]] = np.inf
        later[state.tokens[busiest] - change > room[busiest]] = np.inf
        k = int(later.argmin())
        yield float(later[k]), given, int(taken[k]), int(owner[k])
