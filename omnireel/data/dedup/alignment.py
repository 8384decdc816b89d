"""Whether two clips show the same pictures in the same order and rhythm."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]

SPEEDS = (1.0, 0.5, 0.667, 0.8, 0.9, 1.111, 1.25, 1.5, 2.0)
"""Times as fast that one may play."""
SLACK_S = 0.3
"""Seconds by which matching pictures may be out of step."""
LEAST_OVERLAP = 0.5
"""Share of the shorter clip that must lie inside of the other."""


def similarity(
    ours_K: F32, theirs_K: F32, asked_Q: F32, our_seconds: float, their_seconds: float
) -> float:
    """Share, 0 to 1, of our pictures that the other clip shows when it should.

    Args:
        ours_K, theirs_K: times of pictures of the one and the other that look alike, seconds.
        asked_Q: times of all our pictures that were looked up.
        our_seconds, their_seconds: lengths.

    """
    return max(
        _at_speed(speed, ours_K, theirs_K, asked_Q, our_seconds, their_seconds) for speed in SPEEDS
    )


def _at_speed(
    speed: float, ours_K: F32, theirs_K: F32, asked_Q: F32, our_seconds: float, their_seconds: float
) -> float:
    """As :func:`similarity`, when theirs = speed * ours + an offset."""
    offset = _densest(theirs_K - speed * ours_K)
    in_step = abs(theirs_K - speed * ours_K - offset) <= SLACK_S
    seen = len(np.unique(ours_K[in_step]))
    when = speed * asked_Q + offset
    expected = int(((when >= -SLACK_S) & (when <= their_seconds + SLACK_S)).sum())
    begin, end = max(0.0, offset), min(their_seconds, speed * our_seconds + offset)
    shorter = min(their_seconds, speed * our_seconds)
    if expected == 0 or end - begin < LEAST_OVERLAP * shorter - SLACK_S:
        return 0.0
    return min(1.0, seen / expected)


def _densest(offset_K: F32) -> float:
    """The middle of the stretch of twice :data:`SLACK_S` that holds most offsets."""
    ordered = np.sort(offset_K)
    held = np.searchsorted(ordered, ordered + 2 * SLACK_S, side="right") - np.arange(len(ordered))
    start = int(held.argmax())
    return float(ordered[start] + ordered[start + held[start] - 1]) / 2
