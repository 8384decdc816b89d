"""The same stages on Ray Data: this machine's Ray, or the cluster that ``RAY_ADDRESS`` names.

Each actor keeps a child process of its own (`isolated`), because Ray would start a task that
killed its worker again and again. Files and models must be reachable from every node: an ``s3://``
input, and an output folder that all nodes share.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from typing import Any

import ray
import ray.data

from omnireel.data.executors.base import Done, Lost, Stage, Task
from omnireel.data.executors.isolated import Isolated


class RayExecutor:
    """``workers`` actors of one CPU each (0: one for each CPU of the cluster)."""

    def __init__(self, workers: int = 0) -> None:
        self._workers = workers
        if not ray.is_initialized():
            ray.init(include_dashboard=False, log_to_driver=False, configure_logging=False)

    def run(self, stage: Stage, tasks: Iterable[Task]) -> Iterator[Done | Lost]:
        """Every task once, in a stream: results come while later tasks wait."""
        rows = [{"task": pickle.dumps(task)} for task in tasks]
        if not rows:
            return
        workers = self._workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        workers = min(workers, len(rows))
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        results = ray.data.from_items(rows, override_num_blocks=min(len(rows), 4 * workers)).map(
            _Actor,
            fn_constructor_args=(pickle.dumps(stage),),
            compute=ray.data.ActorPoolStrategy(size=workers),
            num_cpus=1,
            num_gpus=stage.gpus or None,
        )
        for row in results.iter_rows():
            news = pickle.loads(row["news"])
            if isinstance(news, BaseException):
                raise news
            assert isinstance(news, Done | Lost)
            yield news


class _Actor:
    """One worker of the pool."""

    def __init__(self, pickled: bytes) -> None:
        self._worker = Isolated(pickle.loads(pickled))

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        task: Task = pickle.loads(row["task"])
        news: Done | Lost | BaseException
        try:
            news = self._worker.do(task)
        except Exception as error:  # noqa: BLE001 - raised again where the stage is run
            news = error
        return {"news": pickle.dumps(news)}
