"""Light of a place and weather, and how a surface answers it.

A soft key light, a sky that is brighter than the ground below, light bounced off the ground, a
thin rim against the backdrop and a highlight that grows with ``shine``. Surfaces keep most of
their colour everywhere, so that a subject can be told by its colour in shade as in light.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from omnireel.world.palette import F32
from omnireel.world.scene import Scene


@dataclass(frozen=True, eq=False)
class Light:
    """Directions are unit vectors towards the light; colours are linear RGB (3,)."""

    key_direction: F32
    key: F32
    sky: F32
    bounce: F32
    shadow: F32
    """What is left of a ground colour in full shadow."""


def _unit(x: float, y: float, z: float) -> F32:
    v: F32 = np.asarray([x, y, z], np.float32)
    out: F32 = v / np.sqrt((v * v).sum())
    return out


def _rgb(r: float, g: float, b: float) -> F32:
    return np.asarray([r, g, b], np.float32)


def light_of(scene: Scene) -> Light:
    """The light that falls on a scene."""
    day = Light(
        key_direction=_unit(-0.62, 0.90, 0.34),
        key=_rgb(0.78, 0.74, 0.66),
        sky=_rgb(0.50, 0.53, 0.58),
        bounce=_rgb(0.30, 0.28, 0.24),
        shadow=_rgb(0.44, 0.47, 0.56),
    )
    if scene.place == "night":
        return replace(
            day,
            key_direction=_unit(0.58, 0.90, 0.30),
            key=_rgb(0.60, 0.66, 0.82),
            sky=_rgb(0.34, 0.38, 0.52),
            bounce=_rgb(0.14, 0.15, 0.22),
            shadow=_rgb(0.40, 0.42, 0.50),
        )
    if scene.weather == "sunset":
        return replace(
            day,
            key_direction=_unit(-0.85, 0.62, 0.34),
            key=_rgb(0.92, 0.66, 0.44),
            sky=_rgb(0.52, 0.46, 0.52),
            bounce=_rgb(0.30, 0.22, 0.18),
            shadow=_rgb(0.42, 0.38, 0.50),
        )
    if scene.weather in ("fog", "rain", "snow"):
        return replace(
            day,
            key=_rgb(0.52, 0.52, 0.52),
            sky=_rgb(0.66, 0.67, 0.70),
            bounce=_rgb(0.34, 0.34, 0.34),
            shadow=_rgb(0.62, 0.64, 0.68),
        )
    if scene.place == "snowfield":
        return replace(day, bounce=_rgb(0.40, 0.42, 0.46), shadow=_rgb(0.50, 0.56, 0.70))
    return day


def shade(
    light: Light,
    albedo_3N: F32,
    normal_3N: F32,
    ray_3N: F32,
    height_N: F32,
    shine: float,
    glow: float = 0.0,
) -> F32:
    """Linear RGB (3, N) of surfaces; ``height_N`` is metres above the ground."""
    k = light.key_direction
    nx, ny, nz = normal_3N
    facing = nx * k[0] + ny * k[1] + nz * k[2]
    wrap = np.clip((facing + 0.25) * 0.8, 0, 1)
    diffuse = wrap * wrap * (3 - 2 * wrap)
    up = 0.5 + 0.5 * ny
    # The ground below hides half of the sky from what lies near it.
    open_sky = 1 - 0.45 * (1 - up) * np.exp(-np.maximum(height_N, 0) * 4)
    inverse = 1 / np.sqrt((ray_3N * ray_3N).sum(0))
    cosine = -(nx * ray_3N[0] + ny * ray_3N[1] + nz * ray_3N[2]) * inverse
    # Blinn's half vector between key and viewer.
    hx, hy, hz = (k[i] - ray_3N[i] * inverse for i in range(3))
    half = (nx * hx + ny * hy + nz * hz) / np.sqrt(hx * hx + hy * hy + hz * hz + 1e-6)
    gloss = np.maximum(half, 0) ** 2
    gloss = gloss**2
    gloss = gloss**2
    gloss = gloss**2
    highlight = shine * gloss**2 * 1.1
    rim = np.clip(1 - cosine, 0, 1) ** 3 * (0.10 + 0.35 * shine) * np.clip(0.3 + up, 0, 1)
    out = np.empty_like(albedo_3N)
    for c in range(3):
        ambient = (light.bounce[c] + (light.sky[c] - light.bounce[c]) * up) * open_sky
        out[c] = albedo_3N[c] * (ambient + light.key[c] * diffuse + glow)
        out[c] += highlight * light.key[c] + rim * light.sky[c]
    return out
