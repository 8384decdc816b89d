"""Exact ground truth of a scene: masks, depth, tracks and cameras, from the same geometry.

Truth is geometric: weather, effects and styles do not change it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnireel.types import VideoFormat
from omnireel.world.background import backdrop_of_clip
from omnireel.world.camera import CameraPath, camera_path
from omnireel.world.composite import stack
from omnireel.world.figure import parts
from omnireel.world.kinematics import Pose, pose
from omnireel.world.palette import F32
from omnireel.world.render import CHUNK_PIXELS, check_format, frame_times, scene_times
from omnireel.world.scene import Scene
from omnireel.world.trace import trace

MASK_SHARE = 0.5
"""A pixel belongs to the body that fills more than this share of it."""


@dataclass(frozen=True, eq=False)
class Track:
    """One body per frame: the projection of its middle in pixels and how much of it is seen.

    ``center_T2`` is (column, row) with 0.5 at the middle of the first pixel, also when hidden or
    out of the picture. ``visible_T`` is the share of its pixels inside the picture that no other
    body hides; 0 when it has none. ``world_T3`` is its middle in metres, ``depth_T`` the distance
    of that point along the camera's axis.
    """

    center_T2: F32
    visible_T: F32
    world_T3: F32
    depth_T: F32


@dataclass(frozen=True, eq=False)
class Truth:
    """Truth by body id: ``masks`` (T, H, W) of visible pixels and ``tracks``.

    ``depth_THW`` is metres along the camera's axis to what is seen, inf in the sky. ``camera``
    holds poses and intrinsics; `CameraPath.matrices` gives (T, 4, 4) world-to-camera matrices.
    """

    masks: dict[str, npt.NDArray[np.bool_]]
    depth_THW: F32
    tracks: dict[str, Track]
    camera: CameraPath


def render_truth(scene: Scene, fmt: VideoFormat) -> Truth:
    """The truth of ``scene`` in every frame of ``fmt``; raises InvalidInput as `render_clip`."""
    check_format(fmt)
    times = scene_times(scene, frame_times(fmt))
    path = camera_path(scene.camera, times, scene.duration_s, fmt.width, fmt.height)
    poses = [pose(body, times, scene.duration_s) for body in scene.bodies]
    shape = (len(scene.bodies), fmt.num_frames, fmt.height, fmt.width)
    masks = np.zeros(shape, bool)
    depth = np.empty(shape[1:], np.float32)
    visible = np.zeros(shape[:2], np.float32)
    size = max(1, CHUNK_PIXELS // (fmt.width * fmt.height))
    for start in range(0, fmt.num_frames, size):
        part = slice(start, min(start + size, fmt.num_frames))
        camera = path.frames(part.start, part.stop)
        shown = [_cut(p, part) for p in poses]
        masks[:, part], depth[part], visible[:, part] = _chunk(scene, camera, shown)
    tracks = {}
    for index, body in enumerate(scene.bodies):
        middle = poses[index].centre()
        column, row, away = path.project(middle[:, None, :])
        center = np.concatenate([column, row], axis=1)
        tracks[body.id] = Track(center, visible[index], middle, away[:, 0])
    by_id = {body.id: masks[index] for index, body in enumerate(scene.bodies)}
    return Truth(by_id, depth, tracks, path)


def _cut(whole: Pose, part: slice) -> Pose:
    """The frames ``part`` of a pose."""
    return Pose(
        whole.matrix_T33[part], whole.origin_T3[part], whole.stride_T[part], whole.gait_T[part]
    )


def _chunk(
    scene: Scene, camera: CameraPath, poses: list[Pose]
) -> tuple[npt.NDArray[np.bool_], F32, F32]:
    """Masks (B, T, H, W), depth (T, H, W) and visible shares (B, T) of a run of frames."""
    place = backdrop_of_clip(scene, camera)
    depth = place.depth_THW.reshape(-1).copy()
    frames, pixels = camera.num_frames, depth.size
    layers, owners = [], []
    for index, (body, body_pose) in enumerate(zip(scene.bodies, poses, strict=True)):
        for part in parts(body, body_pose):
            layers.append(trace(camera, part.solid, part.pose))
            owners.append(np.full(len(layers[-1].pixel_N), index))
    count = len(scene.bodies)
    if not layers:
        return (
            np.zeros((0, *place.depth_THW.shape), bool),
            place.depth_THW,
            np.zeros((0, frames), np.float32),
        )
    stacked = stack(layers, pixels)
    owner = np.concatenate(owners)[stacked.order_N]
    alpha = np.concatenate([layer.alpha_N for layer in layers])[stacked.order_N]
    metres = np.concatenate([layer.depth_N for layer in layers])[stacked.order_N]
    masks, visible = [], []
    for index in range(count):
        mine = owner == index
        seen = np.bincount(stacked.pixel_N[mine], stacked.weight_N[mine], minlength=pixels)
        # What the body would show alone: 1 - product of what its fragments let through.
        through = np.log1p(-np.minimum(alpha[mine], np.float32(1 - 1e-6)))
        alone = 1 - np.exp(np.bincount(stacked.pixel_N[mine], through, minlength=pixels))
        masks.append((seen > MASK_SHARE).reshape(place.depth_THW.shape))
        total = alone.reshape(frames, -1).sum(1)
        share = seen.reshape(frames, -1).sum(1) / np.maximum(total, 1e-6)
        visible.append(np.where(total > 0.5, np.minimum(share, 1), 0).astype(np.float32))
    front = stacked.weight_N > MASK_SHARE
    at = stacked.pixel_N[front]
    depth[at] = np.minimum(depth[at], metres[front])
    return np.stack(masks), depth.reshape(place.depth_THW.shape), np.stack(visible)
