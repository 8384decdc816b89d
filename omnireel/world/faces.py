"""Faces, bellies and clothes: what is painted on the parts of a character.

Marks are drawn on the front (z > 0) in the part's own x and y, filtered by the pixel's footprint.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from omnireel.world.palette import F32, albedo, linear
from omnireel.world.scene import Body, Material
from omnireel.world.textures import edge, mix, pattern
from omnireel.world.trace import Paint

INK = linear((38, 34, 44))
FACE = linear((255, 219, 188))
"""The faces and hands of girls and boys; their ``skin`` colour is their hair."""
SHOE = linear((92, 74, 70))
BLUSH = linear((255, 150, 140))
PAPER = linear((252, 252, 250))
VISOR = linear((34, 40, 58))
LAMP = linear((150, 245, 255))

CLOTH_SCALE = 2.1
"""How much finer patterns are on clothes than on a primitive of the same height."""

Mark = Callable[[F32, F32, F32, F32, F32], F32]
"""Paints over (3, N) an albedo: arguments x, y, z, footprint, albedo; returns the new albedo."""


def disc(x: F32, y: F32, cx: float, cy: float, rx: float, ry: float, width: F32) -> F32:
    """Coverage of an ellipse."""
    r = np.sqrt(((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2)
    return edge((1 - r) * min(rx, ry), width)


def cloth(material: Material) -> Paint:
    """Clothing or fur in the material's colour and pattern."""
    base, accent = albedo(material.color), albedo(material.accent)
    if material.texture == "plain":
        return flat(base)

    def paint(x: F32, y: F32, z: F32, width: F32) -> F32:
        k = np.float32(CLOTH_SCALE)
        share = pattern("cloth", material.texture, x * k, y * k, z * k, width * k)
        return mix(base, accent, share)

    return paint


def flat(color: F32) -> Paint:
    """One colour all over."""
    return lambda x, y, z, width: np.repeat(color[:, None], len(x), 1)


def marked(paint: Paint, *marks: Mark) -> Paint:
    """Draw ``marks`` in order over ``paint``."""

    def painted(x: F32, y: F32, z: F32, width: F32) -> F32:
        color = paint(x, y, z, width)
        for mark in marks:
            color = mark(x, y, z, width, color)
        return color

    return painted


def patch(color: F32, cx: float, cy: float, rx: float, ry: float) -> Mark:
    """A filled ellipse on the front."""

    def mark(x: F32, y: F32, z: F32, width: F32, under: F32) -> F32:
        return mix(under, color, disc(x, y, cx, cy, rx, ry, width) * (z > 0))

    return mark


def eyes(y0: float, apart: float, rx: float, ry: float, sclera: bool) -> Mark:
    """Two dark eyes with a glint; with ``sclera`` they lie on white, to show on dark fur."""

    def mark(x: F32, y: F32, z: F32, width: F32, under: F32) -> F32:
        front = z > 0
        u = np.abs(x)
        if sclera:
            white = disc(u, y, apart, y0, rx * 1.5, ry * 1.4, width) * front
            under = mix(under, PAPER, white)
        under = mix(under, INK, disc(u, y, apart, y0, rx, ry, width) * front)
        left = disc(x + apart, y, 0.3 * rx, y0 + ry * 0.35, rx * 0.38, ry * 0.32, width)
        right = disc(x - apart, y, 0.3 * rx, y0 + ry * 0.35, rx * 0.38, ry * 0.32, width)
        return mix(under, PAPER, np.maximum(left, right) * front)

    return mark


def cheeks(y0: float, apart: float) -> Mark:
    """Soft blush under the eyes."""

    def mark(x: F32, y: F32, z: F32, width: F32, under: F32) -> F32:
        u = (np.abs(x) - apart) / 0.05
        v = (y - y0) / 0.034
        return mix(under, BLUSH, (0.55 * np.exp(-(u * u + v * v)) * (z > 0)).astype(np.float32))

    return mark


def smile(y0: float, half: float, lift: float = 0.03) -> Mark:
    """A thin smiling line."""

    def mark(x: F32, y: F32, z: F32, width: F32, under: F32) -> F32:
        line = y - (y0 + lift * (x / half) ** 2)
        share = edge(0.010 - np.abs(line), width) * edge(half - np.abs(x), width) * (z > 0)
        return mix(under, INK, share * 0.85)

    return mark


def hair(color: F32, fringe: float, side: float, back: float) -> Mark:
    """Hair over a head: above the height ``fringe`` in front, and everywhere behind ``back``.

    ``side`` makes the fringe fall towards the temples.
    """

    def mark(x: F32, y: F32, z: F32, width: F32, under: F32) -> F32:
        line = y - fringe + side * x * x * 10 - 0.035 * np.cos(x * 38)
        behind = back - z + 0.25 * np.maximum(y - 0.6, 0)
        share = np.maximum(edge(line, width), edge(behind, width))
        return mix(under, color, share)

    return mark


def head_paint(body: Body) -> Paint:
    """The whole head of a character, ears included."""
    base, second = albedo(body.material.color), albedo(body.skin)
    dark = float(base.mean()) < 0.16
    fur = cloth(body.material)
    if body.kind == "robot":
        return marked(fur, _visor(second))
    if body.kind in ("girl", "boy"):
        girl = body.kind == "girl"
        face = marked(flat(FACE), eyes(0.655, 0.105, 0.038, 0.052, False), cheeks(0.585, 0.155))
        shape = hair(second, 0.775, 0.10, -0.02) if girl else hair(second, 0.81, 0.02, -0.07)
        return marked(face, smile(0.565, 0.05), shape)
    muzzle = {
        "cat": (0.62, 0.105, 0.070),
        "bunny": (0.61, 0.085, 0.060),
        "bear": (0.625, 0.14, 0.11),
    }
    y0, rx, ry = muzzle[body.kind]
    nose = BLUSH if body.kind == "bunny" else INK
    gaze = eyes(0.72, 0.115, 0.040, 0.052, dark)
    return marked(
        fur,
        patch(base, 0.0, 0.665, 0.222, 0.165),  # a plain face in patterned fur
        _inner_ears(body.kind, second),
        patch(second, 0.0, y0, rx, ry),
        gaze,
        cheeks(0.635, 0.185),
        patch(nose, 0.0, y0 + ry * 0.45, 0.034, 0.024),
        smile(y0 - ry * 0.45, 0.045),
    )


def _inner_ears(kind: str, color: F32) -> Mark:
    """The lighter inside of the ears."""
    x0, y0, rx, ry, lean = {
        "cat": (0.175, 0.935, 0.045, 0.065, 0.35),
        "bunny": (0.115, 1.06, 0.033, 0.13, 0.16),
        "bear": (0.195, 0.915, 0.045, 0.045, 0.0),
    }[kind]

    def mark(x: F32, y: F32, z: F32, width: F32, under: F32) -> F32:
        u = np.abs(x) - lean * (y - y0)
        share = disc(u, y, x0, y0, rx, ry, width) * (z > 0)
        return mix(under, color, share * (y > 0.86))

    return mark


def _visor(color: F32) -> Mark:
    """A robot's dark screen with two lamps and a mouth of light, and coloured ear caps."""

    def mark(x: F32, y: F32, z: F32, width: F32, under: F32) -> F32:
        side = edge(np.abs(x) - 0.262, width)
        under = mix(under, color, np.maximum(side, edge(y - 0.93, width)))
        u, v = np.abs(x), np.abs(y - 0.70)
        corner = np.sqrt(np.maximum(u - 0.13, 0) ** 2 + np.maximum(v - 0.06, 0) ** 2)
        screen = edge(0.062 - corner, width) * (z > 0)
        under = mix(under, VISOR, screen)
        lamps = disc(u, y, 0.095, 0.715, 0.040, 0.048, width)
        mouth = edge(0.012 - np.abs(y - 0.635), width) * edge(0.055 - u, width)
        return mix(under, LAMP, np.maximum(lamps, mouth) * screen)

    return mark


def torso_paint(body: Body) -> Paint:
    """Clothes or fur of the trunk, with a belly or a chest lamp in the second colour."""
    second = albedo(body.skin)
    dress = cloth(body.material)
    if body.kind == "robot":
        return marked(
            dress, patch(second, 0.0, 0.36, 0.085, 0.085), patch(LAMP, 0, 0.36, 0.04, 0.04)
        )
    if body.kind in ("girl", "boy"):
        return dress
    return marked(dress, patch(second, 0.0, 0.29, 0.115, 0.125))


def limb_paint(body: Body, leg: bool) -> Paint:
    """Arms and legs; y is measured from the joint downwards (negative)."""
    second = albedo(body.skin)
    if body.kind == "robot":
        return flat(second)
    if body.kind in ("girl", "boy"):
        low = SHOE if leg else FACE
        trousers = linear((70, 84, 120))
        if leg:
            return _two(flat(trousers if body.kind == "boy" else FACE), low, -0.135)
        return _two(cloth(body.material), low, -0.085)
    return _two(cloth(body.material), second, -0.15)


def _two(high: Paint, low: F32, split: float) -> Paint:
    """``high`` above the height ``split``, ``low`` below."""
    return lambda x, y, z, width: mix(low, high(x, y, z, width), edge(y - split, width))
