"""Bars of one colour at the picture's edges."""

from __future__ import annotations

from omnireel.data.bars import find_bars
from omnireel.data.candidate import Candidate
from omnireel.data.checks.base import Bounds, Check, Measurement, Tier
from omnireel.data.checks.thresholds import standard


class Letterbox(Check):
    """Rows or columns from an edge inwards that never change and end in a straight line."""

    name, tier, version = "letterbox", Tier.TEMPORAL, 2
    unit = "share of the picture that bars cover"
    scale = Bounds(0, 1)
    standard = standard("letterbox")

    def measure(self, candidate: Candidate) -> Measurement | None:
        """The detail has the rows and columns of each bar, of the working frames."""
        assert candidate.frames is not None
        bars = find_bars(candidate.frames.luma_THW)
        height, width = candidate.frames.luma_THW.shape[1:]
        inside = (1 - (bars["top"] + bars["bottom"]) / height) * (
            1 - (bars["left"] + bars["right"]) / width
        )
        return Measurement(max(0.0, 1 - inside), bars)
