"""Work that reports by callback, as a stream of messages.

The work runs in a thread of its own, under the log context of the call; the caller iterates
over what it reports and, last, its result.
"""

from __future__ import annotations

import contextvars
import queue
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from services.common.cancellation import Cancellation

E = TypeVar("E")
R = TypeVar("R")


@dataclass(frozen=True)
class Finished(Generic[R]):
    """The last item of the stream: what the work gave back."""

    result: R


@dataclass(frozen=True)
class _Failed:
    error: BaseException


def stream_work(
    work: Callable[[Callable[[E], None]], R], cancellation: Cancellation
) -> Iterator[E | Finished[R]]:
    """Run ``work(report)`` and yield each reported event, then ``Finished(result)``.

    An exception of the work is raised here; ``Cancelled`` becomes what ``cancellation``
    says (a passed deadline is not a cancellation). If the iteration is given up, the work is
    asked to stop and waited for, so that nothing runs on behalf of a call that is gone.
    """
    items: queue.SimpleQueue[E | Finished[R] | _Failed] = queue.SimpleQueue()

    def run() -> None:
        try:
            items.put(Finished(work(items.put)))
        except BaseException as error:  # noqa: BLE001 - handed over to the caller's thread
            _let_go(error)
            items.put(_Failed(error))

    thread = threading.Thread(
        target=contextvars.copy_context().run, args=(run,), name="work", daemon=True
    )
    thread.start()
    try:
        while True:
            item = items.get()
            if isinstance(item, _Failed):
                with cancellation.explained():
                    raise item.error
            yield item
            if isinstance(item, Finished):
                return
    finally:
        cancellation.set()
        thread.join()


def _let_go(error: BaseException) -> None:
    """Drop what the frames of a failed work hold: a cancelled job's tensors would otherwise live as
    long as its exception, and longer, since the two refer to each other."""
    seen: BaseException | None = error
    while seen is not None:
        traceback.clear_frames(seen.__traceback__)
        seen = seen.__cause__ or seen.__context__
