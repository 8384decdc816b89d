"""Where a subject is on the screen in every frame, how large, and how much its look changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from omnireel.evaluate.perception.reader import F32
from omnireel.types import Frames

LAGS = (1, 2, 4, 8)
"""Distances in frames over which the change of look is measured."""
PATCH = 12
"""Side of the patch, in samples, that a subject is brought to."""


@dataclass(frozen=True, eq=False)
class ScreenTrack:
    """Per frame, in short sides of the picture: centre ``x_T``, ``y_T`` (from the picture's
    middle; y grows downwards), ``width_T`` and ``height_T`` (two standard deviations of the mask),
    ``area_T`` (share of a square of one short side) and ``lean_T`` (covariance of x and y over
    their summed variances, -0.5..0.5; positive when the top leans left). Where the subject is not
    seen (``seen_T`` false) the values are interpolated.

    ``change_L`` is the mean absolute difference (0..1) of the centred, size-normalised subject
    between frames that are ``LAGS`` apart.
    """

    x_T: F32
    y_T: F32
    width_T: F32
    height_T: F32
    area_T: F32
    lean_T: F32
    seen_T: np.ndarray[tuple[int], np.dtype[np.bool_]]
    change_L: F32


def track_of(mask_Thw: F32, frames_THWC: Frames) -> ScreenTrack:
    """The track of a mask with shares 0..1 (at any resolution)."""
    h, w = mask_Thw.shape[1:]
    short = float(min(h, w))
    x = (np.arange(w) + 0.5 - w / 2) / short
    y = (np.arange(h) + 0.5 - h / 2) / short
    area = mask_Thw.sum((1, 2))
    seen = area >= 3.0
    if not seen.any():
        seen = area >= area.max()
    safe = np.maximum(area, 1e-6)
    columns, rows = mask_Thw.sum(1), mask_Thw.sum(2)
    cx, cy = columns @ x / safe, rows @ y / safe
    vx = (columns * (x[None] - cx[:, None]) ** 2).sum(1) / safe
    vy = (rows * (y[None] - cy[:, None]) ** 2).sum(1) / safe
    cross = np.einsum("thw,tw,th->t", mask_Thw, x[None] - cx[:, None], y[None] - cy[:, None]) / safe
    lean = cross / np.maximum(vx + vy, 1e-6)
    values = (cx, cy, 2 * np.sqrt(vx), 2 * np.sqrt(vy), area / short**2, lean)
    x_T, y_T, width, height, share, lean_T = (_fill(v, seen) for v in values)
    patches = _patches(mask_Thw, frames_THWC, x_T, y_T, np.sqrt(share))
    return ScreenTrack(x_T, y_T, width, height, share, lean_T, seen, _changes(patches[seen]))


def _fill(values_T: F32, seen_T: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> F32:
    frames = np.arange(len(values_T))
    return np.interp(frames, frames[seen_T], values_T[seen_T]).astype(np.float32)


def _patches(mask_Thw: F32, frames_THWC: Frames, x_T: F32, y_T: F32, size_T: F32) -> F32:
    """The subject cut out, centred and brought to one size: (T, PATCH, PATCH, 3) in 0..1."""
    t, h, w, _ = frames_THWC.shape
    short = min(h, w)
    grid = (np.arange(PATCH) + 0.5) / PATCH - 0.5
    reach = 1.5 * size_T
    columns = (x_T[:, None] + reach[:, None] * grid) * short + w / 2
    rows = (y_T[:, None] + reach[:, None] * grid) * short + h / 2
    at = np.arange(t)[:, None, None]
    r = np.clip(rows, 0, h - 1).astype(np.int64)[:, :, None]
    c = np.clip(columns, 0, w - 1).astype(np.int64)[:, None, :]
    scale_y, scale_x = h // mask_Thw.shape[1], w // mask_Thw.shape[2]
    inside = mask_Thw[at, r // scale_y, c // scale_x]
    out: F32 = frames_THWC[at, r, c].astype(np.float32) / 255.0 * (inside > 0.5)[..., None]
    return out


def _changes(patches: F32) -> F32:
    out = np.zeros(len(LAGS), np.float32)
    for i, lag in enumerate(LAGS):
        if len(patches) > lag:
            out[i] = np.abs(patches[lag:] - patches[:-lag]).mean()
    return out
