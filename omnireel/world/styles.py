"""Rendering styles: what a hand or a machine would make of the finished frames.

Styles work in display space on (C, T, H, W) values in 0..1. Paper, hatching and pixels are fixed to
the picture, and outlines come from the scene's own depth and parts, so nothing flickers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnireel.errors import InvalidInput
from omnireel.world.noise import field
from omnireel.world.palette import F32
from omnireel.world.scene import STYLES, Scene

LUMA = np.asarray([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, eq=False)
class Picture:
    """Frames ``color_CTHW`` in display space with ``depth_THW`` metres and ``part_THW`` ids."""

    color_CTHW: F32
    depth_THW: F32
    part_THW: npt.NDArray[np.int16]

    @property
    def short(self) -> int:
        """The shorter side in pixels."""
        _, _, height, width = self.color_CTHW.shape
        return int(min(height, width))


def apply_style(scene: Scene, picture: Picture) -> F32:
    """The frames of ``picture`` in the scene's style, (C, T, H, W) in 0..1."""
    if scene.style not in STYLES:
        raise InvalidInput(
            f"Unknown style {scene.style!r}; use one of {', '.join(STYLES)}.", field="scene.style"
        )
    if scene.style == "natural":
        return picture.color_CTHW
    return np.clip(_STYLES[scene.style](picture), 0, 1).astype(np.float32)


def _luma(color: F32) -> F32:
    out: F32 = color[0] * LUMA[0] + color[1] * LUMA[1] + color[2] * LUMA[2]
    return out


def _shift(v: F32, dy: int, dx: int) -> F32:
    """Neighbour at (+dy, +dx), with the border repeated."""
    h, w = v.shape[-2:]
    rows, columns = np.clip(np.arange(h) + dy, 0, h - 1), np.clip(np.arange(w) + dx, 0, w - 1)
    return (
        v[..., rows, :]
        if dx == 0
        else (v[..., columns] if dy == 0 else v[..., rows, :][..., columns])
    )


def blur(v: F32, radius: int) -> F32:
    """Two passes of a box of ``radius`` pixels over the last two axes, border repeated."""
    out = v
    for _ in range(2):
        for axis in (-2, -1):
            pad = [(0, 0)] * out.ndim
            pad[axis] = (radius + 1, radius)
            total = np.cumsum(np.pad(out, pad, mode="edge"), axis=axis, dtype=np.float32)
            n = v.shape[axis]
            high = np.take(total, np.arange(2 * radius + 1, 2 * radius + 1 + n), axis)
            low = np.take(total, np.arange(n), axis)
            out = (high - low) / np.float32(2 * radius + 1)
    return out


def outlines(picture: Picture) -> F32:
    """Contours (T, H, W) in 0..1 where parts meet or depth jumps."""
    part, near = picture.part_THW, 1 / np.maximum(picture.depth_THW, 0.1)
    edge = np.zeros(part.shape, np.float32)
    for dy, dx in ((0, 1), (1, 0)):
        other = _shift(part.astype(np.float32), dy, dx)
        jump = np.abs(_shift(near, dy, dx) - near) > 0.035
        edge = np.maximum(edge, ((other != part) | jump).astype(np.float32))
    if picture.short <= 100:
        return edge * 0.62
    for _ in range(picture.short // 240):
        edge = np.maximum.reduce(
            [edge, *(_shift(edge, dy, dx) for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)))]
        )
    return np.minimum(edge * 0.6 + blur(edge, 1) * 0.6, 1)


def _gradient(luma: F32) -> F32:
    """Edge strength of the picture itself."""
    gx = _shift(luma, 0, 1) - _shift(luma, 0, -1)
    gy = _shift(luma, 1, 0) - _shift(luma, -1, 0)
    out: F32 = np.sqrt(gx * gx + gy * gy)
    return out


def _grid(picture: Picture) -> tuple[F32, F32]:
    """Picture coordinates x (1, W) and y (H, 1) in units of the shorter side."""
    h, w = picture.color_CTHW.shape[2:]
    x = (np.arange(w, dtype=np.float32) + 0.5)[None, :] / picture.short
    y = (np.arange(h, dtype=np.float32) + 0.5)[:, None] / picture.short
    return x, y


def _paper(picture: Picture, scale: float, strength: float) -> F32:
    """Grain of a sheet (H, W) about 1."""
    x, y = _grid(picture)
    out: F32 = 1 + strength * field(y * scale + 0 * x, x * scale + 0 * y, 77)
    return out


def _pencil(picture: Picture) -> F32:
    """Coloured pencil: pale hatched colour and graphite lines on paper."""
    color = picture.color_CTHW
    luma = _luma(color)
    x, y = _grid(picture)
    pitch = min(120.0, picture.short * 1.25)
    wave = np.sin((x + y) * pitch) * 0.5 + 0.5
    cross = np.sin((x - y) * pitch) * 0.5 + 0.5
    dark = 1 - luma
    hatch = np.clip(dark * 1.35 - 0.42 - wave * 0.55, 0, 1) * 0.5
    hatch = hatch + np.clip(dark * 1.4 - 0.62 - cross * 0.6, 0, 1) * 0.5
    lines = outlines(picture) * 0.85 + np.clip(_gradient(luma) * 1.6 - 0.12, 0, 0.7)
    lines = np.clip(lines, 0, 1)
    paper = _paper(picture, 2.4, 0.035) * np.float32(0.985)
    chroma = color.max(0) - color.min(0)
    out = np.empty_like(color)
    for c in range(3):
        tint = 1 - (0.50 + 0.35 * chroma) * (1 - color[c])
        out[c] = paper * (tint + (1 - tint) * 0.22 * wave) * (1 - 0.4 * hatch)
        out[c] += (0.22 - out[c]) * lines * 0.85
    return out


def _watercolor(picture: Picture) -> F32:
    """Wet washes: blurred, blotchy colour that gathers at the edges, on rough paper."""
    h, w = picture.color_CTHW.shape[2:]
    x, y = _grid(picture)
    zx, zy = 0 * x, 0 * y
    reach = picture.short * 0.014
    dx = np.round(field(y * 0.5 + zx, x * 0.5 + zy, 11) * reach).astype(np.int64)
    dy = np.round(field(y * 0.5 + zx, x * 0.5 + zy, 12) * reach).astype(np.int64)
    rows = np.clip(np.arange(h)[:, None] + dy, 0, h - 1)
    columns = np.clip(np.arange(w)[None, :] + dx, 0, w - 1)
    color = picture.color_CTHW[..., rows, columns]
    radius = max(1, picture.short // 100)
    soft = blur(color, radius)
    wash = soft if picture.short > 100 else color + (soft - color) * 0.45
    rim = blur(outlines(picture)[..., rows, columns], 1) * 0.9
    rim = np.minimum(rim + np.clip(_gradient(_luma(soft)) * 0.8, 0, 0.4), 0.8)
    blotch = 1 + 0.16 * field(y * 0.35 + zx, x * 0.35 + zy, 13)
    paper = _paper(picture, 1.9, 0.045)
    luma = _luma(wash)
    out = np.empty_like(wash)
    for c in range(3):
        vivid = wash[c] + (wash[c] - luma) * 0.40
        pale = 1 - (1 - vivid) * 0.80 * blotch
        out[c] = pale * paper * (1 - 0.42 * rim * (1.2 - vivid))
    return out


def _pixel(picture: Picture) -> F32:
    """Chunky pixels in few tones."""
    h, w = picture.color_CTHW.shape[2:]
    block = max(2, round(picture.short / 40))
    rows, columns = np.arange(h) // block, np.arange(w) // block
    sums = np.add.reduceat(picture.color_CTHW, np.arange(0, h, block), axis=2)
    sums = np.add.reduceat(sums, np.arange(0, w, block), axis=3)
    area = np.bincount(rows)[:, None] * np.bincount(columns)[None, :]
    mean = sums / area.astype(np.float32)
    luma = np.maximum(_luma(mean), 1e-3)
    tone = np.round(luma * 9) / 9
    small = np.clip(luma + (mean - luma) * np.float32(1.2), 0, 1) * (tone / luma)
    return small[:, :, rows][..., columns].astype(np.float32)


def _neon(picture: Picture) -> F32:
    """Glowing outlines in the dark."""
    color = picture.color_CTHW
    luma = _luma(color)
    top = np.maximum(color.max(0), 0.05)
    subject = (picture.part_THW >= 0).astype(np.float32)
    drawn = outlines(picture) * (0.35 + 0.65 * np.maximum(subject, _shift(subject, 0, 1)))
    inner = np.clip(_gradient(luma) * 2.6 - 0.10, 0, 1)
    line = np.clip(np.maximum(drawn, inner * (0.35 + 0.65 * subject)), 0, 1)
    night = np.asarray([0.045, 0.030, 0.110], np.float32)
    out = np.empty_like(color)
    radius = max(1, picture.short // 40)
    for c in range(3):
        pure = np.clip((color[c] - 0.75 * color.min(0)) / top * 1.25 + 0.06, 0, 1)
        light = line * pure
        halo = blur(light, radius) * 1.7
        out[c] = night[c] + color[c] * (0.07 + 0.30 * subject) + light * 1.05 + halo
    return out


def _sepia(picture: Picture) -> F32:
    """An old photograph: brown tones, soft corners, a little grain."""
    luma = _luma(picture.color_CTHW)
    luma = np.clip((luma - 0.5) * 1.12 + 0.50, 0, 1)
    x, y = _grid(picture)
    h, w = luma.shape[1:]
    u, v = x - w / picture.short / 2, y - h / picture.short / 2
    corner = 1 - 0.42 * np.clip(u * u + v * v - 0.10, 0, 1)
    light = luma * corner * _paper(picture, 3.1, 0.03)
    dark, pale = (0.16, 0.09, 0.05), (1.0, 0.93, 0.78)
    return np.stack([dark[c] + (pale[c] - dark[c]) * light for c in range(3)])


def _toon(picture: Picture) -> F32:
    """Flat cel colours in three tones with ink outlines."""
    color = picture.color_CTHW
    value = np.maximum(color.max(0), 1e-3)
    steps = value * 5
    low = np.floor(steps)
    soft = np.clip((steps - low - 0.5) / 0.12 + 0.5, 0, 1)
    flat = (low + soft) / 5 + 0.04
    ink = np.clip(outlines(picture), 0, 1)
    out = np.empty_like(color)
    least = color.min(0)
    for c in range(3):
        vivid = color[c] - (value - color[c]) * 0.25 * (value - least)
        out[c] = vivid / value * flat
        out[c] += (0.09 - out[c]) * ink
    return out


_STYLES: dict[str, Callable[[Picture], F32]] = {
    "pencil": _pencil,
    "watercolor": _watercolor,
    "pixel": _pixel,
    "neon": _neon,
    "sepia": _sepia,
    "toon": _toon,
}
