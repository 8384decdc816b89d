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
        rect = rectangles(camera, _reach(k, occluder), pad=0.5)
        pixel = (rect.frame_N * camera.height + rect.row_N) * camera.width + rect.column_N
        size = rect.spread(camera.pixel_T)
        px, py = camera.columns()[rect.column_N] * size, camera.rows()[rect.row_N] * size
        b, eye = camera.basis_T33, camera.position_T3
        dx, dy, dz = (
            rect.spread(b[:, 2, i]) + px * rect.spread(b[:, 0, i]) + py * rect.spread(b[:, 1, i])
            for i in range(3)
        )
        depth = rect.spread(eye[:, 1]) / np.maximum(-dy, 1e-4)
        gx = rect.spread(eye[:, 0]) + depth * dx
        gz = rect.spread(eye[:, 2]) + depth * dz
        centre = [rect.spread(occluder.centre_T3[:, i]) for i in range(3)]
        radii = [rect.spread(occluder.radii_T3[:, i]) for i in range(3)]
        total[pixel] *= np.where(dy < 0, _transmission(k, gx, gz, centre, radii), 1)
    touched = np.flatnonzero(total < 0.999)
    dark = (1 - total[touched]) * ground[touched]
    for c in range(3):
        flat[c, touched] *= 1 - dark * (1 - light.shadow[c])


def _reach(k: F32, occluder: Occluder) -> F32:
    """Ground points (T, 8, 3) around all that an occluder can darken."""
    centre, radii = occluder.centre_T3, occluder.radii_T3
    foot = centre - centre[:, 1:2] / k[1] * k
    # The light stretches the shadow along its own way over the ground.
    long = np.sqrt(radii[:, [0, 2]] ** 2 + (radii[:, 1:2] * k[[0, 2]] / k[1]) ** 2) * 1.45
    near = radii[:, [0, 2]] * 1.5
    corners = []
    for middle, half in ((foot, long), (centre, near)):
        for sx in (-1, 1):
            for sz in (-1, 1):
                x, z = middle[:, 0] + sx * half[:, 0], middle[:, 2] + sz * half[:, 1]
                corners.append(np.stack([x, 0 * x, z], -1))
    return np.stack(corners, 1).astype(np.float32)


def _transmission(k: F32, gx: F32, gz: F32, centre: list[F32], radii: list[F32]) -> F32:
    """Light left at N ground points: 1 in the open, 0 in the core of the shadow."""
    ix, iy, iz = 1 / radii[0], 1 / radii[1], 1 / radii[2]
    # In units of the radii the occluder is a unit ball; light ray and ground point follow.
    ox, oy, oz = (gx - centre[0]) * ix, -centre[1] * iy, (gz - centre[2]) * iz
    lx, ly, lz = k[0] * ix, k[1] * iy, k[2] * iz
    l2 = lx * lx + ly * ly + lz * lz
    along = -(ox * lx + oy * ly + oz * lz) / l2
    qx, qy, qz = ox + along * lx, oy + along * ly, oz + along * lz
    miss = np.sqrt(qx * qx + qy * qy + qz * qz)
    soft = 0.16 + 0.26 * np.clip(centre[1] * iy * np.float32(1 / 3), 0, 1)
    s = np.clip((1 + soft - miss) / (2 * soft), 0, 1)
    umbra = s * s * (3 - 2 * s) * np.float32(0.85)
    gap = np.maximum(centre[1] - radii[1], 0)
    contact = 0.70 * np.exp(-1.9 * (ox * ox + oz * oz) - 3.5 * gap)
    out: F32 = ((1 - umbra) * (1 - contact)).astype(np.float32)
    return out
