"""Good clips to start from. Even numbers are filmed dead leaves, odd ones the procedural world."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from omnireel.data.bench.filming import Filming, film
from omnireel.types import Frames, VideoFormat
from omnireel.world.distribution import SceneDistribution
from omnireel.world.render import render_clip
from omnireel.world.sampler import sample_scene
from omnireel.world.scene import Scene

SIZES = ((432, 240), (480, 272), (352, 288), (272, 480))
"""Width and height; small, so that a thousand clips can be measured."""
RATES = (12.0, 16.0)
SECONDS = 2.5

CAMERAS = (
    Filming(),
    Filming(pan=(0.16, 0.0), things=2),
    Filming(zoom=0.14, things=1, size=0.3),
    Filming(sway=0.02, things=3, size=0.2),
    Filming(pan=(-0.1, 0.05), things=1, size=0.3),
    Filming(things=1, size=0.26, noise=4.0),
)
"""Filmed clips take these in turn; in each the things cover a fiftieth of the picture or more."""
_SOFT_STYLES = ("pixel", "watercolor")
"""Styles of the world that are coarse or soft on purpose: neither good nor bad."""
_SCENES = SceneDistribution(other_style=0.1, moving_camera=0.5, effect=0.02, other_weather=0.2)


@dataclass(frozen=True, eq=False)
class Footage:
    """Frames to be coded: ``codec`` and ``quality`` as in `coding`."""

    frames: Frames
    fps: float
    codec: str = "h264"
    quality: int | None = None


def good_clip(
    number: int, *, things: int | None = None, focus: float = 0.0, pan: bool = False
) -> Footage:
    """Good clip ``number``. ``things`` = 0: nothing moves but the camera; ``focus``: what is
    behind the things is that many pixels out of focus; ``pan``: the camera turns for certain (both
    of filmed clips only).
    """
    rng = np.random.default_rng((number, 11))
    width, height = SIZES[number // 2 % len(SIZES)]
    fps = RATES[number // 4 % len(RATES)]
    if number % 2:
        scene = _scene(rng, still=things == 0)
        fmt = VideoFormat(width, height, round(SECONDS * fps), fps)
        return Footage(render_clip(scene, fmt), fps)
    config = CAMERAS[number // 2 % len(CAMERAS)]
    config = replace(config, width=width, height=height, fps=fps, seconds=SECONDS)
    if pan:
        config = replace(config, pan=(0.12 if number % 4 else -0.12, 0.03))
    if things is not None:
        config = replace(config, things=things)
    return Footage(film(rng, config, focus=focus), fps)


def _scene(rng: np.random.Generator, *, still: bool) -> Scene:
    while True:
        scene = sample_scene(rng, duration_s=SECONDS, distribution=_SCENES)
        steady = scene.camera.move != "shake" and scene.style not in _SOFT_STYLES
        if not steady or scene.weather in ("rain", "snow", "fog"):
            continue
        if not still:
            if scene.bodies[0].motion.kind not in ("still", "approach", "recede"):
                return scene
        elif scene.camera.move in ("static", "pan_left", "pan_right", "zoom_in", "zoom_out"):
            bodies = tuple(
                replace(body, motion=replace(body.motion, kind="still")) for body in scene.bodies
            )
            return replace(scene, bodies=bodies, effect="none", effect_on="")
