"""A VAE component of a few thousand parameters, for tests of what is built on one."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch

from omnireel.model.vae import VAEConfig, VideoVAE
from omnireel.registry import save_component

SMALL_VAE = VAEConfig(
    latent_channels=8,
    stem_channels=8,
    encoder_channels=8,
    decoder_channels=8,
    pixel_channels=8,
    encoder_blocks=1,
    decoder_blocks=1,
    pixel_blocks=1,
)


def save_small_vae(folder: Path) -> Path:
    """An untrained autoencoder on disk (its cosine shortcut makes it a working codec)."""
    torch.manual_seed(0)
    vae = VideoVAE(SMALL_VAE)
    return save_component(
        folder, kind="vae", config=asdict(SMALL_VAE), state_dict=vae.state_dict(), card={}
    )
