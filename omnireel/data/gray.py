"""Grey pictures."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from omnireel.types import Frames

Gray = npt.NDArray[np.uint8]


def gray_of(frames: Frames) -> Gray:
    """Luma of RGB frames ``(..., H, W, 3)`` with the weights of ITU-R BT.601."""
    *lead, height, width, _ = frames.shape
    # One tall picture, so that a clip is one call.
    tall = np.ascontiguousarray(frames).reshape(-1, width, 3)
    return np.asarray(cv2.cvtColor(tall, cv2.COLOR_RGB2GRAY), np.uint8).reshape(
        *lead, height, width
    )


def shrink(picture: Gray, short_side: int) -> Gray:
    """A picture ``HW`` or ``HWC`` with a short side of ``short_side`` at most, contiguous."""
    picture = np.ascontiguousarray(picture)
    height, width = picture.shape[:2]
    scale = short_side / min(height, width)
    if scale >= 1:
        return picture
    size = (round(width * scale), round(height * scale))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
