"""Whether the result moves as the video that it should move like.

Agreement of two sets of curves is Lin's concordance (1989) about their means: 1 for equal curves,
0 for unrelated ones, negative for opposed ones; a small constant makes two resting curves agree.
"""

from __future__ import annotations

import numpy as np

from omnireel.evaluate.judgement import Judgement
from omnireel.evaluate.oracles.base import Oracle
from omnireel.evaluate.oracles.pixels import given
from omnireel.evaluate.perception import Observation
from omnireel.evaluate.perception.reader import F32
from omnireel.types import Role

REST = 0.02
"""Movement of a subject, in short sides, that counts as none."""
CAMERA_REST = 0.08
"""As above for the place, whose flow also depends on what stands where in it."""


def agreement(a_TD: F32, b_TD: F32, at_rest: float = REST) -> float:
    """Concordance of two sets of curves (T, D), at most 1."""
    count = min(len(a_TD), len(b_TD))
    a, b = a_TD[:count], b_TD[:count]
    a, b = a - a.mean(0), b - b.mean(0)
    rest = at_rest**2 * count
    top = 2 * float((a * b).sum()) + rest
    return top / (float((a * a).sum() + (b * b).sum()) + rest)


def _motion(case: Judgement) -> float | None:
    source = given(case, Role.MOTION)
    if source is None:
        return None
    wanted, got = _path(case.viewer.look(source)), _path(case.seen)
    if wanted is None:
        return None
    return 0.0 if got is None else agreement(wanted, got)


def _camera(case: Judgement) -> float | None:
    source = given(case, Role.CAMERA)
    if source is None:
        return None
    wanted, got = _camera_path(case.viewer.look(source)), _camera_path(case.seen)
    return agreement(wanted, got, CAMERA_REST)


def _path(seen: Observation) -> F32 | None:
    """Position and size of the largest subject over time."""
    if not seen.subjects:
        return None
    track = seen.subjects[0].track
    size = 0.5 * np.log(np.maximum(track.area_T, 1e-4))
    out: F32 = np.stack([track.x_T, track.y_T, 0.3 * size], -1).astype(np.float32)
    return out


def _camera_path(seen: Observation) -> F32:
    flow = seen.flow
    steps = np.stack([flow.shift_x, flow.shift_y, flow.growth], -1)
    out: F32 = np.concatenate([np.zeros((1, 3)), np.cumsum(steps, 0)]).astype(np.float32)
    return out


MOTION_PATH = Oracle("motion_path", "agreement with the path of the given video", _motion)
CAMERA_PATH = Oracle("camera_path", "agreement with the camera of the given video", _camera)
