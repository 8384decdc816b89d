"""Several processes on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from multiprocessing.connection import wait

from omnireel.data.executors.base import Done, Lost, Stage, Task
from omnireel.data.executors.isolated import Isolated


class LocalExecutor:
    """``workers`` processes (0: one for each core that this process may use)."""

    def __init__(self, workers: int = 0) -> None:
        self.workers = workers or len(os.sched_getaffinity(0))

    def run(self, stage: Stage, tasks: Iterable[Task]) -> Iterator[Done | Lost]:
        """Every task once; each worker has at most one, so memory is that of ``workers`` tasks."""
        todo = iter(tasks)
        crew = [Isolated(stage) for _ in range(self.workers)]
        try:
            for worker, task in zip(crew, todo, strict=False):
                worker.start(task)
            while busy := [worker for worker in crew if worker.busy]:
                wait([worker.connection for worker in busy], timeout=1.0)
                for worker in busy:
                    news = worker.take()
                    if news is None:
                        continue
                    yield news
                    if (following := next(todo, None)) is not None:
                        worker.start(following)
        finally:
            for worker in crew:
                worker.stop()
