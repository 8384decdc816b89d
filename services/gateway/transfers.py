"""Bounds on calls whose pace the caller sets: how many at once, and how long one may stand still.

Each holds a thread from its first message to its last, so without them one tenant could hold all.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import grpc

from omnireel.errors import Cancelled, DeadlineExceeded, ResourceExhausted

RETRY_FULL_S = 5.0
IDLE_TIMEOUT_S = 30.0

M = TypeVar("M")


class Transfers:
    """``places`` uploads and downloads at once; one tenant gets half of them at most."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._share = max(places // 2, 1)
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()

    @contextmanager
    def place(self, tenant: str) -> Iterator[None]:
        """Inside, the tenant holds one place.

        Raises:
            ResourceExhausted: there is none for it now.
        """
        with self._lock:
            if self._taken.total() >= self._places or self._taken[tenant] >= self._share:
                raise ResourceExhausted(
                    "too many uploads and downloads are under way; try again in a moment",
                    retry_after_s=RETRY_FULL_S,
                )
            self._taken[tenant] += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken -= Counter({tenant: 1})  # drops the tenant with its last place


def without_pauses(messages: Iterator[M], idle_timeout_s: float = IDLE_TIMEOUT_S) -> Iterator[M]:
    """``messages``, as long as each comes within ``idle_timeout_s`` seconds.

    Raises:
        DeadlineExceeded: one did not. The end of the call then ends the thread that waits for it.
        Cancelled: the client has gone.
    """
    reader = ThreadPoolExecutor(1, thread_name_prefix="upload")
    end = object()
    try:
        while True:
            try:
                message = reader.submit(next, messages, end).result(idle_timeout_s)
            except TimeoutError as error:
                raise DeadlineExceeded(
                    f"no byte of the upload came for {idle_timeout_s:g} s; send it again"
                ) from error
            except grpc.RpcError as error:  # all that a server's iterator says of it
                raise Cancelled("the client left before its upload was complete") from error
            if message is end:
                return
            yield message  # type: ignore[misc]
    finally:
        reader.shutdown(wait=False)


def while_taken(
    messages: Iterator[M], end_call: Callable[[], object], idle_timeout_s: float = IDLE_TIMEOUT_S
) -> Iterator[M]:
    """``messages``; ``end_call`` is called when one is not taken within ``idle_timeout_s`` seconds.

    The server asks for the next message when the client has room for it, and until then only the
    end of the call frees the thread that sends.
    """
    for message in messages:
        watch = threading.Timer(idle_timeout_s, end_call)
        watch.daemon = True
        watch.start()
        try:
            yield message
        finally:
            watch.cancel()
