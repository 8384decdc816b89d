"""What was laid over the picture afterwards: lines of letters, and logos."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from omnireel.data import gray
from omnireel.data.candidate import Candidate
from omnireel.data.checks.base import Bounds, Check, Measurement, Tier
from omnireel.data.checks.motion import Motion, motion_of
from omnireel.data.checks.thresholds import standard
from omnireel.data.pictures import Pictures
from omnireel.media.limits import shrunk_size
from omnireel.media.sheet import spread

F32 = npt.NDArray[np.float32]

READ_AT = 360
"""Short side in pixels at which letters are looked for."""
STROKE = 19
"""Pixels; strokes are thinner."""
STAND_OUT, ENOUGH = 24, 56
"""Levels of luma, redness or yellowness between a letter and what is around it: at least, and
enough .."""
ROUGH = 3
""".. where the picture is rough: that many times the median of what stands out anywhere."""
NEARBY = 13
"""Pixels."""
CORE = 0.6
"""Share of the strongest contrast nearby from which a pixel is part of a letter, not of its rim."""
SHORTEST, TALLEST = 6, 72
"""Height of a letter, pixels."""
ALIKE = 40.0
"""Grey levels between the means of a line's letters."""
MOST_THINGS = 1500
"""More letter-like things than this are a texture."""
LEVEL = 0.12
"""Of a letter's height, by which the feet of a line's letters differ at most."""
GRID = 0.5
"""Share of a line's things with a twin right above or below; a house's windows have more."""


class OverlayText(Check):
    """Lines of letters: things of one colour and about one height whose feet stand on one line,
    close together and of different widths (after Epshtein et al., "Detecting Text in Natural Scenes
    with Stroke Width Transform", 2010, without the transform).
    """

    name, tier, version = "text", Tier.TEMPORAL, 6
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


def longest_line(picture: Pictures) -> int:
    """How many letters the longest line of letters has."""
    height, width = picture.luma.shape
    size = shrunk_size(width, height, READ_AT)
    frame = picture.thumbnails(size)
    luma = gray.gray_of(frame)
    red, _, blue = cv2.split(frame)
    # Red or yellow letters on a ground that is as bright; differences are halved to fit.
    redder = cv2.addWeighted(red, 0.5, luma, -0.5, 128)
    yellower = cv2.addWeighted(luma, 0.5, blue, -0.5, 128)
    kernel = np.ones((STROKE, STROKE), np.uint8)
    bright, warm, warmer = (
        cv2.morphologyEx(plane, cv2.MORPH_TOPHAT, kernel) for plane in (luma, redder, yellower)
    )
    dark = cv2.morphologyEx(luma, cv2.MORPH_BLACKHAT, kernel)
    warm = cv2.max(warm, warmer)
    # Each by itself: what is brighter between dark letters is no letter.
    return max(_line_of(luma, stands_out) for stands_out in (bright, dark, cv2.add(warm, warm)))


def _line_of(gray_HW: gray.Gray, stands_out: gray.Gray) -> int:
    nearby = cv2.dilate(stands_out, np.ones((NEARBY, NEARBY), np.uint8))
    level = np.clip(ROUGH * np.median(stands_out[::4, ::4]), STAND_OUT, ENOUGH)
    least = np.maximum(level, CORE * np.arange(256)).astype(np.uint8)
    mask = (stands_out > cv2.LUT(nearby, least)).view(np.uint8)
    # At most a quarter of the pixels can be things of their own; short labels are quicker.
    labels_are = cv2.CV_16U if mask.size < 4 * 65_535 else cv2.CV_32S
    count, labels, stats, _ = cv2.connectedComponentsWithStatsWithAlgorithm(
        mask, 8, labels_are, cv2.CCL_SPAGHETTI
    )
    if count < 4:
        return 0
    left, top, width, height, area = stats.T[:5]
    like = (height >= SHORTEST) & (height <= TALLEST) & (width >= 2) & (width <= 2.2 * height)
    like &= area > 0.12 * width * height
    like[0] = False  # the background
    chosen = np.flatnonzero(like)
    if not 4 <= len(chosen) <= MOST_THINGS:
        return 0
    at = np.flatnonzero(mask)
    mean = np.bincount(labels.ravel()[at], gray_HW.ravel()[at], count) / area
    boxes = np.stack([left, top + height, width, height], axis=1)[chosen].astype(np.float64)
    return _longest(boxes, mean[chosen])


def _longest(boxes_N4: npt.NDArray[np.float64], mean_N: npt.NDArray[np.float64]) -> int:
    """The most things in a row, each one a fitting neighbour of the one before."""
    one, other = _neighbours(boxes_N4, mean_N)
    length, following = [1] * len(boxes_N4), [-1] * len(boxes_N4)
    # From the right, so that what follows a neighbour is known.
    for i in np.argsort(-boxes_N4[one, 0], kind="stable"):
        here, there = int(one[i]), int(other[i])
        if length[there] >= length[here]:
            length[here], following[here] = length[there] + 1, there
    for start in sorted(range(len(length)), key=length.__getitem__, reverse=True):
        line = [start]
        while (after := following[line[-1]]) >= 0:
            line.append(after)
        if len(line) < 3 or _reads(boxes_N4, line):
            return len(line)
    return 0


def _neighbours(
    boxes_N4: npt.NDArray[np.float64], mean_N: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Pairs of things that may be letters of one line; the other is to the right of the one."""
    # Only things whose feet are about level are compared.
    order = np.argsort(boxes_N4[:, 1], kind="stable")
    feet, reach = boxes_N4[order, 1], LEVEL * TALLEST
    first = np.searchsorted(feet, feet - reach)
    count = np.searchsorted(feet, feet + reach, "right") - first
    skipped = np.repeat(np.cumsum(count) - count - first, count)
    one, other = np.repeat(order, count), order[np.arange(len(skipped)) - skipped]
    (left, foot, width, height), there = boxes_N4[one].T, boxes_N4[other].T
    taller = np.maximum(height, there[3])
    gap = there[0] - left - width
    fits = (abs(foot - there[1]) <= np.maximum(1.5, LEVEL * taller)) & (there[0] > left)
    fits &= taller <= 1.9 * np.minimum(height, there[3])
    fits &= (gap > 0) & (gap < 1.1 * taller)
    fits &= abs(mean_N[one] - mean_N[other]) < ALIKE
    return one[fits], other[fits]


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

    name, tier, version = "logo", Tier.TEMPORAL, 4
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
        luma_THW = candidate.frames.luma_THW
        staying_HW = staying_corners(luma_THW) & moving_HW
        usual_HW = _corners(*_directions(luma_THW[len(luma_THW) // 2])) & moving_HW
        if staying_HW.sum() > MOST_STAYING * usual_HW.sum():
            return None  # the camera stays; a large thing in motion was taken for the scene
        return Measurement(float(1000 * staying_HW.mean()))


MOVED = 10.0
"""Pixels that the camera must have moved a place, all steps together."""
MIN_MOVED = 0.5
"""Share of the picture that it must have moved."""
GRADIENT = 5.0
"""Grey levels a pixel that make an edge."""
LOGO_FRAMES = 20
"""Working frames that are looked at, at most."""
STAYING = 0.75
"""Share of the frames whose gradients agree where something stays."""
MOST_STAYING = 0.2
"""Share of a picture's corners; when more of them stay, it is not the camera that moves."""
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
    """Where most frames have gradients of one direction that turn nearby, as at a corner."""
    across = np.zeros(gray_THW.shape[1:], np.float32)
    down = np.zeros_like(across)
    gray_THW = gray_THW[spread(len(gray_THW), LOGO_FRAMES)]
    for picture in gray_THW:
        gx, gy = _directions(picture)
        across += gx
        down += gy
    count = len(gray_THW)
    agree = cv2.magnitude(across, down) > STAYING * count
    return _corners(across / count * agree, down / count * agree)


def _directions(picture: gray.Gray) -> tuple[F32, F32]:
    """Of gradients; their size is 1, for one strong edge that passes by must not outvote all other
    frames, and less for weak ones."""
    gx = cv2.Sobel(picture, cv2.CV_32F, 1, 0, ksize=3, scale=0.25)
    gy = cv2.Sobel(picture, cv2.CV_32F, 0, 1, ksize=3, scale=0.25)
    size = cv2.magnitude(gx, gy)
    vote = (size > GRADIENT) / np.maximum(size, GRADIENT)
    return gx * vote, gy * vote


def _corners(gx: F32, gy: F32) -> npt.NDArray[np.bool_]:
    """Where directions turn. Straight lines do not, since a long edge stays when the camera moves
    along it."""
    xx, yy, xy = (cv2.boxFilter(p, -1, (7, 7)) for p in (gx * gx, gy * gy, gx * gy))
    least = (xx + yy) / 2 - np.sqrt(np.square((xx - yy) / 2) + np.square(xy))
    return np.asarray(least > CORNER)
