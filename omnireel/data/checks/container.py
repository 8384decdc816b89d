"""Whether a file is what it says: that it opens, and decodes to its end without damage."""

from __future__ import annotations

from omnireel.data.candidate import Candidate
from omnireel.data.checks.base import Bounds, Check, Measurement, Tier


class Readable(Check):
    """A file that cannot be opened or read to its end, or is not what its name says."""

    name, tier, version = "readable", Tier.BASIC, 1
    unit = "1: it could be opened and read to its end, 0: it could not"
    scale = Bounds(0, 1)
    standard = Bounds(low=1)
    needs_frames = False

    def measure(self, candidate: Candidate) -> Measurement | None:
        """The detail has the reader's own words."""
        error = candidate.file.error
        return Measurement(0.0 if error else 1.0, {"error": error} if error else {})
