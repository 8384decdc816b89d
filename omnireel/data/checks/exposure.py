"""Light: too little, too much, too little difference."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from omnireel.data.candidate import Candidate, SampledFrames
from omnireel.data.checks.base import Bounds, Check, Measurement, Tier
from omnireel.data.checks.thresholds import standard

DARKEST, BRIGHTEST = 0.02, 0.98
BLOWN = 252
"""Luma from which a pixel has lost its drawing."""


class Underexposed(Check):
    """Even the bright parts are dark. A night with lit windows passes."""

    name, tier, version = "underexposed", Tier.TEMPORAL, 2
    unit = "luma that 98 % of the pixels do not exceed"
    scale = Bounds(0, 255)
    standard = standard("underexposed")

    def measure(self, candidate: Candidate) -> Measurement | None:
        """Over all working frames together."""
        return Measurement(_quantiles(candidate)[1])


class Overexposed(Check):
    """Large parts are clipped to white."""

    name, tier, version = "overexposed", Tier.TEMPORAL, 2
    unit = f"share of the pixels with a luma of {BLOWN} or more"
    scale = Bounds(0, 1)
    standard = standard("overexposed")

    def measure(self, candidate: Candidate) -> Measurement | None:
        """Over all working frames together."""
        return Measurement(float(_shares(candidate)[BLOWN:].sum()))


class Contrast(Check):
    """Everything is about equally bright: fog, a veil of light, a blank picture."""

    name, tier, version = "contrast", Tier.TEMPORAL, 2
    unit = "grey levels between the darkest and the brightest 2 % of the pixels"
    scale = Bounds(0, 255)
    standard = standard("contrast")

    def measure(self, candidate: Candidate) -> Measurement | None:
        """Over all working frames together."""
        dark, bright = _quantiles(candidate)
        return Measurement(bright - dark, {"dark": dark, "bright": bright})


def _quantiles(candidate: Candidate) -> tuple[float, float]:
    share = np.cumsum(_shares(candidate))
    return float(np.searchsorted(share, DARKEST)), float(np.searchsorted(share, BRIGHTEST))


def _shares(candidate: Candidate) -> npt.NDArray[np.float64]:
    """Share of the pixels that have each of the 256 levels."""
    assert candidate.frames is not None
    return _counted(candidate.frames)


@lru_cache(maxsize=1)  # all checks of light ask about the same shot in turn
def _counted(frames: SampledFrames) -> npt.NDArray[np.float64]:
    tall = frames.luma_THW.reshape(-1, frames.luma_THW.shape[-1])
    counts = cv2.calcHist([tall], [0], None, [256], [0, 256]).ravel()
    return np.asarray(counts / tall.size, np.float64)
