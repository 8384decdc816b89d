"""Decoded frames -> pictures as they are shown: square pixels, turned, of two sizes.

Planes are taken as the decoder leaves them, without a copy, and shrunk one by one; frames of other
formats than 8-bit planes of luma and two tints are brought to that first.
"""

from __future__ import annotations

from fractions import Fraction

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, VideoReformatter

from omnireel.data.candidate import WORKING_SHORT_SIDE
from omnireel.data.gray import Gray
from omnireel.data.pictures import Coded, rgb_matrix
from omnireel.media.limits import shrunk_size

_TINTS = ("410", "411", "420", "422", "440", "444")
_PLANAR = {f"yuv{full}{tints}p" for full in ("", "j") for tints in _TINTS}
"""Formats whose planes are taken as they are."""
_WEIGHTS = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}
"""Weights of red and blue in luma by FFmpeg's number of the colour space; BT.601 for all others."""
_BT601 = (0.299, 0.114)
_STRETCH = np.clip(np.round((np.arange(256) - 16) * 255 / 219), 0, 255).astype(np.uint8)
"""Luma from 16 to 235 -> from 0 to 255."""


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
        self._converter = VideoReformatter()
        self._full_range = first.color_range == ColorRange.JPEG or first.format.name[3:4] == "j"
        weights = _WEIGHTS.get(int(first.colorspace), _BT601)
        self._to_rgb = rgb_matrix(*weights, full=self._full_range)

    def working(self, frame: av.VideoFrame) -> Coded:
        """``(H, W)`` of the size that checks work on, tints of half of it."""
        luma, *tints = self._planes(frame)
        size = self._working
        half = (-(-size[0] // 2), -(-size[1] // 2))
        return self._coded(_shrunk(luma, size), [_resized(tint, half) for tint in tints])

    def glance(self, frame: av.VideoFrame) -> Gray:
        """Luma ``(H, W)`` of the working size, by the quickest way: two frames that are the same
        stay the same, and others differ."""
        return self._turned(_resized(self._planes(frame)[0], self._working))

    def full(self, frame: av.VideoFrame) -> Coded:
        """``(H, W)`` of the full size, tints as they are coded."""
        luma, *tints = self._planes(frame)
        return self._coded(_resized(luma, self._square), tints)

    def _coded(self, luma: Gray, tints: list[Gray]) -> Coded:
        if not self._full_range:
            luma = np.asarray(cv2.LUT(luma, _STRETCH), np.uint8)
        blue, red = (self._turned(tint) for tint in tints)
        return Coded(self._turned(luma), (blue, red), self._to_rgb)

    def _turned(self, plane: Gray) -> Gray:
        return np.ascontiguousarray(np.rot90(plane, self._turns)) if self._turns else plane

    def _planes(self, frame: av.VideoFrame) -> list[Gray]:
        if frame.format.name not in _PLANAR or min(p.line_size for p in frame.planes) <= 0:
            frame = self._converter.reformat(
                frame,
                format="yuvj444p" if self._full_range else "yuv444p",
                threads=1,
            )
        return [
            np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
            for plane in frame.planes
        ]


def _resized(plane: Gray, size: tuple[int, int]) -> Gray:
    """By two pixels of each side for a new one."""
    if plane.shape == size[::-1]:
        return plane
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def _shrunk(plane: Gray, size: tuple[int, int]) -> Gray:
    """By the mean of all pixels: halved while it can be, which is the quickest way."""
    width, height = size
    while (rows := plane.shape[0] // 2) >= height and (columns := plane.shape[1] // 2) >= width:
        half = cv2.resize(
            plane[: 2 * rows, : 2 * columns], (columns, rows), interpolation=cv2.INTER_AREA
        )
        plane = np.asarray(half, np.uint8)
    return _resized(plane, size)
