"""The side that services see: a few decoding processes, started when they are needed."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from omnireel.errors import ResourceExhausted
from omnireel.media.limits import DecodeLimits
from omnireel.types import Clip
from services.common.sandbox.answers import (
    MediaFacts,
    clip_of,
    facts_of,
    good_answer,
    output_bytes,
)
from services.common.sandbox.process import DecodingProcess, NotTaken, SandboxConfig
from services.common.sandbox.wire import Message


class MediaSandbox:
    """Decodes files of strangers within ``limits``, in other processes. Thread-safe.

    A file that crashes its process, hangs it or takes too much memory is refused like any other
    bad file, and the service goes on.
    """

    def __init__(
        self, limits: DecodeLimits | None = None, config: SandboxConfig | None = None
    ) -> None:
        self.limits = limits or DecodeLimits()
        self._config = config or SandboxConfig()
        self._slots = threading.BoundedSemaphore(self._config.processes)
        self._lock = threading.Lock()
        self._idle: list[DecodingProcess] = []
        self._finalizer = weakref.finalize(self, _end_all, self._idle)

    def close(self) -> None:
        """End the processes."""
        self._finalizer()

    def describe(self, path: Path, *, field: str) -> MediaFacts:
        """What the file at ``path`` is, decoded once from end to end.

        Raises:
            InvalidInput: it is no media, damaged, or beyond a limit; names ``field``.
            ResourceExhausted: too many files wait to be decoded.
            Unavailable: no process can be started.
        """
        with path.open("rb") as file:
            answer = self._run({"task": "describe"}, (file.fileno(),), field)
        return facts_of(answer, field)

    def read_image(self, data: bytes, *, field: str) -> Clip:
        """See :func:`omnireel.media.read_image`; raises what :meth:`describe` raises."""
        return self._clip({"task": "image"}, data, field)

    def read_clip(self, data: bytes, *, field: str, shrink_short_side: int | None = None) -> Clip:
        """See :func:`omnireel.media.read_clip`; raises what :meth:`describe` raises."""
        return self._clip({"task": "clip", "shrink_short_side": shrink_short_side}, data, field)

    def _clip(self, request: Message, data: bytes, field: str) -> Clip:
        self.limits.check_bytes(len(data), field)
        with _memory_file() as source, _memory_file() as output:
            _write(source, data)
            answer = self._run(request, (source, output), field)
            return clip_of(answer, output, self.limits, field)

    def _run(self, request: Message, descriptors: tuple[int, ...], field: str) -> Message:
        if not self._slots.acquire(timeout=self._config.wait_s):
            raise ResourceExhausted(
                "too many files wait to be decoded; try again in a moment",
                retry_after_s=self._config.wait_s,
            )
        try:
            complete = {**request, "field": field, "limits": asdict(self.limits)}
            while True:
                child = self._take()
                try:
                    answer = child.ask(complete, descriptors, field)
                except NotTaken:
                    continue  # it had ended by itself; the next one is fresh in the end
                finally:
                    self._put_back(child)
                return good_answer(answer, field)
        finally:
            self._slots.release()

    def _take(self) -> DecodingProcess:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return DecodingProcess(self._config, output_bytes(self.limits))

    def _put_back(self, child: DecodingProcess) -> None:
        if not child.alive:
            return
        with self._lock:
            if self._finalizer.alive:
                self._idle.append(child)
                return
        child.end()


def _end_all(children: list[DecodingProcess]) -> None:
    while children:
        children.pop().end()


@contextmanager
def _memory_file() -> Iterator[int]:
    """A file without a name, in memory."""
    descriptor = os.memfd_create("omnireel-media", os.MFD_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
