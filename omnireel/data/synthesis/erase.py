"""A clip without its subject. Nothing of what is erased gets into the result: the masked pixels are
blanked before anything is computed.

A place that a fixed camera sees in some other frame comes from there; the rest is painted in from
the rim (Telea, "An Image Inpainting Technique Based on the Fast Marching Method", 2004).
"""

from __future__ import annotations

import cv2
import numpy as np

from omnireel.data.synthesis.segment import Mask
from omnireel.types import Frames

_RADIUS = 3
_STEADY = 6.0
"""Spread in 0..255 of the visible pixels of a place, up to which it is taken to be unmoved."""


def grown(mask_THW: Mask, pixels: int) -> Mask:
    """The mask with a margin, for soft edges and contact shadows."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1,) * 2)
    return np.stack([cv2.dilate(m.astype(np.uint8), kernel) for m in mask_THW]) > 0


def margin_of(frames_THWC: Frames) -> int:
    """Pixels by which masks are grown."""
    return max(2, round(float(min(frames_THWC.shape[1:3])) * 0.02))


def erase(frames_THWC: Frames, mask_THW: Mask) -> Frames:
    """``frames_THWC`` with new content where the mask is, and unchanged elsewhere."""
    blank = np.where(mask_THW[..., None], 0, frames_THWC)
    seen = ~mask_THW
    count = seen.sum(0)[..., None]
    mean = blank.sum(0, dtype=np.float64) / np.maximum(count, 1)
    square = (blank.astype(np.float64) ** 2).sum(0) / np.maximum(count, 1)
    spread = np.sqrt(np.maximum(square - mean**2, 0)).max(-1)
    steady = (count[..., 0] >= 2) & (spread < _STEADY)
    out = []
    for frame, hole in zip(blank, mask_THW, strict=True):
        filled = np.where((hole & steady)[..., None], mean.round().astype(np.uint8), frame)
        rest = (hole & ~steady).astype(np.uint8)
        if rest.any():
            filled = cv2.inpaint(np.ascontiguousarray(filled), rest, _RADIUS, cv2.INPAINT_TELEA)
        out.append(np.where(hole[..., None], filled, frame))
    result: Frames = np.stack(out)
    return result
