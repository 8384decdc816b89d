"""How alike pictures are where pictures, not words, say what should be alike: outlines and places.

Classical measures of what is seen, independent of any embedder.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from omnireel.data.gray import shrink
from omnireel.types import Frames

F32 = npt.NDArray[np.float32]
_SIDE = 144
_LINE = 24.0
"""Grey levels per pixel from which an edge counts in full."""
_SPREAD = 1.6
"""Pixels by which outlines may lie apart."""
_SHIFT = 3
_NOISE = 18
"""Grey levels between a place and another view of it."""


def outline_likeness(one_HWC: Frames, other_HWC: Frames) -> float:
    """1 for pictures whose edges lie in the same places, about 0 for strangers: the correlation of
    their edges, at most a few pixels apart, whatever the colours and the tones. The second picture
    is brought to the first one's size."""
    here, there = _outlines(one_HWC), _outlines(_sized(other_HWC, one_HWC))
    inner = here[_SHIFT:-_SHIFT, _SHIFT:-_SHIFT]
    found = cv2.matchTemplate(there, np.ascontiguousarray(inner), cv2.TM_CCOEFF_NORMED)
    return float(np.clip(np.nan_to_num(found.max(), posinf=0.0, neginf=0.0), 0.0, 1.0))


def clip_outline_likeness(one_THWC: Frames, other_THWC: Frames, frames: int = 8) -> float:
    """The mean over up to ``frames`` pairs of two clips of one length."""
    at = np.unique(np.linspace(0, len(one_THWC) - 1, frames).round().astype(int))
    return float(np.mean([outline_likeness(one_THWC[t], other_THWC[t]) for t in at]))


def place_likeness(place_HWC: Frames, frame_HWC: Frames) -> float:
    """Share of the picture, 0 to 1, in which a frame shows this place: the same colours, and the
    same edges where there are any."""
    here = shrink(frame_HWC, _SIDE)
    there = shrink(_sized(place_HWC, frame_HWC), _SIDE)
    soft = [cv2.GaussianBlur(p, (0, 0), 1.5) for p in (here, there)]
    same = cv2.absdiff(soft[0], soft[1]).max(-1) <= _NOISE
    edges = [_outlines(p) for p in (here, there)]
    drawn = np.maximum(edges[0], edges[1])
    plain = 0.15
    weight = plain + drawn
    agree = same * np.where(drawn > plain, np.minimum(*edges) / np.maximum(drawn, 1e-6), 1.0)
    return float((weight * agree).sum() / weight.sum())


def _outlines(picture_HWC: Frames) -> F32:
    """How strong the edges are, 0 to 1, spread a little."""
    grey = cv2.cvtColor(shrink(picture_HWC, _SIDE), cv2.COLOR_RGB2GRAY)
    grey = cv2.GaussianBlur(grey, (0, 0), 1.0)
    slope = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)) / 4
    # Edges are compared with what is usual in their picture, so faint drawings count, too.
    level = max(4.0, min(_LINE, float(np.percentile(slope, 95))))
    return np.asarray(cv2.GaussianBlur(np.minimum(slope / level, 1.0), (0, 0), _SPREAD), np.float32)


def _sized(picture_HWC: Frames, like_HWC: Frames) -> Frames:
    h, w = like_HWC.shape[:2]
    if picture_HWC.shape[:2] == (h, w):
        return picture_HWC
    picture = np.ascontiguousarray(picture_HWC)
    return np.asarray(cv2.resize(picture, (w, h), interpolation=cv2.INTER_AREA), np.uint8)
