"""Wear: a rendered clip made to look like a generator's, whose latents are never quite right."""

from __future__ import annotations

import torch
from torch import Tensor

from omnireel.model.vae import VideoVAE


def worn(vae: VideoVAE, video_CTHW: Tensor, spread: float, rng: torch.Generator) -> Tensor:
    """Through the autoencoder, with noise of ``spread`` on its latents (which have spread 1); the
    noise comes from a CPU generator, on any device."""
    latents = vae.encode(video_CTHW[None].to(vae.latent_mean.device))
    noise = torch.randn(latents.shape, generator=rng)
    return vae.decode(latents + spread * noise.to(latents))[0]
