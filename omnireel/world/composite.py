"""Blend fragments of many solids over a backdrop, exactly by depth in every pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnireel.world.palette import F32
from omnireel.world.trace import Fragments

OPAQUE = 0.97


@dataclass(frozen=True, eq=False)
class Stack:
    """Fragments of all solids, ordered by pixel and then front to back.

    ``weight_N`` is the share of the pixel that each one shows; ``order_N`` maps to the
    concatenation of the inputs; ``rest`` is the share of the backdrop per pixel of the volume.
    """

    pixel_N: npt.NDArray[np.int64]
    order_N: npt.NDArray[np.int64]
    weight_N: F32
    rest: F32


def cull(layers: list[Fragments], num_pixels: int) -> tuple[list[Fragments], F32]:
    """Drop what lies behind an opaque fragment; also give the opaque depth per pixel."""
    nearest = np.full(num_pixels, np.inf, np.float32)
    for layer in layers:
        solid = layer.alpha_N > OPAQUE
        pixel, depth = layer.pixel_N[solid], layer.depth_N[solid]
        nearest[pixel] = np.minimum(nearest[pixel], depth)
    return [layer.keep(layer.depth_N <= nearest[layer.pixel_N]) for layer in layers], nearest


def stack(layers: list[Fragments], num_pixels: int) -> Stack:
    """Work out how much of each fragment shows."""
    pixel = np.concatenate([layer.pixel_N for layer in layers])
    depth = np.concatenate([layer.depth_N for layer in layers])
    alpha = np.concatenate([layer.alpha_N for layer in layers])
    order = np.lexsort((depth, pixel))
    pixel, alpha = pixel[order], alpha[order]
    rest = np.ones(num_pixels, np.float32)
    weight = np.empty_like(alpha)
    first = np.ones(len(pixel), bool)
    first[1:] = pixel[1:] != pixel[:-1]
    position = np.arange(len(pixel))
    rank = position - np.maximum.accumulate(np.where(first, position, 0))
    for k in range(int(rank.max(initial=-1)) + 1):
        at = np.flatnonzero(rank == k)
        left = rest[pixel[at]]
        weight[at] = left * alpha[at]
        rest[pixel[at]] = left * (1 - alpha[at])
    return Stack(pixel, order, weight, rest)


def blend(stacked: Stack, colors_3N: F32, backdrop_CTHW: F32) -> None:
    """Paint ``colors_3N`` (in the stack's input order) over ``backdrop_CTHW``, in place."""
    flat = backdrop_CTHW.reshape(3, -1)
    size = flat.shape[1]
    touched = np.flatnonzero(stacked.rest < 1)
    rest = stacked.rest[touched]
    for c in range(3):
        light = stacked.weight_N * colors_3N[c][stacked.order_N]
        total = np.bincount(stacked.pixel_N, weights=light, minlength=size)
        flat[c, touched] = flat[c, touched] * rest + total[touched].astype(np.float32)
