"""Where bars of one colour frame a picture."""

from __future__ import annotations

import numpy as np

from omnireel.data.gray import Gray

FLAT = 14
"""Grey levels within which a bar stays, over its whole length and the whole shot."""
RIM = 2
"""Rows at a bar's end that scaling and coding smear."""
JUMP = 12
"""Grey levels by which the picture differs from the bar beside it, at some time."""
MIN_JUMPS = 0.45
"""Share of the bar's length along which it does: a bar ends in a straight line, a sky does not."""


def find_bars(gray_THW: Gray) -> dict[str, int]:
    """Rows or columns of the bar at each edge of a clip; 0: there is none."""
    low_HW, high_HW = gray_THW.min(axis=0), gray_THW.max(axis=0)
    return {
        "top": _bar(low_HW, high_HW),
        "bottom": _bar(low_HW[::-1], high_HW[::-1]),
        "left": _bar(low_HW.T, high_HW.T),
        "right": _bar(low_HW.T[::-1], high_HW.T[::-1]),
    }


def _bar(low_HW: Gray, high_HW: Gray) -> int:
    """Rows from the first one that are all of one colour at all times and end in a line."""
    rows = len(low_HW) // 2
    low, high = low_HW[:rows].astype(np.int16), high_HW[:rows].astype(np.int16)
    color = int(np.median(low[0]))
    # A few pixels may differ, where a codec rings.
    far = np.maximum(high - color, color - low) > FLAT / 2
    flat = far.mean(axis=1) <= 0.02
    count = rows if flat.all() else int(np.argmin(flat))
    if count == 0 or count + RIM >= len(low_HW):
        return 0
    beyond = np.maximum(
        high_HW[count + RIM].astype(np.int16) - color, color - low_HW[count + RIM].astype(np.int16)
    )
    return count if (beyond > JUMP).mean() >= MIN_JUMPS else 0
