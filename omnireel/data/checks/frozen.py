"""Frames that only repeat the one before."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from omnireel.data import gray
from omnireel.data.candidate import Candidate
from omnireel.data.checks.base import Bounds, Check, Measurement, Tier
from omnireel.data.checks.thresholds import standard

BLOCK = 12
"""Pixels of the working frames."""
STILL = 0.8
"""Grey levels by which no block of a repeated frame differs, on average: codecs touch up stills."""


class Frozen(Check):
    """Freezes show in the even rhythm, frames shown twice (a raised frame rate) in the bursts."""

    name, tier, version = "frozen", Tier.TEMPORAL, 3
    unit = "share of the frames that repeat the one before"
    scale = Bounds(0, 1)
    standard = standard("frozen")

    def measure(self, candidate: Candidate) -> Measurement | None:
        """The larger share: of the even rhythm or of all bursts together."""
        assert candidate.frames is not None
        if len(candidate.frames.times_s) < 2:
            return None
        even = float(repeats(candidate.frames.luma_THW).mean())
        found = [repeats(burst) for burst in candidate.frames.bursts if len(burst) > 1]
        burst = float(np.concatenate(found).mean()) if found else 0.0
        return Measurement(max(even, burst), {"even": even, "bursts": burst})


def repeats(gray_THW: gray.Gray) -> npt.NDArray[np.bool_]:
    """Whether each frame but the first shows what the one before shows, ``(T - 1,)``."""
    return np.array([_most(one, other) <= STILL for one, other in pairwise(gray_THW)])


def _most(one: gray.Gray, other: gray.Gray) -> float:
    """The greatest mean difference of any block."""
    rows, columns = (min(BLOCK, side) for side in one.shape)
    sums = cv2.boxFilter(cv2.absdiff(one, other), cv2.CV_16U, (columns, rows), normalize=False)
    # A sum stands at the middle of its block.
    most: float = sums[rows // 2 :: rows, columns // 2 :: columns].max() / (rows * columns)
    return most
