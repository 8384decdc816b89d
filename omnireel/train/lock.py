"""One run per folder: an operating-system lock that ends with its process."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from omnireel.errors import AlreadyExists, FailedPrecondition, OmnireelError
from omnireel.train.checkpoint import latest_checkpoint

LOCK_NAME = "run.lock"


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Hold the folder's lock during the block.

    The kernel drops the lock when the process ends in any way, so a leftover file of a killed run
    never blocks the next one. The file says who holds it.

    Raises:
        FailedPrecondition: another living run holds it.

    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK_NAME
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FailedPrecondition(
                f"{folder} is in use by another training run ({_holder(path)}); wait for it, stop "
                "it, or choose another --out",
                reason="RUN_FOLDER_LOCKED",
            ) from error
        os.ftruncate(descriptor, 0)
        os.write(
            descriptor, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode()
        )
        yield
    finally:
        os.close(descriptor)


@contextmanager
def own_folder(
    run: Path, main: bool, gather: Callable[[Any], list[Any]], *, resume: bool
) -> Iterator[None]:
    """Hold the run folder's lock for all ranks of a job inside the block.

    Args:
        run: the folder.
        main: whether this is rank 0, which takes the lock for all.
        gather: gives everybody's value by rank; what is wrong is raised by all.
        resume: whether a run may be there already.

    Raises:
        AlreadyExists: the folder holds a run and ``resume`` is not set.
        FailedPrecondition: another run uses the folder.

    """
    with ExitStack() as stack:
        problem: OmnireelError | None = None
        if main:
            try:
                stack.enter_context(run_lock(run))
                if not resume and latest_checkpoint(run) is not None:
                    raise AlreadyExists(
                        f"{run} holds a run already; add --resume, or choose another --out"
                    )
            except OmnireelError as error:
                problem = error
        problem = gather(problem)[0]
        if problem is not None:
            raise problem
        yield


def _holder(path: Path) -> str:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return f"process {data['pid']} on {data['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "unknown process"
