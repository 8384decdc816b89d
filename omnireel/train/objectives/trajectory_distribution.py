"""Equations of trajectory distribution matching (TDM) on any velocity functions.

The steps are numbered in :mod:`omnireel.train.objectives.distribution_matching`; K counts those of
the student.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from omnireel.train.objectives.velocity import (
    VelocityFn,
    clean_from_velocity,
    interpolate,
    noise_from_velocity,
    pseudo_huber,
    roll_out,
    sample_mean,
    times_like,
)

FakePath = Literal["trajectory", "straight", "renoised"]
_TINY = 1e-6


@dataclass(frozen=True, eq=False)
class StudentStep:
    """One step of the student's ODE seen with gradient, and a noisier point for the scores."""

    clean: Tensor
    """x0^, with gradient."""
    noisy: Tensor
    """x_tau, without gradient."""
    tau_B: Tensor
    weight_B: Tensor
    """The importance weight of ``noisy`` for the fake network."""


def renoise_scales(s_B: Tensor, tau_B: Tensor) -> tuple[Tensor, Tensor]:
    """``(a, b)`` with ``x_tau = a x_s + b eps`` distributed as noise level tau asks."""
    a_B = (1 - tau_B) / (1 - s_B)
    return a_B, (tau_B.square() - (a_B * s_B).square()).clamp(min=0).sqrt()


def importance_weight(eps_hat: Tensor, eps: Tensor, s_B: Tensor, tau_B: Tensor) -> Tensor:
    """Density ratio ``[B]`` of the mixed noise to fresh noise under a standard Gaussian, per
    element (step 4); exactly 1 where s = 0."""
    a_B, b_B = renoise_scales(s_B, tau_B)
    a, b, s, tau = (times_like(x, eps) for x in (a_B, b_B, s_B, tau_B))
    mixed = (a * s * eps_hat + b * eps) / tau
    return torch.exp((sample_mean(eps.square()) - sample_mean(mixed.square())) / 2)


def student_step(
    student: VelocityFn,
    states: Sequence[Tensor],
    sigmas: Tensor,
    step_B: Tensor,
    tau_share_B: Tensor,
    noise: Tensor,
    min_time: float,
) -> StudentStep:
    """Steps 2 and 3.

    Args:
        student: with gradient.
        states: ``states[i]`` is x at ``sigmas[i]``, from :func:`roll_out`.
        sigmas: falling from 1 to 0, ``[K + 1]``.
        step_B: index i of the step from ``sigmas[i]`` to ``sigmas[i + 1]``.
        tau_share_B: where tau lies between them, 0..1 uniform.
        noise: fresh Gaussian, like a state.
        min_time: smallest tau.

    """
    t_B, s_B = sigmas[step_B], sigmas[step_B + 1]
    at = step_B.to(noise.device)
    x = torch.stack(list(states[: len(sigmas) - 1]))[at, torch.arange(len(at), device=at.device)]
    velocity = student(x, t_B)
    clean = clean_from_velocity(x, velocity, t_B)
    with torch.no_grad():
        eps_hat = noise_from_velocity(x, velocity, t_B)
        low_B = s_B.clamp(min=min_time)
        tau_B = low_B + tau_share_B * (t_B - low_B).clamp(min=0)
        a_B, b_B = renoise_scales(s_B, tau_B)
        reached = interpolate(clean, eps_hat, s_B)
        noisy = times_like(a_B, x) * reached + times_like(b_B, x) * noise
        weight_B = importance_weight(eps_hat, noise, s_B.to(x.device), tau_B.to(x.device))
    return StudentStep(clean, noisy, tau_B, weight_B)


def fake_errors(
    velocity: Tensor, noisy: Tensor, clean: Tensor, tau_B: Tensor, weight_B: Tensor
) -> Tensor:
    """Weighted v-space errors ``[B]`` of the fake network's ``velocity`` at ``noisy`` (step 4)."""
    target = (noisy - clean.detach()) / times_like(tau_B, noisy)
    balance_B = torch.minimum((1 - tau_B).square(), 5 * tau_B.square()).to(noisy.device)
    return balance_B * weight_B * sample_mean((velocity - target).square())


def student_errors(clean: Tensor, guided: Tensor, fake: Tensor, huber_width: float) -> Tensor:
    """Normalised pseudo-Huber errors ``[B]`` of the student (step 5).

    Args:
        clean: x0^ with gradient.
        guided: the teacher's guided clean estimate at x_tau.
        fake: the fake network's clean estimate at x_tau.
        huber_width: see :func:`omnireel.train.objectives.velocity.pseudo_huber`.

    """
    target = (clean + guided - fake).detach()
    scale_B = sample_mean((clean - guided).abs()).detach().clamp(min=_TINY)
    return sample_mean(pseudo_huber(clean - target, huber_width)) / scale_B


@dataclass(frozen=True, eq=False)
class Matched:
    """Errors of one batch ``[B]``, and what there is to watch."""

    student_B: Tensor
    fake_B: Tensor
    gap_B: Tensor
    """Mean ``|x0_guided - x0_fake|``: how far the student's distribution is from the teacher's."""
    clean: Tensor
    """x0^ without gradient."""
    step_B: Tensor


def match_distributions(
    student: VelocityFn,
    unchanged: VelocityFn,
    fake: VelocityFn,
    teacher: VelocityFn,
    shape: tuple[int, ...],
    sigmas: Tensor,
    rng: torch.Generator,
    *,
    fake_path: FakePath = "trajectory",
    huber_width: float = 1e-3,
    min_time: float = 0.02,
    device: str | torch.device = "cpu",
) -> Matched:
    """Steps 1 to 5 for a batch of ``shape`` ``B...``.

    ``student`` and ``fake`` are evaluated with gradient; ``unchanged`` (the student's weights) and
    ``teacher`` (guided) without.
    """
    count, last = shape[0], len(sigmas) - 1
    start = torch.randn(shape, generator=rng).to(device)
    step_B = torch.randint(last, (count,), generator=rng)
    tau_share_B = torch.rand(count, generator=rng)
    noise = torch.randn(shape, generator=rng).to(device)
    whole = fake_path != "trajectory"
    with torch.no_grad():
        # The last step is only walked where its end point is used.
        states = roll_out(unchanged, start, sigmas if whole else sigmas[:-1])
    made = student_step(student, states, sigmas, step_B, tau_share_B, noise, min_time)
    if whole:
        time_B = torch.rand(count, generator=rng).clamp(min=min_time)
        fresh = torch.randn(shape, generator=rng).to(device)
        between = interpolate(states[-1], start if fake_path == "straight" else fresh, time_B)
        ones_B = torch.ones(count, device=device)
        fake_B = fake_errors(fake(between, time_B), between, states[-1], time_B, ones_B)
        with torch.no_grad():
            fake_velocity = fake(made.noisy, made.tau_B)
    else:
        fake_velocity = fake(made.noisy, made.tau_B)
        fake_B = fake_errors(fake_velocity, made.noisy, made.clean, made.tau_B, made.weight_B)
    with torch.no_grad():
        guided = clean_from_velocity(made.noisy, teacher(made.noisy, made.tau_B), made.tau_B)
        faked = clean_from_velocity(made.noisy, fake_velocity, made.tau_B)
        gap_B = sample_mean((guided - faked).abs())
    student_B = student_errors(made.clean, guided, faked, huber_width)
    return Matched(student_B, fake_B, gap_B, made.clean.detach(), step_B)
