"""When to take up a broken stream again, and from where. No input or output in here."""

from __future__ import annotations

import time
from dataclasses import dataclass

from omnireel.api.v1 import video_pb2
from omnireel.client.errors import NO_ANSWER
from omnireel.errors import Cancelled, DeadlineExceeded, OmnireelError, Unavailable

FINAL_STATES = frozenset(
    {
        video_pb2.VIDEO_STATE_SUCCEEDED,
        video_pb2.VIDEO_STATE_FAILED,
        video_pb2.VIDEO_STATE_CANCELLED,
    }
)

# A server that goes away closes its streams with either code; a job's own cancellation is no error
# of the stream but its last event.
_BROKEN = (Unavailable, Cancelled)


@dataclass(frozen=True)
class ReconnectPolicy:
    """Doubling delays between attempts; any event in between starts the count anew."""

    max_failures: int = 10
    first_delay_s: float = 0.1
    max_delay_s: float = 5.0

    def delay_s(self, failures: int) -> float:
        """Seconds to wait after the ``failures``-th failure in a row (from 1)."""
        return float(min(self.first_delay_s * 2 ** (failures - 1), self.max_delay_s))

    def wait_s(self, failures: int, error: Unavailable) -> float:
        """The same, at least as long as the server says; or ``error`` is raised."""
        if failures > self.max_failures:
            raise error
        asked_s = 0.0 if error.reason == NO_ANSWER else error.retry_after_s
        return max(self.delay_s(failures), asked_s)


class Watch:
    """The state of watching one video over several streams."""

    def __init__(
        self, name: str, resume_token: str, policy: ReconnectPolicy, timeout_s: float | None = None
    ) -> None:
        self._name = name
        self._policy = policy
        self._timeout_s = timeout_s
        self._ends_at = None if timeout_s is None else time.monotonic() + timeout_s
        self._failures = 0
        self.resume_token = resume_token
        self.done = False

    def request(self) -> video_pb2.WatchVideoRequest:
        """Ask for what has not been seen yet."""
        return video_pb2.WatchVideoRequest(name=self._name, resume_token=self.resume_token)

    def left_s(self) -> float | None:
        """Seconds that the caller goes on waiting (None: for ever), or `DeadlineExceeded`."""
        if self._ends_at is None:
            return None
        left_s = self._ends_at - time.monotonic()
        if left_s <= 0:
            raise self._too_late()
        return left_s

    def saw(self, event: video_pb2.VideoProgress) -> None:
        """Note an event."""
        self._failures = 0
        self.resume_token = event.resume_token or self.resume_token
        self.done = event.state in FINAL_STATES

    def lost(self, error: OmnireelError | None) -> float:
        """The stream broke, or ended early (None). Seconds to wait, or the error is raised."""
        self._failures += 1
        if self._ends_at is not None and isinstance(error, DeadlineExceeded):
            raise self._too_late() from error
        if error is not None and not isinstance(error, _BROKEN):
            raise error
        if self._failures > self._policy.max_failures:
            raise error or Unavailable(f"the server keeps ending the progress of {self._name}")
        return self._policy.delay_s(self._failures)

    def _too_late(self) -> DeadlineExceeded:
        return DeadlineExceeded(
            f"{self._name} is not finished after {self._timeout_s:g} s; it is still running"
        )
