"""Whether subjects cover what they should: mattes, boxes, the shapes of a sketch.

Intersection over union, 0..1.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from omnireel.evaluate.judgement import Judgement
from omnireel.evaluate.oracles.base import Oracle
from omnireel.evaluate.oracles.pixels import given, psnr
from omnireel.evaluate.perception.reader import F32
from omnireel.types import Role

Mask = npt.NDArray[np.bool_]
UNLIKE = 36.0
"""Difference to the ground (0..255, largest channel) from which a pixel is of the subject."""


def overlap(a: Mask, b: Mask) -> float:
    """Intersection over union; 1 for two empty masks."""
    union = int((a | b).sum())
    return float((a & b).sum()) / union if union else 1.0


def _matte(case: Judgement) -> float | None:
    mask = case.asked.matte_THW
    if mask is None:
        return None
    count = min(len(mask), len(case.result.frames_THWC))
    exact = case.asked.target.frames_THWC
    ground = np.median(exact[~mask], axis=0) if not mask.all() else np.zeros(3)
    away = np.abs(case.result.frames_THWC[:count].astype(np.float32) - ground).max(-1)
    shown = away > UNLIKE
    # A pixel at the edge belongs to the subject from half of the subject's own contrast on.
    half = float(np.median(away[shown])) / 2 if shown.any() else UNLIKE
    return overlap(away > max(half, UNLIKE), mask[:count])


def _layout(case: Judgement) -> float | None:
    """Of all subjects in the first frame."""
    masks = list(case.truth.masks.values())
    if not masks:
        return None
    wanted = np.logical_or.reduce([m[0] for m in masks])
    seen = [s.mask_Thw[0] for s in case.seen.subjects]
    if not seen:
        return 0.0
    got = np.maximum.reduce(seen) > 0.5
    return overlap(got, _cells(wanted, got.shape) >= 0.5)


def _box(case: Judgement) -> float | None:
    """Of the last asked subject's box in the first frame."""
    if len(case.pairs) < 2:
        return None
    body, subject = case.pairs[-1]
    if subject is None:
        return 0.0
    got = subject.mask_Thw[0] > 0.5
    wanted = _cells(case.truth.masks[body.id][0], got.shape) >= 0.5
    return overlap(_filled_box(got), _filled_box(wanted))


def _filled_box(mask_hw: Mask) -> Mask:
    out = np.zeros_like(mask_hw)
    rows, columns = np.flatnonzero(mask_hw.any(1)), np.flatnonzero(mask_hw.any(0))
    if len(rows):
        out[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    return out


def _cells(mask_HW: Mask, shape: tuple[int, ...]) -> F32:
    """Share of each of the reader's cells that a mask covers."""
    h, w = mask_HW.shape
    rows = np.minimum(np.arange(h) * shape[0] // h, shape[0] - 1)
    columns = np.minimum(np.arange(w) * shape[1] // w, shape[1] - 1)
    at = (rows[:, None] * shape[1] + columns[None, :]).reshape(-1)
    size = shape[0] * shape[1]
    covered = np.bincount(at, mask_HW.reshape(-1), minlength=size)
    total = np.maximum(np.bincount(at, minlength=size), 1)
    out: F32 = (covered / total).reshape(shape).astype(np.float32)
    return out


def _joint(case: Judgement) -> float | None:
    """At the end of the result that meets the given shot, when it goes on without a cut."""
    source, scene = case.asked.source_scene, case.asked.scene
    if source is None or source.clock == scene.clock:
        return None
    end = 0 if scene.clock.start_s > source.clock.start_s else -1
    shot = given(case, Role.REFERENCE)
    if shot is None:
        return None
    exact = case.asked.target.frames_THWC[end][None]
    return psnr(case.result.frames_THWC[end][None], exact)


MATTE = Oracle("matte", "overlap of the subject on its plain ground with the exact mask", _matte)
LAYOUT = Oracle("layout", "overlap of the subjects in the first frame with the drawn ones", _layout)
BOX = Oracle("box", "overlap of the new subject's box in the first frame with the drawn one", _box)
JOINT = Oracle(
    "joint", "exact and made frame where a shot goes on from the given one", _joint, "dB"
)
