"""When to repeat a call that the server asks to repeat. No input or output in here."""

from __future__ import annotations

from dataclasses import dataclass

from omnireel.client.errors import NO_ANSWER
from omnireel.errors import Unavailable


@dataclass(frozen=True)
class RetryPolicy:
    """Waits as long as the server says (RetryInfo), unless that is longer than ``max_wait_s``.

    A server that does not answer at all is the channel's business, which tries again by itself.
    """

    max_attempts: int = 5
    max_wait_s: float = 30.0

    def wait_s(self, attempt: int, error: Unavailable) -> float:
        """Seconds until the next attempt, after the ``attempt``-th (from 1) failed; or ``error``
        is raised."""
        hopeless = error.reason == NO_ANSWER or error.retry_after_s > self.max_wait_s
        if hopeless or attempt >= self.max_attempts:
            raise error
        return error.retry_after_s
