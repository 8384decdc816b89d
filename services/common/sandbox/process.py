"""One decoding process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass

from omnireel.errors import InvalidInput, Unavailable
from omnireel.media.limits import MIB
from services.common.logs import get_logger
from services.common.sandbox.answers import DAMAGED
from services.common.sandbox.wire import Closed, Message, receive, send

log = get_logger(__name__)

_START_S = 60.0


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


class NotTaken(Exception):
    """The process ended before it took the request."""


class DecodingProcess:
    """Takes one request after the other."""

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
                raise NotTaken from error
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


def _environment() -> dict[str, str]:
    """No secret of the service, and few threads."""
    kept = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LANG", "TZ")
    few = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
    paths = os.pathsep.join(path for path in sys.path if path)
    found = {name: os.environ[name] for name in kept if name in os.environ}
    return {**found, **few, "PYTHONPATH": paths}


def _ended(status: int, config: SandboxConfig, field: str) -> InvalidInput:
    if status == -signal.SIGXCPU:
        return InvalidInput(
            f"{field} takes more than {config.cpu_s:g} s of computing to decode; shorten it or "
            "scale it down",
            field=field,
        )
    return InvalidInput(f"{field} cannot be decoded: the decoder broke; {DAMAGED}", field=field)
