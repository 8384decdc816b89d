"""Rotary positions of packed tokens: 3-D space-time times a 1-D rotation by source.

Every token has four coordinates: source id, time, height, width.  Time counts latent frames at the
native rate (8 frames per second, two latent frames a second) and space is measured from the centre
in units that make the *area* of a frame constant, so a model trained at one size and aspect reads
another in the same units.  A head's rotation is the product of its space-time rotation and one by
the source id (in-context conditioning of editing sources and references).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

_SPACE_SPAN = 8.0
"""A square frame spans this many position units, whatever its number of tokens."""


@dataclass(frozen=True)
class RotaryConfig:
    """How the ``head_width / 2`` rotation pairs are shared by the axes time, height, width."""

    head_width: int = 64
    time_pairs: int = 8
    theta: float = 100.0
    source_theta: float = 50.0

    def __post_init__(self) -> None:
        if (self.head_width // 2 - self.time_pairs) % 2:
            raise ValueError("head_width / 2 - time_pairs must be even: height and width share it")


def visual_positions(
    frames: int,
    height: int,
    width: int,
    *,
    source_id: int,
    start: float = 0.0,
    step: float = 1.0,
) -> Tensor:
    """Coordinates ``[frames * height * width, 4]`` of one segment's tokens in (t, h, w) order.

    Args:
        frames: latent frames; ``height`` and ``width`` count tokens.
        source_id: 0 for the target, 1.. for declared sources.
        start: time of the first frame; ``step``: time between frames (both in latent frames).
    """
    unit = _SPACE_SPAN / math.sqrt(height * width)
    t = start + step * torch.arange(frames, dtype=torch.float32)
    h = (torch.arange(height, dtype=torch.float32) - (height - 1) / 2) * unit
    w = (torch.arange(width, dtype=torch.float32) - (width - 1) / 2) * unit
    grid = torch.stack(torch.meshgrid(t, h, w, indexing="ij"), dim=-1).reshape(-1, 3)
    return torch.cat([torch.full((grid.shape[0], 1), float(source_id)), grid], dim=1)


def text_positions(sources: Tensor) -> Tensor:
    """Coordinates ``[N, 4]`` of text tokens: order runs along time, mentions carry their source."""
    n = sources.numel()
    out = torch.zeros(n, 4)
    out[:, 0] = sources.float()
    out[:, 1] = torch.arange(n)
    return out


def rotation_angles(positions_N4: Tensor, config: RotaryConfig) -> Tensor:
    """Angles ``[N, head_width / 2]`` for :func:`rotate`."""
    pairs = config.head_width // 2
    space = (pairs - config.time_pairs) // 2
    device = positions_N4.device

    def frequencies(count: int, theta: float) -> Tensor:
        return theta ** (-torch.arange(count, device=device, dtype=torch.float32) / count)

    source, t, h, w = positions_N4.float().unbind(1)
    by_axis = torch.cat(
        [
            t[:, None] * frequencies(config.time_pairs, config.theta),
            h[:, None] * frequencies(space, config.theta),
            w[:, None] * frequencies(space, config.theta),
        ],
        dim=1,
    )
    return by_axis + source[:, None] * frequencies(pairs, config.source_theta)


def rotate(x_NKE: Tensor, cos_NF: Tensor, sin_NF: Tensor) -> Tensor:
    """Rotate the halves of each head by the angles with these cosines and sines; F = E / 2."""
    a, b = x_NKE.chunk(2, dim=-1)
    cos, sin = cos_NF[:, None], sin_NF[:, None]
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)
