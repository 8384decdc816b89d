"""What the tiny embedder sees: a few numbers for each subject of a clip, and for the rest of it.

Its eyes are the shipped readers of the evaluation, which tell kinds, colours, motions, places and
moods apart (`omnireel.evaluate.perception`); what they are unsure of stays unsure here. A training
run learns what words mean in these terms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnireel.evaluate.perception import Observation, Subject, load_perception, observe
from omnireel.evaluate.perception.flow import Flow
from omnireel.evaluate.perception.names import CAMERA_MOVES
from omnireel.types import Frames

F32 = npt.NDArray[np.float32]
SUBJECTS = 2
"""Subjects of a clip that are looked at, the largest first."""
WHO = 13 + 10
"""Kinds and colours: who a subject is."""
MOTIONS = 8
SUBJECT = WHO + MOTIONS + 7
"""... with its motion, and where it is seen."""
SCENE = (8, 5, 7, 8)
"""Places, weathers, styles, camera moves."""
CHANGE = 3 + 2 * SUBJECTS
"""How a result differs from its source."""
_IN_MIRROR = [
    CAMERA_MOVES.index({"pan_left": "pan_right", "pan_right": "pan_left"}.get(move, move))
    for move in CAMERA_MOVES
]
_SURE = 6.0
NOISE = 12.0
"""Difference in 0..255 that coding can explain."""


@dataclass(frozen=True, eq=False)
class Sight:
    """Numbers of about unit size: ``subjects_KF`` (zeros where there is none; the last number says
    whether there is one) and ``scene_F``. ``cover_KThw`` is where the subjects are."""

    subjects_KF: F32
    scene_F: F32
    cover_KThw: F32
    shown_Thw: F32
    flow: Flow
    frames_THWC: Frames


def look(frames_THWC: Frames) -> Sight:
    """Look at a clip or an image."""
    seen = observe(frames_THWC, load_perception())
    t, h, w = seen.frames_THWC.shape[:3]
    subjects = np.zeros((SUBJECTS, SUBJECT), np.float32)
    cover = np.zeros((SUBJECTS, t, h // 2, w // 2), np.float32)
    for k, subject in enumerate(seen.subjects[:SUBJECTS]):
        subjects[k] = subject_numbers(subject)
        cover[k] = subject.mask_Thw
    shown = np.max([cover[0], *(s.mask_Thw for s in seen.subjects)], axis=0)
    return Sight(subjects, _scene(seen), cover, shown, seen.flow, seen.frames_THWC)


def change(source: Sight, result: Sight) -> F32:
    """Shares of what changed between two clips of one format: of all, of what neither subject of
    either covers, how strongly there; and of each subject of the source and of the result."""
    apart = np.abs(source.frames_THWC.astype(np.int16) - result.frames_THWC).max(-1)
    t, h, w = apart.shape
    cells = (apart > NOISE).reshape(t, h // 2, 2, w // 2, 2).mean((2, 4))
    strength = apart.reshape(t, h // 2, 2, w // 2, 2).mean((2, 4)) / 64.0
    covers = np.concatenate([source.cover_KThw, result.cover_KThw])
    free = np.clip(1.0 - wide(covers.max(0)), 0.0, 1.0)
    rest = max(float(free.sum()), 1.0)
    numbers = [
        float(cells.mean()),
        float((cells * free).sum()) / rest,
        float((strength * free).sum()) / rest,
    ]
    for cover in covers:
        area = float(cover.sum())
        numbers.append(float((cells * cover).sum()) / area if area > 1.0 else 0.0)
    return np.array(numbers, np.float32)


def subject_numbers(subject: Subject) -> F32:
    """What is known of a subject, ``SUBJECT`` numbers; the last is 1."""
    track = subject.track
    where = [
        2 * track.x_T.mean(),
        2 * track.y_T.mean(),
        2 * (track.x_T[-3:].mean() - track.x_T[:3].mean()),
        4 * track.area_T.mean(),
        2 * track.height_T.mean(),
        track.seen_T.mean(),
        1.0,
    ]
    odds = [_odds(p) for p in (subject.kind_K, subject.color_C, subject.motion_M)]
    return np.concatenate([*odds, np.array(where)]).astype(np.float32)


def _scene(seen: Observation) -> F32:
    parts = (seen.place_P, seen.weather_W, seen.style_S, seen.camera_M)
    return np.concatenate([_odds(part) for part in parts]).astype(np.float32)


def _odds(probabilities: F32) -> F32:
    """Log-probabilities from 0 (ruled out) to 1 (certain)."""
    least = np.float32(np.exp(-_SURE))
    return (1.0 + np.log(np.maximum(probabilities, least)) / _SURE).astype(np.float32)


def same_motion(one: Sight, other: Sight) -> float:
    """Chance that the largest subject of ``one`` moves as one of ``other`` does, 0 to 1."""
    chances = [_same(one.subjects_KF[0], theirs) for theirs in other.subjects_KF if theirs[-1]]
    return max(chances, default=0.0) if one.subjects_KF[0, -1] else 0.0


def _same(one_F: F32, other_F: F32) -> float:
    moves = slice(WHO, WHO + MOTIONS)
    return float(_chances(one_F[moves]) @ _chances(other_F[moves]))


def mirrored(frames_THWC: Frames) -> Frames:
    """The same clip in a mirror: a second opinion, with left and right exchanged."""
    return np.ascontiguousarray(frames_THWC[:, :, ::-1])


def same_camera(one: tuple[Sight, Sight], other: tuple[Sight, Sight]) -> float:
    """Chance that two cameras move in the same way, 0 to 1, from sights of both clips and of
    their mirror images."""
    return float(_camera(*one) @ _camera(*other))


def _camera(sight: Sight, mirror: Sight) -> F32:
    """Chances of camera moves, the mean of both views."""
    moves = slice(sum(SCENE[:-1]), None)
    seen, turned = (_chances(view.scene_F[moves]) for view in (sight, mirror))
    return np.asarray((seen + turned[_IN_MIRROR]) / 2, np.float32)


def _chances(odds: F32) -> F32:
    """The inverse of `_odds`."""
    out = np.exp((odds - 1.0) * _SURE)
    return np.asarray(out / out.sum(), np.float32)


def wide(cover_Thw: F32) -> F32:
    """A cover with one more cell around it, for shadows and soft edges."""
    padded = np.pad(cover_Thw, ((0, 0), (1, 1), (1, 1)), mode="edge")
    h, w = cover_Thw.shape[1:]
    shifted = [padded[:, y : y + h, x : x + w] for y in range(3) for x in range(3)]
    out: F32 = np.max(shifted, axis=0)
    return out
