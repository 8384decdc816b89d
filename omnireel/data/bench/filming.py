"""A camera over a still picture, with things that move before it: clips like those of a camera.

The camera's path and the things' paths are known, so what is wrong with a clip, and what is not,
is known too.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from omnireel.data.bench.canvas import F32, blob, dead_leaves
from omnireel.types import Frames


@dataclass(frozen=True)
class Filming:
    """How a clip is filmed. Lengths are shares of the picture's width, times seconds."""

    width: int = 480
    height: int = 272
    fps: float = 12.0
    seconds: float = 2.5
    pan: tuple[float, float] = (0.0, 0.0)
    """Widths per second to the right and down."""
    zoom: float = 0.0
    """Natural logarithm of the magnification gained in a second."""
    sway: float = 0.0
    """Amplitude of the slow movement of a hand that holds the camera."""
    things: int = 2
    """How many things move."""
    speed: float = 0.25
    """Widths per second of a thing."""
    size: float = 0.22
    noise: float = 2.0
    """Standard deviation of the sensor's noise in grey levels."""


@dataclass(frozen=True, eq=False)
class _Thing:
    color_HWC: F32
    alpha_HW: F32
    x: float
    y: float
    velocity: tuple[float, float]
    wobble: float
    phase: float


def film(rng: np.random.Generator, config: Filming, *, focus: float = 0.0) -> Frames:
    """The frames ``(T, H, W, 3)``. What lies behind the things is ``focus`` pixels out of focus."""
    return film_with_truth(rng, config, focus=focus)[0]


def film_with_truth(
    rng: np.random.Generator, config: Filming, *, focus: float = 0.0
) -> tuple[Frames, npt.NDArray[np.bool_]]:
    """The frames of `film`, and where in them things are, ``(T, H, W)``."""
    leaves = int(rng.integers(60, 600))
    size = (round(config.width * 1.6), round(config.height * 1.6))
    picture = dead_leaves(rng, *size, leaves=leaves)
    if focus:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), focus), np.float32)
    ground = float(np.median(picture.mean(axis=2)))
    things = [_thing(rng, config, ground) for _ in range(config.things)]
    count = max(2, round(config.seconds * config.fps))
    phases = rng.uniform(0, 6.3, 4)
    out = np.empty((count, config.height, config.width, 3), np.uint8)
    truth = np.zeros(out.shape[:3], bool)
    for i in range(count):
        t = i / config.fps
        view = _view(picture, config, t, phases)
        for thing in things:
            truth[i] |= _paste(view, thing, config, t) > 0.5
        noise = rng.standard_normal(view.shape[:2], np.float32)[..., None] * config.noise
        out[i] = (view + noise + 0.5).clip(0, 255)
    return out, truth


def _view(picture: F32, config: Filming, t: float, phases: npt.NDArray[np.float64]) -> F32:
    """What the camera sees at ``t``, centred on the middle of its path."""
    height, width, _ = picture.shape
    middle = t - config.seconds / 2
    scale = float(np.exp(-config.zoom * middle))
    hand = config.sway * config.width * np.sin(np.array([2.1, 3.3]) * t + phases[:2])
    x = width / 2 + config.pan[0] * config.width * middle + hand[0]
    y = height / 2 + config.pan[1] * config.width * middle + hand[1]
    matrix = np.array(
        [
            [scale, 0, x - scale * config.width / 2],
            [0, scale, y - scale * config.height / 2],
        ]
    )
    return np.asarray(
        cv2.warpAffine(
            picture,
            matrix,
            (config.width, config.height),
            flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT_101,
        ),
        np.float32,
    )


def _thing(rng: np.random.Generator, config: Filming, ground: float) -> _Thing:
    size = round(config.size * config.width * rng.uniform(0.7, 1.3))
    color, alpha = blob(rng, size, ground)
    angle = rng.uniform(0, 6.3)
    speed = config.speed * rng.uniform(0.8, 1.3)
    return _Thing(
        color,
        alpha,
        rng.uniform(0.25, 0.75),
        rng.uniform(0.3, 0.7),
        (speed * np.cos(angle), speed * np.sin(angle)),
        rng.uniform(0.1, 0.3),
        rng.uniform(0, 6.3),
    )


def _paste(view: F32, thing: _Thing, config: Filming, t: float) -> F32:
    """Draw ``thing``; it bounces off the frame's edges, turns and breathes. Its cover, ``HW``."""
    size = len(thing.alpha_HW)
    aspect = config.height / config.width
    x = _bounce(thing.x + thing.velocity[0] * t, 1.0) * config.width
    y = _bounce(thing.y + thing.velocity[1] * t / aspect, 1.0) * config.height
    swing = float(np.sin(2 * np.pi * config.speed * 3 * t + thing.phase))
    matrix = cv2.getRotationMatrix2D(
        (size / 2, size / 2), np.degrees(thing.wobble * swing), 1 + 0.25 * thing.wobble * swing
    )
    matrix[:, 2] += np.array([x - size / 2, y - size / 2])
    place = (config.width, config.height)
    cover = np.asarray(cv2.warpAffine(thing.alpha_HW, matrix, place), np.float32)
    alpha = cover[..., None]
    color = cv2.warpAffine(thing.color_HWC, matrix, place, borderMode=cv2.BORDER_REPLICATE)
    view += alpha * (color - view)
    return cover


def _bounce(value: float, size: float) -> float:
    """``value`` folded into 0.15..0.85 of ``size``."""
    low, high = 0.15 * size, 0.85 * size
    span = high - low
    folded = (value - low) % (2 * span)
    return low + (folded if folded <= span else 2 * span - folded)
