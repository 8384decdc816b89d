"""The subject of natural footage, by motion and colour: what moves against the place, and looks
unlike it.

Where the flow beyond the camera's is strong there are seeds; the border is found by graph cuts
between colour models of subject and place (GrabCut: Rother et al., 2004). A subject that never
moves by itself is not found; nor is one that fills the picture.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from omnireel.data.crossmodal.movement import fit_camera, texture_of
from omnireel.types import Frames

Mask = npt.NDArray[np.bool_]
Gray = npt.NDArray[np.uint8]
F32 = npt.NDArray[np.float32]
_SIDE = 160
_STRONG = 0.006
"""Residual flow in short sides per frame that makes a seed."""
_SEEN = 12
"""Grey levels by which a picture differs from what the camera's motion alone would make it .."""
_LEAST_SEEN = 0.1
""".. in this share, at least, of a region that moves by itself."""
_UNUSUAL = 28.0
"""Difference in 0..255 from the usual picture of a place that hides it."""
_PART = 0.12
"""Of what flow stirs, the subject is at least so much; less is a fragment of it."""
_SMALLEST, _LARGEST = 0.004, 0.5
"""Shares of the picture that a subject takes."""


def subject_mask(frames_THWC: Frames) -> Mask | None:
    """Where the moving subject is, ``THW``; None when nothing clear moves by itself."""
    if len(frames_THWC) < 3:
        return None
    small = [_fit(frame) for frame in frames_THWC]
    moving = _moving(small)
    if float(np.median([strength.max() for strength in moving])) < _STRONG:
        return None
    rows = []
    for frame, seed in zip(small, _seeds(small, moving), strict=True):
        cut = _cut(frame, seed)
        if cut is None:
            return None
        rows.append(cut)
    share = float(np.mean(rows))
    stirred = float(np.mean([strength > _STRONG for strength in moving]))
    if not max(_SMALLEST, _PART * stirred) < share < _LARGEST:
        return None
    h, w = frames_THWC.shape[1:3]
    grown = [
        cv2.resize(row.astype(np.uint8), (w, h), interpolation=cv2.INTER_NEAREST) for row in rows
    ]
    return np.stack(grown) > 0


def _seeds(frames: list[Frames], moving: list[npt.NDArray[np.float32]]) -> list[Mask]:
    """The first guess at the subject: where it hides a place that a fixed camera sees at other
    times, else where flow is strong. Flow alone reaches beyond the subject's border."""
    usual = np.median(np.stack(frames), axis=0)
    near = [strength > max(_STRONG, 0.3 * float(strength.max())) for strength in moving]
    apart = [np.abs(frame - usual).max(-1) for frame in frames]
    if float(np.mean([a[~n].mean() for a, n in zip(apart, near, strict=True) if not n.all()])) < 6:
        return [
            (a > _UNUSUAL) & n & ~_shadow(frame, usual)
            for frame, a, n in zip(frames, apart, near, strict=True)
        ]
    return [strength > max(_STRONG, 0.6 * float(strength.max())) for strength in moving]


def _shadow(frame: Frames, usual: npt.NDArray[np.float64]) -> Mask:
    """Where a place is darker than usual in all colours alike."""
    ratio = (frame + 1.0) / (usual + 1.0)
    low, high = ratio.min(-1), ratio.max(-1)
    found: Mask = (low > 0.3) & (high < 1.0) & (high - low < 0.15)
    return found


def _moving(frames: list[Frames]) -> list[npt.NDArray[np.float32]]:
    """How strongly each pixel moves by itself, per frame, from both neighbours."""
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = [np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8) for frame in frames]
    short = min(grey[0].shape)
    rest = []
    for i, now in enumerate(grey):
        strength, apart = np.zeros(now.shape, np.float32), np.zeros(now.shape, bool)
        for other in (i - 1, i + 1):
            if 0 <= other < len(grey):
                seen = flow.calc(now, grey[other], None).astype(np.float32) / short
                own = fit_camera(seen, texture_of(now))[1]
                strength = np.maximum(strength, np.hypot(own[..., 0], own[..., 1]))
                apart |= _apart(now, grey[other], (seen - own) * short)
        strength = np.asarray(cv2.GaussianBlur(strength, (0, 0), 1.5), np.float32)
        rest.append(strength * _shown(strength > _STRONG, apart))
    return rest


def _apart(now: Gray, other: Gray, camera_HW2: F32) -> Mask:
    """Where the camera's motion alone does not make one picture from the other."""
    y, x = np.indices(now.shape, np.float32)
    moved = cv2.remap(
        other, x + camera_HW2[..., 0], y + camera_HW2[..., 1], cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    found: Mask = cv2.absdiff(now, moved) > _SEEN
    return found


def _shown(strong: Mask, apart: Mask) -> Mask:
    """The regions of strong flow in which something is seen to move. A plain sky under a moving
    camera is none: flow has nothing to hold on to there, and lags behind the camera's."""
    count, labels = cv2.connectedComponents(strong.astype(np.uint8))
    sizes = np.bincount(labels.ravel(), minlength=count)
    seen = np.bincount(labels[apart], minlength=count)
    kept = seen >= _LEAST_SEEN * sizes
    kept[0] = True  # weak flow stays weak
    shown: Mask = kept[labels]
    return shown


def _cut(frame: Frames, seed: Mask) -> Mask | None:
    """The seed's object in one frame; None without a seed."""
    if seed.mean() < _SMALLEST / 2 or seed.mean() > 0.7:
        return None
    count, labels, stats, _ = cv2.connectedComponentsWithStats(seed.astype(np.uint8))
    if count < 2:
        return None
    main = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    seed = labels == main
    near = cv2.dilate(seed.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    core = cv2.erode(seed.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    guess = np.full(seed.shape, cv2.GC_BGD, np.uint8)
    guess[near] = cv2.GC_PR_BGD
    guess[seed] = cv2.GC_PR_FGD
    guess[core] = cv2.GC_FGD
    inner, outer = np.zeros((1, 65)), np.zeros((1, 65))
    height, width = frame.shape[:2]
    everywhere = (0, 0, int(width), int(height))  # not used with a mask
    cv2.setRNGSeed(0)
    cv2.grabCut(frame, guess, everywhere, outer, inner, 2, cv2.GC_INIT_WITH_MASK)
    found: Mask = (guess == cv2.GC_FGD) | (guess == cv2.GC_PR_FGD)
    return found


def _fit(frame: Frames) -> Frames:
    scale = _SIDE / min(frame.shape[:2])
    frame = np.ascontiguousarray(frame)
    if scale >= 1:
        return frame
    small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)
