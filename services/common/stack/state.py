"""``stack.json``: what runs, so that any later command finds it."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from omnireel.errors import FailedPrecondition
from omnireel.files import atomic_path
from services.common.stack.process import ProcessId, is_alive


@dataclass(frozen=True)
class ProcessState:
    """One started process; ``address`` is empty until it listens."""

    name: str
    pid: int
    start_ticks: int
    address: str
    log: str

    @property
    def id(self) -> ProcessId:
        """The process itself."""
        return ProcessId(self.pid, self.start_ticks)


@dataclass(frozen=True)
class StackState:
    """A started stack. ``gateway`` is the public gRPC address, ``http`` that of its HTTP door
    (``host:port``), ``started_at`` seconds of the epoch. ``restarts`` are the last lines that the
    supervisor said, ``supervisor`` is its own process where it has one."""

    gateway: str
    size: str
    started_at: float
    processes: tuple[ProcessState, ...]
    http: str = ""
    restarts: tuple[str, ...] = ()
    supervisor: ProcessState | None = None

    @property
    def alive(self) -> tuple[ProcessState, ...]:
        """The processes that still run."""
        return tuple(process for process in self.processes if is_alive(process.id))


def state_file(home: Path) -> Path:
    """Where the state is."""
    return home / "stack.json"


def read_state(home: Path) -> StackState | None:
    """The stack that was started in ``home``, or None."""
    path = state_file(home)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        processes = tuple(ProcessState(**process) for process in data.pop("processes"))
        restarts = tuple(data.pop("restarts", ()))
        supervisor = data.pop("supervisor", None)
        return StackState(
            **data,
            processes=processes,
            restarts=restarts,
            supervisor=ProcessState(**supervisor) if supervisor else None,
        )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise FailedPrecondition(
            f"{path} is damaged; end the processes that `ps -ef | grep services` shows, then "
            "delete the file"
        ) from error


def write_state(home: Path, state: StackState) -> None:
    """Replace the file in one step."""
    with atomic_path(state_file(home)) as partial:
        partial.write_text(json.dumps(asdict(state), indent=2) + "\n", encoding="utf-8")


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """Keeps two commands from starting or stopping the same stack at once."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "stack.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FailedPrecondition(
                f"another command starts or stops the stack in {home} right now; wait for it",
                reason="STACK_BUSY",
            ) from error
        yield
