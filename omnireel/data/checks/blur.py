"""How sharp the sharpest edges are: defocus, motion blur of the whole frame, enlargement."""

from __future__ import annotations

import cv2
import numpy as np

from omnireel.data import gray
from omnireel.data.candidate import Candidate
from omnireel.data.checks.base import Bounds, Check, Measurement, Tier
from omnireel.data.checks.thresholds import standard

WINDOW = 13
"""Pixels along which an edge is looked at; no edge is found wider."""
MIN_STEP = 24
"""Grey levels of the steps that are taken for edges; noise makes smaller ones."""
SHARPEST = 0.94
"""An edge is as sharp as this quantile of the strong ones: what is out of focus behind a sharp
subject does not count."""
MIN_SHARE = 0.002
"""Of the pixels that must lie at strong edges in a direction for it to be judged."""


class Blur(Check):
    """The width of an edge is its step divided by its steepest slope (as in Marziliano et al.,
    "A no-reference perceptual blur metric", 2002), across and down; the blurrier direction counts.
    """

    name, tier, version = "blur", Tier.TEMPORAL, 1
    unit = "pixels that an edge is wide, at full resolution (720 on the short side at most)"
    scale = Bounds(1, WINDOW)
    standard = standard("blur")

    def measure(self, candidate: Candidate) -> Measurement | None:
        """The median over the frames of full resolution."""
        assert candidate.frames is not None
        pictures = gray.details(candidate.frames)
        if not pictures:
            return None
        widths = [edge_width(gray.shrink(picture, 720)) for picture in pictures]
        return Measurement(float(np.median(widths)), {"frames": [round(w, 2) for w in widths]})


def edge_width(gray_HW: gray.Gray) -> float:
    """Pixels that the sharper ones of a picture's strong edges are wide; :data:`WINDOW` if it has
    no edges at all.
    """
    smooth = np.asarray(cv2.GaussianBlur(gray_HW, (3, 3), 0.7), np.uint8)
    found = [width for axis in (1, 0) if (width := _width_along(smooth, axis)) is not None]
    return max(found, default=float(WINDOW))


def _width_along(smooth: gray.Gray, axis: int) -> float | None:
    window = np.ones((1, WINDOW) if axis == 1 else (WINDOW, 1), np.uint8)
    step = cv2.dilate(smooth, window) - cv2.erode(smooth, window)
    strong = step >= max(MIN_STEP, int(np.quantile(step[::2, ::2], 0.95)) // 2)
    if strong.mean() < MIN_SHARE:
        return None
    ahead = smooth[:, 1:] if axis == 1 else smooth[1:]
    behind = smooth[:, :-1] if axis == 1 else smooth[:-1]
    slope = np.zeros_like(smooth)
    slope[: ahead.shape[0], : ahead.shape[1]] = cv2.absdiff(ahead, behind)
    steepest = cv2.dilate(slope, window)[strong].astype(np.float32)
    return float(1 / np.quantile(steepest / step[strong], SHARPEST))
