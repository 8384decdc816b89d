"""The pieces that a body is made of."""

from __future__ import annotations

from dataclasses import dataclass

from omnireel.world.kinematics import Pose
from omnireel.world.trace import Solid


@dataclass(frozen=True, eq=False)
class Part:
    """A solid where its pose puts it."""

    solid: Solid
    pose: Pose
