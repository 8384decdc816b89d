"""Where one shot ends and the next begins, told frame by frame in one pass.

Two neighbouring sampled frames differ by the mean of two distances, each 0 to 1: between their
colour histograms, which a moving object hardly changes, and between their pictures in blocks, which
a flicker hardly changes. A cut is a difference above the threshold that also stands out from what
came just before, so that fast motion is not cut to pieces (the adaptive threshold of PySceneDetect
and of Boreczky and Rowe, "Comparison of video shot boundary detection techniques", 1996).
"""

from __future__ import annotations

from collections import deque
from statistics import median

import cv2
import numpy as np
import numpy.typing as npt

from omnireel.data.pictures import Pictures

_SIZE = (64, 36)
"""Pixels of the picture whose colours are counted, across and down."""
_BLOCKS = (16, 9)
_BINS = 4
_SHIFT = 6
"""Bits of a level that a bin leaves out."""
_STANDS_OUT = 2.5
"""Times the median of the differences before it."""
_MEMORY = 8


class CutFinder:
    """Tells whether a frame begins another shot than the frame before it."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._before: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]] | None = None
        self._recent: deque[float] = deque(maxlen=_MEMORY)

    def is_cut(self, frame: Pictures) -> bool:
        """Look at the next frame; the first one is no cut."""
        now = _signature(frame)
        before, self._before = self._before, now
        if before is None:
            return False
        difference = _difference(before, now)
        usual = median(self._recent) if self._recent else 0.0
        if difference >= self._threshold and difference >= _STANDS_OUT * usual:
            self._recent.clear()
            return True
        self._recent.append(difference)
        return False


def _signature(frame: Pictures) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Histogram of the colours, and the picture in blocks."""
    small = frame.thumbnails(_SIZE)
    red, green, blue = cv2.split(small >> _SHIFT)
    index = red * np.uint8(_BINS**2) + green * np.uint8(_BINS) + blue
    histogram = np.bincount(index.ravel(), minlength=_BINS**3) / index.size
    blocks = cv2.resize(small, _BLOCKS, interpolation=cv2.INTER_AREA)
    return histogram.astype(np.float32), np.asarray(blocks, np.float32)


def _difference(
    one: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]],
    other: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]],
) -> float:
    colours = float(np.abs(one[0] - other[0]).sum()) / 2
    # A quarter of the range, averaged over the picture, is as different as two pictures get.
    picture = min(1.0, float(np.abs(one[1] - other[1]).mean()) / 64)
    return (colours + picture) / 2
