"""How much of the picture an edit left alone, without a model that could tell what it was about.

Where source and result differ, they differ by more than noise. A change of one subject covers what
it covers and little else; the share of the picture that is untouched says how much was kept.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from omnireel.types import Frames

_NOISE = 14.0
"""Difference in 0..255, after smoothing, that coding can explain."""
_BLUR = 1.5


def changed(source_THWC: Frames, result_THWC: Frames) -> npt.NDArray[np.bool_]:
    """Where the two clips of one size differ by more than noise, ``THW``."""
    rows = []
    for before, after in zip(source_THWC, result_THWC, strict=True):
        apart = cv2.absdiff(np.ascontiguousarray(before), np.ascontiguousarray(after))
        rows.append(cv2.GaussianBlur(apart, (0, 0), _BLUR).max(-1) > _NOISE)
    return np.stack(rows)


def kept_share(source_THWC: Frames, result_THWC: Frames) -> float:
    """Share of all pixels that are as they were, 0 to 1."""
    return float(1.0 - changed(source_THWC, result_THWC).mean())
