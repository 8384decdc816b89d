"""Things that characters wear or carry, in the frame of the head or the body."""

from __future__ import annotations

import numpy as np

from omnireel.world.faces import PAPER, flat
from omnireel.world.palette import F32, albedo, linear
from omnireel.world.scene import Vec3
from omnireel.world.shapes import (
    capsule,
    ellipsoid,
    frustum,
    rounded_box,
    taper,
    torus,
    union,
)
from omnireel.world.textures import edge, mix
from omnireel.world.trace import Solid

_CREST = {"bunny": 0.0, "cat": 0.0, "bear": 0.0, "robot": -0.01, "girl": 0.02, "boy": 0.02}
"""How much higher a hat sits on each head."""


def prop(name: str, color: str, kind: str) -> Solid:
    """The solid of a prop (a name in PROPS) in ``color`` for a character of ``kind``."""
    paint = flat(albedo(color))
    if name == "hat":
        return _hat(color, _CREST[kind])
    if name == "crown":
        return _crown(color, _CREST[kind])
    if name == "scarf":
        around = torus((0, 0.475, 0), 0.150, 0.058, axis=1)
        end = rounded_box((0.085, 0.345, 0.175), (0.052, 0.115, 0.028), 0.025)
        return Solid((-0.21, 0.22, -0.21), (0.21, 0.535, 0.21), union(around, end), paint, 0.05)
    if name == "backpack":
        pack = rounded_box((0, 0.35, -0.225), (0.215, 0.19, 0.105), 0.10)
        straps = capsule((0.115, 0.47, 0.10), (0.125, 0.24, 0.168), 0.030)

        def both(x: F32, y: F32, z: F32) -> F32:
            return np.minimum(pack(x, y, z), straps(np.abs(x), y, z))

        return Solid((-0.24, 0.17, -0.34), (0.24, 0.55, 0.20), both, paint, 0.1)
    return _balloon(color)


def _hat(color: str, lift: float) -> Solid:
    """A hat with a brim and a white band."""
    brim = frustum(0.885 + lift, 0.925 + lift, 0.245, 0.235, 0.018)
    top = frustum(0.90 + lift, 1.13 + lift, 0.165, 0.135, 0.04)
    base = albedo(color)
    band = albedo("black") if color == "white" else PAPER

    def paint(x: F32, y: F32, z: F32, width: F32) -> F32:
        on = edge(0.024 - np.abs(y - 0.962 - lift), width)
        return mix(base, band, on)

    low: Vec3 = (-0.25, 0.88 + lift, -0.25)
    return Solid(low, (0.25, 1.135 + lift, 0.25), union(brim, top), paint, 0.1)


def _crown(color: str, lift: float) -> Solid:
    """A band with six spikes; white gems."""
    band = torus((0, 0.925 + lift, 0), 0.158, 0.032, axis=1)
    spike = taper((0.16, 0.93 + lift, 0), (0.195, 1.075 + lift, 0), 0.045, 0.012)
    step = np.float32(np.pi / 3)

    def distance(x: F32, y: F32, z: F32) -> F32:
        # Fold all six spikes onto the one at angle 0.
        angle = np.arctan2(z, x)
        angle = angle - np.round(angle / step - 0.5) * step - 0.5 * step
        r = np.sqrt(x * x + z * z)
        folded = spike(r * np.cos(angle), y, r * np.sin(angle))
        return np.minimum(band(x, y, z), folded)

    base = albedo(color)
    gem = albedo("red") if color == "white" else PAPER

    def paint(x: F32, y: F32, z: F32, width: F32) -> F32:
        tip = edge(y - 1.05 - lift, width)
        return mix(base, gem, tip)

    return Solid((-0.22, 0.88 + lift, -0.22), (0.22, 1.09 + lift, 0.22), distance, paint, 0.7, 0.08)


def _balloon(color: str) -> Solid:
    """A balloon on a string held in the left hand (at the picture's right)."""
    bag = ellipsoid((0.44, 1.10, 0.10), (0.155, 0.185, 0.155))
    knot = taper((0.44, 0.91, 0.10), (0.44, 0.885, 0.10), 0.012, 0.028)
    string = capsule((0.275, 0.29, 0.11), (0.44, 0.90, 0.10), 0.0065)
    base, line = albedo(color), linear((120, 112, 116))

    def paint(x: F32, y: F32, z: F32, width: F32) -> F32:
        return mix(line, base, edge(y - 0.875, width))

    return Solid(
        (0.26, 0.28, -0.06), (0.60, 1.29, 0.26), union(bag, knot, string), paint, 0.6, 0.05
    )
