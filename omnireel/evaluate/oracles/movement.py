"""Whether subjects and camera move as asked."""

from __future__ import annotations

import numpy as np

from omnireel.evaluate.judgement import Judgement
from omnireel.evaluate.oracles.base import Oracle, share
from omnireel.evaluate.oracles.transfer import agreement
from omnireel.world.scene import CAMERA_MOVES, MOTIONS, Body, Scene


def asked_motion(body: Body, scene: Scene) -> str:
    """The motion that a body of the scene is seen to make."""
    return body.motion.kind if scene.clock.pace else "still"


def _motion(case: Judgement) -> float | None:
    if case.asked.cuts:
        return None  # cuts hide how the camera moves
    scene = case.asked.scene
    return share(
        [
            s is not None and MOTIONS[int(s.motion_M.argmax())] == asked_motion(b, scene)
            for b, s in case.pairs
        ]
    )


def _solved(case: Judgement) -> float | None:
    return float(
        len(case.seen.subjects) == len(case.pairs)
        and all(
            s is not None
            and s.color == b.material.color
            and s.kind == b.kind
            and MOTIONS[int(s.motion_M.argmax())] == b.motion.kind
            for b, s in case.pairs
        )
    )


def _path(case: Judgement) -> float | None:
    """Of the first asked subject, against its exact projection."""
    if not case.pairs:
        return None
    body, subject = case.pairs[0]
    if subject is None:
        return 0.0
    fmt = case.asked.target.format
    short = min(fmt.width, fmt.height)
    middle = (fmt.width / 2, fmt.height / 2)
    wanted = (case.truth.tracks[body.id].center_T2 - np.asarray(middle, np.float32)) / short
    got = np.stack([subject.track.x_T, subject.track.y_T], -1)
    return agreement(wanted.astype(np.float32), got)


def _camera(case: Judgement) -> float | None:
    if "camera" in case.asked.left_open:
        return None
    seen = CAMERA_MOVES[int(case.seen.camera_M.argmax())]
    return float(seen == case.asked.scene.camera.move)


def _recognisable(case: Judgement) -> float | None:
    if not case.pairs:
        return None
    body, subject = case.pairs[0]
    return float(
        subject is not None
        and subject.color == body.material.color
        and subject.kind == body.kind
        and MOTIONS[int(subject.motion_M.argmax())] == body.motion.kind
    )


MOTION = Oracle("motion", "share of asked subjects that move as asked", _motion)
CAMERA = Oracle("camera", "the camera moves as asked", _camera)
RECOGNISABLE = Oracle(
    "recognisable", "colour, kind and motion of the first subject are all right", _recognisable
)
SOLVED = Oracle(
    "solved", "colour, kind, motion and number of all subjects of the answer are right", _solved
)
PATH = Oracle("path", "agreement with the exact path of the first subject", _path)
