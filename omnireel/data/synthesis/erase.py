"""A clip without its subject. Nothing of what is erased gets into the result: the masked pixels are
blanked before anything is computed, the camera's motion included.

What other frames show of a place comes from them (their median, aligned by the camera's motion);
what is never seen is painted in from the rim, once for the clip (Telea, "An Image Inpainting
Technique Based on the Fast Marching Method", 2004).
"""

from __future__ import annotations

import cv2
import numpy as np

from omnireel.data.synthesis.steady import Steady, steady
from omnireel.data.synthesis.views import Box, Mask, others_of, seen_at
from omnireel.types import Frames

_RADIUS = 3
_VIEWS = 16
_OFTEN = 3
"""Views that must show a place: in one or two of them the mask may have missed a piece."""
_NOTHING = 999


def grown(mask_THW: Mask, pixels: int) -> Mask:
    """The mask with a margin, for soft edges and contact shadows."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1,) * 2)
    return np.stack([cv2.dilate(m.astype(np.uint8), kernel) for m in mask_THW]) > 0


def margin_of(frames_THWC: Frames) -> int:
    """Pixels by which masks are grown."""
    return max(2, round(float(min(frames_THWC.shape[1:3])) * 0.02))


def erase(frames_THWC: Frames, mask_THW: Mask) -> Frames:
    """``frames_THWC`` with new content where the mask is, and unchanged elsewhere."""
    blank: Frames = np.where(mask_THW[..., None], np.uint8(0), frames_THWC)
    camera = steady(blank, mask_THW)
    middle = len(blank) // 2
    out = blank.copy()
    # What no frame shows is made up in the middle one, and moves with the place from there.
    for t in (middle, *(t for t in range(len(blank)) if t != middle)):
        if mask_THW[t].any():
            _fill(out, blank, mask_THW, camera, t, None if t == middle else middle)
    return out


def _fill(
    out: Frames, blank: Frames, mask_THW: Mask, camera: Steady, t: int, made_up: int | None
) -> None:
    """Fill the hole of frame ``t`` of ``out``."""
    hole = mask_THW[t]
    y, x = np.nonzero(hole)
    left, top = int(x.min()), int(y.min())
    box: Box = (left, top, int(x.max()) + 1 - left, int(y.max()) + 1 - top)
    part = np.s_[top : top + box[3], left : left + box[2]]
    views = []
    for k in others_of(t, len(blank), _VIEWS):
        color, there = seen_at(blank[k], camera, t, k, box)
        veil, _ = seen_at(mask_THW[k].astype(np.uint8) * 255, camera, t, k, box)
        there &= veil == 0
        views.append(np.where(there[..., None], color.astype(np.int16), _NOTHING))
    stack = np.sort(np.stack(views), axis=0)
    count = (stack < _NOTHING).sum(0)
    at = np.maximum(count - 1, 0) // 2
    usual = np.take_along_axis(stack, at[None], 0)[0]
    known = hole[part] & (count[..., 0] >= min(_OFTEN, max(1, len(views) // 3)))
    view, rest = out[t][part], hole[part] & ~known
    view[known] = usual[known].astype(np.uint8)
    if made_up is not None and rest.any():
        color, there = seen_at(out[made_up], camera, t, made_up, box)
        view[rest & there] = color[rest & there]
        rest &= ~there
    if rest.any():
        missing = np.zeros(hole.shape, np.uint8)
        missing[part] = rest
        painted = cv2.inpaint(np.ascontiguousarray(out[t]), missing, _RADIUS, cv2.INPAINT_TELEA)
        view[rest] = painted[part][rest]
