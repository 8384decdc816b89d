"""What the words of a prompt make a test engine do between its steps."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from omnireel.errors import Cancelled, IntegrityError, InvalidInput, Unavailable

_POLL_S = 0.005

Hook = Callable[[int], None]
"""Called in the engine's thread before each step with its number (1, 2, ...)."""


def _no_hook(step: int) -> None:
    """Do nothing."""


class Behaviour:
    """One call's steps: ``for step in behaviour.steps(n)`` obeys words, hook and cancellation."""

    def __init__(
        self,
        service: str,
        text: str,
        seed: int,
        cancelled: Callable[[], bool],
        hook: Hook = _no_hook,
    ) -> None:
        self._service = service
        self._words = set(text.replace(",", " ").replace(".", " ").lower().split())
        self._seed = seed
        self._cancelled = cancelled
        self._hook = hook

    def before(self) -> None:
        """What goes wrong before the first step."""
        if self._says("crash"):
            os.kill(os.getpid(), signal.SIGKILL)
        if self._says("fail-invalid"):
            raise InvalidInput(
                "the prompt asks for this failure; leave the word out", field="prompt"
            )
        if self._says("fail-internal"):
            raise RuntimeError("secret internals")
        if self._says("fail-integrity"):
            raise IntegrityError("the test engine found a wrong hash")
        if self._says("fail-unavailable"):
            raise Unavailable("the test engine is away", retry_after_s=0.05)

    def step(self, step: int) -> None:
        """Stand before step ``step`` (1, 2, ...): wait, fail or stop; then count it as executed."""
        self._hook(step)
        if step == 2 and self._says("hold"):
            self._wait_for_release()
        if self._cancelled():
            raise Cancelled("the test engine was cancelled")
        if self._says("fail-memory"):
            raise MemoryError("the test engine is out of memory")
        if self._says("slow"):
            time.sleep(float(os.environ.get("OMNIREEL_TEST_STEP_S", "0.05")))
        steps_file = os.environ.get("OMNIREEL_TEST_STEPS_FILE")
        if steps_file:
            with Path(steps_file).open("a") as file:
                file.write(f"{self._service} {self._seed} {step}\n")

    def _says(self, word: str) -> bool:
        named = f"{word}-{self._service}" in self._words
        return named or (word in self._words and word != "crash")

    def _wait_for_release(self) -> None:
        release = Path(os.environ["OMNIREEL_TEST_RELEASE_FILE"])
        while not release.exists() and not self._cancelled():
            time.sleep(_POLL_S)


def wait_for_load_file() -> None:
    """Stay in loading until ``OMNIREEL_TEST_LOAD_FILE`` exists, when it is set."""
    path = os.environ.get("OMNIREEL_TEST_LOAD_FILE")
    while path and not Path(path).exists():
        time.sleep(_POLL_S)
