"""Start the ranks of a run on this machine, watch them, and start them again when one fails.

1. Start N processes with the environment that torchrun would give them.
2. All must end with 0. One that dies, or whose heartbeat stops (:mod:`omnireel.train.heartbeat`),
   ends all: the others could only wait for it.
3. Start again from the last checkpoint that counts. After ``max_restarts`` failures without a new
   checkpoint, or a mistake in the request, give up.
4. SIGINT and SIGTERM are passed on: the ranks write a checkpoint and end.

What happened is appended to ``restarts.jsonl`` in the run folder, at the end with the effective
training time: the share of the wall-clock time whose steps are in the last checkpoint.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from omnireel.errors import FailedPrecondition, InvalidInput
from omnireel.train.effective_time import trained_s
from omnireel.train.heartbeat import SHOW_STACKS, Beat, read_beat

HEARTBEAT_VARIABLE = "OMNIREEL_HEARTBEAT"
"""The file that a rank writes its heartbeats to."""
_INVALID_REQUEST = 2
"""Exit status of a rank that found a mistake of the user: trying again would not help."""


@dataclass(frozen=True)
class SupervisorConfig:
    """How many ranks, and how patient we are."""

    ranks: int
    max_restarts: int = 3
    """Failures in a row without a new checkpoint, after which we give up."""
    start_s: float = 6 * 3600.0
    """A rank gives its first sign of life within this time; data may have to be made first."""
    stop_s: float = 120.0
    """Ranks that were asked to stop have so long to write a checkpoint."""
    poll_s: float = 0.2

    def __post_init__(self) -> None:
        if self.ranks < 1:
            raise InvalidInput("ranks must be 1 or more", field="ranks")
        if self.max_restarts < 0:
            raise InvalidInput("max_restarts must be 0 or more", field="max_restarts")


@dataclass(frozen=True)
class Failure:
    """Why all ranks were ended."""

    reason: str
    rank: int
    step: int
    """The last step that the rank told of."""
    found_after_s: float
    """Time from its last sign of life until it was found."""
    fatal: bool = False


@dataclass
class Supervision:
    """What happened over all attempts."""

    wall_s: float = 0.0
    trained_s: float = 0.0
    """Of ``wall_s``, what led to the last checkpoint: not starts, hangs and repeated steps."""
    stopped: bool = False
    failures: list[Failure] = field(default_factory=list)

    @property
    def effective(self) -> float:
        """Effective training time, 0 to 1."""
        return min(1.0, self.trained_s / self.wall_s) if self.wall_s else 0.0


class Supervisor:
    """Runs one command in N processes until all of them are done."""

    def __init__(
        self,
        config: SupervisorConfig,
        run: Path,
        command: Callable[[bool], Sequence[str]],
        progress: Callable[[], Any],
        *,
        environment: Mapping[str, str],
        say: Callable[[str], None],
    ) -> None:
        """Prepare.

        Args:
            config: ranks and limits.
            run: the run folder: logs of ranks 1 and up, heartbeats and ``restarts.jsonl``.
            command: given whether there is a checkpoint, what each rank executes.
            progress: the newest checkpoint that counts (anything comparable), ``None`` for none.
            environment: of the ranks.
            say: told of every failure and restart, one line each.

        """
        self._config, self._run, self._command = config, run, command
        self._progress, self._environment, self._say = progress, environment, say
        self._ranks: list[subprocess.Popen[bytes]] = []
        self._stop = False

    @property
    def pids(self) -> list[int]:
        """Processes of the present attempt by rank."""
        return [process.pid for process in self._ranks]

    def work(self) -> Supervision:
        """Run to the end.

        Raises:
            FailedPrecondition: the ranks failed too often; the message says how.
            InvalidInput: a rank found the request to be wrong.

        """
        self._run.mkdir(parents=True, exist_ok=True)
        result, in_a_row, started = Supervision(), 0, time.monotonic()
        trained_before_s = trained_s(self._run)
        with self._passing_signals_on():
            while True:
                before = self._progress()
                self._note("start", {"ranks": self._config.ranks, "from": before})
                failure = self._attempt(resume=before is not None)
                result.wall_s = time.monotonic() - started
                if failure is None:
                    result.stopped = self._stop
                    result.trained_s = trained_s(self._run) - trained_before_s
                    self._report(result)
                    return result
                result.failures.append(failure)
                self._note("failure", asdict(failure))
                if failure.fatal:
                    raise InvalidInput(f"{failure.reason}; see what it printed", field="ranks")
                in_a_row = 1 if self._progress() != before else in_a_row + 1
                if self._stop or in_a_row > self._config.max_restarts:
                    raise FailedPrecondition(
                        f"{failure.reason}; gave up after {in_a_row} failures without a new "
                        f"checkpoint. The ranks' output is in {self._logs}",
                        reason="RANKS_FAILED",
                    )
                self._say(
                    f"{failure.reason} (step {failure.step}, found after "
                    f"{failure.found_after_s:.1f} s); starting again from {self._progress()}"
                )

    def _report(self, result: Supervision) -> None:
        times = {"wall_s": result.wall_s, "trained_s": result.trained_s}
        self._note("stopped" if result.stopped else "done", times)
        if result.trained_s > 0:
            self._say(
                f"effective training time {result.effective:.1%} of {result.wall_s / 60:.1f} min "
                f"({len(result.failures)} restarts; the rest is starting and repeated steps)"
            )

    @property
    def _logs(self) -> Path:
        return self._run / "logs"

    def _beats(self, rank: int) -> Path:
        return self._run / "heartbeats" / f"rank_{rank:05d}"

    def _attempt(self, *, resume: bool) -> Failure | None:
        """Start all ranks and wait; what went wrong, if anything."""
        command = list(self._command(resume))
        self._logs.mkdir(exist_ok=True)
        with ExitStack() as files, socket.socket() as reserved:
            reserved.bind(("127.0.0.1", 0))
            shared = {
                **self._environment,
                "WORLD_SIZE": str(self._config.ranks),
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(reserved.getsockname()[1]),
            }
            reserved.close()
            self._ranks = []
            for rank in range(self._config.ranks):
                self._beats(rank).unlink(missing_ok=True)
                # Rank 0 speaks for all.
                log = self._logs / f"rank_{rank:05d}.log"
                out = None if rank == 0 else files.enter_context(log.open("ab"))
                own = {"RANK": str(rank), "LOCAL_RANK": str(rank)}
                own[HEARTBEAT_VARIABLE] = str(self._beats(rank))
                self._ranks.append(
                    subprocess.Popen(
                        command,
                        env={**shared, **own},
                        stdout=out,
                        stderr=out,
                        start_new_session=True,
                    )
                )
            try:
                return self._watch(time.monotonic())
            finally:
                self._end_all()

    def _watch(self, started: float) -> Failure | None:
        asked: float | None = None
        while True:
            codes = [process.poll() for process in self._ranks]
            if all(code == 0 for code in codes):
                return None
            now = time.monotonic()
            if self._stop and asked is None:
                asked = now
                self._signal_all(signal.SIGTERM)
            dead = [rank for rank, code in enumerate(codes) if code not in (None, 0)]
            if dead:
                time.sleep(self._config.poll_s)
                return self._death(now)
            hung = self._hung(now, started)
            if hung is not None:
                return hung
            if asked is not None and now - asked > self._config.stop_s:
                return Failure("the ranks did not stop when asked to", 0, 0, now - asked)
            time.sleep(self._config.poll_s)

    def _death(self, now: float) -> Failure:
        """Who died first: one that was killed, else one that failed."""
        codes = {rank: process.poll() for rank, process in enumerate(self._ranks)}
        failed = {rank: code for rank, code in codes.items() if code not in (None, 0)}
        # The others fail as well when a peer goes away; a signal is never the consequence.
        rank, code = min(failed.items(), key=lambda item: (item[1] or 0) >= 0)
        beat = read_beat(self._beats(rank))
        killed = code is not None and code < 0
        how = f"was killed by signal {-code}" if killed and code else f"ended with status {code}"
        return Failure(
            f"rank {rank} {how}",
            rank,
            beat.step if beat else 0,
            now - beat.at if beat else 0.0,
            fatal=code == _INVALID_REQUEST,
        )

    def _hung(self, now: float, started: float) -> Failure | None:
        """A rank without a sign of life for too long: the one that all the others wait for."""
        beats = [
            read_beat(self._beats(rank)) or Beat("birth", 0, started, self._config.start_s)
            for rank in range(self._config.ranks)
        ]
        running = [r for r, process in enumerate(self._ranks) if process.poll() is None]
        late = [r for r in running if beats[r].late_by(now) > 0]
        if not late:
            return None
        first = min(late, key=lambda r: (beats[r].step, beats[r].at))
        beat = beats[first]
        self._signal_all(SHOW_STACKS)
        time.sleep(1.0)
        reason = f"rank {first} hangs after '{beat.phase}'"
        return Failure(reason, first, beat.step, now - beat.at)

    def _signal_all(self, number: int) -> None:
        for process in self._ranks:
            if process.poll() is None:
                process.send_signal(number)

    def _end_all(self) -> None:
        for process in self._ranks:
            if process.poll() is None:
                # A group of its own: loader processes of a rank go with it.
                os.killpg(process.pid, signal.SIGKILL)
        for process in self._ranks:
            process.wait()

    @contextmanager
    def _passing_signals_on(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(number: int, frame: Any) -> None:
            del number, frame
            self._stop = True

        before = {n: signal.signal(n, stop) for n in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, event: str, values: Mapping[str, Any]) -> None:
        row = {"event": event, "time": time.time(), **values}
        with (self._run / "restarts.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, default=str) + "\n")
