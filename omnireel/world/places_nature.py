"""Outdoor places: meadow, desert, beach, snowfield, night."""

from __future__ import annotations

import numpy as np

from omnireel.world.noise import around, field, hashed
from omnireel.world.palette import F32, linear
from omnireel.world.rays import (
    Canvas,
    Rays,
    drum,
    edge_below,
    gradient,
    paint,
    paint_drum,
    smooth,
)
from omnireel.world.scene import Scene
from omnireel.world.tones import Tone, tone_of


def sky(scene: Scene, rays: Rays, tone: Tone) -> Canvas:
    """Sky with clouds and, at sunset, a low sun; the canvas that everything else is painted on."""
    flat = np.sqrt(rays.dx * rays.dx + rays.dz * rays.dz)
    slope = rays.dy / flat
    rise = np.clip(slope * 1.7, 0, 1)
    color = gradient(tone.horizon, tone.zenith, rise * (1.7 - 0.7 * rise))
    if scene.weather == "sunset" and scene.place != "night":
        sun = _disc(rays, -0.27, 0.115)
        paint(color, linear((255, 226, 170)), np.exp(-sun * 3.2) * 0.9)
        paint(color, linear((255, 246, 222)), np.clip((0.066 - sun) / 0.012, 0, 1))
    if tone.clouds:
        high = 1 / np.maximum(slope + 0.10, 0.06)
        u, v = rays.dx / flat * high, rays.dz / flat * high
        cover = field(u * np.float32(0.035), v * np.float32(0.07), scene.seed)
        share = smooth(0.02, 0.75, cover) * smooth(0.015, 0.14, slope) * (0.85 * tone.clouds)
        bright = np.minimum(tone.horizon * 1.06 + 0.03, 1)
        paint(color, bright.astype(np.float32), share)
    depth = np.where(rays.floor > 0.5, rays.depth, np.inf).astype(np.float32)
    return Canvas(color, depth, rays.floor)


def _disc(rays: Rays, azimuth: float, slope: float) -> F32:
    """Angle (about radians) of each ray from a direction; azimuth 0 is behind the subject."""
    dx, dy, dz = np.sin(azimuth), slope, -np.cos(azimuth)
    norm = np.float32(1 / np.sqrt(1 + slope * slope))
    length = np.sqrt(rays.dx**2 + rays.dy**2 + rays.dz**2)
    cosine = (rays.dx * np.float32(dx) + rays.dy * np.float32(dy) + rays.dz * np.float32(dz)) * norm
    out: F32 = np.sqrt(np.maximum(2 - 2 * cosine / length, 0))
    return out


def ridge(
    canvas: Canvas, rays: Rays, scene: Scene, color: F32, radius: float, base: float, swing: float
) -> None:
    """A rolling skyline of hills at ``radius`` metres, ``base`` high, give or take ``swing``."""
    wall = drum(rays, radius, base + swing)
    top = base + swing * around(wall.turn, scene.seed + int(radius))
    # A little haze gathers at the foot of distant hills.
    haze = smooth(0.0, 1.0, 1 - np.clip(wall.height / max(base, 0.1), 0, 1)) * 0.22
    light = np.stack([color[c] + (1 - color[c]) * haze * 0.5 for c in range(3)])
    paint_drum(canvas, wall, light, edge_below(top, wall))


def trees(
    canvas: Canvas, rays: Rays, scene: Scene, color: F32, radius: float, count: int, pointed: bool
) -> None:
    """A sparse line of round or ``pointed`` trees at ``radius`` metres."""
    wall = drum(rays, radius, 4.6)
    cell = wall.turn * count
    i = np.floor(cell)
    salt = scene.seed % 9973
    keep = hashed(i + 4096, salt) > 0.36
    tall = 1.5 + 1.7 * hashed(i + 4096, salt + 1)
    wide = (0.55 + 0.35 * hashed(i + 4096, salt + 2)) * tall * 0.62
    span = np.float32(2 * np.pi * radius / count)
    x = (cell - i - 0.5 - 0.3 * (hashed(i + 4096, salt + 3) - 0.5)) * span
    if pointed:
        tier = np.mod(wall.height / tall * 3, 1) * 0.20
        half = wide * 0.85 * (1 - np.clip(wall.height / tall, 0, 1) - tier * 0.5 + 0.1)
        inside = np.minimum(half - np.abs(x), tall - wall.height)
    else:
        y = (wall.height - tall * 0.62) / (tall * 0.42)
        crown = (1 - np.sqrt((x / wide) ** 2 + y * y)) * np.minimum(wide, tall * 0.4)
        trunk = np.minimum(tall * 0.05 - np.abs(x), tall * 0.5 - wall.height)
        inside = np.maximum(crown, trunk)
    share = np.where(keep, np.clip(inside / wall.size + 0.5, 0, 1), 0).astype(np.float32)
    lit = 0.92 + 0.30 * np.clip(wall.height / 3 - x * 0.35, -0.4, 1)
    paint_drum(canvas, wall, np.stack([color[c] * lit for c in range(3)]), share)


def ground(canvas: Canvas, rays: Rays, tone: Tone, relief: F32) -> None:
    """Lay the ground: near to far colour, brightened or darkened by ``relief`` (T, H, W)."""
    far = 1 - np.exp(-0.09 * np.maximum(rays.depth - 3, 0))
    shade = 1 + relief
    color = [(tone.ground[c] + (tone.far[c] - tone.ground[c]) * far) * shade for c in range(3)]
    haze = smooth(18, 80, rays.depth) * 0.65
    for c in range(3):
        color[c] += (tone.horizon[c] - color[c]) * haze
    paint(canvas.color, np.stack(color), rays.floor)


def _grain(scene: Scene, rays: Rays, scale: float, strength: float, salt: int) -> F32:
    """Ground noise of about ``1 / (20 scale)`` metres that fades out before it could alias."""
    fade = 1 / (1 + (rays.footprint() * np.float32(scale * 14)) ** 2)
    out: F32 = field(rays.gx * scale, rays.gz * scale, scene.seed + salt) * fade * strength
    return out


def meadow(scene: Scene, rays: Rays) -> Canvas:
    """Sage grass with pale flowers, round trees, hills."""
    tone = tone_of(scene)
    canvas = sky(scene, rays, tone)
    ridge(canvas, rays, scene, tone.far_ridge, 60.0, 4.6, 4.2)
    ridge(canvas, rays, scene, tone.near_ridge, 34.0, 1.2, 1.5)
    relief = _grain(scene, rays, 0.05, 0.16, 1) + _grain(scene, rays, 0.31, 0.13, 2)
    ground(canvas, rays, tone, relief)
    _flowers(canvas, rays, scene)
    trees(canvas, rays, scene, tone.near_ridge * np.float32(0.70), 19.0, 44, pointed=False)
    return canvas


def _flowers(canvas: Canvas, rays: Rays, scene: Scene) -> None:
    """Small pale flowers, one in some cells of a grid."""
    step = 0.42
    i, j = np.floor(rays.gx / step), np.floor(rays.gz / step)
    key = i * 577 + j + 300_000
    salt = scene.seed % 9973
    cx = (i + 0.2 + 0.6 * hashed(key, salt)) * step
    cz = (j + 0.2 + 0.6 * hashed(key, salt + 1)) * step
    along = rays.footprint()
    across = rays.pixel * rays.depth
    grow = 0.035
    away = np.sqrt((rays.gx - cx) ** 2 + (rays.gz - cz) ** 2)
    share = np.clip((grow - away) / np.maximum(across, 1e-4) + 0.5, 0, 1)
    share = share * (hashed(key, salt + 2) > 0.72) * np.clip(0.05 / along, 0, 1) * rays.floor
    warm = (hashed(key, salt + 3) > 0.5).astype(np.float32)
    color = gradient(linear((250, 246, 236)), linear((250, 236, 190)), warm)
    paint(canvas.color, color, (share * 0.85).astype(np.float32))


def desert(scene: Scene, rays: Rays) -> Canvas:
    """Sand with wind ripples, dunes and far mesas."""
    tone = tone_of(scene)
    canvas = sky(scene, rays, tone)
    ridge(canvas, rays, scene, tone.far_ridge, 70.0, 5.0, 5.5)
    ridge(canvas, rays, scene, tone.near_ridge, 38.0, 1.8, 2.6)
    bend = field(rays.gx * 0.04, rays.gz * 0.04, scene.seed + 4)
    ripple = np.sin((rays.gz + 0.35 * rays.gx + 1.6 * bend) * 9.0)
    ripple = ripple * 0.035 / (1 + (rays.footprint() * 9) ** 2)
    ground(canvas, rays, tone, ripple + _grain(scene, rays, 0.06, 0.07, 5) + 0.05 * bend)
    return canvas


def beach(scene: Scene, rays: Rays) -> Canvas:
    """Pale sand, a wet edge with foam, the sea up to the horizon."""
    tone = tone_of(scene)
    canvas = sky(scene, rays, tone)
    ridge(canvas, rays, scene, tone.far_ridge, 80.0, 0.2, 5.0)
    ground(
        canvas, rays, tone, _grain(scene, rays, 0.22, 0.07, 6) + _grain(scene, rays, 0.05, 0.06, 7)
    )
    shore = rays.gz + 4.2 + 0.45 * np.sin(rays.gx * 0.7) + 0.25 * np.sin(rays.gx * 1.9 + 1)
    along = rays.footprint()
    wet = np.clip((0.75 - shore) / 0.9, 0, 1) * rays.floor
    paint(canvas.color, tone.ground * np.float32(0.74), wet * 0.7)
    sea = np.clip(-shore / np.maximum(along, 1e-3) + 0.5, 0, 1) * rays.floor
    water = linear((126, 190, 204)), linear((104, 164, 196))
    if scene.weather in ("fog", "rain", "snow"):
        water = linear((150, 176, 186)), linear((150, 166, 178))
    if scene.weather == "sunset":
        water = linear((198, 168, 172)), linear((168, 146, 176))
    surface = gradient(water[0], water[1], smooth(0, 14, -shore))
    swell = np.sin(rays.gz * 3.1 + 1.4 * np.sin(rays.gx * 0.8)) / (1 + (along * 3) ** 2)
    swell = swell + _grain(scene, rays, 0.12, 1.0, 8)
    surface = surface * (1 + 0.06 * swell)
    paint(canvas.color, surface.astype(np.float32), sea)
    haze = smooth(30, 88, rays.depth) * sea
    paint(canvas.color, tone.horizon, haze * 0.55)
    foam = (
        np.exp(-(((shore + 0.10) / (0.09 + along)) ** 2)) * np.clip(0.25 / along, 0, 1) * rays.floor
    )
    paint(canvas.color, linear((250, 250, 248)), foam * 0.85)
    return canvas


def snowfield(scene: Scene, rays: Rays) -> Canvas:
    """Blue-shadowed snow, pines, mountains."""
    tone = tone_of(scene)
    canvas = sky(scene, rays, tone)
    ridge(canvas, rays, scene, tone.far_ridge, 75.0, 8.0, 7.0)
    ridge(canvas, rays, scene, tone.far * np.float32(0.97), 36.0, 1.6, 1.8)
    drift = _grain(scene, rays, 0.045, 0.10, 9) + _grain(scene, rays, 0.2, 0.04, 10)
    ground(canvas, rays, tone, drift)
    trees(canvas, rays, scene, tone.near_ridge, 18.0, 48, pointed=True)
    return canvas


def night(scene: Scene, rays: Rays) -> Canvas:
    """Moonlit ground, dark hills, a moon and stars."""
    tone = tone_of(scene)
    canvas = sky(scene, rays, tone)
    if scene.weather in ("clear", "sunset"):
        _stars(canvas, rays, scene)
        moon = _disc(rays, 0.22, 0.135)
        paint(canvas.color, linear((150, 164, 206)), np.exp(-moon * 7) * 0.6)
        size = float(rays.pixel.max())
        disc = np.clip((0.046 - moon) / max(size, 1e-4) + 0.5, 0, 1)
        paint(canvas.color, linear((246, 244, 226)), disc)
    ridge(canvas, rays, scene, tone.far_ridge, 60.0, 3.6, 4.2)
    ridge(canvas, rays, scene, tone.near_ridge, 34.0, 1.0, 1.5)
    ground(
        canvas, rays, tone, _grain(scene, rays, 0.05, 0.18, 1) + _grain(scene, rays, 0.31, 0.12, 2)
    )
    trees(canvas, rays, scene, tone.near_ridge * np.float32(0.75), 19.0, 44, pointed=True)
    return canvas


def _stars(canvas: Canvas, rays: Rays, scene: Scene) -> None:
    """One star in some cells of a longitude-latitude grid of the sky."""
    cells = 90.0
    flat = np.sqrt(rays.dx * rays.dx + rays.dz * rays.dz)
    u = np.arctan2(rays.dx, -rays.dz) * np.float32(cells / np.pi)
    v = np.arctan(rays.dy / flat) * np.float32(cells / np.pi)
    i, j = np.floor(u), np.floor(v)
    key = i * 211 + j + 100_000
    salt = scene.seed % 9973
    du = u - i - 0.25 - 0.5 * hashed(key, salt)
    dv = v - j - 0.25 - 0.5 * hashed(key, salt + 1)
    size = np.maximum(rays.pixel * np.float32(cells / np.pi), 0.05)
    bright = hashed(key, salt + 2)
    power = np.clip((bright - 0.72) / 0.28, 0, 1) * (0.09 / size) ** 0.7
    share = np.clip(np.exp(-(du * du + dv * dv) / (size * size) * 1.6) * power, 0, 1)
    paint(canvas.color, linear((240, 242, 255)), (share * (rays.dy > 0)).astype(np.float32))
