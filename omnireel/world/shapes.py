"""Signed distances and the six primitive subjects.

Every primitive stands on y = 0, is 1 unit high and centred on x = z = 0. Distance formulas follow
Quilez, "Distance functions" (iquilezles.org).
"""

from __future__ import annotations

import math

import numpy as np

from omnireel.world.palette import F32
from omnireel.world.scene import Body, Vec3
from omnireel.world.textures import painter
from omnireel.world.trace import Distance, Solid


def sphere(centre: Vec3, radius: float) -> Distance:
    """A sphere."""
    cx, cy, cz = centre
    return lambda x, y, z: np.sqrt((x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2) - radius


def ellipsoid(centre: Vec3, radii: Vec3) -> Distance:
    """An ellipsoid (first-order bound k0 (k0 - 1) / k1, exact at the surface)."""
    (cx, cy, cz), (rx, ry, rz) = centre, (1 / radii[0], 1 / radii[1], 1 / radii[2])

    def distance(x: F32, y: F32, z: F32) -> F32:
        a, b, c = (x - cx) * rx, (y - cy) * ry, (z - cz) * rz
        k0 = np.sqrt(a * a + b * b + c * c)
        a, b, c = a * rx, b * ry, c * rz
        k1 = np.sqrt(a * a + b * b + c * c)
        out: F32 = k0 * (k0 - 1) / np.maximum(k1, np.float32(1e-6))
        return out

    return distance


def rounded_box(centre: Vec3, half: Vec3, radius: float) -> Distance:
    """A box of half sizes ``half`` (rounding included) with edges rounded by ``radius``."""
    (cx, cy, cz), (hx, hy, hz) = centre, (half[0] - radius, half[1] - radius, half[2] - radius)

    def distance(x: F32, y: F32, z: F32) -> F32:
        qx, qy, qz = np.abs(x - cx) - hx, np.abs(y - cy) - hy, np.abs(z - cz) - hz
        inside = np.minimum(np.maximum(np.maximum(qx, qy), qz), 0)
        qx, qy, qz = np.maximum(qx, 0), np.maximum(qy, 0), np.maximum(qz, 0)
        out: F32 = np.sqrt(qx * qx + qy * qy + qz * qz) + inside - np.float32(radius)
        return out

    return distance


def capsule(a: Vec3, b: Vec3, radius: float) -> Distance:
    """All points within ``radius`` of the segment from ``a`` to ``b``."""
    ax, ay, az = a
    bx, by, bz = b[0] - ax, b[1] - ay, b[2] - az
    scale = 1 / (bx * bx + by * by + bz * bz)

    def distance(x: F32, y: F32, z: F32) -> F32:
        px, py, pz = x - ax, y - ay, z - az
        h = np.clip((px * bx + py * by + pz * bz) * scale, 0, 1)
        px, py, pz = px - h * bx, py - h * by, pz - h * bz
        out: F32 = np.sqrt(px * px + py * py + pz * pz) - np.float32(radius)
        return out

    return distance


def taper(a: Vec3, b: Vec3, ra: float, rb: float) -> Distance:
    """A capsule whose radius goes from ``ra`` at ``a`` to ``rb`` at ``b``."""
    ax, ay, az = a
    bx, by, bz = b[0] - ax, b[1] - ay, b[2] - az
    length2 = bx * bx + by * by + bz * bz
    # The radius shrinks along the axis, so the plain difference overstates distance; scale it back.
    safe = np.float32(1 / np.sqrt(1 + (ra - rb) ** 2 / length2))

    def distance(x: F32, y: F32, z: F32) -> F32:
        px, py, pz = x - ax, y - ay, z - az
        h = np.clip((px * bx + py * by + pz * bz) * (1 / length2), 0, 1)
        px, py, pz = px - h * bx, py - h * by, pz - h * bz
        out: F32 = (np.sqrt(px * px + py * py + pz * pz) - ra + h * (ra - rb)) * safe
        return out

    return distance


def frustum(y0: float, y1: float, r0: float, r1: float, radius: float = 0.0) -> Distance:
    """A cone cut between heights ``y0`` and ``y1`` with radii ``r0`` and ``r1``, rounded."""
    y0, y1 = y0 + radius, y1 - radius
    r0, r1 = max(r0 - radius, 0.0), max(r1 - radius, 0.0)
    h = (y1 - y0) / 2
    mid = (y0 + y1) / 2
    kx, ky = r1 - r0, 2 * h
    k2 = 1 / (kx * kx + ky * ky)

    def distance(x: F32, y: F32, z: F32) -> F32:
        q, v = np.sqrt(x * x + z * z), y - mid
        ax = q - np.minimum(q, np.where(v < 0, np.float32(r0), np.float32(r1)))
        ay = np.abs(v) - h
        f = np.clip(((r1 - q) * kx + (h - v) * ky) * k2, 0, 1)
        bx, by = q - r1 + kx * f, v - h + ky * f
        inside = (bx < 0) & (ay < 0)
        d2 = np.minimum(ax * ax + ay * ay, bx * bx + by * by)
        d = np.sqrt(d2)
        out: F32 = np.where(inside, -d, d) - np.float32(radius)
        return out

    return distance


def torus(centre: Vec3, major: float, minor: float, axis: int = 2) -> Distance:
    """A torus about the z axis (``axis`` = 2, upright, facing z) or the y axis (1, lying)."""
    cx, cy, cz = centre

    def distance(x: F32, y: F32, z: F32) -> F32:
        u, v, w = (x - cx, y - cy, z - cz) if axis == 2 else (x - cx, z - cz, y - cy)
        q = np.sqrt(u * u + v * v) - np.float32(major)
        out: F32 = np.sqrt(q * q + w * w) - np.float32(minor)
        return out

    return distance


def star_prism(centre: Vec3, outer: float, inner: float, half: float, radius: float) -> Distance:
    """A five-pointed star with one point up, extruded along z by ``half`` to either side."""
    cx, cy, cz = centre
    outer, half = outer - radius * 1.6, half - radius
    k1x, k1y = math.cos(math.pi / 5), -math.sin(math.pi / 5)
    # From a point of the star to the notch beside it.
    bax, bay = inner * math.sin(math.pi / 5), inner * math.cos(math.pi / 5) - outer
    ba2 = 1 / (bax * bax + bay * bay)

    def distance(x: F32, y: F32, z: F32) -> F32:
        u, v = np.abs(x - cx), y - cy
        m = 2 * np.maximum(k1x * u + k1y * v, 0)
        u, v = u - m * k1x, v - m * k1y
        m = 2 * np.maximum(-k1x * u + k1y * v, 0)
        u, v = np.abs(u + m * k1x), v - m * k1y - outer
        h = np.clip((u * bax + v * bay) * ba2, 0, 1)
        eu, ev = u - bax * h, v - bay * h
        flat = np.sqrt(eu * eu + ev * ev) * np.sign(v * bax - u * bay)
        depth = np.abs(z - cz) - np.float32(half)
        inside = np.minimum(np.maximum(flat, depth), 0)
        flat, depth = np.maximum(flat, 0), np.maximum(depth, 0)
        out: F32 = inside + np.sqrt(flat * flat + depth * depth) - np.float32(radius)
        return out

    return distance


def union(*parts: Distance) -> Distance:
    """The nearest of several solids."""

    def distance(x: F32, y: F32, z: F32) -> F32:
        out = parts[0](x, y, z)
        for part in parts[1:]:
            out = np.minimum(out, part(x, y, z))
        return out

    return distance


_GEOMETRY: dict[str, tuple[Distance, Vec3, Vec3]] = {
    "ball": (sphere((0, 0.5, 0), 0.5), (-0.5, 0, -0.5), (0.5, 1, 0.5)),
    "cube": (
        rounded_box((0, 0.5, 0), (0.5, 0.5, 0.5), 0.07),
        (-0.5, 0, -0.5),
        (0.5, 1, 0.5),
    ),
    "cone": (frustum(0.0, 1.0, 0.48, 0.035, 0.03), (-0.48, 0, -0.48), (0.48, 1, 0.48)),
    "cylinder": (frustum(0.0, 1.0, 0.33, 0.33, 0.045), (-0.33, 0, -0.33), (0.33, 1, 0.33)),
    "ring": (torus((0, 0.5, 0), 0.365, 0.135), (-0.5, 0, -0.135), (0.5, 1, 0.135)),
    "star": (
        star_prism((0, 0.45, 0), 0.55, 0.25, 0.15, 0.04),
        (-0.54, 0, -0.15),
        (0.54, 1, 0.15),
    ),
}

CUBE_YAW = 0.5
"""Cubes are turned by this much in their own frame, so that two faces show."""


def primitive(body: Body) -> Solid:
    """The solid of a body whose kind is in SHAPES."""
    distance, low, high = _GEOMETRY[body.kind]
    return Solid(low, high, distance, painter(body.kind, body.material), body.material.shine)
