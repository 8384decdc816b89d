"""Where one shot ends and the next begins, told frame by frame in one pass.

Two neighbouring sampled frames differ by the mean of two distances, each 0 to 1: between their
colour histograms, which a moving object hardly changes, and between their pictures in blocks, which
a flicker hardly changes. A cut is a difference above the threshold that also stands out from what
came just before, so that fast motion is not cut to pieces (the adaptive threshold of PySceneDetect
and of Boreczky and Rowe, "Comparison of video shot boundary detection techniques", 1996).
"""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from omnireel.types import Frames

_BLOCKS = 12
_BINS = 4
_STANDS_OUT = 2.5
"""Times the median of the differences before it."""
_MEMORY = 8


class CutFinder:
    """Tells whether a frame begins another shot than the frame before it."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._before: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]] | None = None
        self._recent: deque[float] = deque(maxlen=_MEMORY)

    def is_cut(self, frame_HWC: Frames) -> bool:
        """Look at the next frame; the first one is no cut."""
        now = _signature(frame_HWC)
        before, self._before = self._before, now
        if before is None:
            return False
        difference = _difference(before, now)
        usual = float(np.median(self._recent)) if self._recent else 0.0
        if difference >= self._threshold and difference >= _STANDS_OUT * usual:
            self._recent.clear()
            return True
        self._recent.append(difference)
        return False


def _signature(frame_HWC: Frames) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Histogram of the colours, and the picture in blocks."""
    small = frame_HWC[::2, ::2]
    index = (small >> 6).astype(np.int32) @ np.array([_BINS**2, _BINS, 1], np.int32)
    histogram = np.bincount(index.ravel(), minlength=_BINS**3) / index.size
    height, width = small.shape[:2]
    rows = np.linspace(0, height, min(_BLOCKS, height), endpoint=False).astype(int)
    columns = np.linspace(0, width, min(_BLOCKS, width), endpoint=False).astype(int)
    sums = np.add.reduceat(np.add.reduceat(small, rows, 0, np.float32), columns, 1)
    counts = np.outer(np.diff([*rows, height]), np.diff([*columns, width]))
    return histogram.astype(np.float32), (sums / counts[..., None]).astype(np.float32)


def _difference(
    one: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]],
    other: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]],
) -> float:
    colours = float(np.abs(one[0] - other[0]).sum()) / 2
    # A quarter of the range, averaged over the picture, is as different as two pictures get.
    picture = min(1.0, float(np.abs(one[1] - other[1]).mean()) / 64)
    return (colours + picture) / 2
