"""How sharp the sharpest edges are: defocus, motion blur of the whole frame, enlargement."""

from __future__ import annotations

from functools import lru_cache

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
LINES = 120
FINE = 1023
"""Levels of steepness that are told apart."""
MIN_SHARE = 0.02
"""Of a part's pixels that must lie at strong edges in a direction for it to be judged."""


class Blur(Check):
    """The width of an edge is its step divided by its steepest slope (as in Marziliano et al.,
    "A no-reference perceptual blur metric", 2002), across and down; the blurrier direction counts.
    """

    name, tier, version = "blur", Tier.TEMPORAL, 5
    unit = "pixels that an edge is wide, at full resolution (720 on the short side at most)"
    scale = Bounds(1, WINDOW)
    standard = standard("blur")

    def measure(self, candidate: Candidate) -> Measurement | None:
        """The median over the frames of full resolution."""
        assert candidate.frames is not None
        pictures = [picture.luma for picture in candidate.frames.details]
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
    across = _widths(smooth)
    # The same parts in the same order, seen from the side.
    down = _widths(cv2.transpose(smooth)).reshape(TILES, TILES).T.ravel()
    both = np.sort(np.maximum(across, down)[np.isfinite(across) & np.isfinite(down)])
    if len(both) < SHARP_TILES:
        either = np.where(np.isfinite(across), across, down)
        both = np.sort(either[np.isfinite(either)])
    return float(both[min(SHARP_TILES, len(both)) - 1]) if len(both) else float(WINDOW)


def _widths(smooth: gray.Gray) -> npt.NDArray[np.float64]:
    """Of each part, how wide its sharper edges are along rows; infinite: too few edges.

    About :data:`LINES` rows and every second pixel are looked at: neighbours see the same edges.
    """
    window = np.ones((1, WINDOW), np.uint8)
    lines = smooth[:: max(2, len(smooth) // LINES)]
    step = cv2.subtract(cv2.dilate(lines, window), cv2.erode(lines, window))
    slope = np.zeros_like(lines)
    cv2.absdiff(lines[:, 1:], lines[:, :-1], slope[:, :-1])
    steepest = np.ascontiguousarray(cv2.dilate(slope, window)[:, ::2])
    step = np.ascontiguousarray(step[:, ::2])
    parts = _parts(*step.shape)
    counts = np.cumsum(cv2.calcHist([step], [0], None, [256], [0, 256]))
    usual = int(np.searchsorted(counts, 0.95 * counts[-1]))
    at = (step >= max(MIN_STEP, usual // 2)).ravel()
    # A slope at the window's end may be part of a larger step.
    steepness = np.minimum(cv2.divide(steepest, step, None, FINE, cv2.CV_16U).ravel()[at], FINE)
    table = np.bincount(parts[at] * (FINE + 1) + steepness, minlength=TILES**2 * (FINE + 1))
    below = np.cumsum(table.reshape(TILES**2, FINE + 1), axis=1)
    chosen = below[:, -1]
    sharpest = (below <= SHARPEST * chosen[:, None]).sum(axis=1)
    enough = chosen >= np.maximum(1, MIN_SHARE * np.bincount(parts, minlength=TILES**2))
    return np.where(enough, FINE / (sharpest + 0.5), np.inf)


@lru_cache(maxsize=8)
def _parts(rows: int, columns: int) -> npt.NDArray[np.uint16]:
    """The part of each pixel of a picture, row by row."""
    down, across = (np.arange(side) * TILES // side for side in (rows, columns))
    return (down[:, None] * TILES + across).ravel().astype(np.uint16)
