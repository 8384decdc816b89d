"""The perspective camera: a pose per frame, rays out of pixels, pixels out of points.

Depth everywhere is the distance along the camera's forward axis in metres, so a ray is
``position + depth * direction`` with an unnormalised direction whose forward part is 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from omnireel.errors import InvalidInput
from omnireel.world.palette import F32
from omnireel.world.scene import CAMERA_MOVES, Camera

NEAR_M = 0.05
PAN_RAD = 0.46
"""Whole angle of a pan; it is centred on the camera's pose at the middle of the clip."""
ZOOM_FACTOR = 1.75
"""Magnification from the first to the last frame of a zoom."""
ORBIT_RAD = 1.05
RISE_RAD = 0.62
SHAKE_RAD = 0.035


@dataclass(frozen=True, eq=False)
class CameraPath:
    """Per frame: ``position_T3``, orthonormal ``basis_T33`` (rows right, up, forward) and
    ``pixel_T``, the size of a pixel at one metre of depth. ``width`` and ``height`` in pixels.
    """

    position_T3: F32
    basis_T33: F32
    pixel_T: F32
    width: int
    height: int

    @property
    def num_frames(self) -> int:
        """Frames in the path."""
        return len(self.pixel_T)

    @property
    def is_static(self) -> bool:
        """Whether all frames share one pose."""
        return bool(
            (self.position_T3 == self.position_T3[:1]).all()
            and (self.basis_T33 == self.basis_T33[:1]).all()
            and (self.pixel_T == self.pixel_T[:1]).all()
        )

    def columns(self) -> F32:
        """Pixel centres right of the optical axis, in pixels."""
        return np.arange(self.width, dtype=np.float32) + np.float32(0.5 - self.width / 2)

    def rows(self) -> F32:
        """Pixel centres above the optical axis, in pixels."""
        return np.float32(self.height / 2 - 0.5) - np.arange(self.height, dtype=np.float32)

    def frames(self, start: int, stop: int) -> CameraPath:
        """The part of the path in ``start:stop``."""
        part = slice(start, stop)
        return CameraPath(
            self.position_T3[part],
            self.basis_T33[part],
            self.pixel_T[part],
            self.width,
            self.height,
        )

    def project(self, points_TN3: F32) -> tuple[F32, F32, F32]:
        """Pixel column, pixel row and depth (each (T, N)) of world points.

        Pixel coordinates are continuous: the centre of the first pixel is 0.5.
        """
        relative = points_TN3 - self.position_T3[:, None, :]
        local = np.einsum("tij,tnj->tni", self.basis_T33, relative)
        depth = local[..., 2]
        safe = np.maximum(depth, NEAR_M) * self.pixel_T[:, None]
        return self.width / 2 + local[..., 0] / safe, self.height / 2 - local[..., 1] / safe, depth

    def matrices(self) -> F32:
        """World-to-camera matrices with x right, y up, z forward."""
        out = np.zeros((self.num_frames, 4, 4), np.float32)
        out[:, :3, :3] = self.basis_T33
        out[:, :3, 3] = -(self.basis_T33 * self.position_T3[:, None, :]).sum(-1)
        out[:, 3, 3] = 1.0
        return out


def camera_path(
    camera: Camera, times_T: F32, duration_s: float, width: int, height: int
) -> CameraPath:
    """The path of ``camera`` at each time; raises InvalidInput for an unknown move."""
    if camera.move not in CAMERA_MOVES:
        raise InvalidInput(
            f"Unknown camera move {camera.move!r}; use one of {', '.join(CAMERA_MOVES)}.",
            field="camera.move",
        )
    u = (times_T / np.float32(max(duration_s, 1e-6))).astype(np.float32)
    zero = np.zeros_like(u)
    azimuth, elevation = zero + camera.azimuth, zero + camera.elevation
    yaw, pitch, zoom = zero, zero, zero + 1
    if camera.move in ("pan_left", "pan_right"):
        sign = 1.0 if camera.move == "pan_left" else -1.0
        yaw = sign * PAN_RAD * camera.amount * (u - 0.5)
    elif camera.move in ("zoom_in", "zoom_out"):
        # Both keep the pose's framing at mid-clip, so that the subject is neither lost nor cut.
        sign = 1.0 if camera.move == "zoom_in" else -1.0
        zoom = ZOOM_FACTOR ** (sign * camera.amount * (u - 0.5))
    elif camera.move == "orbit":
        azimuth = azimuth + ORBIT_RAD * camera.amount * u
    elif camera.move == "rise":
        elevation = elevation + RISE_RAD * camera.amount * u
    elif camera.move == "shake":
        t = times_T.astype(np.float32)
        size = SHAKE_RAD * camera.amount
        yaw = size * (np.sin(t * 23.0) + 0.6 * np.sin(t * 37.0 + 1.0))
        pitch = size * (np.sin(t * 29.0 + 2.0) + 0.6 * np.sin(t * 41.0))
    out = np.stack(
        [
            np.sin(azimuth) * np.cos(elevation),
            np.sin(elevation),
            np.cos(azimuth) * np.cos(elevation),
        ],
        -1,
    )
    position = np.asarray(camera.target, np.float32) + camera.distance * out
    # A camera under the ground sees nothing; keep it a hand above.
    position[:, 1] = np.maximum(position[:, 1], 0.1)
    tangent = np.tan(np.float32(camera.fov / 2)) / zoom
    pixel = 2 * tangent / min(width, height)
    basis = _look(-out, yaw, pitch)
    return CameraPath(position.astype(np.float32), basis, pixel.astype(np.float32), width, height)


def _look(forward_T3: F32, yaw_T: F32, pitch_T: F32) -> F32:
    """Basis rows right, up, forward after turning left by ``yaw`` and up by ``pitch``."""
    heading = np.arctan2(forward_T3[:, 0], forward_T3[:, 2]) + yaw_T
    tilt = np.arcsin(np.clip(forward_T3[:, 1], -0.999, 0.999)) + pitch_T
    ch, sh, ct, st = np.cos(heading), np.sin(heading), np.cos(tilt), np.sin(tilt)
    zero = np.zeros_like(ch)
    forward = np.stack([sh * ct, st, ch * ct], -1)
    right = np.stack([-ch, zero, sh], -1)
    up = np.stack([-sh * st, ct, -ch * st], -1)
    return np.stack([right, up, forward], 1).astype(np.float32)
