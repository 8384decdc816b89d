"""A weights folder with a randomly initialised autoencoder and generator, ready to load."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch

from omnireel.generate.components import generator_component_config, latent_space_sha256
from omnireel.generate.settings import ModelLimits, SamplingDefaults
from omnireel.model.positions import RotaryConfig
from omnireel.model.text import Tokenizer
from omnireel.model.transformer import OmniTransformer, TransformerConfig
from omnireel.model.vae import VAEConfig, VideoVAE
from omnireel.registry import save_component
from omnireel.world.lexicon import vocabulary


def save_tiny_weights(folder: Path) -> Path:
    """Write ``folder/vae`` and ``folder/generator``; two denoising steps by default."""
    torch.manual_seed(0)
    vae_config = VAEConfig(
        latent_channels=8, stem_channels=8, encoder_channels=16, decoder_channels=16,
        pixel_channels=8, encoder_blocks=1, decoder_blocks=1, pixel_blocks=1,
    )  # fmt: skip
    vae = VideoVAE(vae_config)
    save_component(
        folder / "vae", kind="vae", config=asdict(vae_config), state_dict=vae.state_dict(), card={}
    )
    words = vocabulary()
    config = TransformerConfig(
        width=64,
        depth=2,
        heads=2,
        latent_channels=vae_config.latent_channels,
        vocabulary=tuple(words),
        vocabulary_size=len(Tokenizer(words)),
        rotary=RotaryConfig(head_width=32, time_pairs=4),
    )
    model = OmniTransformer(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    save_component(
        folder / "generator",
        kind="generator",
        config=generator_component_config(
            config,
            SamplingDefaults(num_inference_steps=2),
            ModelLimits(),
            latent_space_sha256(folder / "vae"),
        ),
        state_dict=model.state_dict(),
        card={},
    )
    return folder
