"""The times of a video's frames, whatever its stream says."""

from __future__ import annotations

import math

LEAP_S = 10.0
"""A longer step in a transport stream is no still picture, but another recording's clock."""


class FrameClock:
    """Seconds since the first frame; they only grow.

    Where a stream's own times stand, go back or leap by more than ``longest_step_s``, as they do
    where recordings were joined, it plays on with the next frame.
    """

    def __init__(self, longest_step_s: float = math.inf) -> None:
        self.longest_step_s = longest_step_s
        self.start_s = 0.0
        """The first frame's own time."""
        self._given_s = 0.0
        self._time_s: float | None = None

    def read(self, given_s: float | None, frame_s: float) -> float:
        """The time of the next frame: ``given_s`` by its stream, ``frame_s`` long at its rate."""
        if self._time_s is None:
            self._time_s = 0.0
            self.start_s = self._given_s = given_s or 0.0
            return 0.0
        step_s = frame_s if given_s is None else given_s - self._given_s
        if not 0 < step_s <= self.longest_step_s:
            step_s = frame_s
        self._given_s = self._given_s + frame_s if given_s is None else given_s
        self._time_s += step_s
        return self._time_s
