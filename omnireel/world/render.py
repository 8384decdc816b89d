"""From a scene to frames.

1. Place the camera and every body for each frame (`camera`, `kinematics`).
2. Paint the place (`background`) and the bodies' shadows on its ground (`shadow`).
3. Trace the solids of all bodies (`trace`), drop what is hidden, shade the rest (`light`).
4. Blend by depth (`composite`) and encode to 8 bits.

Frames are rendered in chunks that fit the processor's cache. A scene, a size and a time fix every
byte; nothing is drawn from a global random state.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from omnireel.errors import InvalidInput
from omnireel.types import Frames, VideoFormat
from omnireel.world.background import backdrop_of_clip
from omnireel.world.camera import CameraPath, camera_path
from omnireel.world.composite import blend, cull, stack
from omnireel.world.figure import occluders, parts
from omnireel.world.figure_types import Part
from omnireel.world.kinematics import pose
from omnireel.world.light import Light, light_of, shade
from omnireel.world.palette import F32
from omnireel.world.scene import Scene
from omnireel.world.shadow import cast
from omnireel.world.trace import Fragments, normals, trace

CHUNK_PIXELS = 160_000
MAX_PIXELS_PER_FRAME = 4096 * 4096


def render_clip(scene: Scene, fmt: VideoFormat) -> Frames:
    """Render ``scene`` to ``frames_THWC``; frame i shows the time i / fps seconds.

    Raises InvalidInput for sizes that cannot be rendered and for unknown names in the scene.
    """
    _check(fmt)
    times = np.arange(fmt.num_frames, dtype=np.float32) / np.float32(fmt.fps)
    return render_times(scene, fmt.width, fmt.height, times)


def render_image(scene: Scene, width: int, height: int, t: float = 0.0) -> Frames:
    """One picture (1, H, W, 3) of ``scene`` at ``t`` seconds."""
    _check(VideoFormat(width, height, 1, 1.0))
    return render_times(scene, width, height, np.asarray([t], np.float32))


def render_times(scene: Scene, width: int, height: int, times_T: F32) -> Frames:
    """Render the given times (seconds) in order."""
    path = camera_path(scene.camera, times_T, scene.duration_s, width, height)
    out = np.empty((len(times_T), height, width, 3), np.uint8)
    size = max(1, CHUNK_PIXELS // (width * height))
    for start in range(0, len(times_T), size):
        stop = min(start + size, len(times_T))
        shot = render_linear(scene, path.frames(start, stop), times_T[start:stop])
        encoded = np.sqrt(np.clip(shot.color_CTHW, 0, 1)) * np.float32(255) + np.float32(0.5)
        out[start:stop] = np.moveaxis(encoded.astype(np.uint8), 0, -1)
    return out


@dataclass(frozen=True, eq=False)
class Shot:
    """Linear light of a chunk of frames with what made it."""

    color_CTHW: F32
    depth_THW: F32
    """Metres to the nearest opaque surface, inf in the sky."""


def render_linear(scene: Scene, camera: CameraPath, times_T: F32) -> Shot:
    """Render frames of ``camera`` (whose length is that of ``times_T``) in linear light."""
    light = light_of(scene)
    place = backdrop_of_clip(scene, camera)
    shape = place.depth_THW.shape
    poses = [pose(body, times_T, scene.duration_s) for body in scene.bodies]
    shadows = [o for body, p in zip(scene.bodies, poses, strict=True) for o in occluders(body, p)]
    cast(light, camera, shadows, place.color_CTHW, place.ground_THW)
    all_parts = [part for b, p in zip(scene.bodies, poses, strict=True) for part in parts(b, p)]
    depth = place.depth_THW.reshape(-1)
    if all_parts:
        layers = [trace(camera, part.solid, part.pose) for part in all_parts]
        layers, nearest = cull(layers, depth.size)
        stacked = stack(layers, depth.size)
        blend(stacked, _colors(light, all_parts, layers), place.color_CTHW)
        depth = np.minimum(depth, nearest)
    return Shot(place.color_CTHW, depth.reshape(shape))


def _colors(light: Light, all_parts: list[Part], layers: list[Fragments]) -> F32:
    """Shaded linear RGB (3, N) of all fragments, in order."""
    colors = []
    for part, layer in zip(all_parts, layers, strict=True):
        x, y, z = layer.local_3N
        albedo = part.solid.paint(x, y, z, layer.width_N)
        normal = normals(part.solid, layer, part.pose)
        m, o = part.pose.matrix_T33, part.pose.origin_T3
        f = layer.frame_N
        height = m[f, 1, 0] * x + m[f, 1, 1] * y + m[f, 1, 2] * z + o[f, 1]
        colors.append(
            shade(light, albedo, normal, layer.ray_3N, height, part.solid.shine, part.solid.glow)
        )
    return np.concatenate(colors, axis=1)


def _check(fmt: VideoFormat) -> None:
    """Refuse sizes that make no picture."""
    if fmt.width < 8 or fmt.height < 8 or fmt.width * fmt.height > MAX_PIXELS_PER_FRAME:
        raise InvalidInput(
            f"Cannot render {fmt.width}x{fmt.height} pixels; use at least 8x8 and at most "
            f"{MAX_PIXELS_PER_FRAME} pixels a frame.",
            field="format",
        )
    if fmt.num_frames < 1 or not fmt.fps > 0:
        raise InvalidInput(
            "A clip needs at least one frame and a positive frame rate.", field="format"
        )
