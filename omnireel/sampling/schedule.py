"""Noise levels of rectified flow: ``x_t = (1 - t) x0 + t eps`` with t from 1 (noise) to 0."""

from __future__ import annotations

import torch
from torch import Tensor


def shift_time(t: Tensor, shift: float | Tensor) -> Tensor:
    """Push times towards noise: ``a t / (1 + (a - 1) t)`` (Stable Diffusion 3, arXiv 2403.03206,
    equation 23). ``shift`` 1 changes nothing; larger values spend more steps on layout."""
    return shift * t / (1.0 + (shift - 1.0) * t)


def shifted_sigmas(num_steps: int, shift: float, start: float = 1.0, last: float = 0.0) -> Tensor:
    """``num_steps + 1`` falling noise levels from ``start`` to 0.

    Args:
        num_steps: solver steps, at least 1.
        shift: time shift, see :func:`shift_time`.
        start: first noise level in (0, 1]; below 1 the trajectory starts from a noised input.
        last: level of the last evaluation in [0, start), from which one step leads to 0. A small
            network predicts clean latents best while there is some noise left to hide its grain.

    Raises:
        ValueError: when an argument is out of range.
    """
    if num_steps < 1:
        raise ValueError(f"num_steps must be at least 1, got {num_steps}")
    if not 0.0 < start <= 1.0:
        raise ValueError(f"start must be in (0, 1], got {start}")
    if not 0.0 <= last < start:
        raise ValueError(f"last must be in [0, start), got {last}")
    if last == 0.0 or num_steps == 1:
        return shift_time(torch.linspace(1.0, 0.0, num_steps + 1), shift) * start
    level = last / start
    unshifted = level / (shift - (shift - 1.0) * level)
    levels = shift_time(torch.linspace(1.0, unshifted, num_steps), shift) * start
    return torch.cat([levels, torch.zeros(1)])
