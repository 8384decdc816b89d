"""A clip drawn again by a generator that goes on from its noised latents: near the truth, with the
faults that the generator makes (SDEdit, arXiv 2108.01073)."""

from __future__ import annotations

import torch
from torch import Tensor

from omnireel.generate.frames import frames_to_video
from omnireel.generate.pipeline import GeneratorPipeline, seeded_noise
from omnireel.generate.settings import GenerationSettings
from omnireel.mvl.prompt import Prompt
from omnireel.sampling.sampler import SamplerState
from omnireel.types import Clip, MediaSet


@torch.no_grad()
def redrawn(
    pipeline: GeneratorPipeline, clip: Clip, prompt: Prompt, media: MediaSet, step: int, seed: int
) -> Tensor:
    """Its decoded video ``[3, T, H, W]``, with nothing of the media shown.

    Args:
        pipeline: a loaded generator.
        clip: the answer to ``prompt`` and ``media``.
        prompt: what to draw.
        media: what is given for it.
        step: how many of the sampler's steps the noise stands for; 0 draws from noise alone.
        seed: of the noise.

    """
    vae, defaults = pipeline.conditions.vae, pipeline.defaults
    settings = GenerationSettings(
        format=clip.format,
        seed=seed,
        num_inference_steps=defaults.num_inference_steps,
        guidance=defaults.guidance,
    )
    video = frames_to_video(clip.frames_THWC).to(vae.latent_mean.device)
    latents = vae.encode(video[None])[0]
    channels, t, h, w = latents.shape
    patch = pipeline.model.config.patch
    sigmas = defaults.sigmas(defaults.num_inference_steps, (t, h, w), patch)
    noise = seeded_noise(seed, channels, (t, h, w), latents.device)
    start = SamplerState(step, (1 - sigmas[step]) * latents + sigmas[step] * noise)
    made, _ = pipeline.sample(prompt, media, settings, start=start)
    return vae.decode(made[None])[0]
