"""How sharp the sharpest edges are: defocus, motion blur of the whole frame, enlargement."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from omnireel.data import gray
from omnireel.data.candidate import Candidate
from omnireel.data.checks.base import Bounds, Check, Measurement, Tier
from omnireel.data.checks.thresholds import standard

WINDOW = 13
"""Pixels along which an edge is looked at; no edge is found wider."""
MIN_STEP = 24
"""Grey levels of the steps that are taken for edges; noise makes smaller ones."""
SHARPEST = 0.9
"""A part of the picture is as sharp as this quantile of its strong edges."""
TILES = 8
"""Parts across and down. One sharp subject is enough: a picture is as sharp as the .."""
SHARP_TILES = 3
""".. third sharpest of its parts; what is out of focus behind a subject does not count."""
MIN_SHARE = 0.02
"""Of a part's pixels that must lie at strong edges in a direction for it to be judged."""


class Blur(Check):
    """The width of an edge is its step divided by its steepest slope (as in Marziliano et al.,
    "A no-reference perceptual blur metric", 2002), across and down; the blurrier direction counts.
    """

    name, tier, version = "blur", Tier.TEMPORAL, 2
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
    """Pixels that strong edges are wide where a picture is sharp; :data:`WINDOW` if it has none.

    A part with edges in one direction only says nothing about smear along them; such parts count
    where there are too few others.
    """
    smooth = np.asarray(cv2.GaussianBlur(gray_HW, (3, 3), 0.7), np.uint8)
    across, down = (_widths(smooth, axis) for axis in (1, 0))
    both = np.sort(np.maximum(across, down)[np.isfinite(across) & np.isfinite(down)])
    if len(both) < SHARP_TILES:
        either = np.where(np.isfinite(across), across, down)
        both = np.sort(either[np.isfinite(either)])
    return float(both[min(SHARP_TILES, len(both)) - 1]) if len(both) else float(WINDOW)


def _widths(smooth: gray.Gray, axis: int) -> npt.NDArray[np.float64]:
    """Of each part, how wide its sharper edges are along ``axis``; infinite: too few edges."""
    window = np.ones((1, WINDOW) if axis == 1 else (WINDOW, 1), np.uint8)
    step = cv2.dilate(smooth, window) - cv2.erode(smooth, window)
    strong = step >= max(MIN_STEP, int(_quantile(step[::2, ::2].ravel(), 0.95)) // 2)
    ahead = smooth[:, 1:] if axis == 1 else smooth[1:]
    behind = smooth[:, :-1] if axis == 1 else smooth[:-1]
    slope = np.zeros_like(smooth)
    slope[: ahead.shape[0], : ahead.shape[1]] = cv2.absdiff(ahead, behind)
    steepness = cv2.dilate(slope, window) / np.maximum(step, 1).astype(np.float32)
    rows, columns = (np.linspace(0, side, TILES + 1).astype(int) for side in smooth.shape)
    found = np.full(TILES * TILES, np.inf)
    for i in range(TILES * TILES):
        y, x = divmod(i, TILES)
        part = slice(rows[y], rows[y + 1]), slice(columns[x], columns[x + 1])
        chosen = strong[part]
        if chosen.size and chosen.mean() >= MIN_SHARE:
            found[i] = 1 / _quantile(steepness[part][chosen], SHARPEST)
    return found


def _quantile(values: npt.NDArray[Any], share: float) -> float:
    """As numpy's, without what makes that slow for the many small parts."""
    place = share * (len(values) - 1)
    low, high = int(place), min(int(place) + 1, len(values) - 1)
    ordered = np.partition(values, (low, high))
    below, above = float(ordered[low]), float(ordered[high])
    return below + (place - low) * (above - below)
