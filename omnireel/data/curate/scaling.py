"""Decoded frames -> RGB pictures as they are shown: square pixels, turned, of two sizes."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from omnireel.data.candidate import WORKING_SHORT_SIDE
from omnireel.data.gray import Gray
from omnireel.media.limits import shrunk_size
from omnireel.types import Frames


class FrameScaler:
    """Knows the sizes of one picture track; ``shown`` is the size that a person sees."""

    def __init__(self, first: av.VideoFrame, aspect: Fraction | None) -> None:
        """``aspect`` is that of a pixel."""
        aspect = aspect or Fraction(1)
        width = max(1, round(first.width * aspect)) if aspect > 0 else first.width
        self._square = (width, first.height)
        self._working = shrunk_size(width, first.height, WORKING_SHORT_SIDE)
        self._turns = round(first.rotation / 90) % 4
        self.shown = (width, first.height)[:: 1 if self._turns % 2 == 0 else -1]
        # Kept, because making one costs as much as scaling a frame.
        self._scalers: dict[tuple[int, int], VideoReformatter] = {}
        self._glancer = VideoReformatter()

    def working(self, frame: av.VideoFrame) -> Frames:
        """``(H, W, 3)`` of the size that checks work on."""
        return self._rgb(frame, self._working)

    def glance(self, frame: av.VideoFrame) -> Gray:
        """Luma ``(H, W)`` of the working size, by the quickest way: two frames that are the same
        stay the same, and others differ."""
        width, height = self._working
        scaled = self._glancer.reformat(
            frame, width, height, "gray8", interpolation="FAST_BILINEAR"
        ).to_ndarray()
        return np.ascontiguousarray(np.rot90(np.asarray(scaled, np.uint8), self._turns))

    def full(self, frame: av.VideoFrame) -> Frames:
        """``(H, W, 3)`` of the full size."""
        return self._rgb(frame, self._square)

    def _rgb(self, frame: av.VideoFrame, size: tuple[int, int]) -> Frames:
        scaler = self._scalers.setdefault(size, VideoReformatter())
        scaled = scaler.reformat(frame, *size, "rgb24", interpolation="AREA").to_ndarray()
        return np.ascontiguousarray(np.rot90(np.asarray(scaled, np.uint8), self._turns))
