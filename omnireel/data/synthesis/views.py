"""What other frames of a clip show of the place that one frame sees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from omnireel.data.synthesis.steady import Steady
from omnireel.types import Frames

Mask = npt.NDArray[np.bool_]
VIEWS = 10
"""Other frames that are asked, at most."""
_NOTHING = 999
SAME = 8
"""Levels in 0..255 by which two views of one thing differ at most."""
_WIDE = np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9)), np.uint8)
Box = tuple[int, int, int, int]
"""Left, top, width and height in pixels."""


def others_of(viewer: int, count: int, views: int = VIEWS) -> list[int]:
    """Frames spread over a clip of ``count``, without ``viewer``; at most ``views``."""
    spread = np.unique(np.linspace(0, count - 1, views).round().astype(int))
    return [int(k) for k in spread if k != viewer]


def seen_at(
    picture: npt.NDArray[np.uint8], camera: Steady, viewer: int, other: int, box: Box
) -> tuple[npt.NDArray[np.uint8], Mask]:
    """Frame ``other`` as ``viewer`` would see it in ``box``, and where it shows anything."""
    left, top, width, height = box
    if not camera.moving:
        part = picture[top : top + height, left : left + width]
        return part, np.ones((height, width), bool)
    way = camera.between(viewer, other, min(picture.shape[:2]))
    way = way @ np.array([[1, 0, left], [0, 1, top], [0, 0, 1.0]])
    flags: Any = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    ones = np.ones(picture.shape[:2], np.float32)
    seen = cv2.warpPerspective(
        np.ascontiguousarray(picture), way, (width, height), flags=flags,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    there = cv2.warpPerspective(ones, way, (width, height), flags=flags) > 0.99
    return np.asarray(seen, np.uint8), there


@dataclass(frozen=True, eq=False)
class Compared:
    """``apart_HW``: how far a frame is from the others' views of its place, 0..255, at a quantile
    of them; ``usual_HWC`` that view; ``count_HW`` how many there are (0: ``apart`` is 0);
    ``marked_HW``: of all views that look the same, the share in which it is marked."""

    apart_HW: npt.NDArray[np.uint8]
    usual_HWC: Frames
    count_HW: npt.NDArray[np.int64]
    marked_HW: npt.NDArray[np.float32]


class Album:
    """The frames of a clip, ready to be compared; a pixel's neighbours count as the pixel, since no
    camera is known more exactly."""

    def __init__(self, frames: Sequence[Frames], camera: Steady) -> None:
        """``frames`` of one small size."""
        near = np.ones((3, 3), np.uint8)
        self.camera = camera
        self.soft = [np.asarray(cv2.GaussianBlur(f, (0, 0), 0.8), np.uint8) for f in frames]
        self._low = [np.asarray(cv2.erode(f, near), np.uint8) for f in self.soft]
        self._high = [np.asarray(cv2.dilate(f, near), np.uint8) for f in self.soft]

    def compare(self, t: int, quantile: float, marks: Sequence[Mask] | None = None) -> Compared:
        """Frame ``t`` with the others; ``marks`` and their surroundings in these are left out."""
        keys, colors = [], []
        shape = self.soft[t].shape[:2]
        alike, marked = np.full(shape, 1e-6, np.float32), np.zeros(shape, np.float32)
        wide = None if marks is None else [_widened(mask) for mask in marks]
        for number, (gap, color, there) in enumerate(self._views(t)):
            if marks is not None and wide is not None:
                k = others_of(t, len(self.soft))[number]
                same = there & (gap < SAME)
                alike += same
                marked += same & self._moved(marks[k], t, k)
                there = there & ~self._moved(wide[k], t, k)
            # The view's number rides along, so that one sort also tells whose the gap is.
            keys.append(np.where(there, gap, np.int16(_NOTHING)).astype(np.int16) * 16 + number)
            colors.append(color)
        ranked = np.sort(np.stack(keys).astype(np.int16), axis=0)
        count = (ranked < _NOTHING * 16).sum(0)
        at = (quantile * (count - 1)).round().clip(0).astype(int)[None]
        picked = np.take_along_axis(ranked, at, 0)[0]
        found, who = picked // 16, (picked % 16).astype(int)[None, ..., None]
        usual = np.take_along_axis(np.stack(colors), who.repeat(3, -1), 0)[0]
        return Compared(
            np.where(count > 0, found, 0).astype(np.uint8), usual, count, marked / alike
        )

    def _moved(self, mask: Mask, t: int, k: int) -> Mask:
        """``mask`` of frame ``k`` as frame ``t`` would see it."""
        box = (0, 0, mask.shape[1], mask.shape[0])
        return seen_at(mask.astype(np.uint8) * 255, self.camera, t, k, box)[0] > 0

    def _views(self, t: int) -> Iterator[tuple[npt.NDArray[np.uint8], Frames, Mask]]:
        now = self.soft[t]
        box = (0, 0, now.shape[1], now.shape[0])
        for k in others_of(t, len(self.soft)):
            color, there = seen_at(self.soft[k], self.camera, t, k, box)
            if self.camera.moving:
                low, _ = seen_at(self._low[k], self.camera, t, k, box)
                high, _ = seen_at(self._high[k], self.camera, t, k, box)
            else:
                low = high = color
            red, green, blue = cv2.split(cv2.max(cv2.subtract(now, high), cv2.subtract(low, now)))
            yield np.asarray(cv2.max(cv2.max(red, green), blue), np.uint8), color, there


def _widened(mask: Mask) -> Mask:
    widened: Mask = cv2.dilate(mask.astype(np.uint8), _WIDE) > 0
    return widened
