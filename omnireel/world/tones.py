"""Pastel colours of each place, and what weather does to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from omnireel.world.palette import F32, linear
from omnireel.world.scene import Scene


@dataclass(frozen=True, eq=False)
class Tone:
    """Linear RGB (3,) of the ground near and far, the sky at the horizon and overhead, and two
    layers of distance.
    """

    ground: F32
    far: F32
    horizon: F32
    zenith: F32
    near_ridge: F32
    far_ridge: F32
    clouds: float
    """How much the clouds show, 0 none to 1."""


def _tone(*srgb: tuple[int, int, int], clouds: float = 0.0) -> Tone:
    ground, far, horizon, zenith, near_ridge, far_ridge = (linear(v) for v in srgb)
    return Tone(ground, far, horizon, zenith, near_ridge, far_ridge, clouds)


_TONES = {
    "meadow": _tone(
        (164, 192, 136), (190, 210, 164), (232, 241, 238), (138, 188, 226),
        (146, 180, 138), (168, 196, 186), clouds=1.0,
    ),
    "desert": _tone(
        (229, 202, 164), (236, 214, 180), (250, 238, 216), (164, 204, 226),
        (222, 188, 148), (214, 184, 164), clouds=0.35,
    ),
    "beach": _tone(
        (236, 220, 190), (238, 226, 202), (236, 245, 246), (134, 196, 230),
        (150, 186, 178), (176, 202, 208), clouds=0.9,
    ),
    "snowfield": _tone(
        (208, 220, 236), (224, 232, 242), (232, 238, 245), (152, 184, 220),
        (126, 154, 166), (176, 196, 216), clouds=0.6,
    ),
    "city": _tone(
        (182, 180, 184), (198, 197, 202), (242, 232, 224), (166, 190, 218),
        (164, 168, 184), (194, 198, 210), clouds=0.5,
    ),
    "studio": _tone(
        (214, 208, 204), (226, 221, 217), (230, 226, 222), (190, 188, 192),
        (214, 208, 204), (214, 208, 204),
    ),
    "room": _tone(
        (196, 164, 132), (206, 178, 148), (226, 218, 206), (240, 236, 228),
        (226, 218, 206), (226, 218, 206),
    ),
    "night": _tone(
        (64, 76, 106), (70, 84, 118), (86, 100, 146), (22, 28, 62),
        (40, 48, 78), (54, 64, 100), clouds=0.25,
    ),
}  # fmt: skip


def tone_of(scene: Scene) -> Tone:
    """The colours of a scene's place in its weather."""
    tone = _TONES[scene.place]
    night = scene.place == "night"
    if scene.weather == "sunset" and not night:
        warm = np.asarray([1.02, 0.82, 0.70], np.float32)
        return Tone(
            tone.ground * warm,
            tone.far * warm,
            linear((255, 196, 142)),
            linear((128, 132, 190)),
            tone.near_ridge * warm * np.float32(0.72),
            tone.far_ridge * warm * np.float32(0.86),
            tone.clouds * 0.9,
        )
    if scene.weather in ("fog", "rain", "snow"):
        grey = linear((70, 76, 92)) if night else linear((206, 211, 217))
        high = linear((40, 46, 62)) if night else linear((174, 182, 192))
        dull = np.float32(0.84 if scene.weather == "rain" else 0.94)
        return Tone(
            _fade(tone.ground, 0.3) * dull,
            _fade(tone.far, 0.4) * dull,
            grey * dull,
            high * dull,
            _fade(tone.near_ridge, 0.4) * dull,
            _fade(tone.far_ridge, 0.5) * dull,
            tone.clouds * 0.5,
        )
    return tone


def _fade(color: F32, share: float) -> F32:
    """Move a colour towards its own grey."""
    grey = color.mean()
    out: F32 = color + (grey - color) * np.float32(share)
    return out
