"""Whether subjects and camera move as asked."""

from __future__ import annotations

from omnireel.evaluate.judgement import Judgement
from omnireel.evaluate.oracles.base import Oracle, share
from omnireel.world.scene import CAMERA_MOVES, MOTIONS


def _motion(case: Judgement) -> float | None:
    return share(
        [
            s is not None and MOTIONS[int(s.motion_M.argmax())] == b.motion.kind
            for b, s in case.pairs
        ]
    )


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
