"""Size and shape of the picture, frame rate and length."""

from __future__ import annotations

from omnireel.data.candidate import Candidate
from omnireel.data.checks.base import Bounds, Check, Measurement, Tier
from omnireel.types import MediaKind


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


class Aspect(Check):
    """Pictures that are too long for any bucket of training."""

    name, tier, version = "aspect", Tier.BASIC, 1
    unit = "long side divided by short side"
    scale = Bounds(1, 100_000)
    standard = Bounds(high=2.5)
    needs_frames = False

    def measure(self, candidate: Candidate) -> Measurement | None:
        """As shown: turned, with square pixels."""
        sides = candidate.file.width, candidate.file.height
        return Measurement(max(sides) / min(sides)) if min(sides) else None


class FrameRate(Check):
    """Slide shows, and rates that no camera has."""

    name, tier, version = "frame_rate", Tier.BASIC, 1
    unit = "frames per second, by the times of the packets"
    scale = Bounds(0, 100_000)
    standard = Bounds(6, 130)
    needs_frames = False

    def measure(self, candidate: Candidate) -> Measurement | None:
        """Not applicable to images."""
        return Measurement(candidate.file.fps) if candidate.kind is MediaKind.VIDEO else None


class Duration(Check):
    """Shots that are too short to show a movement; longer ones are cut, see ``shots``."""

    name, tier, version = "duration", Tier.BASIC, 1
    unit = "seconds of the shot"
    scale = Bounds(0, 1_000_000)
    standard = Bounds(low=1)
    needs_frames = False

    def measure(self, candidate: Candidate) -> Measurement | None:
        """Not applicable to images."""
        return Measurement(candidate.shot.seconds) if candidate.kind is MediaKind.VIDEO else None
