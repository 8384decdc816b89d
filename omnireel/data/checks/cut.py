"""A cut that is left inside of a shot."""

from __future__ import annotations

import numpy as np

from omnireel.data.candidate import Candidate
from omnireel.data.checks.base import Bounds, Check, Measurement, Tier
from omnireel.data.checks.thresholds import standard
from omnireel.data.shots import changes, dissolves, signatures


class Cut(Check):
    """The strongest cut, dissolve or fade among the working frames."""

    name, tier, version = "cut", Tier.TEMPORAL, 3
    unit = "strength of the strongest cut, 0 to 1"
    scale = Bounds(0, 1)
    standard = standard("cut")

    def measure(self, candidate: Candidate) -> Measurement | None:
        """The detail has its time in seconds from the file's first picture, and its kind."""
        assert candidate.frames is not None
        times = candidate.frames.times_s
        if len(times) < 3:
            return None
        seen = signatures(candidate.frames.working)
        fps = 1 / max(float(np.median(np.diff(times))), 1e-3)
        hard, gradual = changes(seen), dissolves(seen, fps)
        if hard.max() >= gradual.max():
            at, kind = float(times[int(hard.argmax()) + 1]), "cut"
        else:
            at, kind = float(times[int(gradual.argmax())]), "gradual"
        strength = float(max(hard.max(), gradual.max()))
        return Measurement(min(1.0, strength), {"at_s": round(at, 3), "kind": kind})
