"""The picture of a job that still runs: a few small frames in a grid, whatever the video's size."""

from __future__ import annotations

import math

import numpy as np

from omnireel.types import Frames

MAX_FRAMES = 9
MAX_SIDE = 160
"""Pixels of the longer side of one frame."""


def frame_grid(frames_THWC: Frames) -> Frames:
    """At most :data:`MAX_FRAMES` frames, evenly spread in time, row by row: one frame ``HWC``.

    Its cost is bounded: what does not fit is left out before anything is copied.
    """
    count, height, width, _ = frames_THWC.shape
    chosen = np.linspace(0, count - 1, min(count, MAX_FRAMES)).round().astype(int)
    stride = math.ceil(max(height, width) / MAX_SIDE)
    small = frames_THWC[chosen, ::stride, ::stride]
    columns = math.ceil(math.sqrt(len(small)))
    rows = math.ceil(len(small) / columns)
    _, cell_height, cell_width, _ = small.shape
    grid = np.zeros((rows * cell_height, columns * cell_width, 3), np.uint8)
    for place, frame in enumerate(small):
        y, x = place // columns * cell_height, place % columns * cell_width
        grid[y : y + cell_height, x : x + cell_width] = frame
    return grid
