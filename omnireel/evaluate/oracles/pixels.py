"""Whether what is fixed pixel for pixel is there: kept regions, edits, given frames.

Peak signal-to-noise ratio in dB over 8-bit RGB, capped at 60 dB so that means stay finite.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from omnireel.evaluate.judgement import Judgement
from omnireel.evaluate.oracles.base import Oracle
from omnireel.types import Clip, Frames, Role

CAP_DB = 60.0
WHOLE = 0.98
"""An edit mask that covers more of the clip than this leaves nothing to keep."""


def psnr(a: Frames, b: Frames, where: npt.NDArray[np.bool_] | None = None) -> float | None:
    """PSNR in dB over ``where`` (any shape but the channels); None when that is empty.

    Frames of unequal length are compared as far as both go.
    """
    count = min(len(a), len(b))
    difference = a[:count].astype(np.float32) - b[:count].astype(np.float32)
    squared = np.square(difference).mean(-1)
    if where is not None:
        squared = squared[where[:count]]
    if squared.size == 0:
        return None
    error = float(squared.mean()) / 255.0**2
    return min(CAP_DB, -10.0 * float(np.log10(max(error, 1e-12))))


def given(case: Judgement, role: Role) -> Clip | None:
    """The first condition with ``role``."""
    for declared in case.asked.prompt.inputs:
        if declared.role is role:
            return case.asked.media[declared.name][0]
    return None


def _kept(case: Judgement) -> float | None:
    mask, source = case.asked.edit_mask_THW, given(case, Role.SOURCE)
    if mask is None or source is None or mask.mean() > WHOLE:
        return None
    return psnr(case.result.frames_THWC, source.frames_THWC, ~mask)


def _edit(case: Judgement) -> float | None:
    mask = case.asked.edit_mask_THW
    if mask is None:
        return None
    return psnr(case.result.frames_THWC, case.asked.target.frames_THWC, mask)


def _first(case: Judgement) -> float | None:
    image = given(case, Role.FIRST_FRAME)
    return None if image is None else psnr(case.result.frames_THWC[:1], image.frames_THWC)


def _last(case: Judgement) -> float | None:
    image = given(case, Role.LAST_FRAME)
    return None if image is None else psnr(case.result.frames_THWC[-1:], image.frames_THWC)


def _target(case: Judgement) -> float | None:
    return psnr(case.result.frames_THWC, case.asked.target.frames_THWC)


KEPT = Oracle("kept", "source and result outside the edited region", _kept, "dB")
EDIT = Oracle("edit", "exact target and result inside the edited region", _edit, "dB")
FIRST_FRAME = Oracle("first_frame", "given first frame and first frame of the result", _first, "dB")
LAST_FRAME = Oracle("last_frame", "given last frame and last frame of the result", _last, "dB")
TARGET = Oracle("target", "exact target and result", _target, "dB")
