"""Subjects cut out of a scene: exact coverage, and the subjects alone on a plain ground.

Coverage is the share of a pixel that the chosen bodies show, whatever stands before them included;
shadows, weather, effects and styles are no part of a subject.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from omnireel.types import Frames, VideoFormat
from omnireel.world.camera import camera_path
from omnireel.world.composite import cull, stack
from omnireel.world.figure import parts
from omnireel.world.kinematics import pose
from omnireel.world.light import light_of
from omnireel.world.palette import F32
from omnireel.world.render import (
    CHUNK_PIXELS,
    check_format,
    frame_times,
    scene_parts,
    scene_times,
    shaded,
)
from omnireel.world.scene import Scene
from omnireel.world.trace import trace


def cut_out(
    scene: Scene, fmt: VideoFormat, body_ids: Collection[str], ground_3: F32
) -> tuple[Frames, F32]:
    """The bodies on a plain ground of linear RGB ``ground_3``, and their coverage (T, H, W)."""
    check_format(fmt)
    times = frame_times(fmt)
    shape = (fmt.num_frames, fmt.height, fmt.width)
    frames, coverage = np.empty((*shape, 3), np.uint8), np.empty(shape, np.float32)
    size = max(1, CHUNK_PIXELS // (fmt.width * fmt.height))
    for start in range(0, fmt.num_frames, size):
        part = slice(start, start + size)
        light_CTHW, coverage[part] = _premultiplied(scene, fmt, times[part], body_ids)
        light_CTHW += (1 - coverage[part]) * ground_3[:, None, None, None]
        shown = np.sqrt(np.clip(light_CTHW, 0, 1)) * np.float32(255) + np.float32(0.5)
        frames[part] = np.moveaxis(shown.astype(np.uint8), 0, -1)
    return frames, coverage


def _premultiplied(
    scene: Scene, fmt: VideoFormat, clip_times_T: F32, body_ids: Collection[str]
) -> tuple[F32, F32]:
    """Linear light (3, T, H, W) of the bodies times their coverage, and the coverage."""
    times = scene_times(scene, clip_times_T)
    camera = camera_path(scene.camera, times, scene.duration_s, fmt.width, fmt.height)
    poses = [pose(body, times, scene.duration_s) for body in scene.bodies]
    every = scene_parts(scene, poses)
    wanted = [
        body.id in body_ids
        for body, where in zip(scene.bodies, poses, strict=True)
        for _ in parts(body, where)
    ]
    shape = (len(times), fmt.height, fmt.width)
    pixels = int(np.prod(shape))
    if not any(wanted):
        return np.zeros((3, *shape), np.float32), np.zeros(shape, np.float32)
    layers, _ = cull([trace(camera, part.solid, part.pose) for part in every], pixels)
    stacked = stack(layers, pixels)
    mine = np.repeat(wanted, [len(layer.pixel_N) for layer in layers])[stacked.order_N]
    weight, at = stacked.weight_N[mine], stacked.pixel_N[mine]
    colors_3N = shaded(light_of(scene), every, layers)
    light = [
        np.bincount(at, weight * color_N[stacked.order_N][mine], minlength=pixels)
        for color_N in colors_3N
    ]
    coverage = np.bincount(at, weight, minlength=pixels)
    return (
        np.stack(light).astype(np.float32).reshape(3, *shape),
        np.minimum(coverage, 1).astype(np.float32).reshape(shape),
    )
