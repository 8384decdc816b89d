"""Work in worker processes, one finished file after the other.

What is there already is not made again, so interrupted work goes on where it was.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

Report = Callable[[int, int], None]
"""Called with (finished, total) while files are made."""


def build_missing(
    make: Callable[[Path, int], None],
    paths: Sequence[Path],
    *,
    workers: int,
    report: Report | None = None,
    first: Callable[[], None] | None = None,
) -> None:
    """Call ``make(path, index)`` for every path that does not exist, in worker processes.

    Args:
        make: makes one file; picklable, writes atomically.
        paths: all files in order.
        workers: processes; 0 works in this process.
        report: told the number of finished files.
        first: run once in every worker (for example to limit its threads).

    """
    missing = [i for i, path in enumerate(paths) if not path.exists()]
    done = len(paths) - len(missing)
    if report:
        report(done, len(paths))
    if not missing:
        return
    if workers == 0:
        for i in missing:
            make(paths[i], i)
            done += 1
            if report:
                report(done, len(paths))
        return
    context = multiprocessing.get_context("spawn")
    arguments = (os.getpid(), first)
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=_start_worker, initargs=arguments
    ) as pool:
        futures = [pool.submit(make, paths[i], i) for i in missing]
        try:
            for future in as_completed(futures):
                future.result()
                done += 1
                if report:
                    report(done, len(paths))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _start_worker(parent: int, first: Callable[[], None] | None) -> None:
    """A worker ends with the process that it works for, however that one ended."""

    def follow() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
    if first is not None:
        first()


def one_thread() -> None:
    """Limit numerical libraries of a worker process to one thread."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
