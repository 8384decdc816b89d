"""Lines that a person draws: arrows and boxes over a picture, sketches and silhouettes of a scene.

Coordinates are continuous pixels, (column, row), with 0.5 at the middle of the first pixel.
"""

from __future__ import annotations

import numpy as np

from omnireel.types import Frames
from omnireel.world.camera import camera_path
from omnireel.world.palette import F32
from omnireel.world.render import render_linear, scene_times
from omnireel.world.scene import Scene
from omnireel.world.styles import Picture, outlines

INK = (232, 24, 160)
"""Colour of arrows and boxes, 8-bit RGB: none of the world's own."""
RIM = (255, 255, 255)
WIDTH = 1 / 40
"""Width of a line as a part of the short side; at least 1.5 pixels."""
HEAD = 1 / 7
"""Length of an arrow's head as a part of the short side."""
PAPER, PENCIL, FILL = 252.0, 40.0, 70.0


def draw_arrow(frame_HWC: Frames, start: tuple[float, float], end: tuple[float, float]) -> Frames:
    """The picture with an arrow from ``start`` to ``end``."""
    a, b = np.asarray(start, np.float64), np.asarray(end, np.float64)
    along = (b - a) / max(float(np.hypot(*(b - a))), 1e-6)
    across = np.asarray([-along[1], along[0]])
    head = HEAD * min(frame_HWC.shape[:2])
    wings = [b - head * (along + side * 0.7 * across) for side in (1, -1)]
    return _draw(frame_HWC, [(a, b), (wings[0], b), (wings[1], b)])


def draw_box(frame_HWC: Frames, box: tuple[float, float, float, float]) -> Frames:
    """The picture with the outline of ``box`` (left, top, right, bottom)."""
    left, top, right, bottom = box
    corners = [np.asarray(p) for p in ((left, top), (right, top), (right, bottom), (left, bottom))]
    return _draw(frame_HWC, [(corners[i], corners[(i + 1) % 4]) for i in range(4)])


def _draw(frame_HWC: Frames, lines: list[tuple[F32, F32]]) -> Frames:
    """Lines with a thin rim, so that they show on every ground."""
    h, w = frame_HWC.shape[:2]
    x, y = np.arange(w)[None, :] + 0.5, np.arange(h)[:, None] + 0.5
    away = np.full((h, w), np.inf)
    for a, b in lines:
        dx, dy = b - a
        t = ((x - a[0]) * dx + (y - a[1]) * dy) / max(float(dx * dx + dy * dy), 1e-9)
        t = np.clip(t, 0, 1)
        away = np.minimum(away, np.hypot(x - a[0] - t * dx, y - a[1] - t * dy))
    half = max(1.5, WIDTH * min(h, w)) / 2
    out = frame_HWC.astype(np.float32)
    for color, reach in ((RIM, half + max(0.6, half / 2)), (INK, half)):
        share = np.clip(reach - away + 0.5, 0, 1)[..., None]
        out += (np.asarray(color, np.float32) - out) * share.astype(np.float32)
    return (out + 0.5).astype(np.uint8)


def sketch(scene: Scene, width: int, height: int, time_s: float, *, filled: bool) -> Frames:
    """A drawing (1, H, W, 3) of the scene at ``time_s`` seconds of its clip.

    Its outlines in pencil on white paper; ``filled``: its bodies as dark shapes instead.
    """
    times = scene_times(scene, np.asarray([time_s], np.float32))
    camera = camera_path(scene.camera, times, scene.duration_s, width, height)
    shot = render_linear(scene, camera, times)
    if filled:
        ink = (shot.part_THW >= 0).astype(np.float32)
        dark = FILL
    else:
        ink, dark = outlines(Picture(shot.color_CTHW, shot.depth_THW, shot.part_THW)), PENCIL
        ink = np.minimum(ink * 1.5, 1)
    gray = PAPER + (dark - PAPER) * ink
    return np.repeat((gray + 0.5)[..., None], 3, -1).astype(np.uint8)
