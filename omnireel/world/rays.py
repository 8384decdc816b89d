"""World-space rays of all pixels and the canvas that a place is painted on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from omnireel.world.camera import CameraPath
from omnireel.world.palette import F32

FAR_M = 90.0
"""Ground farther than this is horizon."""


@dataclass(frozen=True, eq=False)
class Rays:
    """Each of ``dx, dy, dz`` (T, H, W) for a depth of 1; ``eye`` coordinates and ``pixel`` are
    (T, 1, 1). ``gx, gz`` is where the ray meets the ground, ``depth`` how far along, and
    ``floor`` the share of the pixel that is ground.
    """

    dx: F32
    dy: F32
    dz: F32
    ex: F32
    ey: F32
    ez: F32
    pixel: F32
    gx: F32
    gz: F32
    depth: F32
    floor: F32

    def footprint(self) -> F32:
        """Length in metres that a pixel covers on the ground, along the view."""
        out: F32 = self.pixel * self.depth * self.depth / self.ey
        return out


def cast_rays(camera: CameraPath) -> Rays:
    """The rays of every pixel of ``camera``."""
    pixel = camera.pixel_T[:, None, None]
    x = camera.columns()[None, None, :] * pixel
    y = camera.rows()[None, :, None] * pixel
    b = camera.basis_T33[:, :, :, None, None]
    dx, dy, dz = (b[:, 2, i] + y * b[:, 1, i] + x * b[:, 0, i] for i in range(3))
    ex, ey, ez = (camera.position_T3[:, i, None, None] for i in range(3))
    depth = ey / np.maximum(-dy, ey / FAR_M)
    return Rays(
        dx,
        dy,
        dz,
        ex,
        ey,
        ez,
        pixel,
        ex + depth * dx,
        ez + depth * dz,
        depth,
        np.clip(0.5 - dy / pixel, 0, 1),
    )


@dataclass(frozen=True, eq=False)
class Canvas:
    """What has been painted so far: ``color`` (3, T, H, W), ``depth`` and ``floor`` (T, H, W)."""

    color: F32
    depth: F32
    floor: F32


def gradient(low: F32, high: F32, share: F32) -> F32:
    """Blend (3,) colours by ``share`` (T, H, W)."""
    return np.stack([low[c] + (high[c] - low[c]) * share for c in range(3)])


def paint(color: F32, over: F32, share: F32) -> None:
    """Blend ``over``, (3,) or like ``color``, into ``color`` in place by ``share``."""
    for c in range(3):
        color[c] += (over[c] - color[c]) * share


def smooth(a: float, b: float, value: F32) -> F32:
    """Smoothstep: 0 below ``a``, 1 above ``b``."""
    t = np.clip((value - np.float32(a)) * np.float32(1 / (b - a)), 0, 1)
    out: F32 = t * t * (3 - 2 * t)
    return out


@dataclass(frozen=True, eq=False)
class Drum:
    """Where rays meet an upright cylinder about the origin: ``turn`` around it in whole turns
    (0 behind the origin as the default camera sees it) and ``height`` in metres.

    ``index`` selects the flattened pixels that were asked for; ``size`` is a pixel's footprint.
    """

    index: np.ndarray[tuple[int], np.dtype[np.int64]]
    turn: F32
    height: F32
    size: F32
    depth: F32


def drum(rays: Rays, radius: float, top: float) -> Drum:
    """Meet the rays with the cylinder of ``radius``, up to the height ``top`` (metres)."""
    shape = rays.dx.shape
    flat = np.sqrt(rays.dx * rays.dx + rays.dz * rays.dz)
    slope = rays.dy / flat
    # The wall's top and foot, seen from the nearest and farthest that its face can be.
    reach = radius + np.sqrt(rays.ex**2 + rays.ez**2)
    nearest = np.maximum(2 * radius - reach, 0.5)
    high = np.maximum((top - rays.ey) / nearest, 0) + 2 * rays.pixel
    inside = (slope < high) & (slope > -rays.ey / nearest - 2 * rays.pixel)
    index = np.flatnonzero(inside)

    def pick(values: F32) -> F32:
        return np.broadcast_to(values, shape).reshape(-1)[index]

    dx, dy, dz, run = pick(rays.dx), pick(rays.dy), pick(rays.dz), pick(flat)
    ex, ey, ez = pick(rays.ex), pick(rays.ey), pick(rays.ez)
    along = (ex * dx + ez * dz) / run
    root = along * along - (ex * ex + ez * ez) + np.float32(radius * radius)
    far = -along + np.sqrt(np.maximum(root, 0))
    depth = far / run
    turn = np.arctan2(ex + depth * dx, -(ez + depth * dz)) * np.float32(1 / (2 * np.pi))
    return Drum(index, turn, ey + depth * dy, pick(rays.pixel) * depth, depth)


def paint_drum(canvas: Canvas, wall: Drum, color: F32, share: F32) -> None:
    """Blend ``color`` ((3,) or (3, N)) into the canvas where ``share`` (N,) of the wall shows."""
    for c in range(3):
        flat = canvas.color[c].reshape(-1)
        under = flat[wall.index]
        flat[wall.index] = under + (color[c] - under) * share
    solid = share > 0.5
    depth = canvas.depth.reshape(-1)
    depth[wall.index[solid]] = np.minimum(depth[wall.index[solid]], wall.depth[solid])


def edge_below(limit: F32, wall: Drum) -> F32:
    """Coverage (N,) of the wall below the height ``limit``."""
    out: F32 = np.clip((limit - wall.height) / wall.size + 0.5, 0, 1)
    return out
