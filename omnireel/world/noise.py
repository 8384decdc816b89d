"""Smooth periodic noise from two fixed tables; a scene's seed only chooses where to read them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from omnireel.world.palette import F32

_SIZE = 128
_RING = 1024


@lru_cache(maxsize=1)
def _tile() -> F32:
    """Fractal noise (128, 128), wrapping on both axes, in -1..1 with deviation 0.4."""
    rng = np.random.default_rng(20)
    spectrum = np.fft.fft2(rng.standard_normal((_SIZE, _SIZE)))
    f = np.fft.fftfreq(_SIZE) * _SIZE
    radius = np.sqrt(f[:, None] ** 2 + f[None, :] ** 2)
    radius[0, 0] = np.inf
    spectrum *= radius**-1.7 * np.exp(-((radius / 28) ** 2)) * (1 - np.exp(-((radius / 2.5) ** 4)))
    field = np.fft.ifft2(spectrum).real
    out: F32 = np.clip(field / field.std() * 0.4, -1, 1).astype(np.float32)
    return out


@lru_cache(maxsize=1)
def _ring() -> F32:
    """Fractal noise (1024,) that wraps, in -1..1 with deviation 0.4."""
    rng = np.random.default_rng(21)
    spectrum = np.fft.fft(rng.standard_normal(_RING))
    f = np.abs(np.fft.fftfreq(_RING) * _RING)
    f[0] = np.inf
    spectrum *= f**-1.3 * np.exp(-((f / 90) ** 2)) * (1 - np.exp(-((f / 5) ** 4)))
    field = np.fft.ifft(spectrum).real
    out: F32 = np.clip(field / field.std() * 0.4, -1, 1).astype(np.float32)
    return out


def field(u: F32, v: F32, seed: int) -> F32:
    """Noise in -1..1 at (u, v), repeating every 1 unit; details are about 1/20 unit wide."""
    du, dv = np.random.default_rng([seed & 0xFFFFFFFF, 1]).random(2)
    a, b = (u + np.float32(du)) * _SIZE, (v + np.float32(dv)) * _SIZE
    i, j = np.floor(a).astype(np.int32), np.floor(b).astype(np.int32)
    p, q = (a - i).astype(np.float32), (b - j).astype(np.float32)
    i0, j0 = i & (_SIZE - 1), j & (_SIZE - 1)
    i1, j1 = (i + 1) & (_SIZE - 1), (j + 1) & (_SIZE - 1)
    flat = _tile().reshape(-1)
    top = flat[i0 * _SIZE + j0] * (1 - q) + flat[i0 * _SIZE + j1] * q
    low = flat[i1 * _SIZE + j0] * (1 - q) + flat[i1 * _SIZE + j1] * q
    out: F32 = top + (low - top) * p
    return out


def around(turn: F32, seed: int) -> F32:
    """Noise in -1..1 along a circle; ``turn`` in whole turns."""
    start = float(np.random.default_rng([seed & 0xFFFFFFFF, 2]).random())
    a = (turn + np.float32(start)) * _RING
    i = np.floor(a).astype(np.int32)
    p = (a - i).astype(np.float32)
    table = _ring()
    out: F32 = table[i & (_RING - 1)] * (1 - p) + table[(i + 1) & (_RING - 1)] * p
    return out


def hashed(i: F32, salt: int) -> F32:
    """A pseudo-random value in 0..1 for whole numbers ``i`` (exact in float32 below 2**24)."""
    k = i.astype(np.int64).astype(np.uint32)
    k = (k + np.uint32(salt * 2654435761 & 0xFFFFFFFF)) * np.uint32(2246822519)
    k ^= k >> np.uint32(15)
    k *= np.uint32(3266489917)
    k ^= k >> np.uint32(13)
    return ((k >> np.uint32(8)).astype(np.float32) / np.float32(1 << 24)).astype(np.float32)
