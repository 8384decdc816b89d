"""The same stages on Ray Data: the cluster that ``RAY_ADDRESS`` names, or a Ray on this machine.

Each actor keeps a child process of its own (`isolated`), because Ray would start a task that
killed its worker again and again. Files and models must be reachable from every node: an ``s3://``
input, and a work folder that all nodes share.
"""

from __future__ import annotations

import logging
import os
import pickle
import socket
from collections.abc import Iterable, Iterator
from typing import Any

import ray
import ray.data

from omnireel.data.executors.base import Done, Lost, Stage, Task
from omnireel.data.executors.isolated import Isolated
from omnireel.errors import Unavailable

ADDRESS = "RAY_ADDRESS"
_STARTS = 5
"""Ray gives its own processes half a minute to start, which a busy machine may need more than."""
_STORE_BYTES = 256 << 20
"""Of shared memory on this machine; what passes through are records, not media."""
_MAX_BLOCKS = 4096
_KNOCK_S = 10.0


class RayExecutor:
    """``workers`` actors of one CPU each (0: one for each CPU of the cluster).

    Raises:
        Unavailable: the cluster cannot be reached, or Ray does not start here.

    """

    def __init__(self, workers: int = 0) -> None:
        self._workers = workers
        if not ray.is_initialized():
            connect()

    def run(self, stage: Stage, tasks: Iterable[Task]) -> Iterator[Done | Lost]:
        """Every task once, in a stream: results come while later tasks wait."""
        rows = [{"task": pickle.dumps(task)} for task in tasks]
        if not rows:
            return
        there = ray.cluster_resources()
        workers = min(self._workers or max(1, int(there.get("CPU", 1))), len(rows))
        context = ray.data.DataContext.get_current().copy()
        context.enable_progress_bars = context.print_on_execution_start = False
        with ray.data.DataContext.current(context):
            # A block is what is handed to an actor at once, and what comes back at once.
            found = ray.data.from_items(rows, override_num_blocks=min(len(rows), _MAX_BLOCKS)).map(
                _Actor,
                fn_constructor_args=(pickle.dumps(stage),),
                compute=ray.data.ActorPoolStrategy(size=workers),
                num_cpus=1,
                num_gpus=stage.gpus if there.get("GPU") and stage.gpus else None,
            )
            for row in found.iter_rows():
                news = pickle.loads(row["news"])
                if isinstance(news, BaseException):
                    raise news
                assert isinstance(news, Done | Lost)
                yield news


def connect(**local: Any) -> None:
    """Join the cluster that ``RAY_ADDRESS`` names, or start a Ray here with settings ``local``.

    Raises:
        Unavailable: that fails.

    """
    # Ray would send statistics to its makers.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    quiet = {"log_to_driver": False, "configure_logging": False}
    logging.getLogger("ray").setLevel(logging.WARNING)
    if address := os.environ.get(ADDRESS):
        try:
            _knock(address)
            ray.init(**quiet)
        except (OSError, RuntimeError, ValueError) as error:
            words = " ".join(str(error).split())
            raise Unavailable(f"the Ray of {ADDRESS}={address} cannot be used: {words}") from error
        return
    local = {"include_dashboard": False, "object_store_memory": _STORE_BYTES, **quiet, **local}
    for _ in range(_STARTS):
        try:
            ray.init(**local)
        except Exception as error:  # Ray raises a plain one
            ray.shutdown()
            if "timed out during startup" not in str(error):
                raise
        else:
            return
    raise Unavailable(
        f"Ray did not start on this machine in {_STARTS} tries; stop other work, or start it with "
        f"`ray start --head` and set {ADDRESS}=auto"
    )


def _knock(address: str) -> None:
    """Raise OSError when nobody listens at ``host:port``, which Ray would take minutes to say."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_S).close()


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
