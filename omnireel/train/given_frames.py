"""The media of a shard's items in two arrays: all their frames, and whose they are.

``given_000000.npy`` holds the ``frames_NHWC`` of all media, one after the other, and
``spans_000000.npy`` the item, first frame and number of frames of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from omnireel.train.shards import save_array
from omnireel.types import Frames


def save_given(
    frames: Path, spans: Path, given: Sequence[Sequence[Frames]], size: tuple[int, int]
) -> None:
    """Write the ``frames_THWC`` of every item, all of one ``size`` (height, width)."""
    clips = [clip for item in given for clip in item]
    lengths = [len(clip) for clip in clips]
    owners = [i for i, item in enumerate(given) for _ in item]
    starts = np.cumsum([0, *lengths])[:-1]
    none = np.zeros((0, *size, 3), dtype=np.uint8)
    save_array(frames, np.concatenate([none, *clips]))
    save_array(spans, np.array([owners, starts, lengths], dtype=np.int64).T)


def load_given(frames: Path, spans: Path, items: int) -> list[list[Frames]]:
    """``frames_THWC`` by item (views of the file)."""
    found: list[list[Frames]] = [[] for _ in range(items)]
    every = np.load(frames, mmap_mode="r")
    for i, start, length in np.load(spans):
        found[i].append(every[start : start + length])
    return found
