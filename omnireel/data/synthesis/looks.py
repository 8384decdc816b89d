"""Other looks for a clip: drawn, painted, old, recoloured, sketched, cut out."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Mapping

import cv2
import numpy as np

from omnireel.data.synthesis.views import Mask
from omnireel.types import Frames

HUES: Mapping[str, tuple[int, int, int]] = {
    "red": (205, 45, 45), "orange": (235, 130, 40), "yellow": (235, 210, 60),
    "green": (60, 165, 70), "teal": (40, 160, 160), "blue": (55, 90, 205),
    "purple": (130, 70, 180), "pink": (235, 130, 180), "white": (235, 235, 235),
    "black": (30, 30, 30),
}  # fmt: skip
"""Names of colours and what they look like, RGB."""


def _pencil(frame: Frames) -> Frames:
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    soft = cv2.GaussianBlur(grey, (0, 0), max(2.0, min(grey.shape) / 60))
    lines = cv2.divide(grey, np.maximum(soft, 1), scale=250)
    return np.repeat(np.asarray(lines, np.uint8)[..., None], 3, -1)


def _watercolor(frame: Frames) -> Frames:
    painted = cv2.stylization(frame, sigma_s=min(frame.shape[:2]) / 8, sigma_r=0.4)
    return np.asarray(painted, np.uint8)


def _sepia(frame: Frames) -> Frames:
    grey = frame @ np.array([0.299, 0.587, 0.114], np.float32)
    tone = grey[..., None] * np.array([1.07, 0.95, 0.74], np.float32)
    return np.clip(tone, 0, 255).astype(np.uint8)


STYLES: Mapping[str, Callable[[Frames], Frames]] = {
    "a pencil drawing": _pencil,
    "a watercolor painting": _watercolor,
    "an old sepia film": _sepia,
}


def styled(frames_THWC: Frames, style: str) -> Frames:
    """Every frame in one of STYLES."""
    make = STYLES[style]
    return np.stack([make(np.ascontiguousarray(frame)) for frame in frames_THWC])


def sketched(frame_HWC: Frames) -> Frames:
    """Dark outlines on white, (H, W, 3)."""
    grey = cv2.cvtColor(np.ascontiguousarray(frame_HWC), cv2.COLOR_RGB2GRAY)
    smooth = cv2.GaussianBlur(grey, (0, 0), 1.0)
    middle = float(np.median(smooth))
    edges = cv2.Canny(smooth, 0.5 * middle, 1.2 * middle + 10)
    return np.repeat(255 - np.asarray(edges, np.uint8)[..., None], 3, -1)


def cut_out(frame_HWC: Frames, mask_HW: Mask, ground: int = 235) -> Frames | None:
    """The subject on a plain ground in a square picture; None where it is not seen."""
    rows, columns = np.nonzero(mask_HW)
    if not len(rows):
        return None
    top, bottom, left, right = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    side = round(1.25 * max(bottom - top, right - left))
    out = np.full((side, side, 3), ground, np.uint8)
    y, x = (side - (bottom - top)) // 2, (side - (right - left)) // 2
    view = out[y : y + bottom - top, x : x + right - left]
    inside = mask_HW[top:bottom, left:right]
    view[inside] = frame_HWC[top:bottom, left:right][inside]
    return out


def color_name(frames_THWC: Frames, mask_THW: Mask) -> str:
    """The name of the colour that most of the masked pixels are nearest to."""
    pixels = frames_THWC[mask_THW][::7].astype(np.float32)
    names = list(HUES)
    apart = np.linalg.norm(pixels[:, None] - np.array(list(HUES.values()), np.float32), axis=-1)
    return names[int(np.bincount(apart.argmin(1), minlength=len(names)).argmax())]


def recolored(frames_THWC: Frames, mask_THW: Mask, color: str) -> Frames:
    """The masked pixels in the hue of ``color``, as light and dark as they were."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(c / 255 for c in HUES[color]))
    out = frames_THWC.copy()
    for frame, inside in zip(out, mask_THW, strict=True):
        hsv = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2HSV).astype(np.float32)
        light = hsv[inside, 2]
        hsv[inside, 0] = hue * 180
        hsv[inside, 1] = 255 * saturation
        middle = max(float(np.median(light)), 1.0) if light.size else 1.0
        hsv[inside, 2] = np.clip(light * (255 * value / middle), 0, 255)
        frame[inside] = cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB)[inside]
    return out
