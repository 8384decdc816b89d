"""Damage by coding: blocks, lost fine detail, and fewer bits than the motion needs."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from omnireel.data import gray
from omnireel.data.candidate import Candidate
from omnireel.data.checks.base import Bounds, Check, Measurement, Tier
from omnireel.data.checks.thresholds import standard

PART = (288, 512)
"""Rows and columns in the middle of a frame that are looked at; blocks keep their size, so the
frame is not shrunk."""
GRID = 8
EDGE = np.uint8(12)
"""Grey levels; larger steps are drawn, not made by blocks."""

WEIGHTS = (10.0, -4.8, -4.6)
"""Of blocks, detail and bits, by logistic regression on 20 clips of the bench's two
kinds, in neither of its splits, coded by five encoders at six qualities."""
OFFSET = -21.3


class Compression(Check):
    """Log-odds, by a logistic regression, of a file that was coded too coarsely.

    Blocks: how much larger steps are on the best of the eight phases of an 8-pixel grid than on the
    others; detail: energy of the finest octave against the next one, in the logarithm; bits: those
    of the file by pixel and frame, against what the picture's detail and its change in time need,
    in the logarithm.
    """

    name, tier, version = "compression", Tier.TEMPORAL, 2
    unit = "log-odds that a person sees the coding"
    scale = Bounds(-100, 100)
    standard = standard("compression")

    def measure(self, candidate: Candidate) -> Measurement | None:
        """The pictures' facts are medians over the frames of full resolution."""
        assert candidate.frames is not None
        pictures = [picture.luma for picture in candidate.frames.details]
        if not pictures or not candidate.file.bits_per_pixel:
            return None
        parts = [_middle(picture) for picture in pictures]
        facts = (
            float(np.median([blocks(part) for part in parts])),
            float(np.median([detail(part) for part in parts])),
            bits(candidate, parts),
        )
        score = OFFSET + sum(w * f for w, f in zip(WEIGHTS, facts, strict=True))
        named = dict(zip(("blocks", "detail", "bits"), (round(f, 4) for f in facts), strict=True))
        return Measurement(float(np.clip(score, -100, 100)), named)


def bits(candidate: Candidate, parts: list[gray.Gray]) -> float:
    """Logarithm of bits by pixel (as if at 12 frames a second) over what the clip needs."""
    assert candidate.frames is not None
    small = candidate.frames.luma_THW
    change = [cv2.mean(cv2.absdiff(one, other))[0] for one, other in pairwise(small)]
    steps = [cv2.mean(cv2.absdiff(part[:, 1:], part[:, :-1]))[0] for part in parts]
    spent = candidate.file.bits_per_pixel * np.sqrt(max(candidate.file.fps, 1.0) / 12)
    need = np.log1p(np.mean(change) if change else 0.0) + np.log1p(np.mean(steps))
    return float(np.log(spent) - need / 2)


def blocks(gray_HW: gray.Gray) -> float:
    """How much steps between neighbouring pixels prefer one phase of an 8-pixel grid."""
    return max(_grid(gray_HW), _grid(np.ascontiguousarray(gray_HW.T)))


def _grid(gray_HW: gray.Gray) -> float:
    step = np.minimum(cv2.absdiff(gray_HW[1:], gray_HW[:-1]), EDGE)
    row = cv2.reduce(step, 1, cv2.REDUCE_AVG, dtype=cv2.CV_64F).ravel()
    # Against the steps beside it, so that a slope counts for nothing.
    lone = row[1:-1] - (row[:-2] + row[2:]) / 2
    whole = len(lone) // GRID * GRID
    if not whole:
        return 0.0
    phase = lone[:whole].reshape(-1, GRID).mean(axis=0)
    return float((phase.max() - np.median(phase)) / (row.mean() + 0.3))


def detail(gray_HW: gray.Gray) -> float:
    """Logarithm of the mean size of the finest octave over that of the next."""
    picture: npt.NDArray[np.float32] = gray_HW.astype(np.float32)
    near = cv2.GaussianBlur(picture, (0, 0), 0.8)
    far = cv2.GaussianBlur(picture, (0, 0), 1.6)
    finest = cv2.mean(cv2.absdiff(picture, near))[0] + 0.02
    return float(np.log(finest / (cv2.mean(cv2.absdiff(near, far))[0] + 0.02)))


def _middle(gray_HW: gray.Gray) -> gray.Gray:
    height, width = gray_HW.shape
    rows, columns = min(PART[0], height), min(PART[1], width)
    top, left = (height - rows) // 2, (width - columns) // 2
    return np.ascontiguousarray(gray_HW[top : top + rows, left : left + columns])
