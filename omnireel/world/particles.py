"""Small things in the air: positions in the world, splatted as soft discs, glints or bubbles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from omnireel.world.camera import NEAR_M, CameraPath
from omnireel.world.palette import F32

NEAREST_M = 1.0
"""Particles nearer to the camera than this would be blots; they are not drawn."""

Look = Literal["disc", "soft", "glint", "bubble"]


@dataclass(frozen=True, eq=False)
class Particles:
    """``points_TN3`` metres, ``radius_TN`` metres, ``color_TN3`` linear, ``alpha_TN`` 0..1.

    ``emits`` adds light instead of covering what is behind.
    """

    points_TN3: F32
    radius_TN: F32
    color_TN3: F32
    alpha_TN: F32
    look: Look
    emits: bool


def splat(particles: Particles, camera: CameraPath, color_CTHW: F32, depth_THW: F32) -> None:
    """Draw ``particles`` into ``color_CTHW`` in place, hidden by what is nearer than they are."""
    column, row, depth = camera.project(particles.points_TN3)
    size = particles.radius_TN / (np.maximum(depth, NEAR_M) * camera.pixel_T[:, None])
    largest = 0.25 * min(camera.width, camera.height)
    drawn = (depth > NEAREST_M) & (particles.alpha_TN > 0.01) & (size < largest)
    frame, which = np.nonzero(drawn)
    if not len(frame):
        return
    pixel, part, u, v = _patches(camera, frame, column[drawn], row[drawn], size[drawn])
    hidden = depth[drawn][part] > depth_THW.reshape(-1)[pixel]
    r = np.maximum(size[drawn][part], 0.35)
    # A particle smaller than a pixel keeps its light by getting fainter, not smaller.
    faint = np.minimum(size[drawn][part] / 0.5, 1.0) ** 2
    share = _coverage(particles.look, u, v, r) * particles.alpha_TN[drawn][part] * faint
    share = np.where(hidden, 0, share).astype(np.float32)
    seen = share > 0.003
    pixel, part, share = pixel[seen], part[seen], share[seen]
    tint = particles.color_TN3[frame, which][part]
    _blend(color_CTHW, pixel, share, tint, particles.emits)


def _patches(
    camera: CameraPath,
    frame: npt.NDArray[np.int64],
    column: F32,
    row: F32,
    size: F32,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], F32, F32]:
    """Pixels about every particle: their flat index, their particle, and their offset from it."""
    half = int(np.ceil(size.max() + 1))
    span = np.arange(-half, half + 1)
    dy, dx = (g.ravel() for g in np.meshgrid(span, span, indexing="ij"))
    x0, y0 = np.floor(column).astype(np.int64), np.floor(row).astype(np.int64)
    x, y = x0[:, None] + dx, y0[:, None] + dy
    inside = (x >= 0) & (x < camera.width) & (y >= 0) & (y < camera.height)
    reach = np.abs(np.maximum(np.abs(dx), np.abs(dy)))[None] <= size[:, None] + 1.5
    part, at = np.nonzero(inside & reach)
    x, y = x[part, at], y[part, at]
    pixel = (frame[part] * camera.height + y) * camera.width + x
    u = (x + 0.5 - column[part]).astype(np.float32)
    v = (y + 0.5 - row[part]).astype(np.float32)
    return pixel, part, u, v


def _coverage(look: Look, u: F32, v: F32, r: F32) -> F32:
    """How much of a pixel at (u, v) pixels from the middle a particle of ``r`` pixels fills."""
    away = np.sqrt(u * u + v * v)
    out: F32
    if look == "disc":
        out = np.clip(r - away + 0.5, 0, 1)
        return out
    if look == "soft":
        q = away / r
        out = np.exp(-1.7 * q * q) * np.clip((1.4 - q) * 2, 0, 1)
        return out
    if look == "glint":
        arms = np.sqrt(np.abs(u) / r) + np.sqrt(np.abs(v) / r)
        out = np.clip((1.0 - arms) * 3.0, 0, 1) + np.clip(0.22 * r - away + 0.5, 0, 1)
        out = np.minimum(out, 1)
        return out
    rim = np.clip(1 - np.abs(away - (r - 0.5)) / np.maximum(0.14 * r, 0.7), 0, 1)
    shine = np.exp(-((u + 0.35 * r) ** 2 + (v + 0.35 * r) ** 2) / (0.05 * r * r + 0.1))
    body = 0.16 * np.clip(r - away + 0.5, 0, 1)
    out = np.clip(0.75 * rim + 0.9 * shine + body, 0, 1) * (away < r + 0.5)
    return out


def _blend(
    color_CTHW: F32, pixel: npt.NDArray[np.int64], share: F32, tint: F32, emits: bool
) -> None:
    """Add or cover; overlapping particles mix in any order to the same result."""
    flat = color_CTHW.reshape(3, -1)
    n = flat.shape[1]
    if emits:
        for c in range(3):
            flat[c] += np.bincount(pixel, weights=share * tint[:, c], minlength=n)
        return
    clear = np.bincount(pixel, weights=np.log1p(-np.minimum(share, 0.98)), minlength=n)
    total = np.bincount(pixel, weights=share, minlength=n)
    touched = np.flatnonzero(total)
    through = np.exp(clear[touched]).astype(np.float32)
    for c in range(3):
        mean = np.bincount(pixel, weights=share * tint[:, c], minlength=n)[touched] / total[touched]
        flat[c, touched] = flat[c, touched] * through + mean.astype(np.float32) * (1 - through)
