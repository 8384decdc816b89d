"""Size and shape of the picture, and the frame rate: what the header is enough for."""

from __future__ import annotations

from omnireel.data.candidate import Candidate
from omnireel.data.checks.base import Bounds, Check, Measurement, Tier


class Resolution(Check):
    """Too few pixels to learn from, or more than can be decoded safely."""

    name, tier, version = "resolution", Tier.BASIC, 1
    unit = "pixels of the short side"
    scale = Bounds(0, 100_000)
    standard = Bounds(240, 4320)
    needs_frames = False

    def measure(self, candidate: Candidate) -> Measurement | None:
        """The short side; the detail has both."""
        width, height = candidate.file.width, candidate.file.height
        return Measurement(min(width, height), {"width": width, "height": height})
