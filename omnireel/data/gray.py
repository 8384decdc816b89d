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


def shrink(gray_HW: Gray, short_side: int) -> Gray:
    """``gray_HW`` with a short side of ``short_side`` at most."""
    height, width = gray_HW.shape
    scale = short_side / min(height, width)
    if scale >= 1:
        return gray_HW
    size = (round(width * scale), round(height * scale))
    return np.asarray(cv2.resize(gray_HW, size, interpolation=cv2.INTER_AREA), np.uint8)
