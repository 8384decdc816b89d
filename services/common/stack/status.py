"""How every process of a stack is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from services.common.stack.probe import SERVING, health_of
from services.common.stack.process import is_alive, memory_bytes
from services.common.stack.state import StackState, read_state


@dataclass(frozen=True)
class ProcessStatus:
    """One line of the table. ``memory`` is resident, in bytes."""

    name: str
    health: str
    address: str
    pid: int
    memory: int
    log: str


@dataclass(frozen=True)
class StackStatus:
    """The whole table."""

    state: StackState
    processes: tuple[ProcessStatus, ...]

    @property
    def healthy(self) -> bool:
        """Whether everything serves."""
        return all(process.health == SERVING for process in self.processes)


def look(home: Path) -> StackStatus | None:
    """The status of the stack in ``home``, or None when none was started there."""
    state = read_state(home)
    if state is None:
        return None
    lines = []
    for process in state.processes:
        alive = is_alive(process.id)
        lines.append(
            ProcessStatus(
                name=process.name,
                health=health_of(process.address) if alive else "dead",
                address=process.address,
                pid=process.pid,
                memory=memory_bytes(process.id) if alive else 0,
                log=process.log,
            )
        )
    return StackStatus(state, tuple(lines))
