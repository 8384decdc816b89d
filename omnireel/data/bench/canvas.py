"""Still pictures with the statistics of photographs, to be filmed by `filming`.

Dead leaves: opaque shapes of many sizes that cover each other (Lee, Mumford and Huang, "Occlusion
Models for Natural Images", 2001), each with the 1/f texture that surfaces have (Field, 1987).
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]

_SMALLEST, _LARGEST = 0.012, 0.3
"""Radius of a leaf as a share of the picture's height."""
_STANDS_OUT = 60.0
"""Grey levels between a thing and its ground."""


def dead_leaves(rng: np.random.Generator, width: int, height: int, leaves: int = 700) -> F32:
    """A picture ``(H, W, 3)`` in 0..255, float32."""
    picture = np.empty((height, width, 3), np.float32)
    grain_HW = fractal(rng, width, height, slope=rng.uniform(1.0, 1.5))
    picture[:] = _color(rng) + 30 * grain_HW[..., None]
    # A radius density of r^-3 makes the picture look alike at all scales.
    share = rng.random(leaves)
    radii = height / np.sqrt(share / _LARGEST**2 + (1 - share) / _SMALLEST**2)
    for radius in np.sort(radii)[::-1]:
        _drop(rng, picture, grain_HW, float(radius))
    return picture.clip(0, 255)


def fractal(rng: np.random.Generator, width: int, height: int, slope: float = 1.2) -> F32:
    """1/f^slope noise ``(H, W)`` with mean 0 and deviation 1, which wraps round."""
    fy = np.fft.fftfreq(height)[:, None]
    fx = np.fft.rfftfreq(width)[None]
    radius = np.hypot(fy, fx)
    radius[0, 0] = np.inf
    white = rng.standard_normal(radius.shape) + 1j * rng.standard_normal(radius.shape)
    noise = np.fft.irfft2(white / radius**slope, s=(height, width))
    return np.asarray((noise - noise.mean()) / noise.std(), np.float32)


def blob(rng: np.random.Generator, size: int, ground: float) -> tuple[F32, F32]:
    """A textured thing with a soft outline: ``color_HWC`` in 0..255 and ``alpha_HW`` in 0..1.

    It is brighter or darker than ``ground``, the luma of most of what is behind it, so that a
    person sees it move.
    """
    grain = fractal(rng, size, size, slope=1.1)
    color = _color(rng)
    if abs(float(color.mean()) - ground) < _STANDS_OUT:
        color = color + np.float32(1.5 * _STANDS_OUT * (1 if ground < 128 else -1))
    color = color + _color(rng) * 0.25 * (grain > rng.normal()).astype(np.float32)[..., None]
    color = color + 18 * fractal(rng, size, size, slope=0.9)[..., None]
    mask = np.zeros((size, size), np.uint8)
    cv2.fillPoly(mask, [_outline(rng, size / 2, size / 2, size * 0.36)], 255, cv2.LINE_AA)
    alpha_HW = np.asarray(mask, np.float32) / np.float32(255)
    return color.clip(0, 255).astype(np.float32), alpha_HW


def _drop(rng: np.random.Generator, picture: F32, grain_HW: F32, radius: float) -> None:
    height, width = grain_HW.shape
    x, y = rng.uniform(0, width), rng.uniform(0, height)
    reach = int(radius * 1.8) + 2
    top, bottom = max(0, int(y) - reach), min(height, int(y) + reach)
    left, right = max(0, int(x) - reach), min(width, int(x) + reach)
    if bottom - top < 2 or right - left < 2:
        return
    mask = np.zeros((bottom - top, right - left), np.uint8)
    cv2.fillPoly(mask, [_outline(rng, x - left, y - top, radius)], 255, cv2.LINE_AA)
    alpha = mask.astype(np.float32)[..., None] / 255
    dy, dx = rng.integers(height), rng.integers(width)
    rows, columns = np.arange(top, bottom) + dy, np.arange(left, right) + dx
    grain = grain_HW[np.ix_(rows % height, columns % width)][..., None]
    shade = np.linspace(-1, 1, bottom - top, dtype=np.float32)[:, None, None] * rng.uniform(-15, 15)
    leaf = _color(rng) + rng.uniform(2, 22) * grain + shade
    patch = picture[top:bottom, left:right]
    patch += alpha * (leaf - patch)


def _outline(rng: np.random.Generator, x: float, y: float, radius: float) -> npt.NDArray[np.int32]:
    """A wobbly ellipse or a polygon."""
    corners = int(rng.choice([3, 4, 5, 24, 24, 24]))
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False) + rng.uniform(0, 6.3)
    wobble = radius * (1 + 0.2 * np.sin(angle * rng.integers(2, 5) + rng.uniform(0, 6.3)))
    stretch = rng.uniform(0.6, 1.4)
    return np.round(
        np.stack([x + wobble * np.cos(angle) * stretch, y + wobble * np.sin(angle)], -1)
    ).astype(np.int32)


def _color(rng: np.random.Generator) -> F32:
    """A colour of a natural picture: seldom saturated, of any brightness."""
    luma = rng.uniform(25, 225)
    return np.asarray(luma + rng.normal(0, 22, 3), np.float32).clip(8, 245)
