"""Rectified flow on any tensors: conversions, one Euler step, robust distance.

Convention: ``x_t = (1 - t) x0 + t eps`` with t in 0..1, velocity ``v = eps - x0``, so
``x0 = x_t - t v`` and ``eps = x_t + (1 - t) v``. Every tensor begins with the batch: ``x_B...``;
times and errors are ``[B]``. The post-training objectives are written on these functions and on a
:data:`VelocityFn`, so the same equations run on packed video tokens and on points of the plane.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

VelocityFn = Callable[[Tensor, Tensor], Tensor]
"""``(x_B..., t_B) -> velocity_B...``: a network with its conditions already bound."""


def times_like(t_B: Tensor, x: Tensor) -> Tensor:
    """``t_B`` with trailing axes of size 1, to be multiplied with ``x``."""
    return t_B.to(x.device).reshape(-1, *([1] * (x.ndim - 1)))


def interpolate(clean: Tensor, noise: Tensor, t_B: Tensor) -> Tensor:
    """``(1 - t) clean + t noise``."""
    t = times_like(t_B, clean)
    return (1 - t) * clean + t * noise


def clean_from_velocity(x: Tensor, velocity: Tensor, t_B: Tensor) -> Tensor:
    """The clean estimate ``x0 = x - t v``."""
    return x - times_like(t_B, x) * velocity


def noise_from_velocity(x: Tensor, velocity: Tensor, t_B: Tensor) -> Tensor:
    """The noise estimate ``eps = x + (1 - t) v``."""
    return x + (1 - times_like(t_B, x)) * velocity


def euler_step(x: Tensor, velocity: Tensor, t_B: Tensor, s_B: Tensor) -> Tensor:
    """``x + (s - t) v``: along the ODE from time ``t`` to ``s``; ``x`` itself where s = t."""
    return x + times_like(s_B - t_B, x) * velocity


def sample_mean(values: Tensor) -> Tensor:
    """Mean of everything but the batch axis ``[B]``."""
    return values.flatten(1).mean(1)


def pseudo_huber(difference: Tensor, width: float) -> Tensor:
    """Elementwise ``sqrt(d^2 + width^2) - width``: quadratic within ``width``, linear beyond."""
    return torch.sqrt(difference.square() + width**2) - width


def unshift_time(t: Tensor, shift: float) -> Tensor:
    """The inverse of :func:`omnireel.sampling.schedule.shift_time`."""
    return t / (shift - (shift - 1.0) * t)


def roll_out(velocity: VelocityFn, noise: Tensor, sigmas: Tensor) -> list[Tensor]:
    """States at every one of ``sigmas`` (falling from 1), by one Euler step between two."""
    states = [noise]
    for now, then in zip(sigmas[:-1].tolist(), sigmas[1:].tolist(), strict=True):
        t_B = torch.full((noise.shape[0],), now, device=noise.device)
        x = states[-1]
        states.append(euler_step(x, velocity(x, t_B), t_B, torch.full_like(t_B, then)))
    return states
