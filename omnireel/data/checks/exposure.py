"""Light: too little, too much, too little difference."""

from __future__ import annotations

import numpy as np

from omnireel.data import gray
from omnireel.data.candidate import Candidate
from omnireel.data.checks.base import Bounds, Check, Measurement, Tier
from omnireel.data.checks.thresholds import standard

DARKEST, BRIGHTEST = 0.02, 0.98
BLOWN = 250
"""Luma from which a pixel has lost its drawing."""


class Underexposed(Check):
    """Even the bright parts are dark. A night with lit windows passes."""

    name, tier, version = "underexposed", Tier.TEMPORAL, 1
    unit = "luma that 98 % of the pixels do not exceed"
    scale = Bounds(0, 255)
    standard = standard("underexposed")

    def measure(self, candidate: Candidate) -> Measurement | None:
        """Over all working frames together."""
        return Measurement(_quantiles(candidate)[1])


class Overexposed(Check):
    """Large parts are clipped to white."""

    name, tier, version = "overexposed", Tier.TEMPORAL, 1
    unit = f"share of the pixels with a luma of {BLOWN} or more"
    scale = Bounds(0, 1)
    standard = standard("overexposed")

    def measure(self, candidate: Candidate) -> Measurement | None:
        """Over all working frames together."""
        assert candidate.frames is not None
        return Measurement(float((gray.working(candidate.frames) >= BLOWN).mean()))


class Contrast(Check):
    """Everything is about equally bright: fog, a veil of light, a blank picture."""

    name, tier, version = "contrast", Tier.TEMPORAL, 1
    unit = "grey levels between the darkest and the brightest 2 % of the pixels"
    scale = Bounds(0, 255)
    standard = standard("contrast")

    def measure(self, candidate: Candidate) -> Measurement | None:
        """Over all working frames together."""
        dark, bright = _quantiles(candidate)
        return Measurement(bright - dark, {"dark": dark, "bright": bright})


def _quantiles(candidate: Candidate) -> tuple[float, float]:
    assert candidate.frames is not None
    counts = np.bincount(gray.working(candidate.frames)[:, ::2, ::2].ravel(), minlength=256)
    share = np.cumsum(counts) / counts.sum()
    return float(np.searchsorted(share, DARKEST)), float(np.searchsorted(share, BRIGHTEST))
