"""A subject cut out of a frame, centred and brought to one size."""

from __future__ import annotations

import numpy as np

from omnireel.evaluate.perception.reader import F32
from omnireel.types import Frames

SIDE = 24
CHANNELS = 7
"""Samples along each side of a crop."""
REACH = 5.0
"""Side of a crop in standard deviations of the mask along its longer axis; a disc then fills 80 %
of the crop's width."""


def crops(mask_Thw: F32, frames_THWC: Frames) -> F32:
    """Crops (N, CHANNELS, SIDE, SIDE) of the frames that show the subject: its mask, its colours
    (-1..1), and its colours less their mean, so that the look is told apart from the paint.
    """
    out = [
        _crop(mask, frame)
        for mask, frame in zip(mask_Thw, frames_THWC, strict=True)
        if mask.sum() >= 3.0
    ]
    return np.stack(out) if out else np.zeros((0, CHANNELS, SIDE, SIDE), np.float32)


def _crop(mask_hw: F32, frame_HWC: Frames) -> F32:
    h, w = mask_hw.shape
    scale = frame_HWC.shape[0] // h
    total = mask_hw.sum()
    x, y = np.arange(w) + 0.5, np.arange(h) + 0.5
    columns, rows = mask_hw.sum(0), mask_hw.sum(1)
    cx, cy = columns @ x / total, rows @ y / total
    spread = max(columns @ (x - cx) ** 2 / total, rows @ (y - cy) ** 2 / total, 0.35)
    grid = ((np.arange(SIDE) + 0.5) / SIDE - 0.5) * REACH * np.sqrt(spread)
    shape = bilinear(mask_hw[..., None], cy + grid - 0.5, cx + grid - 0.5)[..., 0]
    at_y, at_x = (cy + grid) * scale - 0.5, (cx + grid) * scale - 0.5
    color = bilinear(frame_HWC.astype(np.float32) / 127.5 - 1.0, at_y, at_x)
    mean = (color * shape[..., None]).sum((0, 1)) / max(float(shape.sum()), 1e-3)
    out: F32 = np.concatenate(
        [shape[None], np.moveaxis(color, -1, 0), np.moveaxis(color - mean, -1, 0)]
    )
    return out.astype(np.float32)


def bilinear(picture_HWC: F32, y_h: F32, x_w: F32) -> F32:
    """Values at rows ``y_h`` and columns ``x_w`` (0 is the middle of the first); edges repeat."""
    h, w, _ = picture_HWC.shape
    y, x = np.clip(y_h, 0, h - 1), np.clip(x_w, 0, w - 1)
    y0, x0 = np.minimum(y.astype(np.int64), h - 2), np.minimum(x.astype(np.int64), w - 2)
    fy, fx = (y - y0)[:, None, None], (x - x0)[None, :, None]
    top = picture_HWC[y0][:, x0] * (1 - fx) + picture_HWC[y0][:, x0 + 1] * fx
    low = picture_HWC[y0 + 1][:, x0] * (1 - fx) + picture_HWC[y0 + 1][:, x0 + 1] * fx
    out: F32 = (top * (1 - fy) + low * fy).astype(np.float32)
    return out
