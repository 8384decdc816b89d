"""How the place moves behind the subjects: one similarity per pair of frames.

Gauss-Newton on brightness constancy (Lucas and Kanade, 1981) with a shift and a magnification,
robustly weighted, over the cells that show no subject. Units: shifts in short sides per frame,
magnification as its natural logarithm per frame; positive when the picture moves right, down, and
grows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from omnireel.evaluate.perception.reader import F32
from omnireel.types import Frames

ITERATIONS = 6
NOISE = 0.02
"""Difference of brightness (0..1) that counts half."""
DAMPING = 1e-3
"""Keeps a place without texture at rest instead of at any speed."""


@dataclass(frozen=True, eq=False)
class Flow:
    """Per pair of frames (T - 1): ``shift_x``, ``shift_y``, ``growth``, and the mean brightness
    difference that it leaves unexplained, ``residual`` (0..1).
    """

    shift_x: F32
    shift_y: F32
    growth: F32
    residual: F32


def place_flow(frames_THWC: Frames, subject_Thw: F32) -> Flow:
    """The flow of the place between consecutive frames; ``subject_Thw`` as in the reading."""
    light = _shrink(frames_THWC.astype(np.float32).mean(-1) / 255.0, subject_Thw.shape[1:])
    light = _blur(light)
    free = 1.0 - np.clip(_spread(subject_Thw) * 1.5, 0.0, 1.0)
    if len(light) < 2:
        none = np.zeros(0, np.float32)
        return Flow(none, none, none, none)
    weight = free[1:] * free[:-1]
    before, after = light[:-1], light[1:]
    n, h, w = before.shape
    short = min(h, w)
    y, x = np.meshgrid(
        (np.arange(h) + 0.5 - h / 2) / short, (np.arange(w) + 0.5 - w / 2) / short, indexing="ij"
    )
    p = np.zeros((n, 3), np.float32)
    residual = np.zeros(n, np.float32)
    for _ in range(ITERATIONS):
        u = p[:, 0, None, None] + p[:, 2, None, None] * x
        v = p[:, 1, None, None] + p[:, 2, None, None] * y
        seen, inside = _sample(after, u * short, v * short)
        gy, gx = np.gradient(seen, axis=(1, 2))
        gx, gy = gx * short, gy * short
        error = seen - before
        trust = weight * inside / (1.0 + (error / NOISE) ** 2)
        jacobian = np.stack([gx, gy, gx * x + gy * y], -1).reshape(n, -1, 3)
        weighted = jacobian * trust.reshape(n, -1, 1)
        total = np.maximum(trust.reshape(n, -1).sum(1), 1.0)
        normal = weighted.transpose(0, 2, 1) @ jacobian / total[:, None, None]
        normal = normal + DAMPING * np.eye(3, dtype=np.float32)
        slope = (weighted * error.reshape(n, -1, 1)).sum(1) / total[:, None]
        p = p - np.linalg.solve(normal, slope[..., None])[..., 0]
        p = np.clip(p, -0.25, 0.25).astype(np.float32)
        residual = (np.abs(error) * weight).sum((1, 2)) / np.maximum(weight.sum((1, 2)), 1.0)
    return Flow(p[:, 0], p[:, 1], p[:, 2], residual.astype(np.float32))


def _shrink(light_THW: F32, size: tuple[int, ...]) -> F32:
    """Mean over equal blocks, so that the picture has ``size``."""
    t, h, w = light_THW.shape
    blocks = light_THW.reshape(t, size[0], h // size[0], size[1], w // size[1])
    out: F32 = blocks.mean((2, 4), dtype=np.float32)
    return out


def _blur(light_Thw: F32) -> F32:
    out = light_Thw
    for axis in (1, 2):
        pad = [(0, 0), (0, 0), (0, 0)]
        pad[axis] = (1, 1)
        wide = np.pad(out, pad, mode="edge")
        low, mid, high = (np.take(wide, np.arange(k, k + out.shape[axis]), axis) for k in range(3))
        out = (low + 2.0 * mid + high) / 4.0
    return out.astype(np.float32)


def _spread(share_Thw: F32) -> F32:
    """Each cell takes the largest share of itself and its neighbours."""
    out = share_Thw
    for axis in (1, 2):
        pad = [(0, 0), (0, 0), (0, 0)]
        pad[axis] = (1, 1)
        wide = np.pad(out, pad, mode="edge")
        out = np.maximum.reduce(
            [np.take(wide, np.arange(k, k + out.shape[axis]), axis) for k in range(3)]
        )
    return out


def _sample(light_Nhw: F32, u_Nhw: F32, v_Nhw: F32) -> tuple[F32, F32]:
    """Bilinear values displaced by (u, v) cells, and whether they lie inside."""
    n, h, w = light_Nhw.shape
    x = np.arange(w, dtype=np.float32)[None, None, :] + u_Nhw
    y = np.arange(h, dtype=np.float32)[None, :, None] + v_Nhw
    inside = ((x >= 0) & (x <= w - 1) & (y >= 0) & (y <= h - 1)).astype(np.float32)
    x, y = np.clip(x, 0, w - 1.001), np.clip(y, 0, h - 1.001)
    x0, y0 = x.astype(np.int64), y.astype(np.int64)
    fx, fy = (x - x0).astype(np.float32), (y - y0).astype(np.float32)
    at = np.arange(n)[:, None, None]
    top = light_Nhw[at, y0, x0] * (1 - fx) + light_Nhw[at, y0, x0 + 1] * fx
    low = light_Nhw[at, y0 + 1, x0] * (1 - fx) + light_Nhw[at, y0 + 1, x0 + 1] * fx
    return top * (1 - fy) + low * fy, inside
