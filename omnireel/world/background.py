"""Ground and sky of every place, per pixel, before any body stands in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from omnireel.errors import InvalidInput
from omnireel.world.camera import CameraPath
from omnireel.world.palette import F32, linear
from omnireel.world.scene import PLACES, Scene


@dataclass(frozen=True, eq=False)
class Backdrop:
    """``color_CTHW`` linear RGB, ``depth_THW`` metres (inf in the sky), ``ground_THW`` 0..1."""

    color_CTHW: F32
    depth_THW: F32
    ground_THW: F32


@dataclass(frozen=True)
class _Tone:
    """sRGB: ground near and far, sky at the horizon and above."""

    ground: tuple[int, int, int]
    far: tuple[int, int, int]
    horizon: tuple[int, int, int]
    zenith: tuple[int, int, int]


TONES = {
    "meadow": _Tone((164, 190, 140), (190, 208, 172), (228, 238, 236), (156, 196, 226)),
    "desert": _Tone((226, 200, 164), (234, 214, 184), (246, 234, 214), (178, 208, 226)),
    "beach": _Tone((232, 216, 186), (238, 226, 202), (232, 242, 244), (150, 202, 228)),
    "snowfield": _Tone((206, 218, 234), (222, 230, 240), (226, 234, 242), (164, 190, 220)),
    "city": _Tone((176, 176, 182), (196, 196, 202), (234, 228, 224), (176, 194, 216)),
    "studio": _Tone((214, 208, 204), (226, 221, 217), (226, 221, 217), (188, 186, 190)),
    "room": _Tone((198, 166, 134), (206, 178, 148), (222, 214, 202), (214, 206, 196)),
    "night": _Tone((62, 72, 100), (66, 78, 110), (74, 86, 124), (22, 28, 58)),
}


def backdrop(scene: Scene, camera: CameraPath) -> Backdrop:
    """Render the place behind a scene's bodies for each frame of ``camera``."""
    if scene.place not in PLACES:
        raise InvalidInput(
            f"Unknown place {scene.place!r}; use one of {', '.join(PLACES)}.", field="scene.place"
        )
    tone = TONES[scene.place]
    x = camera.columns_W()[None, None, :] * camera.pixel_T[:, None, None]
    y = camera.rows_H()[None, :, None] * camera.pixel_T[:, None, None]
    b = camera.basis_T33[:, :, :, None, None]
    dy = b[:, 2, 1] + y * b[:, 1, 1] + x * b[:, 0, 1]
    ground = np.clip(0.5 - dy / camera.pixel_T[:, None, None], 0, 1)
    depth = camera.position_T3[:, 1, None, None] / np.maximum(-dy, 1e-4)
    far = 1 - np.exp(-0.10 * np.maximum(depth - 3, 0))
    rise = np.clip(dy * 2.2, 0, 1)
    rise = rise * (2 - rise)
    near, mid = linear(tone.ground), linear(tone.far)
    low, high = linear(tone.horizon), linear(tone.zenith)
    color = np.empty((3, *dy.shape), np.float32)
    for c in range(3):
        floor = near[c] + (mid[c] - near[c]) * far
        sky = low[c] + (high[c] - low[c]) * rise
        color[c] = sky + (floor - sky) * ground
    return Backdrop(color, np.where(dy < -1e-4, depth, np.inf).astype(np.float32), ground)
