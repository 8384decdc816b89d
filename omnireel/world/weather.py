"""Air between the camera and the scene: fog, rain, snow."""

from __future__ import annotations

import numpy as np

from omnireel.errors import InvalidInput
from omnireel.world.camera import CameraPath
from omnireel.world.noise import hashed
from omnireel.world.palette import F32, linear
from omnireel.world.particles import Particles, splat
from omnireel.world.scene import WEATHERS, Scene
from omnireel.world.tones import tone_of

FOG_PER_M = {"fog": 0.12, "rain": 0.030, "snow": 0.028}
"""Share of light lost per metre, beyond FOG_FROM_M."""
FOG_FROM_M = 2.8
FLAKES = 420
FALL_M_S = 0.85
SNOW_BOX = np.asarray([7.0, 4.2, 8.0], np.float32)
"""Flakes live in a box of this size about the camera's target and wrap around in it."""


def apply_weather(
    scene: Scene, camera: CameraPath, times_T: F32, color_CTHW: F32, depth_THW: F32
) -> None:
    """Draw a scene's weather over rendered frames, in place (linear light)."""
    if scene.weather not in WEATHERS:
        raise InvalidInput(
            f"Unknown weather {scene.weather!r}; use one of {', '.join(WEATHERS)}.",
            field="scene.weather",
        )
    if scene.weather in FOG_PER_M:
        _fog(scene, color_CTHW, depth_THW)
    if scene.weather == "rain":
        _rain(scene, camera, times_T, color_CTHW)
    elif scene.weather == "snow":
        splat(_flakes(scene, times_T), camera, color_CTHW, depth_THW)


def _fog(scene: Scene, color_CTHW: F32, depth_THW: F32) -> None:
    """Mix everything far towards the colour of the sky at the horizon."""
    per_m = FOG_PER_M[scene.weather]
    if scene.place in ("studio", "room"):
        per_m *= 0.6
    away = np.minimum(np.maximum(depth_THW - FOG_FROM_M, 0), 60)
    share = 1 - np.exp(-np.float32(per_m) * away)
    air = tone_of(scene).horizon
    for c in range(3):
        color_CTHW[c] += (air[c] - color_CTHW[c]) * share


def _rain(scene: Scene, camera: CameraPath, times_T: F32, color_CTHW: F32) -> None:
    """Slanted streaks in three layers of the picture, near ones longer and faster."""
    short = np.float32(min(camera.width, camera.height))
    x = (np.arange(camera.width, dtype=np.float32) + 0.5)[None, None, :] / short
    y = (np.arange(camera.height, dtype=np.float32) + 0.5)[None, :, None] / short
    t = times_T[:, None, None].astype(np.float32)
    drop = linear((226, 234, 244))
    salt = scene.seed % 9973
    for layer, (columns, length, speed, strength) in enumerate(
        ((17.0, 0.30, 2.3, 0.42), (29.0, 0.20, 1.8, 0.34), (47.0, 0.13, 1.4, 0.26))
    ):
        u = (x - 0.14 * y) * np.float32(columns)
        i = np.floor(u)
        offset = hashed(i + 512, salt + 10 * layer)
        fall = (y - np.float32(speed) * t) * np.float32(0.5 / length) + offset * 7
        j = np.floor(fall)
        keep = hashed(i * 131 + j + 70_000, salt + 10 * layer + 1) < 0.5
        along = fall - j
        tail = np.clip(along * 2, 0, 1) * np.clip((0.62 - along) / 0.06, 0, 1)
        wide = np.float32(0.5 * columns / short)
        half = np.maximum(np.float32(0.0026 * columns), wide)
        across = np.abs(u - i - 0.3 - 0.4 * offset)
        line = np.clip((half - across) / (2 * wide) + 0.5, 0, 1) * (0.0052 * columns / half) ** 0.5
        share = line * tail * keep * np.float32(strength)
        for c in range(3):
            color_CTHW[c] += (drop[c] - color_CTHW[c]) * np.minimum(share, 0.6)


def _flakes(scene: Scene, times_T: F32) -> Particles:
    """Falling, swaying snow in a box that wraps around."""
    rng = np.random.default_rng([scene.seed & 0xFFFFFFFF, 3])
    start = rng.random((FLAKES, 3)).astype(np.float32) * SNOW_BOX
    pace = (0.7 + 0.6 * rng.random(FLAKES)).astype(np.float32)
    phase = (rng.random(FLAKES) * 6.28).astype(np.float32)
    t = times_T[:, None]
    place = np.repeat(start[None], len(times_T), 0)
    place[..., 0] += 0.12 * np.sin(2.1 * t + phase) + 0.25 * t
    place[..., 1] -= FALL_M_S * pace * t
    place[..., 2] += 0.12 * np.cos(1.7 * t + phase)
    middle = np.asarray(scene.camera.target, np.float32) + np.asarray([0, 0.9, 0], np.float32)
    place = np.mod(place, SNOW_BOX) - SNOW_BOX / 2 + middle
    size = np.repeat((0.016 + 0.018 * rng.random(FLAKES)).astype(np.float32)[None], len(times_T), 0)
    color = np.broadcast_to(linear((252, 253, 255)), (*size.shape, 3))
    alpha = np.full(size.shape, 0.92, np.float32)
    return Particles(place, size, color, alpha, "disc", emits=False)
