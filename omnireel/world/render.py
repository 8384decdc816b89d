"""From a scene to frames.

1. Place the camera and every body for each frame (`camera`, `kinematics`).
2. Paint the place (`background`) and the bodies' shadows on its ground (`shadow`).
3. Trace the solids of all bodies (`trace`), drop what is hidden, shade the rest (`light`).
4. Blend by depth (`composite`); add the body's effect (`effects`) and the weather (`weather`).
5. Encode for display, redraw in the scene's style (`styles`), and round to 8 bits.

Frames are rendered in chunks that fit the processor's cache. A scene, a size and a time fix every
byte; nothing is drawn from a global random state.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from omnireel.errors import InvalidInput
from omnireel.types import Frames, VideoFormat
from omnireel.world.background import backdrop_of_clip
from omnireel.world.camera import CameraPath, camera_path
from omnireel.world.composite import blend, cull, stack
from omnireel.world.effects import draw_effect, draw_halo, effect_body
from omnireel.world.figure import occluders, parts
from omnireel.world.figure_types import Part
from omnireel.world.kinematics import Pose, pose
from omnireel.world.light import Light, light_of, shade
from omnireel.world.palette import F32
from omnireel.world.scene import Scene
from omnireel.world.shadow import cast
from omnireel.world.styles import Picture, apply_style
from omnireel.world.trace import Fragments, normals, trace
from omnireel.world.weather import apply_weather

CHUNK_PIXELS = 160_000
MAX_PIXELS_PER_FRAME = 4096 * 4096


def render_clip(scene: Scene, fmt: VideoFormat) -> Frames:
    """Render ``scene`` to ``frames_THWC``; frame i shows the time i / fps seconds.

    Raises InvalidInput for sizes that cannot be rendered and for unknown names in the scene.
    """
    check_format(fmt)
    return render_times(scene, fmt.width, fmt.height, frame_times(fmt))


def render_image(scene: Scene, width: int, height: int, t: float = 0.0) -> Frames:
    """One picture (1, H, W, 3) of ``scene`` at ``t`` seconds."""
    check_format(VideoFormat(width, height, 1, 1.0))
    return render_times(scene, width, height, np.asarray([t], np.float32))


def frame_times(fmt: VideoFormat) -> F32:
    """Seconds (T,) that the frames of ``fmt`` show."""
    return (np.arange(fmt.num_frames) / fmt.fps).astype(np.float32)


def scene_times(scene: Scene, times_T: F32) -> F32:
    """The scene's own times that a clip shows at ``times_T`` seconds."""
    clock = scene.clock
    return (np.float32(clock.start_s) + np.float32(clock.pace) * times_T).astype(np.float32)


def render_times(scene: Scene, width: int, height: int, times_T: F32) -> Frames:
    """Render the given times (seconds of the clip) in order."""
    times_T = scene_times(scene, times_T)
    path = camera_path(scene.camera, times_T, scene.duration_s, width, height)
    out = np.empty((len(times_T), height, width, 3), np.uint8)
    size = max(1, CHUNK_PIXELS // (width * height))
    for start in range(0, len(times_T), size):
        stop = min(start + size, len(times_T))
        shot = render_linear(scene, path.frames(start, stop), times_T[start:stop])
        seen = np.sqrt(np.clip(shot.color_CTHW, 0, 1))
        styled = apply_style(scene, Picture(seen, shot.depth_THW, shot.part_THW))
        encoded = styled * np.float32(255) + np.float32(0.5)
        out[start:stop] = np.moveaxis(encoded.astype(np.uint8), 0, -1)
    return out


@dataclass(frozen=True, eq=False)
class Shot:
    """Linear light of a chunk of frames with what made it."""

    color_CTHW: F32
    depth_THW: F32
    """Metres to the nearest opaque surface, inf in the sky."""
    part_THW: npt.NDArray[np.int16]
    """Which solid of which body shows, numbered through the scene; -1 for the place."""


def render_linear(scene: Scene, camera: CameraPath, times_T: F32) -> Shot:
    """Render frames of ``camera`` (whose length is that of ``times_T``) in linear light."""
    light = light_of(scene)
    place = backdrop_of_clip(scene, camera)
    color = place.color_CTHW
    poses = [pose(body, times_T, scene.duration_s) for body in scene.bodies]
    glowing = effect_body(scene) if scene.effect == "glow" else None
    cast_of_parts = scene_parts(scene, poses, glowing)
    shadows = [o for body, p in zip(scene.bodies, poses, strict=True) for o in occluders(body, p)]
    cast(light, camera, shadows, color, place.ground_THW)
    if glowing is not None:
        draw_halo(scene.bodies[glowing], poses[glowing], camera, color)
    depth = place.depth_THW
    part_id = np.full(depth.shape, -1, np.int16)
    if cast_of_parts:
        layers = [trace(camera, part.solid, part.pose) for part in cast_of_parts]
        layers, nearest = cull(layers, depth.size)
        stacked = stack(layers, depth.size)
        blend(stacked, shaded(light, cast_of_parts, layers), color)
        depth = np.minimum(depth, nearest.reshape(depth.shape))
        owner = np.repeat(np.arange(len(layers)), [len(layer.pixel_N) for layer in layers])
        shown = stacked.weight_N > 0.5
        part_id.reshape(-1)[stacked.pixel_N[shown]] = owner[stacked.order_N[shown]]
    draw_effect(scene, poses, camera, times_T, color, depth)
    apply_weather(scene, camera, times_T, color, depth)
    return Shot(color, depth, part_id)


GLOW = 0.45
"""Light that a glowing body gives off itself, as a share of its albedo."""


def scene_parts(scene: Scene, poses: list[Pose], glowing: int | None = None) -> list[Part]:
    """All parts of all bodies in order; those of the body with index ``glowing`` give light."""
    out = []
    for index, (body, body_pose) in enumerate(zip(scene.bodies, poses, strict=True)):
        for part in parts(body, body_pose):
            lit = replace(part.solid, glow=GLOW) if index == glowing else part.solid
            out.append(Part(lit, part.pose))
    return out


def shaded(light: Light, all_parts: list[Part], layers: list[Fragments]) -> F32:
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


def check_format(fmt: VideoFormat) -> None:
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
