"""What moves: the camera, or something in front of it.

1. Dense flow between neighbouring working frames of a quarter of their size: DIS (Kroeger et al.,
   "Fast Optical Flow using Dense Inverse Search", 2016), without its variational refinement.
2. The camera's motion is the affine flow that most of the picture follows, fitted with Tukey's
   biweight to the points that have texture (Odobez and Bouthemy, "Robust Multiresolution
   Estimation of Parametric Motion Models", 1995).
3. What remains is the motion of things, where the camera's motion also fails to explain how the
   pixels changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from omnireel.data import gray
from omnireel.data.candidate import SampledFrames

F32 = npt.NDArray[np.float32]

SCALE = 2
"""Working pixels that a pixel is wide in which motion is looked for."""
SMALLEST = 48
"""Working pixels of a side in which motion is looked for."""
STRIDE = 5
"""Pixels from one patch of the search to the next."""
STEP = 2
"""Pixels between the points at which flow is looked at."""
FIT_EVERY = 7
"""Points from one that the camera's motion is fitted to, to the next."""
ROUNDS = 5
TUKEY = 4.685
MIN_SIGMA = 0.2
"""Pixels; flow is no more exact than that."""
FLAT_WEIGHT = 0.08
"""Of points without texture: a blank wall says, weakly, that the camera stands still."""
TEXTURE = 7.0
"""Grey levels a pixel of gradient from which a point has texture."""
UNEXPLAINED = 7.0
"""Grey levels that remain after undoing the camera's motion, where something else moved."""
BORDER = 0.04
MOST = 0.03
"""Share of the picture whose fastest motion is the motion of things."""


@dataclass(frozen=True, eq=False)
class Motion:
    """Motion of one shot, T - 1 steps between its working frames. ``width``: pixels."""

    camera_T23: F32
    """Affine flow of the camera: pixels = camera @ (1, x, y), x and y in pixels from the centre."""
    things_T: F32
    """Pixels that the fastest :data:`MOST` of the picture moves against the camera's motion."""
    seconds_T: F32
    """Length of each step."""
    width: int
    height: int

    @property
    def pan(self) -> F32:
        """Velocity of the picture's centre ``(T - 1, 2)``, widths per second."""
        return np.asarray(self.camera_T23[:, :, 0] / self.width / self.seconds_T[:, None])


@lru_cache(maxsize=1)  # several checks ask about the same shot in turn
def motion_of(frames: SampledFrames) -> Motion | None:
    """The motion of a shot; None if it has fewer than three frames or is tiny."""
    count, height, width = frames.luma_THW.shape
    if count < 3 or min(height, width) < SMALLEST:
        return None
    small_THW = _shrunk(frames.luma_THW, SCALE)
    rows, columns = small_THW.shape[1:]
    flow_TN2 = _flows(_shrunk(small_THW, STEP))
    half = STEP // 2
    y, x = np.mgrid[half:rows:STEP, half:columns:STEP].astype(np.float32)
    points_N3 = np.stack(
        [np.ones(x.size, np.float32), (x - columns / 2).ravel(), (y - rows / 2).ravel()], axis=1
    )
    texture_TN = _texture(small_THW[:-1])
    few = slice(None, None, FIT_EVERY)
    camera_T23 = fit_camera(flow_TN2[:, few], points_N3[few], texture_TN[:, few])
    things_T = _things(small_THW, flow_TN2, points_N3, texture_TN, camera_T23)
    seconds_T = np.maximum(np.diff(frames.times_s), 1e-3).astype(np.float32)
    camera_T23[:, :, 0] *= SCALE
    return Motion(camera_T23, SCALE * things_T, seconds_T, width, height)


def _shrunk(gray_THW: gray.Gray, factor: int) -> gray.Gray:
    size = tuple(side // factor for side in gray_THW.shape[:0:-1])
    return np.stack([cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in gray_THW])


def _flows(gray_THW: gray.Gray) -> F32:
    """From each picture to the next, ``(T - 1, N, 2)``, in pixels that are :data:`STEP` smaller."""
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    flow.setFinestScale(0)
    flow.setPatchStride(STRIDE)
    flows = np.stack([flow.calc(one, other, None) for one, other in pairwise(gray_THW)])
    return np.asarray(STEP * flows, np.float32).reshape(len(flows), -1, 2)


def fit_camera(flow_TN2: F32, points_N3: F32, texture_TN: F32) -> F32:
    """The affine flow ``(T, 2, 3)`` that most of the textured points follow."""
    prior = np.minimum(texture_TN / TEXTURE, 3) + FLAT_WEIGHT
    scale = np.array([1, 1 / 64, 1 / 64], np.float32)  # keeps the equations well conditioned
    scaled = points_N3 * scale
    products_N9 = (scaled[:, :, None] * scaled[:, None]).reshape(-1, 9)
    # The start is the median flow, which a large moving thing does not turn.
    model = np.zeros((len(flow_TN2), 2, 3), np.float32)
    middle = len(points_N3) // 2
    model[:, :, 0] = np.partition(flow_TN2, middle, axis=1)[:, middle]
    for _ in range(ROUNDS):
        left = _length(flow_TN2 - scaled @ model.transpose(0, 2, 1))
        sigma = 1.4826 * np.partition(left, middle, axis=1)[:, middle, None]
        reach = TUKEY * np.maximum(sigma, MIN_SIGMA)
        weight = prior * np.square(np.maximum(0, 1 - np.square(left / reach)))
        matrix = (weight @ products_N9).reshape(-1, 3, 3) + 1e-3 * np.eye(3, dtype=np.float32)
        target = (weight[:, None] * scaled.T) @ flow_TN2
        model = np.linalg.solve(matrix, target).transpose(0, 2, 1)
    return np.asarray(model * scale, np.float32)


def _length(vectors: npt.NDArray[np.floating]) -> F32:
    """Of vectors ``(.., 2)``."""
    x, y = vectors[..., 0], vectors[..., 1]
    return np.asarray(np.sqrt(np.square(x) + np.square(y)), np.float32)


def _texture(gray_THW: gray.Gray) -> F32:
    """Mean gradient around each point ``(T, N)``, grey levels a pixel."""
    found = []
    for picture in gray_THW:
        across = cv2.Sobel(picture, cv2.CV_16S, 1, 0, ksize=3)
        down = cv2.Sobel(picture, cv2.CV_16S, 0, 1, ksize=3)
        size = cv2.boxFilter(cv2.absdiff(across, 0) + cv2.absdiff(down, 0), cv2.CV_32F, (5, 5))
        found.append(size[STEP // 2 :: STEP, STEP // 2 :: STEP].ravel())
    return np.asarray(np.stack(found) / 8, np.float32)


def _things(
    gray_THW: gray.Gray, flow_TN2: F32, points_N3: F32, texture_TN: F32, camera_T23: F32
) -> F32:
    """See :attr:`Motion.things_T`."""
    _, height, width = gray_THW.shape
    moved_TN2 = points_N3 @ camera_T23.transpose(0, 2, 1)
    unexplained_TN = np.stack(
        [
            _left_over(one, other, camera)
            for one, other, camera in zip(gray_THW, gray_THW[1:], camera_T23, strict=False)
        ]
    )
    counts = (texture_TN > TEXTURE / 2) & (unexplained_TN > UNEXPLAINED)
    for axis, side in enumerate((width, height)):
        inner, place_N = side * (0.5 - BORDER), points_N3[:, axis + 1]
        counts &= (abs(place_N + moved_TN2[..., axis]) < inner) & (abs(place_N) < inner)
    speed_TN = _length(flow_TN2 - moved_TN2) * counts
    top = max(1, round(MOST * len(points_N3)))
    return np.asarray(np.partition(speed_TN, -top, axis=1)[:, -top:].mean(axis=1), np.float32)


def _left_over(one: gray.Gray, other: gray.Gray, camera_23: F32) -> F32:
    """How the pixels of ``one`` differ from those of ``other``, the camera's motion undone."""
    height, width = one.shape
    linear = camera_23[:, 1:] + np.eye(2, dtype=np.float32)
    centre = np.array([width / 2, height / 2], np.float32)
    shift = camera_23[:, 0] + centre - linear @ centre
    back = cv2.warpAffine(
        other,
        np.hstack([linear, shift[:, None]]),
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    left = cv2.blur(cv2.absdiff(one, back), (3, 3))
    return np.asarray(left[STEP // 2 :: STEP, STEP // 2 :: STEP].ravel(), np.float32)
