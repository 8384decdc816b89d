"""Sphere tracing of signed-distance solids with one ray per pixel and analytic coverage.

1. Project a solid's bounding box; only pixels inside that rectangle get a ray, for all frames at
   once. 2. Clip the rays to the box in the solid's own frame. 3. March (Hart 1996, "Sphere
   tracing") towards the solid *eroded by half a pixel footprint*. A ray that meets the eroded
   solid covers its pixel fully; one that passes within a footprint of it covers the matching part,
   so the closest approach in units of the footprint is the anti-aliasing coverage.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnireel.world.camera import NEAR_M, CameraPath
from omnireel.world.kinematics import Pose
from omnireel.world.palette import F32
from omnireel.world.scene import Vec3

Ints = npt.NDArray[np.int32]
Distance = Callable[[F32, F32, F32], F32]
"""Signed distance of N points given as x, y, z, each (N,), in the solid's frame."""
Paint = Callable[[F32, F32, F32, F32], F32]
"""Albedo (3, N) at N surface points; the last argument is the pixel footprint there, (N,)."""

MAX_STEPS = 26
HIT = np.float32(0.06)
"""A ray has hit when the eroded solid is nearer than this part of a footprint."""


@dataclass(frozen=True, eq=False)
class Solid:
    """A shape in its own frame: box that bounds it, distance, paint and specular strength."""

    low: Vec3
    high: Vec3
    distance: Distance
    paint: Paint
    shine: float = 0.25
    glow: float = 0.0
    """Light that the surface gives off itself, as a share of its albedo."""


@dataclass(frozen=True, eq=False)
class Fragments:
    """Points of one solid seen through N pixels.

    ``pixel_N`` indexes the flattened (T, H, W) volume; ``depth_N`` is metres along the camera's
    axis; ``local_3N`` the point in the solid's frame; ``ray_3N`` the world ray direction.
    """

    pixel_N: npt.NDArray[np.int64]
    frame_N: Ints
    depth_N: F32
    alpha_N: F32
    local_3N: F32
    ray_3N: F32
    width_N: F32

    def keep(self, mask_N: npt.NDArray[np.bool_]) -> Fragments:
        """The fragments where ``mask_N`` holds."""
        return Fragments(
            self.pixel_N[mask_N],
            self.frame_N[mask_N],
            self.depth_N[mask_N],
            self.alpha_N[mask_N],
            self.local_3N[:, mask_N],
            self.ray_3N[:, mask_N],
            self.width_N[mask_N],
        )


@dataclass(frozen=True, eq=False)
class Rectangles:
    """Every pixel of one rectangle per frame, flattened: its frame, row and column."""

    frame_N: Ints
    row_N: Ints
    column_N: Ints
    counts_T: Ints

    def spread(self, values_T: F32) -> F32:
        """Give every pixel its frame's value."""
        return np.repeat(values_T, self.counts_T)


def rectangles(camera: CameraPath, points_TN3: F32, pad: float = 1.5) -> Rectangles:
    """Pixels of the rectangle that holds the projections of ``points_TN3`` in each frame.

    A frame in which some but not all points are behind the camera gets its whole picture.
    """
    column, row, depth = camera.project(points_TN3)
    seen = depth > NEAR_M
    some, every = seen.any(1), seen.all(1)
    x0 = np.clip(np.floor(column.min(1) - pad), 0, camera.width)
    x1 = np.clip(np.ceil(column.max(1) + pad), 0, camera.width)
    y0 = np.clip(np.floor(row.min(1) - pad), 0, camera.height)
    y1 = np.clip(np.ceil(row.max(1) + pad), 0, camera.height)
    cut = some & ~every
    x0, y0 = np.where(cut, 0, x0), np.where(cut, 0, y0)
    x1, y1 = np.where(cut, camera.width, x1), np.where(cut, camera.height, y1)
    wide = np.where(some, np.maximum(x1 - x0, 0), 0).astype(np.int32)
    tall = np.where(some, np.maximum(y1 - y0, 0), 0).astype(np.int32)
    counts = wide * tall
    frame = np.repeat(np.arange(camera.num_frames, dtype=np.int32), counts)
    starts = np.cumsum(counts) - counts
    k = np.arange(int(counts.sum()), dtype=np.int32) - np.repeat(starts.astype(np.int32), counts)
    span = np.repeat(wide, counts)
    row_in = k // span
    column_in = k - row_in * span
    top, left = np.repeat(y0.astype(np.int32), counts), np.repeat(x0.astype(np.int32), counts)
    return Rectangles(frame, row_in + top, column_in + left, counts)


def box_corners(low: Vec3, high: Vec3) -> F32:
    """The eight corners (8, 3) of a box."""
    x, y, z = np.meshgrid(*np.asarray([low, high], np.float32).T, indexing="ij")
    return np.stack([x.ravel(), y.ravel(), z.ravel()], -1)


def trace(camera: CameraPath, solid: Solid, pose: Pose) -> Fragments:
    """All fragments of ``solid`` placed by ``pose`` in every frame of ``camera``."""
    corners = box_corners(solid.low, solid.high)
    world = np.einsum("tij,nj->tni", pose.matrix_T33, corners) + pose.origin_T3[:, None, :]
    rect = rectangles(camera, world)
    frame = rect.frame_N
    inverse = np.linalg.inv(pose.matrix_T33).astype(np.float32)
    axes = np.einsum("tij,tkj->tki", inverse, camera.basis_T33).astype(np.float32)
    start = np.einsum("tij,tj->ti", inverse, camera.position_T3 - pose.origin_T3)
    start = start.astype(np.float32)
    # Pixel footprint in the solid's units per metre of depth.
    unit = np.cbrt(np.linalg.det(inverse)).astype(np.float32) * camera.pixel_T
    pixel_size = rect.spread(camera.pixel_T)
    x = camera.columns()[rect.column_N] * pixel_size
    y = camera.rows()[rect.row_N] * pixel_size
    d: list[F32] = [
        rect.spread(axes[:, 2, i]) + x * rect.spread(axes[:, 0, i]) + y * rect.spread(axes[:, 1, i])
        for i in range(3)
    ]
    o: list[F32] = [rect.spread(start[:, i]) for i in range(3)]
    fp = rect.spread(unit)
    near, far = _clip(o, d, solid, fp)
    live = np.flatnonzero(near < far)
    index, depth, best = _march(
        solid, [c[live] for c in o], [c[live] for c in d], near[live], far[live], fp[live]
    )
    live = live[index]
    frame = frame[live]
    pixel = (frame.astype(np.int64) * camera.height + rect.row_N[live]) * camera.width
    pixel += rect.column_N[live]
    local = np.stack([o[i][live] + depth * d[i][live] for i in range(3)])
    basis = camera.basis_T33
    x, y = x[live], y[live]
    ray = np.stack(
        [basis[frame, 2, i] + x * basis[frame, 0, i] + y * basis[frame, 1, i] for i in range(3)]
    )
    return Fragments(pixel, frame, depth, 1 - best, local, ray, fp[live] * depth)


def _clip(o: list[F32], d: list[F32], solid: Solid, fp: F32) -> tuple[F32, F32]:
    """Depth interval of each ray inside the solid's box, widened by about a footprint."""
    near = np.full_like(fp, NEAR_M)
    far = np.full_like(fp, np.inf)
    pad = (
        fp
        * np.sqrt(o[0] ** 2 + o[1] ** 2 + o[2] ** 2)
        * np.sqrt(1 / np.maximum(d[0] ** 2 + d[1] ** 2 + d[2] ** 2, 1e-12))
    )
    for i in range(3):
        inverse = 1 / np.where(np.abs(d[i]) < 1e-7, np.float32(1e-7), d[i])
        a = (solid.low[i] - pad - o[i]) * inverse
        b = (solid.high[i] + pad - o[i]) * inverse
        np.maximum(near, np.minimum(a, b), out=near)
        np.minimum(far, np.maximum(a, b), out=far)
    return near, far


def _march(
    solid: Solid, o: list[F32], d: list[F32], near: F32, far: F32, fp: F32
) -> tuple[npt.NDArray[np.int64], F32, F32]:
    """March N rays; return which touched the solid, at what depth, and the uncovered share."""
    count = len(near)
    depth_out, best_out = near.copy(), np.ones(count, np.float32)
    index = np.arange(count)
    t, best, at = near.copy(), np.ones(count, np.float32), near.copy()
    speed = 1 / np.sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2])
    for step in range(MAX_STEPS):
        width = fp * t
        eroded = solid.distance(o[0] + t * d[0], o[1] + t * d[1], o[2] + t * d[2]) + 0.5 * width
        ratio = eroded / width
        closer = ratio < best
        np.copyto(best, ratio, where=closer)
        np.copyto(at, t, where=closer)
        t = t + np.maximum(eroded, 0.25 * width) * speed
        if step % 2 == 1 or step == MAX_STEPS - 1:
            active = (ratio > HIT) & (t < far)
            stopped = ~active if step < MAX_STEPS - 1 else np.ones_like(active)
            done = index[stopped]
            depth_out[done], best_out[done] = at[stopped], best[stopped]
            if not active.any() or step == MAX_STEPS - 1:
                break
            index, t, best, at = index[active], t[active], best[active], at[active]
            o, d = [c[active] for c in o], [c[active] for c in d]
            far, fp, speed = far[active], fp[active], speed[active]
    touched = np.flatnonzero(best_out < 0.98)
    clear = np.clip((best_out[touched] - HIT) / (1 - HIT), 0, 1)
    return touched, depth_out[touched], clear.astype(np.float32)


def normals(solid: Solid, fragments: Fragments, pose: Pose) -> F32:
    """Unit world normals (3, N) from four distance samples on a tetrahedron."""
    e = np.maximum(0.35 * fragments.width_N, np.float32(0.004))
    x, y, z = fragments.local_3N
    a = solid.distance(x + e, y - e, z - e)
    b = solid.distance(x - e, y - e, z + e)
    c = solid.distance(x - e, y + e, z - e)
    g = solid.distance(x + e, y + e, z + e)
    local = (a - b - c + g, c + g - a - b, b + g - a - c)
    m = np.linalg.inv(pose.matrix_T33).astype(np.float32)[fragments.frame_N]
    n: F32 = np.stack(
        [m[:, 0, i] * local[0] + m[:, 1, i] * local[1] + m[:, 2, i] * local[2] for i in range(3)]
    )
    out: F32 = n / np.sqrt((n * n).sum(0) + 1e-12)
    return out
