"""The sampling loop: Euler steps along the probability-flow ODE of rectified flow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from omnireel.errors import Cancelled, InvalidInput
from omnireel.model.sequence import OmniSample, PackedSequence, patchify, unpatchify
from omnireel.model.transformer import ConditionCache
from omnireel.sampling.guidance import GuidanceChain


class Denoiser(Protocol):
    """What the loop needs of a model (:class:`omnireel.model.transformer.OmniTransformer`)."""

    def encode_conditions(self, packed: PackedSequence) -> ConditionCache:
        """Keys and values of all conditions, valid at every time."""

    def denoise(
        self,
        noisy_NP: Tensor,
        timesteps_B: Tensor,
        packed: PackedSequence,
        cache: ConditionCache,
    ) -> Tensor:
        """Velocity of the noisy tokens."""


PackFn = Callable[[tuple[OmniSample, ...]], PackedSequence]


@dataclass(frozen=True, eq=False)
class SamplerStep:
    """Progress after a step: ``step`` of ``num_steps`` done, the current estimate of the clean
    latents ``x0_CTHW`` for previews, and the noisy ones ``x_CTHW``, from which the loop can go
    on."""

    step: int
    num_steps: int
    x0_CTHW: Tensor
    x_CTHW: Tensor


@dataclass(frozen=True, eq=False)
class SamplerState:
    """Where a loop begins: ``step`` steps are done and left the noisy latents ``x_CTHW``."""

    step: int
    x_CTHW: Tensor


def _ignore(event: SamplerStep) -> None:
    return None


def _never() -> bool:
    return False


@torch.no_grad()
def sample_latents(
    model: Denoiser,
    chain: GuidanceChain,
    noise_CTHW: Tensor,
    sigmas: Tensor,
    pack: PackFn,
    *,
    start: SamplerState | None = None,
    on_step: Callable[[SamplerStep], None] = _ignore,
    cancelled: Callable[[], bool] = _never,
    reuse_conditions: bool = True,
) -> Tensor:
    """Integrate from the first of ``sigmas`` to the last and return the latents ``CTHW``.

    All variants of the guidance chain run in one packed call per step; conditions are encoded
    once. ``reuse_conditions=False`` encodes them at every step instead (for tests and benches: the
    result is the same). ``start``, from a :class:`SamplerStep` of an earlier loop, takes the place
    of the noise and of the steps that it had done; the result has the same bits.

    Raises:
        Cancelled: when ``cancelled()`` turns true; checked before every step.
    """
    begin = SamplerState(0, noise_CTHW) if start is None else start
    if begin.x_CTHW.shape != noise_CTHW.shape or not 0 <= begin.step < len(sigmas):
        raise InvalidInput(
            f"cannot resume: the state (shape {tuple(begin.x_CTHW.shape)}, step {begin.step}) does "
            f"not match this run ({len(sigmas) - 1} steps, shape {tuple(noise_CTHW.shape)})",
            field="start",
        )
    shape = (noise_CTHW.shape[1], noise_CTHW.shape[2], noise_CTHW.shape[3])
    packed = pack(chain.variants)
    count = len(chain.variants)
    x_NP = patchify(begin.x_CTHW.to(noise_CTHW.device), packed.patch)
    cache: ConditionCache | None = None
    num_steps = len(sigmas) - 1
    for i in range(begin.step, num_steps):
        if cancelled():
            raise Cancelled(f"cancelled before denoising step {i + 1} of {num_steps}")
        if cache is None or not reuse_conditions:
            cache = model.encode_conditions(packed)
        times = sigmas[i].expand(count).to(x_NP.device)
        velocities = model.denoise(x_NP.repeat(count, 1), times, packed, cache).float()
        v_NP = chain.combine(list(velocities.chunk(count)))
        x0_NP = x_NP - sigmas[i] * v_NP
        x_NP = x_NP + (sigmas[i + 1] - sigmas[i]) * v_NP
        x0_CTHW, x_CTHW = (unpatchify(x, shape, packed.patch) for x in (x0_NP, x_NP))
        on_step(SamplerStep(i + 1, num_steps, x0_CTHW, x_CTHW))
    return unpatchify(x_NP, shape, packed.patch)
