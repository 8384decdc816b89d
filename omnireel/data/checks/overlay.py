"""What was laid over the picture afterwards: lines of letters, and logos."""

from __future__ import annotations

from functools import reduce

import cv2
import numpy as np
import numpy.typing as npt

from omnireel.data import gray
from omnireel.data.candidate import Candidate
from omnireel.data.checks.base import Bounds, Check, Measurement, Tier
from omnireel.data.checks.motion import Motion, motion_of
from omnireel.data.checks.thresholds import standard
from omnireel.media.limits import shrunk_size
from omnireel.media.sheet import spread
from omnireel.types import Frames

READ_AT = 360
"""Short side in pixels at which letters are looked for."""
STROKE = 19
"""Pixels; strokes are thinner."""
STAND_OUT = 24
"""Levels of some colour channel between a letter and what is around it."""
CORE = 0.6
"""Share of the strongest contrast nearby from which a pixel is part of a letter, not of its rim."""
SHORTEST, TALLEST = 6, 72
"""Height of a letter, pixels."""
UNIFORM = 45.0
"""Standard deviation of the grey inside of a letter: overlays are of one colour."""
ALIKE = 40.0
"""Grey levels between the means of a line's letters."""
MOST_THINGS = 1500
"""More letter-like things than this are a texture."""
LEVEL = 0.14
"""Of a letter's height, by which the feet of a line's letters differ at most."""
GRID = 0.5
"""Share of a line's things with a twin right above or below; a house's windows have more."""


class OverlayText(Check):
    """Lines of letters: things of one colour and about one height whose feet stand on one line,
    close together and of different widths (after Epshtein et al., "Detecting Text in Natural Scenes
    with Stroke Width Transform", 2010, without the transform).
    """

    name, tier, version = "text", Tier.TEMPORAL, 4
    unit = "letters of the longest line"
    scale = Bounds(0, 1000)
    standard = standard("text")

    def measure(self, candidate: Candidate) -> Measurement | None:
        """The most of the frames of full resolution: captions come and go."""
        assert candidate.frames is not None
        pictures = candidate.frames.details
        if not pictures:
            return None
        letters = [longest_line(picture) for picture in pictures]
        return Measurement(float(max(letters)), {"frames": letters})


def longest_line(frame_HWC: Frames) -> int:
    """How many letters the longest line of letters has."""
    height, width, _ = frame_HWC.shape
    size = shrunk_size(width, height, READ_AT)
    frame = np.asarray(cv2.resize(frame_HWC, size, interpolation=cv2.INTER_AREA), np.uint8)
    kernel = np.ones((STROKE, STROKE), np.uint8)
    grays = gray.gray_of(frame)
    bright, dark = (
        reduce(cv2.max, cv2.split(cv2.morphologyEx(frame, kind, kernel)))
        for kind in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT)
    )
    return max(_line_of(grays, bright), _line_of(grays, dark))


def _line_of(gray_HW: gray.Gray, stands_out: gray.Gray) -> int:
    nearby = cv2.dilate(stands_out, np.ones((9, 9), np.uint8))
    least = np.maximum(STAND_OUT, (CORE * np.arange(256)).astype(np.uint8))
    mask = (stands_out > cv2.LUT(nearby, least)).view(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if count < 4:
        return 0
    left, top, width, height, area = stats.T[:5]
    like = (height >= SHORTEST) & (height <= TALLEST) & (width >= 2) & (width <= 2.2 * height)
    like &= area > 0.12 * width * height
    like[0] = False  # the background
    inside = np.flatnonzero(like[labels.ravel()])
    thing, value = labels.ravel()[inside], gray_HW.ravel()[inside].astype(np.float64)
    mean = np.bincount(thing, value, count) / area
    spread = np.sqrt(np.maximum(np.bincount(thing, value**2, count) / area - mean**2, 0))
    like &= spread < UNIFORM
    chosen = np.flatnonzero(like)
    if not 4 <= len(chosen) <= MOST_THINGS:
        return 0
    boxes = np.stack([left, top + height, width, height], axis=1)[chosen].astype(np.float64)
    return _longest(boxes, mean[chosen])


def _longest(boxes_N4: npt.NDArray[np.float64], mean_N: npt.NDArray[np.float64]) -> int:
    """Follow each thing to its nearest fitting neighbour on the right, and count along."""
    left, foot, width, height = boxes_N4.T
    taller = np.maximum(height[:, None], height)
    gap = left[None] - (left + width)[:, None]
    fits = (abs(foot[:, None] - foot) <= np.maximum(1.5, LEVEL * taller)) & (
        taller <= 1.9 * np.minimum(height[:, None], height)
    )
    fits &= (gap > -0.2 * taller) & (gap < 1.1 * taller) & (left[None] > left[:, None])
    fits &= abs(mean_N[:, None] - mean_N) < ALIKE
    following = np.where(fits.any(axis=1), np.where(fits, gap, np.inf).argmin(axis=1), -1)
    best = 0
    for start in np.flatnonzero(~np.isin(np.arange(len(left)), following)):
        line = [int(start)]
        while (after := int(following[line[-1]])) >= 0:
            line.append(after)
        if len(line) > best and (len(line) < 3 or _reads(boxes_N4, line)):
            best = len(line)
    return best


def _reads(boxes_N4: npt.NDArray[np.float64], line: list[int]) -> bool:
    """Whether things in a row may be letters: of different widths, and no row of a grid."""
    left, foot, width, height = boxes_N4.T
    widths = width[line]
    if widths.std() <= 0.1 * widths.mean():
        return False
    apart = abs(foot[line][:, None] - foot) / height[line][:, None]
    twins = (abs(left[line][:, None] - left) <= 1.5) & (abs(widths[:, None] - width) <= 1.5)
    return bool((twins & (apart > 0.5) & (apart < 3)).any(axis=1).mean() <= GRID)


class Logo(Check):
    """Corners of a drawing that stay where they are while the camera moves the rest.

    With a camera that stands still nothing tells a logo from a thing in the scene: not applicable.
    """

    name, tier, version = "logo", Tier.TEMPORAL, 2
    unit = "permille of the picture with corners that stay while the camera moves"
    scale = Bounds(0, 1000)
    standard = standard("logo")

    def measure(self, candidate: Candidate) -> Measurement | None:
        """Of all working frames together."""
        assert candidate.frames is not None
        motion = motion_of(candidate.frames)
        if motion is None:
            return None
        moving_HW = moved_by_camera(motion)
        if moving_HW.mean() < MIN_MOVED:
            return None
        staying_HW = staying_corners(gray.working(candidate.frames))
        return Measurement(float(1000 * (staying_HW & moving_HW).mean()))


MOVED = 5.0
"""Pixels that the camera must have moved a place, all steps together."""
MIN_MOVED = 0.5
"""Share of the picture that it must have moved."""
GRADIENT = 5.0
"""Grey levels a pixel that make an edge."""
LOGO_FRAMES = 20
"""Working frames that are looked at, at most."""
STAYING = 0.75
"""Share of the frames whose gradients agree where something stays."""
CORNER = 0.03
"""Least eigenvalue of the structure tensor of the staying directions: 0 along a line."""


def moved_by_camera(motion: Motion) -> npt.NDArray[np.bool_]:
    """Where ``(H, W)`` the camera's motion would have carried a thing of the scene away."""
    y, x = np.mgrid[: motion.height, : motion.width].astype(np.float32)
    points_3HW = np.stack([np.ones_like(x), x - motion.width / 2, y - motion.height / 2])
    # How far things get from where they were, not the length of the path.
    path_T23 = np.cumsum(motion.camera_T23, axis=0)
    farthest_23 = path_T23[np.linalg.norm(path_T23[:, :, 0], axis=1).argmax()]
    moved = np.tensordot(farthest_23, points_3HW, axes=1)
    return np.asarray(np.hypot(moved[0], moved[1]) > MOVED)


def staying_corners(gray_THW: gray.Gray) -> npt.NDArray[np.bool_]:
    """Where most frames have gradients of one direction that turn nearby, as at a corner.

    Straight lines are left out, since a long edge stays when the camera moves along it.
    """
    across = np.zeros(gray_THW.shape[1:], np.float32)
    down = np.zeros_like(across)
    gray_THW = gray_THW[spread(len(gray_THW), LOGO_FRAMES)]
    for picture in gray_THW:
        gx = cv2.Sobel(picture, cv2.CV_32F, 1, 0, ksize=3, scale=0.25)
        gy = cv2.Sobel(picture, cv2.CV_32F, 0, 1, ksize=3, scale=0.25)
        size = cv2.magnitude(gx, gy)
        # Directions alone: one strong edge that passes by must not outvote all other frames.
        vote = (size > GRADIENT) / np.maximum(size, GRADIENT)
        across += gx * vote
        down += gy * vote
    count = len(gray_THW)
    agree = cv2.magnitude(across, down) > STAYING * count
    gx, gy = across / count * agree, down / count * agree
    xx, yy, xy = (cv2.boxFilter(p, -1, (7, 7)) for p in (gx * gx, gy * gy, gx * gy))
    least = (xx + yy) / 2 - np.sqrt(np.square((xx - yy) / 2) + np.square(xy))
    return np.asarray(least > CORNER)
