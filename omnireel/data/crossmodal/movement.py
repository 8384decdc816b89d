"""How a camera and a subject move, as short descriptions that two clips can be compared by.

Dense flow (DIS: Kroeger et al., arXiv 1603.03590) between neighbouring frames; the camera is the
similarity that most textured places follow (iteratively reweighted least squares); what is left is
the subject. Lengths are in short sides of the picture, so size does not matter; clips are brought
to the same number of moments, so neither do frame rate and length.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from omnireel.types import Frames

F32 = npt.NDArray[np.float32]
SHORT_SIDE = 96
MOMENTS = 8
"""Parts of a clip in which movement is averaged."""
_PAIRS = 48
"""Pairs of frames that are looked at, at most."""
_ROUNDS = 8
_STILL = 0.004
"""Residual flow below this, in short sides per frame, is noise."""


@dataclass(frozen=True, eq=False)
class Movement:
    """``camera_M3``: shift right, shift down and growth of the place in each moment; ``shake``:
    how unevenly it moves from frame to frame. ``subject_M5``: shift right, shift down and growth of
    what moves by itself, how much moves within it (turning, limbs), and how much of the picture
    moves. All per clip length / MOMENTS.
    """

    camera_M3: F32
    shake: float
    subject_M5: F32


def movement_of(frames_THWC: Frames) -> Movement | None:
    """The movement in a clip; None with fewer than three frames."""
    if len(frames_THWC) < 3:
        return None
    step = max(1, -(-(len(frames_THWC) - 1) // _PAIRS))
    grey = [_small(frame) for frame in frames_THWC[::step]]
    short = min(grey[0].shape)
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    cameras, subjects = [], []
    for before, after in pairwise(grey):
        flow_HW2 = flow.calc(before, after, None).astype(np.float32) / short
        camera, rest = fit_camera(flow_HW2, texture_of(before))
        cameras.append(camera)
        subjects.append(_subject(rest))
    camera_P3, subject_P5 = np.array(cameras, np.float32), np.array(subjects, np.float32)
    uneven = np.abs(np.diff(camera_P3[:, :2], axis=0)).mean() if len(camera_P3) > 1 else 0.0
    return Movement(_moments(camera_P3), float(uneven), _moments(subject_P5))


def camera_likeness(one: Movement, other: Movement) -> float:
    """1 for cameras that move alike, towards 0 the more they differ."""
    gap = np.abs(one.camera_M3 - other.camera_M3).sum(1).mean() * MOMENTS
    gap += 6.0 * abs(one.shake - other.shake)
    size = 0.5 * (_length(one.camera_M3) + _length(other.camera_M3)) + 0.12
    return float(np.exp(-gap / size))


def subject_likeness(one: Movement, other: Movement) -> float:
    """1 for subjects that move alike, towards 0 the more they differ."""
    a, b = (_weighted(m.subject_M5) for m in (one, other))
    gap = np.abs(a - b).sum(1).mean() * MOMENTS
    size = 0.5 * (_length(a) + _length(b)) + 0.15
    return float(np.exp(-gap / size))


def _weighted(subject_M5: F32) -> F32:
    """How much of the picture moves says little: subjects differ in size."""
    out: F32 = subject_M5 * np.array([1.0, 1.0, 1.0, 1.0, 0.15], np.float32)
    return out


def _length(path_MD: F32) -> float:
    return float(np.abs(path_MD).sum(1).mean() * MOMENTS)


def fit_camera(flow_HW2: F32, weight_HW: F32) -> tuple[F32, F32]:
    """Shift and growth (x, y, log scale) that most places follow, and the flow beyond them."""
    h, w = weight_HW.shape
    short = min(h, w)
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    x, y = (x - w / 2) / short, (y - h / 2) / short
    rows = np.concatenate(
        [
            np.stack([np.ones_like(x), np.zeros_like(x), x], -1).reshape(-1, 3),
            np.stack([np.zeros_like(x), np.ones_like(x), y], -1).reshape(-1, 3),
        ]
    )
    seen = np.concatenate([flow_HW2[..., 0].ravel(), flow_HW2[..., 1].ravel()])
    # The middle of the picture belongs to the subject more often than its rim does.
    rim = np.maximum(np.abs(x) * short / w, np.abs(y) * short / h) * 2
    weight = (weight_HW * (0.15 + rim**2)).ravel()
    trust = weight.copy()
    found = np.zeros(3, np.float32)
    for _ in range(_ROUNDS):
        both = np.concatenate([trust, trust])[:, None]
        normal = rows.T @ (rows * both) + 1e-6 * np.eye(3, dtype=np.float32)
        found = np.linalg.solve(normal, (rows * both).T @ seen).astype(np.float32)
        error = (seen - rows @ found).reshape(2, -1)
        trust = weight / (1.0 + (np.hypot(*error) / _STILL) ** 2)
    rest = (seen - rows @ found).reshape(2, h, w).transpose(1, 2, 0)
    return found, rest.astype(np.float32)


def _subject(rest_HW2: F32) -> F32:
    """Mean shift and growth of what moves by itself, and its share of the picture."""
    speed = np.hypot(rest_HW2[..., 0], rest_HW2[..., 1])
    moving = np.clip(speed / _STILL - 1.0, 0.0, 1.0)
    total = float(moving.sum())
    h, w = speed.shape
    if total < 0.002 * h * w:
        return np.zeros(5, np.float32)
    short = min(h, w)
    y, x = np.mgrid[0:h, 0:w].astype(np.float32) / short
    middle = ((moving * x).sum() / total, (moving * y).sum() / total)
    shift = (moving[..., None] * rest_HW2).sum((0, 1)) / total
    out_x, out_y = x - middle[0], y - middle[1]
    spread = (moving * (out_x**2 + out_y**2)).sum() + 1e-6
    own = rest_HW2 - shift
    growth = (moving * (own[..., 0] * out_x + own[..., 1] * out_y)).sum() / spread
    own -= growth * np.stack([out_x, out_y], -1)
    inner = (moving * np.hypot(own[..., 0], own[..., 1])).sum() / total
    return np.array([*shift, growth, inner, total / (h * w)], np.float32)


def _moments(values_PD: F32) -> F32:
    """Sums over MOMENTS equal parts of the clip."""
    total = np.concatenate([np.zeros((1, values_PD.shape[1])), values_PD.cumsum(0)])
    at = np.linspace(0, len(values_PD), MOMENTS + 1)
    index = np.arange(len(total))
    path = np.stack([np.interp(at, index, total[:, d]) for d in range(total.shape[1])], -1)
    return np.diff(path, axis=0).astype(np.float32)


def texture_of(grey: npt.NDArray[np.uint8]) -> F32:
    """How much texture flow can hold on to at each pixel, 0.01 to 1.01."""
    gx = cv2.Sobel(grey, cv2.CV_32F, 1, 0)
    gy = cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    strength = cv2.GaussianBlur(np.hypot(gx, gy), (0, 0), 2)
    out: F32 = np.minimum(strength / 40.0, 1.0) + 0.01
    return out


def _small(frame: Frames) -> npt.NDArray[np.uint8]:
    grey = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY)
    scale = SHORT_SIDE / min(grey.shape)
    if abs(scale - 1) > 0.02:
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=way)
    return np.asarray(grey, np.uint8)
