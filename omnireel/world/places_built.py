"""Built places: city, studio, room."""

from __future__ import annotations

import numpy as np

from omnireel.world.noise import field, hashed
from omnireel.world.palette import F32, linear
from omnireel.world.places_nature import ground, sky
from omnireel.world.rays import (
    Canvas,
    Rays,
    drum,
    gradient,
    paint,
    paint_drum,
    smooth,
)
from omnireel.world.scene import Scene
from omnireel.world.tones import Tone, tone_of

TINTS = ((228, 214, 206), (212, 220, 228), (216, 224, 212), (230, 222, 204), (222, 212, 226))
"""Pastel papers of the studio and paints of the room; a scene's seed picks one."""


def city(scene: Scene, rays: Rays) -> Canvas:
    """A paved square before two rows of pastel buildings."""
    tone = tone_of(scene)
    canvas = sky(scene, rays, tone)
    _buildings(canvas, rays, scene, tone, 46.0, 46, 16.0, tone.far_ridge, 7)
    _buildings(canvas, rays, scene, tone, 24.0, 34, 7.0, tone.near_ridge, 3)
    relief = field(rays.gx * 0.05, rays.gz * 0.05, scene.seed) * 0.05
    ground(canvas, rays, tone, relief)
    along, across = rays.footprint(), rays.pixel * rays.depth
    lines = np.maximum(_joints(rays.gx, 1.1, across), _joints(rays.gz, 1.1, along))
    paint(canvas.color, tone.ground * np.float32(0.72), lines * rays.floor * 0.55)
    return canvas


def _joints(v: F32, step: float, size: F32) -> F32:
    """Coverage of thin lines every ``step`` metres."""
    away = np.abs(np.mod(v + step / 2, step) - step / 2)
    half = 0.018
    line = np.clip((half - away) / np.maximum(size, 1e-4) + 0.5, 0, 1)
    out: F32 = line * np.clip(2 * half / np.maximum(size, 2 * half), 0, 1)
    return out


def _buildings(
    canvas: Canvas,
    rays: Rays,
    scene: Scene,
    tone: Tone,
    radius: float,
    count: int,
    tall: float,
    color: F32,
    salt: int,
) -> None:
    """Houses of different heights with windows, side by side around the square."""
    wall = drum(rays, radius, tall * 1.1)
    cell = wall.turn * count
    i = np.floor(cell)
    key = i + 4096
    salt = scene.seed % 9973 + salt
    height = tall * (0.42 + 0.62 * hashed(key, salt))
    x = (cell - i) * np.float32(2 * np.pi * radius / count)
    width = np.float32(2 * np.pi * radius / count)
    gap = width * 0.06 * hashed(key, salt + 1)
    inside = np.minimum(height - wall.height, np.minimum(x - gap, width - gap - x))
    share = np.clip(inside / wall.size + 0.5, 0, 1)
    hue = hashed(key, salt + 2)[None] - 0.5
    warm = np.asarray([0.16, 0.02, -0.14], np.float32)[:, None]
    walls = color[:, None] * (1 + warm * hue) * (0.9 + 0.2 * hashed(key, salt + 3))
    walls = walls * (1 - 0.10 * smooth(0.0, 1.0, x / width))  # one side a little darker
    pane = 0.85
    across = np.abs(np.mod(x - gap, pane) / pane - 0.5)
    up = np.abs(np.mod(wall.height, pane * 1.25) / (pane * 1.25) - 0.5)
    size = np.clip(wall.size / pane, 1e-3, None)
    glass = np.clip((0.24 - across) / size + 0.5, 0, 1) * np.clip((0.27 - up) / size + 0.5, 0, 1)
    glass = glass * np.clip(0.5 / size, 0, 1) * (inside > 0.3)
    lit = scene.weather == "sunset"
    window = linear((255, 224, 160)) if lit else tone.zenith * np.float32(0.82)
    walls = walls + (window[:, None] - walls) * glass * (0.7 if lit else 0.5)
    paint_drum(canvas, wall, walls.astype(np.float32), share.astype(np.float32))


def _tint(scene: Scene) -> F32:
    """The pastel that the seed picks, warmed or dulled by the weather."""
    tint = linear(TINTS[scene.seed % len(TINTS)])
    warm = (1.04, 0.84, 0.70) if scene.weather == "sunset" else (1.0, 1.0, 1.0)
    out: F32 = tint * np.asarray(warm, np.float32)
    return out


def studio(scene: Scene, rays: Rays) -> Canvas:
    """A paper sweep: floor and wall are one, lit by a soft pool of light."""
    tint = _tint(scene)
    length = np.sqrt(rays.dx**2 + rays.dy**2 + rays.dz**2)
    up = rays.dy / length
    pool = np.exp(-0.055 * (rays.gx**2 + (rays.gz + 0.6) ** 2)) * rays.floor
    rise = smooth(-0.22, 0.55, up)
    color = gradient(tint * np.float32(0.93), tint * np.float32(0.80), rise)
    for c in range(3):
        color[c] *= 1 + 0.13 * pool
    depth = np.where(rays.floor > 0.5, rays.depth, np.inf).astype(np.float32)
    return Canvas(color, depth, rays.floor * (rays.depth < 30))


ROOM_BACK, ROOM_FRONT, ROOM_SIDE, ROOM_TOP = -3.6, 8.0, 5.6, 3.4
"""The room's walls and ceiling in metres."""


def room(scene: Scene, rays: Rays) -> Canvas:
    """Painted walls over a wooden floor, with a skirting board and a window's light."""
    tint = _tint(scene)
    tone = tone_of(scene)
    tiny = np.float32(1e-6)
    to_x = (np.where(rays.dx > 0, ROOM_SIDE, -ROOM_SIDE) - rays.ex) / np.where(
        np.abs(rays.dx) < tiny, tiny, rays.dx
    )
    to_z = (np.where(rays.dz > 0, ROOM_FRONT, ROOM_BACK) - rays.ez) / np.where(
        np.abs(rays.dz) < tiny, tiny, rays.dz
    )
    to_x, to_z = np.maximum(to_x, 0.01), np.maximum(to_z, 0.01)
    wall = np.minimum(to_x, to_z).astype(np.float32)
    y = rays.ey + wall * rays.dy
    size = rays.pixel * wall
    on_side = (to_x < to_z).astype(np.float32)
    along = np.where(on_side > 0, rays.ez + wall * rays.dz, rays.ex + wall * rays.dx)
    lit = 0.90 - 0.10 * on_side + 0.05 * smooth(0, 3, y)
    color = np.stack([tint[c] * lit for c in range(3)])
    corner = np.abs(to_x - to_z)
    paint(color, tint * np.float32(0.6), np.exp(-corner * 1.6) * 0.22)
    _window(color, scene, along, y, size, on_side)
    board = np.clip((0.16 - y) / size + 0.5, 0, 1)
    paint(color, linear((246, 243, 238)), board * 0.85)
    floor = np.clip(-y / size + 0.5, 0, 1).astype(np.float32)
    plank = np.floor(rays.gx / 0.42)
    grain = hashed(plank + 4096, scene.seed % 997) - 0.5
    lines = _joints(rays.gx, 0.42, rays.pixel * rays.depth)
    wood = np.stack([tone.ground[c] * (1 + 0.13 * grain) for c in range(3)])
    paint(wood, tone.ground * np.float32(0.62), lines * 0.6)
    close = np.exp(-np.abs(rays.gz - ROOM_BACK) * 1.4) + np.exp(
        -np.abs(np.abs(rays.gx) - ROOM_SIDE) * 1.4
    )
    paint(wood, tone.ground * np.float32(0.5), np.clip(close, 0, 1) * 0.35)
    paint(color, wood, floor)
    depth = np.where(floor > 0.5, rays.depth, wall).astype(np.float32)
    return Canvas(color, depth, floor)


def _window(color: F32, scene: Scene, along: F32, y: F32, size: F32, on_side: F32) -> None:
    """A framed window on the back wall, left of the middle."""
    u, v = along + 1.75, y - 1.62
    frame = np.minimum(0.72 - np.abs(u), 0.62 - np.abs(v))
    share = np.clip(frame / size + 0.5, 0, 1) * (1 - on_side)
    paint(color, linear((244, 241, 236)), share)
    pane = np.minimum(
        np.minimum(0.64 - np.abs(u), 0.54 - np.abs(v)),
        np.minimum(np.abs(u) - 0.03, np.abs(v) - 0.03),
    )
    glass = np.clip(pane / size + 0.5, 0, 1) * (1 - on_side)
    day = linear((188, 216, 234))
    if scene.weather == "sunset":
        day = linear((255, 200, 150))
    paint(color, day, glass)
