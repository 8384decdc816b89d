"""Training data as a deterministic map from batch number to batch, with read-ahead.

A batch depends on nothing but its number, so a resumed run needs only the step to see exactly the
data that an uninterrupted one would have seen.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from omnireel.errors import InvalidInput


class TrainData(Protocol):
    """What the trainer reads from. Must be thread-safe (and picklable, for processes)."""

    def batch(self, index: int) -> Any:
        """Batch number ``index`` (0-based); equal numbers give equal batches."""


@dataclass(frozen=True)
class FeedConfig:
    """Read-ahead: ``workers`` threads (or processes) keep ``depth`` batches ready."""

    workers: int = 1
    depth: int = 3
    processes: bool = False

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise InvalidInput("workers must be 0 or more", field="feed.workers")
        if self.depth < 1:
            raise InvalidInput("depth must be 1 or more", field="feed.depth")


class Feed:
    """Batches in order from ``start``; computed ahead in the background when workers > 0."""

    def __init__(self, data: TrainData, config: FeedConfig, start: int = 0) -> None:
        self._data = data
        self._config = config
        self._next = start
        self._pending: deque[Future[Any]] = deque()
        self._executor: Executor | None = None
        if config.workers and config.processes:
            self._executor = ProcessPoolExecutor(
                config.workers,
                # "spawn": forking a process that runs threads (torch) may deadlock.
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_initialise_worker,
                initargs=(data,),
            )
        elif config.workers:
            self._executor = ThreadPoolExecutor(config.workers, thread_name_prefix="feed")

    def take(self) -> Any:
        """The next batch; an error while making it is raised here."""
        if self._executor is None:
            self._next += 1
            return self._data.batch(self._next - 1)
        while len(self._pending) < self._config.depth:
            self._pending.append(self._submit(self._next))
            self._next += 1
        return self._pending.popleft().result()

    def close(self) -> None:
        """Stop reading ahead."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)

    def _submit(self, index: int) -> Future[Any]:
        assert self._executor is not None
        if self._config.processes:
            return self._executor.submit(_worker_batch, index)
        return self._executor.submit(self._data.batch, index)


_worker_data: TrainData | None = None


def _initialise_worker(data: TrainData) -> None:
    global _worker_data
    _worker_data = data


def _worker_batch(index: int) -> Any:
    assert _worker_data is not None
    return _worker_data.batch(index)
