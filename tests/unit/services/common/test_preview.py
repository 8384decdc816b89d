from __future__ import annotations

import numpy as np
import pytest

from services.common.preview import MAX_SIDE, frame_grid


def numbered(count: int, height: int, width: int) -> np.ndarray:
    frames = np.zeros((count, height, width, 3), np.uint8)
    frames[:] = np.arange(count)[:, None, None, None]
    return frames


def test_frames_evenly_spread_in_reading_order() -> None:
    grid = frame_grid(numbered(17, 8, 4))
    assert grid.shape == (3 * 8, 3 * 4, 3)
    assert grid[::8, ::4, 0].tolist() == [[0, 2, 4], [6, 8, 10], [12, 14, 16]]


@pytest.mark.parametrize(("count", "shape"), [(1, (8, 4)), (2, (8, 8)), (5, (16, 12))])
def test_few_frames(count: int, shape: tuple[int, int]) -> None:
    assert frame_grid(numbered(count, 8, 4)).shape == (*shape, 3)


def test_large_frames_are_made_small() -> None:
    grid = frame_grid(numbered(33, 720, 1280))
    assert grid.shape[0] <= 3 * MAX_SIDE and grid.shape[1] <= 3 * MAX_SIDE
    assert grid.shape[1] / grid.shape[0] == pytest.approx(1280 / 720, rel=0.02)
