"""Soft shadows on the ground, from the ellipsoids that stand for each body.

For a ground point the key light's ray passes an ellipsoid at some distance; where it would pass
through, the light is lost, with a penumbra that widens with the height of the occluder. A second,
rounder term darkens the ground close under a body (contact shadow).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from omnireel.world.camera import CameraPath
from omnireel.world.light import Light
from omnireel.world.palette import F32
from omnireel.world.trace import rectangles


@dataclass(frozen=True, eq=False)
class Occluder:
    """An upright ellipsoid per frame: centre (T, 3) and radii (T, 3) in metres."""

    centre_T3: F32
    radii_T3: F32


def cast(
    light: Light, camera: CameraPath, occluders: list[Occluder], color_CTHW: F32, ground_THW: F32
) -> None:
    """Darken ``color_CTHW`` in place where ``ground_THW`` shows shadowed ground."""
    if not occluders:
        return
    k = light.key_direction
    flat = color_CTHW.reshape(3, -1)
    ground = ground_THW.reshape(-1)
    total = np.ones(ground.shape, np.float32)
    for occluder in occluders:
        centre, radii = occluder.centre_T3, occluder.radii_T3
        foot = centre - centre[:, 1:2] / k[1] * k
        reach = radii.max(1) * 2.4 + 0.25 * centre[:, 1]
        span = reach * (1 + abs(float(k[0])))
        under = centre * np.asarray([1, 0, 1], np.float32)
        corners = np.stack(
            [
                p + np.stack([sx * span, 0 * span, sz * span], -1)
                for p in (foot, under)
                for sx in (-1, 1)
                for sz in (-1, 1)
            ],
            1,
        )
        rect = rectangles(camera, corners.astype(np.float32))
        f = rect.frame_N
        pixel = (f.astype(np.int64) * camera.height + rect.row_N) * camera.width + rect.column_N
        on = ground[pixel] > 0
        pixel, f, row, column = pixel[on], f[on], rect.row_N[on], rect.column_N[on]
        px, py = camera.columns()[column], camera.rows()[row]
        b = camera.basis_T33
        px, py = px * camera.pixel_T[f], py * camera.pixel_T[f]
        d = [b[f, 2, i] + px * b[f, 0, i] + py * b[f, 1, i] for i in range(3)]
        eye = camera.position_T3
        depth = eye[f, 1] / np.maximum(-d[1], 1e-4)
        gx = eye[f, 0] + depth * d[0]
        gz = eye[f, 2] + depth * d[2]
        keep = _transmission(k, gx, gz, centre[f], radii[f])
        total[pixel] *= keep
    touched = np.flatnonzero(total < 0.999)
    dark = (1 - total[touched]) * ground[touched]
    for c in range(3):
        flat[c, touched] *= 1 - dark * (1 - light.shadow[c])


def _transmission(k: F32, gx: F32, gz: F32, centre_N3: F32, radii_N3: F32) -> F32:
    """Light left at ground points: 1 in the open, 0 in the core of the shadow."""
    inv = 1 / radii_N3
    # In units of the radii the occluder is a unit ball; light ray and ground point follow.
    ox, oy, oz = (
        (gx - centre_N3[:, 0]) * inv[:, 0],
        -centre_N3[:, 1] * inv[:, 1],
        (gz - centre_N3[:, 2]) * inv[:, 2],
    )
    lx, ly, lz = k[0] * inv[:, 0], k[1] * inv[:, 1], k[2] * inv[:, 2]
    l2 = lx * lx + ly * ly + lz * lz
    along = -(ox * lx + oy * ly + oz * lz) / l2
    qx, qy, qz = ox + along * lx, oy + along * ly, oz + along * lz
    miss = np.sqrt(qx * qx + qy * qy + qz * qz)
    soft = 0.16 + 0.30 * np.clip(centre_N3[:, 1] / (radii_N3[:, 1] * 3), 0, 1)
    s = np.clip((1 + soft - miss) / (2 * soft), 0, 1)
    umbra = s * s * (3 - 2 * s) * 0.85
    flat2 = ox * ox + oz * oz
    gap = np.maximum(centre_N3[:, 1] - radii_N3[:, 1], 0)
    contact = 0.62 * np.exp(-1.9 * flat2) * np.exp(-3.5 * gap)
    out: F32 = ((1 - umbra) * (1 - contact)).astype(np.float32)
    return out
