"""The subject of natural footage, by motion and colour: what moves against the place, and looks
unlike it.

1. The camera of the whole clip is found, so that frames can be compared place by place.
2. Where a frame differs from what most others show of its place, something moves by itself; its
   hull is cut by graph cuts between the colours in it and those around it (GrabCut: Rother et al.,
   2004).
3. What these cuts leave free in other frames is the place, and what looks the same as parts of
   them is the subject; with both each frame is cut once more.

A subject that never moves by itself is not found; nor is one that fills the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from omnireel.data.gray import shrink
from omnireel.data.synthesis.steady import steady
from omnireel.data.synthesis.views import SAME, Album, Compared, Mask
from omnireel.types import Frames

U8 = npt.NDArray[np.uint8]
_SIDE = 160
_MOST = 0.75
"""A changed place differs from so many of the other views."""
_DIFFERENT, _CLEARLY = 20, 28
"""Differences in 0..255."""
_PART = 0.2
"""Of the largest part, at least so much is a part of the subject, too."""
_LEAST = 0.002
"""Share of the picture below which there is no subject in a frame."""
_SMALLEST, _LARGEST = 0.004, 0.5
"""Shares of the picture that a subject takes."""
_OFTEN = 0.75
"""Share of the frames in which it is seen."""
_TOLD = 0.25
"""Of the views that look the same, so many say that it is the subject."""
_STEADY = 0.3
"""Overlap of its masks in neighbouring frames; rain and misfits have none."""


@dataclass(frozen=True, eq=False)
class Subject:
    """Where the subject is, and where its shadow falls as far as it moves; both ``THW``."""

    mask_THW: Mask
    shadow_THW: Mask


def find_subject(frames_THWC: Frames) -> Subject | None:
    """The moving subject; None when nothing clear moves by itself."""
    if len(frames_THWC) < 3:
        return None
    small = [shrink(frame, _SIDE) for frame in frames_THWC]
    album = Album(small, steady(np.stack(small)))
    first = [_first_cut(album, t, frame) for t, frame in enumerate(small)]
    if not _plausible(first):
        return None
    masks, shadows = [], []
    for t, frame in enumerate(small):
        place = album.compare(t, 0.5, first)
        darker = _shadow(album.soft[t], place.usual_HWC)
        masks.append(_second_cut(frame, first[t], place, darker))
        shadows.append(_cast(masks[-1], place, darker))
    if not _plausible(masks):
        return None
    masks = _bridged(masks)
    h, w = frames_THWC.shape[1:3]
    return Subject(_enlarged(masks, w, h), _enlarged(shadows, w, h))


def _first_cut(album: Album, t: int, frame: Frames) -> Mask:
    """The object in the hull of what differs from most other views."""
    seen = album.compare(t, _MOST)
    moved = (seen.apart_HW > _DIFFERENT) & (seen.count_HW >= 2)
    moved &= ~_shadow(album.soft[t], seen.usual_HWC)
    stirred = cv2.morphologyEx(moved.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    solid = _filled(_closed(stirred > 0, 9), stirred.size)
    solid = cv2.morphologyEx(solid.astype(np.uint8), cv2.MORPH_OPEN, _disc(5)) > 0
    hull = _hull(_parts(solid, _PART))
    if hull.mean() < _LEAST:
        return np.zeros(hull.shape, bool)
    guess = np.full(hull.shape, cv2.GC_BGD, np.uint8)
    guess[_grown(hull, 25)] = cv2.GC_PR_BGD
    guess[hull] = cv2.GC_PR_FGD
    return _cut(frame, guess)


def _second_cut(frame: Frames, first: Mask, place: Compared, darker: Mask) -> Mask:
    """The object in one frame beside the place as others show it."""
    # A part that never changes is missed in some frames; others know it for the subject's.
    told = (place.marked_HW > _TOLD) & _grown(first, 61)
    known, apart = (place.count_HW >= 2) & ~told, place.apart_HW
    near = _grown(first | told, 13)
    core = cv2.erode(first.astype(np.uint8), _disc(5)) > 0
    guess = np.full(first.shape, cv2.GC_BGD, np.uint8)
    guess[near] = cv2.GC_PR_BGD
    guess[first | told] = cv2.GC_PR_FGD
    guess[known & near & (apart > _CLEARLY) & ~darker] = cv2.GC_PR_FGD
    guess[known & core & (apart > _CLEARLY) & ~darker] = cv2.GC_FGD
    guess[known & (apart < SAME) & ~core] = cv2.GC_BGD
    cut = _cut(frame, guess).astype(np.uint8)
    cut = cv2.morphologyEx(cut, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return _parts(_filled(cut > 0, max(8.0, 0.02 * float(cut.sum()))), 0.1)


def _shadow(frame: Frames, usual: Frames) -> Mask:
    """Where a place is darker than usual in all colours alike."""
    ratio = (frame.astype(np.float32) + 6) / (usual.astype(np.float32) + 6)
    low, high = ratio.min(-1), ratio.max(-1)
    found: Mask = (low > 0.35) & (high < 0.98) & (high - low < 0.12)
    return found


def _cast(mask: Mask, place: Compared, darker: Mask) -> Mask:
    """The shadow around ``mask``."""
    dark = darker & (place.count_HW >= 2) & (place.apart_HW >= SAME // 2) & ~mask
    dark &= _grown(mask, 81)
    dark = cv2.morphologyEx(dark.astype(np.uint8), cv2.MORPH_OPEN, _disc(5)) > 0
    return _closed(_parts(dark, 0.3) | mask, 21) & ~mask


def _plausible(masks: list[Mask]) -> bool:
    """Whether masks are those of one thing: seen most of the time, of a subject's size, steady."""
    if not _SMALLEST < float(np.mean(masks)) < _LARGEST:
        return False
    if float(np.mean([mask.mean() > _LEAST for mask in masks])) < _OFTEN:
        return False
    overlaps = [(a & b).sum() / max(1, int((a | b).sum())) for a, b in pairwise(masks)]
    return float(np.median(overlaps)) > _STEADY


def _bridged(masks: list[Mask]) -> list[Mask]:
    """With what one frame misses although both of its neighbours have it."""
    inner = [b | (a & c) for a, b, c in zip(masks, masks[1:], masks[2:], strict=False)]
    return [masks[0], *inner, masks[-1]]


def _cut(frame: Frames, guess: U8) -> Mask:
    """Graph cuts from a guess, near what is guessed to be the subject."""
    found: Mask = (guess == cv2.GC_FGD) | (guess == cv2.GC_PR_FGD)
    if found.mean() < _LEAST / 2:
        return np.zeros(found.shape, bool)
    y, x = np.nonzero(guess != cv2.GC_BGD)
    part = np.s_[max(int(y.min()) - 12, 0) : y.max() + 12, max(int(x.min()) - 12, 0) : x.max() + 12]
    labels = np.ascontiguousarray(guess[part])
    if not ((labels == cv2.GC_BGD) | (labels == cv2.GC_PR_BGD)).any():
        return found
    inner, outer = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)
    everywhere = (0, 0, 1, 1)  # not used with a mask
    picture = np.ascontiguousarray(frame[part])
    cv2.grabCut(picture, labels, everywhere, outer, inner, 3, cv2.GC_INIT_WITH_MASK)
    found = np.zeros(found.shape, bool)
    found[part] = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    return found


def _hull(mask: Mask) -> Mask:
    """The hull of the parts that lie close together."""
    edge = 40  # closing must not stick to the picture's edge
    joined = _closed(np.pad(mask, edge), 31)[edge:-edge, edge:-edge].astype(np.uint8)
    outlines, _ = cv2.findContours(joined, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    out = np.zeros(mask.shape, np.uint8)
    for outline in outlines:
        cv2.fillConvexPoly(out, cv2.convexHull(outline), 1)
    return out > 0


def _parts(mask: Mask, least: float) -> Mask:
    """The parts that have ``least`` of the largest one's size."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count < 2:
        return mask
    sizes = stats[1:, cv2.CC_STAT_AREA]
    kept: Mask = np.append(False, sizes >= least * sizes.max())[labels]
    return kept


def _filled(mask: Mask, most: float) -> Mask:
    """Without holes of fewer than ``most`` pixels."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(
        (~mask).astype(np.uint8), None, None, None, 4
    )
    h, w = mask.shape
    left, top = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
    right, bottom = left + stats[:, cv2.CC_STAT_WIDTH], top + stats[:, cv2.CC_STAT_HEIGHT]
    hole = (left > 0) & (top > 0) & (right < w) & (bottom < h) & (stats[:, cv2.CC_STAT_AREA] < most)
    hole[0] = False
    filled: Mask = mask | hole[labels]
    return filled


def _disc(pixels: int) -> U8:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (pixels, pixels)), np.uint8)


def _grown(mask: Mask, pixels: int) -> Mask:
    grown: Mask = cv2.dilate(mask.astype(np.uint8), _disc(pixels)) > 0
    return grown


def _closed(mask: Mask, pixels: int) -> Mask:
    closed: Mask = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, _disc(pixels)) > 0
    return closed


def _enlarged(masks: list[Mask], width: int, height: int) -> Mask:
    grown = [
        cv2.resize(mask.astype(np.uint8) * 255, (width, height), interpolation=cv2.INTER_LINEAR)
        for mask in masks
    ]
    return np.stack(grown) > 127
