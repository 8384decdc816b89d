"""Checks of what moves: a camera that shakes, and too little action."""

from __future__ import annotations

import numpy as np

from omnireel.data.candidate import Candidate
from omnireel.data.checks.base import Bounds, Check, Measurement, Tier
from omnireel.data.checks.motion import motion_of
from omnireel.data.checks.thresholds import standard

TICK_S = 0.125
"""Seconds for which jerks are stated, so that the rhythm of the frames does not matter."""


class Jitter(Check):
    """A pan's or a steady hand's velocity changes slowly; a shaking camera's does not."""

    name, tier, version = "jitter", Tier.TEMPORAL, 4
    unit = "percent of the width that the view jumps in an eighth of a second against its path"
    scale = Bounds(0, 100)
    standard = standard("jitter")

    def measure(self, candidate: Candidate) -> Measurement | None:
        """The median over the shot, so that one bump does not count."""
        assert candidate.frames is not None
        motion = motion_of(candidate.frames)
        if motion is None or len(motion.pan) < 3:
            return None
        pan_T2 = motion.pan
        jerk_T = np.linalg.norm(pan_T2[1:-1] - (pan_T2[:-2] + pan_T2[2:]) / 2, axis=1) * TICK_S
        return Measurement(float(min(100.0, 100 * np.median(jerk_T))))


class Action(Check):
    """How fast things move against the motion of the camera: a pan over a still room is none."""

    name, tier, version = "action", Tier.TEMPORAL, 5
    unit = "percent of the width a second that the fastest 3 % of the picture move by itself"
    scale = Bounds(0, 1000)
    standard = standard("action")

    def measure(self, candidate: Candidate) -> Measurement | None:
        """The livelier quarter of the shot counts; the detail has the camera's own speed."""
        assert candidate.frames is not None
        motion = motion_of(candidate.frames)
        if motion is None:
            return None
        speed_T = 100 * motion.things_T / motion.width / motion.seconds_T
        camera = float(100 * np.median(np.linalg.norm(motion.pan, axis=1)))
        return Measurement(
            float(min(1000.0, np.quantile(speed_T, 0.75))), {"camera": round(camera, 3)}
        )
