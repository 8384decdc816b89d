"""The embedded stack of the demo, started and stopped through the command line.

The library never imports the services, so this runs ``omnireel up`` and ``omnireel down`` as a
person would, in a home of its own and on a free port: it disturbs no stack that runs already.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from omnireel.client import OmnireelClient, stack_key
from omnireel.errors import FailedPrecondition, OmnireelError

_ERROR = "error: "


@dataclass(frozen=True)
class StackPlan:
    """Where the stack lives, what starts it, and whether it stays. ``report`` gets its lines."""

    home: Path
    report: Callable[[str], None]
    keep_running: bool = False
    command: tuple[str, ...] = (sys.executable, "-m", "omnireel.cli.main")
    give_up_s: float = 30.0
    """How long an interrupted ``up`` gets to clean up after itself, in seconds."""


class DemoStack:
    """A context manager; ``address`` is the gateway's inside it.

    A stack that an earlier demo left running in the same home is used, and left running.
    """

    def __init__(self, plan: StackPlan) -> None:
        self._plan = plan
        self._is_ours = False
        self.address = ""

    def __enter__(self) -> DemoStack:
        self.address = self._running()
        if self.address:
            self._plan.report(f"using the stack that runs in {self._plan.home}")
            return self
        self._stop()  # what may be left of one that was killed
        shutil.rmtree(self._plan.home, ignore_errors=True)
        self._is_ours = True
        try:
            self._start()
            self.address = self._recorded()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._is_ours:
            return
        if self._plan.keep_running and error is None:
            self._plan.report(f"still running; stop it with: omnireel down --home {self.home}")
            return
        self._stop()
        if error is None:
            shutil.rmtree(self._plan.home, ignore_errors=True)  # after a failure the logs stay

    @property
    def home(self) -> Path:
        """The stack's folder."""
        return self._plan.home

    @property
    def api_key(self) -> str:
        """The owner's key of this stack."""
        return stack_key(self.home)

    def _running(self) -> str:
        """The gateway of a stack that answers here; empty when none does."""
        address = self._recorded()
        if not address:
            return ""
        try:
            with OmnireelClient(address, api_key=self.api_key) as client:
                client.capabilities()
        except OmnireelError:
            return ""
        return address

    def _recorded(self) -> str:
        """The address in ``stack.json``, which ``omnireel up`` writes; empty when there is none."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            state = json.loads((self.home / "stack.json").read_text(encoding="utf-8"))
            return str(state["gateway"])
        return ""

    def _start(self) -> None:
        up = self._run("up", "--port", "0", "--http-port", "0")
        assert up.stdout is not None
        complaints: list[str] = []
        try:
            for line in map(str.rstrip, up.stdout):
                if line.startswith(_ERROR) or complaints:
                    complaints.append(line.removeprefix(_ERROR))
                elif line:
                    self._plan.report(line)
            code = up.wait()
        except BaseException:
            self._interrupt(up)
            raise
        finally:
            up.stdout.close()
        if code:
            reason = " ".join(complaints) or f"`omnireel up` ended with status {code}"
            raise FailedPrecondition(f"the services did not start: {reason}", reason="START_FAILED")

    def _stop(self) -> None:
        if not (self.home / "stack.json").exists():
            return
        down = self._run("down")
        said, _ = down.communicate()
        if down.returncode:
            self._plan.report(f"cannot stop the stack: {said.strip()}")

    def _run(self, verb: str, *options: str) -> subprocess.Popen[str]:
        """Start a verb in a session of its own, so that Ctrl-C reaches only this process."""
        return subprocess.Popen(
            [*self._plan.command, verb, "--home", str(self.home), *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def _interrupt(self, up: subprocess.Popen[str]) -> None:
        up.terminate()
        try:
            up.wait(self._plan.give_up_s)
        except subprocess.TimeoutExpired:
            up.kill()
            up.wait()
