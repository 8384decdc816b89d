"""The side that services see: a few decoding processes, started when they are needed."""

from __future__ import annotations

import json
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from omnireel.errors import InvalidInput, ResourceExhausted, Unavailable
from omnireel.media.limits import MIB, DecodeLimits
from omnireel.types import Audio, Clip
from services.common.logs import get_logger
from services.common.sandbox.wire import Closed, Message, receive, send

log = get_logger(__name__)

_START_S = 60.0
_DAMAGED = "it is damaged, so export or upload it again"


@dataclass(frozen=True)
class SandboxConfig:
    """``processes`` decode at once; each file gets ``wall_s`` seconds and ``cpu_s`` of computing.

    ``memory_bytes`` is what a process may allocate. One that was not asked for ``idle_s`` seconds
    ends, and so does one that has decoded ``max_files``.
    """

    processes: int = 2
    wall_s: float = 60.0
    cpu_s: float = 60.0
    wait_s: float = 30.0
    idle_s: float = 60.0
    max_files: int = 1000
    memory_bytes: int = 3072 * MIB


@dataclass(frozen=True)
class MediaFacts:
    """What a file is. ``fps`` is 0 for an image."""

    is_image: bool
    mime_type: str
    width: int
    height: int
    num_frames: int
    fps: float
    has_audio: bool


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
        self._idle: list[_Child] = []
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
        return _facts(answer, field)

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
            return _read_clip(answer, output, self.limits, field)

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
                except _NotTaken:
                    continue  # it had ended by itself; the next one is fresh in the end
                finally:
                    self._put_back(child)
                return _answer(answer, field)
        finally:
            self._slots.release()

    def _take(self) -> _Child:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return _Child(self._config, _output_bytes(self.limits))

    def _put_back(self, child: _Child) -> None:
        if not child.alive:
            return
        with self._lock:
            if self._finalizer.alive:
                self._idle.append(child)
                return
        child.end()


class _NotTaken(Exception):
    """The process ended before it took the request."""


class _Child:
    """One process."""

    def __init__(self, config: SandboxConfig, output_bytes: int) -> None:
        self._config = config
        self.alive = True
        ours, theirs = socket.socketpair()
        self._sock = ours
        given = {
            "memory_bytes": config.memory_bytes,
            "output_bytes": output_bytes,
            "cpu_s": config.cpu_s,
            "idle_s": config.idle_s,
            "max_files": config.max_files,
        }
        module = "services.common.sandbox.child"
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, str(theirs.fileno()), json.dumps(given)],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                start_new_session=True,
            )
        try:
            receive(ours, time.monotonic() + _START_S)
        except (Closed, TimeoutError) as error:
            self.end()
            status = self._process.returncode
            log.error("a decoding process does not start", status=status, error=str(error))
            raise Unavailable("files cannot be decoded now; try again in a moment") from error

    def ask(self, request: Message, descriptors: tuple[int, ...], field: str) -> Message:
        """Send a request and wait for its answer; a process that fails is ended."""
        ends_at = time.monotonic() + self._config.wall_s
        taken = False
        try:
            send(self._sock, request, descriptors)
            taken = receive(self._sock, ends_at)[0].get("taken") is True
            return receive(self._sock, ends_at)[0]
        except TimeoutError as error:
            self.end()
            raise InvalidInput(
                f"{field} took longer than {self._config.wall_s:g} s to decode; shorten it or "
                "scale it down",
                field=field,
            ) from error
        except Closed as error:
            status = self.end()
            if not taken:
                raise _NotTaken from error
            log.warning("a file ended its decoding process", status=status, field=field)
            raise _ended(status, self._config, field) from error

    def end(self) -> int:
        """End the process now; gives back its exit status, negative for a signal."""
        self.alive = False
        self._sock.close()
        try:
            # It is ending by itself, unless it hangs; its own status tells why.
            return self._process.wait(0.5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


def _end_all(children: list[_Child]) -> None:
    while children:
        children.pop().end()


def _environment() -> dict[str, str]:
    """No secret of the service, and few threads."""
    kept = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LANG", "TZ")
    few = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
    paths = os.pathsep.join(path for path in sys.path if path)
    found = {name: os.environ[name] for name in kept if name in os.environ}
    return {**found, **few, "PYTHONPATH": paths}


def _answer(answer: Message, field: str) -> Message:
    if isinstance(answer.get("ok"), dict):
        found: Message = answer["ok"]
        return found
    if isinstance(answer.get("refused"), str):
        raise InvalidInput(answer["refused"], field=field)
    log.error("a file broke its decoder", field=field, story=str(answer.get("broke"))[:4000])
    raise InvalidInput(f"{field} cannot be decoded; {_DAMAGED}", field=field)


def _ended(status: int, config: SandboxConfig, field: str) -> InvalidInput:
    if status == -signal.SIGXCPU:
        return InvalidInput(
            f"{field} takes more than {config.cpu_s:g} s of computing to decode; shorten it or "
            "scale it down",
            field=field,
        )
    return InvalidInput(f"{field} cannot be decoded: the decoder broke; {_DAMAGED}", field=field)


def _facts(answer: Message, field: str) -> MediaFacts:
    """An answer is a stranger's word too, once its process may be under a stranger's control."""
    try:
        facts = MediaFacts(**answer)
    except TypeError as error:
        raise _nonsense(field) from error
    numbers = (facts.width, facts.height, facts.num_frames)
    if (
        not all(isinstance(number, int) and 0 < number < 1 << 31 for number in numbers)
        or not isinstance(facts.fps, float)
        or not math.isfinite(facts.fps)
    ):
        raise _nonsense(field)
    return facts


def _read_clip(answer: Message, output: int, limits: DecodeLimits, field: str) -> Clip:
    audio = None
    try:
        frames_THWC: npt.NDArray[np.uint8] = _read(
            output, 0, answer["shape_THWC"], np.uint8, limits.max_decoded_bytes
        )
        if "rate" in answer:
            samples_CN: npt.NDArray[np.float32] = _read(
                output, frames_THWC.nbytes, answer["shape_CN"], np.float32, _sound_bytes(limits)
            )
            audio = Audio(samples_CN, int(answer["rate"]))
        return Clip(frames_THWC, fps=float(answer["fps"]), audio=audio)
    except (KeyError, TypeError, ValueError) as error:
        raise _nonsense(field) from error


def _read(output: int, start: int, shape: list[int], dtype: Any, largest: int) -> Any:
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if not all(isinstance(side, int) and side >= 0 for side in shape) or size > largest:
        raise ValueError(f"an array of shape {shape}")
    array = np.empty(shape, dtype)
    view = array.reshape(-1).view(np.uint8).data
    while view:
        count = os.preadv(output, [view], start)
        if not count:
            raise ValueError("fewer bytes than announced")
        view, start = view[count:], start + count
    return array


def _nonsense(field: str) -> InvalidInput:
    log.error("a decoding process answered nonsense", field=field)
    return InvalidInput(f"{field} cannot be decoded; {_DAMAGED}", field=field)


def _output_bytes(limits: DecodeLimits) -> int:
    return limits.max_decoded_bytes + _sound_bytes(limits)


def _sound_bytes(limits: DecodeLimits) -> int:
    """Two channels of float32 at 48 kHz, with a second to spare."""
    return int((limits.max_seconds + 1) * 48_000) * 2 * 4


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
