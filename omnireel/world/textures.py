"""Object-space textures: stripes, dots and checks that turn and roll with their body.

Each shape unrolls its surface into (u, v), in units of the body's height, and every pattern is
filtered by the pixel's footprint so that it neither crawls nor sparkles.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from omnireel.errors import InvalidInput
from omnireel.world.palette import F32, albedo
from omnireel.world.scene import TEXTURES, Material
from omnireel.world.trace import Paint

Unroll = Callable[[F32, F32, F32], tuple[F32, F32]]

PERIOD = 1 / 3
"""Two stripes, or the distance between dots, in units of the body's height."""


def edge(signed: F32, width: F32) -> F32:
    """1 where ``signed`` > 0, 0 where it is < 0, blended over a footprint of ``width``."""
    out: F32 = np.clip(signed / np.maximum(width, 1e-4) + 0.5, 0, 1).astype(np.float32)
    return out


def mix(a: F32, b: F32, share_N: F32) -> F32:
    """Blend two albedos, each (3,) or (3, N), by ``share_N`` of ``b``."""
    a = a[:, None] if a.ndim == 1 else a
    b = b[:, None] if b.ndim == 1 else b
    out: F32 = a + (b - a) * share_N
    return out


def _square(v: F32, width: F32) -> F32:
    """Filtered square wave of period PERIOD, 0..1, with half its period at 1."""
    half = PERIOD / 2
    distance = half / 2 - np.abs(np.mod(v, PERIOD) - half)
    return edge(distance, width)


def _faces(x: F32, y: F32, z: F32) -> tuple[F32, F32]:
    """Unroll a cube: the two coordinates within the face."""
    y = y - 0.5
    ax, ay, az = np.abs(x), np.abs(y), np.abs(z)
    on_x = (ax > ay) & (ax >= az)
    on_y = (ay >= ax) & (ay > az)
    return np.where(on_x, z, x), np.where(on_y, z, y)


def _around(x: F32, y: F32, z: F32) -> tuple[F32, F32]:
    """Unroll a cylinder or cone about y: six periods around."""
    return np.arctan2(x, z) * np.float32(PERIOD * 6 / (2 * np.pi)), y


def _globe(x: F32, y: F32, z: F32) -> tuple[F32, F32]:
    """Unroll a ball by longitude and latitude: six periods around, three from pole to pole."""
    lat = np.arcsin(np.clip((y - 0.5) * 2, -1, 1))
    lon = np.arctan2(x, z)
    scale = np.float32(PERIOD * 6 / (2 * np.pi))
    return lon * scale, lat * scale


def _wheel(x: F32, y: F32, z: F32) -> tuple[F32, F32]:
    """Unroll a ring: around its tube, and eight periods along it."""
    along = np.arctan2(x, y - 0.5) * np.float32(PERIOD * 8 / (2 * np.pi))
    out = np.sqrt(x * x + (y - 0.5) ** 2) - np.float32(0.365)
    tube = np.arctan2(z, out) * np.float32(PERIOD * 2 / (2 * np.pi))
    return tube, along


def _flat(x: F32, y: F32, z: F32) -> tuple[F32, F32]:
    """Plain projection along z."""
    return x, y


UNROLL: dict[str, Unroll] = {
    "ball": _globe,
    "cube": _faces,
    "cone": _around,
    "cylinder": _around,
    "ring": _wheel,
    "star": _flat,
}

_DOTS = np.asarray(
    [(a, b, c) for s in (-1.0, 1.0) for a, b, c in ((0, s, 1.618), (s, 1.618, 0), (1.618, 0, s))],
    np.float32,
) / np.float32(np.sqrt(1 + 1.618**2))
"""Six axes of an icosahedron: the twelve dots of a dotted ball."""


def pattern(kind: str, texture: str, x: F32, y: F32, z: F32, width: F32) -> F32:
    """Share of the accent colour (N,) at surface points of a shape of ``kind``."""
    if texture == "dotted" and kind == "ball":
        best = np.zeros_like(x)
        for ax, ay, az in _DOTS:
            np.maximum(best, np.abs(x * ax + (y - 0.5) * ay + z * az), out=best)
        return edge((best * 2 - 0.925) * 1.3, width)
    u, v = UNROLL.get(kind, _flat)(x, y, z)
    if texture == "striped":
        return _square(v, width)
    if texture == "checkered":
        a, b = _square(u, width), _square(v, width)
        out: F32 = a + b - 2 * a * b
        return out
    # Dots sit on a lattice with every second row shifted by half a period.
    row = np.floor(v / PERIOD)
    du = np.mod(u + row * (PERIOD / 2), PERIOD) - PERIOD / 2
    dv = v - (row + 0.5) * PERIOD
    return edge(np.float32(PERIOD * 0.29) - np.sqrt(du * du + dv * dv), width)


def painter(kind: str, material: Material) -> Paint:
    """The paint of a surface of ``kind`` (a shape's name, or any other word for a flat unroll)."""
    if material.texture not in TEXTURES:
        raise InvalidInput(
            f"Unknown texture {material.texture!r}; use one of {', '.join(TEXTURES)}.",
            field="material.texture",
        )
    base, accent = albedo(material.color), albedo(material.accent)
    if material.texture == "plain":
        return lambda x, y, z, width: np.repeat(base[:, None], len(x), 1)
    return lambda x, y, z, width: mix(base, accent, pattern(kind, material.texture, x, y, z, width))
