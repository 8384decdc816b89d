"""One model for several sampling loops at once, each in a thread of its own.

Steps of different loops that are asked for at about the same time run as one call of the model.
Every loop keeps its own noise, schedule, progress and cancellation; it may come, stop or fail
between any two steps, and the others do not notice.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from omnireel.model.joining import join_caches, join_packs
from omnireel.model.sequence import PackedSequence
from omnireel.model.transformer import ConditionCache
from omnireel.sampling.sampler import Denoiser

WINDOW_S = 0.05
"""Longest time that a step waits for those of the other loops."""


@dataclass(eq=False)
class StepCount:
    """Denoising steps that were asked for, and the calls of the model in which they ran."""

    steps: int = 0
    calls: int = 0


@dataclass(eq=False)
class _Step:
    """What one loop asks for. ``velocity_NP`` or ``error`` is there when it is ``done``."""

    noisy_NP: Tensor
    timesteps_B: Tensor
    packed: PackedSequence
    cache: ConditionCache
    velocity_NP: Tensor | None = None
    error: Exception | None = None
    done: bool = False

    @property
    def tokens(self) -> int:
        return self.noisy_NP.shape[0]

    def result(self) -> Tensor:
        if self.error is not None:
            raise self.error
        assert self.velocity_NP is not None
        return self.velocity_NP


@dataclass(eq=False)
class _Joined:
    """The last joint pack: the same loops come again at every step."""

    packs: tuple[PackedSequence, ...]
    packed: PackedSequence
    cache: ConditionCache


@dataclass(eq=False)
class SharedDenoiser:
    """A :class:`~omnireel.sampling.sampler.Denoiser` over ``model`` for many threads.

    ``max_tokens`` target tokens run in one call at most, those of all guidance variants counted;
    beyond that, and where the targets have different sizes, steps run one after the other.
    0: always.
    """

    model: Denoiser
    max_tokens: int = 0
    window_s: float = WINDOW_S
    count: StepCount = field(default_factory=StepCount)

    def __post_init__(self) -> None:
        self._changed = threading.Condition()
        self._loops = 0
        self._waiting: list[_Step] = []
        self._busy = False
        self._joined: _Joined | None = None

    @contextmanager
    def loop(self) -> Iterator[None]:
        """A sampling loop, for the length of the block: steps of others wait for its steps."""
        with self._changed:
            self._loops += 1
        try:
            yield
        finally:
            with self._changed:
                self._loops -= 1
                self._joined = None  # it holds what this loop had
                self._changed.notify_all()

    def encode_conditions(self, packed: PackedSequence) -> ConditionCache:
        """Keys and values of all conditions."""
        return self.model.encode_conditions(packed)

    @torch.no_grad()
    def denoise(
        self,
        noisy_NP: Tensor,
        timesteps_B: Tensor,
        packed: PackedSequence,
        cache: ConditionCache,
    ) -> Tensor:
        """Velocity of the noisy tokens; raises what the model raises for this step alone."""
        step = _Step(noisy_NP, timesteps_B, packed, cache)
        with self._changed:
            self.count.steps += 1
            self._waiting.append(step)
            self._changed.notify_all()
            self._changed.wait_for(lambda: step.done or not self._busy)
            if step.done:
                return step.result()
            self._busy = True  # this thread runs the next call, for whoever has asked by then
            if self.max_tokens >= 2 * step.tokens:
                self._changed.wait_for(self._all_have_asked, self.window_s)
            batch = self._take(step)
        try:
            self._run(batch)
        finally:
            with self._changed:
                self._busy = False
                for each in batch:
                    each.done = True
                self._changed.notify_all()
        return step.result()

    def _all_have_asked(self) -> bool:
        return len(self._waiting) >= self._loops

    def _take(self, own: _Step) -> list[_Step]:
        """``own`` and what runs well beside it; the longest waiting first."""
        batch, tokens = [own], own.tokens
        lengths = set(own.packed.target_lengths)
        for step in self._waiting:
            fits = tokens + step.tokens <= self.max_tokens
            if step is not own and fits and set(step.packed.target_lengths) == lengths:
                batch.append(step)
                tokens += step.tokens
        self._waiting = [step for step in self._waiting if step not in batch]
        return batch

    def _run(self, batch: list[_Step]) -> None:
        if len(batch) > 1:
            try:
                self._run_joint(batch)
                self.count.calls += 1
                return
            except Exception:  # noqa: BLE001 - whose it is shows when each runs alone
                self._joined = None
        for step in batch:
            try:
                step.velocity_NP = self.model.denoise(
                    step.noisy_NP, step.timesteps_B, step.packed, step.cache
                )
                self.count.calls += 1
            except Exception as error:  # noqa: BLE001 - raised in the thread of its loop
                step.error = error

    def _run_joint(self, batch: list[_Step]) -> None:
        batch.sort(key=lambda step: id(step.packed))  # the same order at every step
        joined = self._join(batch)
        velocity_NP = self.model.denoise(
            torch.cat([step.noisy_NP for step in batch]),
            torch.cat([step.timesteps_B for step in batch]),
            joined.packed,
            joined.cache,
        )
        parts = torch.split(velocity_NP, [step.tokens for step in batch])
        for step, part in zip(batch, parts, strict=True):
            step.velocity_NP = part

    def _join(self, batch: list[_Step]) -> _Joined:
        packs = tuple(step.packed for step in batch)
        found = self._joined
        if (
            found is None
            or len(found.packs) != len(packs)
            or any(one is not other for one, other in zip(found.packs, packs, strict=True))
        ):
            cache = join_caches([step.cache for step in batch])
            found = self._joined = _Joined(packs, join_packs(packs), cache)
        return found
