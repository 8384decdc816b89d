"""How a place moves through the picture of a clip, so that a frame can be seen from any other.

Every frame is aligned with an anchor by its grey levels: Gauss-Newton steps to a homography with
weights that let go of what moves by itself (Baker and Matthews, "Lucas-Kanade 20 Years On", 2004;
Cauchy weights), from coarse to fine. Unlike features and flow this uses the faint gradients of
sand, snow and sky. A homography is exact for a camera that turns or zooms, and for a plane;
parallax beyond that is left over.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from omnireel.types import Frames

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
SIDE = 112
"""Pixels of the short side at which frames are aligned."""
_VOID = -1e4
"""Stands for what is not seen."""
_SOFT = (5.0, 2.0, 0.9)
"""Blur of each level, pixels."""
_STEPS = 7
_FAR = 12.0
"""Grey levels beyond which a pixel is merely another."""
_OVERLAP = 0.6
"""Share of an anchor that a frame still sees; below it the frame before becomes an anchor."""
_RING = 0.14
"""Of the short side: the rim, which a subject covers least."""
_AS_GOOD = 0.35
"""Grey levels at the rim by which a camera that stands may explain a clip worse than a moving
one."""


@dataclass(frozen=True, eq=False)
class Steady:
    """``matrices_T33`` bring a pixel of each frame to the middle one's, in short sides."""

    matrices_T33: F64

    @property
    def moving(self) -> bool:
        """Whether the camera moves."""
        return not bool((self.matrices_T33 == np.eye(3)).all())

    def between(self, viewer: int, other: int, short: int) -> F64:
        """Brings pixels of frame ``viewer`` to where frame ``other`` shows the same place; both
        have ``short`` pixels on the short side."""
        scale = np.diag([1 / short, 1 / short, 1.0])
        way = np.linalg.inv(scale) @ np.linalg.inv(self.matrices_T33[other])
        there = np.asarray(way @ self.matrices_T33[viewer] @ scale, np.float64)
        return np.asarray(there / there[2, 2], np.float64)


def steady(frames_THWC: Frames, hidden_THW: Mask | None = None) -> Steady:
    """The camera's motion in a clip; of one that stands, exactly none. What is ``hidden`` has no
    influence."""
    grey = [
        _grey(f, None if hidden_THW is None else hidden_THW[t]) for t, f in enumerate(frames_THWC)
    ]
    short = min(grey[0].shape)
    middle = len(grey) // 2
    found = {middle: np.eye(3)}
    for way in (range(middle + 1, len(grey)), range(middle - 1, -1, -1)):
        _follow(grey, way, middle, found)
    sampled = np.unique(np.linspace(0, len(grey) - 1, 9).round().astype(int))
    worse = [
        _apart(grey[middle], grey[t], np.eye(3), rim=True)
        - _apart(
            grey[middle], grey[t], np.asarray(np.linalg.inv(found[int(t)]), np.float64), rim=True
        )
        for t in sampled
    ]
    if float(np.median(worse)) <= _AS_GOOD:
        return Steady(np.repeat(np.eye(3)[None], len(grey), 0))
    scale = np.diag([1 / short, 1 / short, 1.0])
    matrices = [scale @ found[t] @ np.linalg.inv(scale) for t in range(len(grey))]
    return Steady(np.stack(matrices))


def _follow(grey: list[F32], way: range, middle: int, found: dict[int, F64]) -> None:
    """Frames one after another; ``found`` gains what brings their pixels to the middle one's."""
    anchor, last = middle, np.eye(3)
    before = middle
    speed = np.eye(3)
    for t in way:
        aligned = _aligned(grey[anchor], grey[t], (last, last @ speed))
        if _shared(grey[t], aligned) < _OVERLAP and before != anchor:
            anchor = before
            last = np.eye(3)
            aligned = _aligned(grey[anchor], grey[t], (last, speed))
        speed = np.linalg.inv(last) @ aligned
        last, before = aligned, t
        found[t] = found[anchor] @ np.linalg.inv(aligned)
        found[t] /= found[t][2, 2]


def _aligned(anchor: F32, other: F32, guesses: tuple[F64, ...]) -> F64:
    """What brings pixels of ``anchor`` to those of ``other``."""
    best = min(guesses, key=lambda guess: _apart(anchor, other, guess))
    for soft in _SOFT:
        a, o = _soft(anchor, soft), _soft(other, soft)
        refined = _refined(a, o, best)
        if _apart(a, o, refined) < _apart(a, o, best):
            best = refined
    return best


def _refined(anchor: F32, other: F32, matrix: F64) -> F64:
    """Gauss-Newton steps, each composed onto ``matrix``."""
    h, w = anchor.shape
    short = float(min(h, w))
    norm = np.array([[1 / short, 0, -w / 2 / short], [0, 1 / short, -h / 2 / short], [0, 0, 1.0]])
    back = np.linalg.inv(norm)
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    x, y = (x - w / 2) / np.float32(short), (y - h / 2) / np.float32(short)
    # The middle of the picture belongs to a subject more often than its rim does.
    prior = np.float32(0.15) + (2 * np.maximum(np.abs(x) * short / w, np.abs(y) * short / h)) ** 2
    for _ in range(_STEPS):
        seen, there = _seen(other, matrix)
        there &= anchor > _VOID / 2
        if there.sum() < 0.1 * there.size:
            return matrix
        gap = seen - anchor
        noise = max(2.0, 1.5 * float(np.median(np.abs(gap[there]))))
        trust = there / (1 + (gap / noise) ** 2)
        used = trust > 0.05
        weight = trust * prior
        gx = (cv2.Sobel(seen, cv2.CV_32F, 1, 0, scale=1 / 8) * short)[used]
        gy = (cv2.Sobel(seen, cv2.CV_32F, 0, 1, scale=1 / 8) * short)[used]
        u, v = x[used], y[used]
        out = gx * u + gy * v
        slopes = np.stack([gx * u, gx * v, gx, gy * u, gy * v, gy, -out * u, -out * v], -1)
        trusted = slopes * weight[used][:, None]
        normal = (trusted.T @ slopes).astype(np.float64)
        normal += np.eye(8) * (1e-5 * np.trace(normal) / 8 + 1e-6)
        step = np.append(-np.linalg.solve(normal, trusted.T @ gap[used]), 0.0)
        matrix = matrix @ back @ (np.eye(3) + step.reshape(3, 3)) @ norm
        matrix = matrix / matrix[2, 2]
        if np.abs(step).max() < 2e-4:
            break
    return matrix


def _seen(other: F32, matrix: F64) -> tuple[F32, npt.NDArray[np.bool_]]:
    h, w = other.shape
    seen = cv2.warpPerspective(
        other, matrix, (w, h), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT, borderValue=_VOID,
    )  # fmt: skip
    there = cv2.erode((seen > -1).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return np.asarray(seen, np.float32), there


def _apart(anchor: F32, other: F32, matrix: F64, *, rim: bool = False) -> float:
    """Grey levels between the two where both show something, each pixel at most _FAR."""
    seen, there = _seen(other, matrix)
    there &= anchor > _VOID / 2
    if rim:
        ring = np.ones(anchor.shape, bool)
        wide = round(_RING * min(anchor.shape))
        ring[wide:-wide, wide:-wide] = False
        there &= ring
    if there.sum() < 0.02 * there.size:
        return _FAR
    return float(np.minimum(np.abs(seen - anchor)[there], _FAR).mean())


def _soft(grey: F32, sigma: float) -> F32:
    """Blurred by what is not void."""
    known = (grey > _VOID / 2).astype(np.float32)
    if known.all():
        return np.asarray(cv2.GaussianBlur(grey, (0, 0), sigma), np.float32)
    share = cv2.GaussianBlur(known, (0, 0), sigma)
    mean = cv2.GaussianBlur(grey * known, (0, 0), sigma) / np.maximum(share, 1e-3)
    return np.where(known > 0, mean, _VOID).astype(np.float32)


def _shared(other: F32, matrix: F64) -> float:
    """Share of the picture that ``other`` reaches, whatever hides it."""
    return float(_seen(np.zeros_like(other), matrix)[1].mean())


def _grey(frame: Frames, hidden: Mask | None) -> F32:
    """At SIDE, with _VOID where it is hidden."""
    if hidden is not None:
        frame = np.where(hidden[..., None], np.uint8(0), frame)
    grey = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY).astype(np.float32)
    scale = min(1.0, SIDE / min(grey.shape))
    if scale < 1:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    if hidden is None:
        return np.asarray(grey, np.float32)
    h, w = grey.shape
    touched = cv2.resize(hidden.astype(np.float32), (w, h), interpolation=cv2.INTER_AREA)
    return np.where(touched > 0, _VOID, grey).astype(np.float32)
