"""Component folders in the shipped format with random weights: the real engines on noise."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch

from omnireel.generate.adapters import ADAPTER, adapter_config
from omnireel.generate.components import (
    generator_component_config,
    latent_space_sha256,
    load_transformer,
)
from omnireel.generate.settings import ModelLimits, SamplingDefaults
from omnireel.generate.upscaler import UpscaleConfig
from omnireel.model.lora import LoraConfig, add_lora, lora_state
from omnireel.model.positions import RotaryConfig
from omnireel.model.text import Tokenizer
from omnireel.model.transformer import OmniTransformer, TransformerConfig
from omnireel.model.vae import VAEConfig, VideoVAE
from omnireel.registry import save_component
from omnireel.sampling.guidance import Guidance

WORDS = ("a", "red", "ball", "rolls")
LIMITS = ModelLimits(short_side=32, sizes=((32, 32),), max_frames=5, capabilities=("C20",))
DEFAULTS = SamplingDefaults(num_inference_steps=3, guidance=Guidance(2.0, 1.0, 1.0))


def save_random_weights(folder: Path, seed: int = 0, limits: ModelLimits = LIMITS) -> Path:
    """Write ``vae``, ``generator`` and ``upscaler`` folders: 32x32, up to 5 frames, 3 steps."""
    torch.manual_seed(seed)
    vae_config = VAEConfig(
        latent_channels=4,
        stem_channels=16,
        encoder_channels=16,
        decoder_channels=16,
        pixel_channels=16,
        encoder_blocks=1,
        decoder_blocks=1,
        pixel_blocks=1,
    )
    vae = folder / "vae"
    _save(vae, "vae", asdict(vae_config), VideoVAE(vae_config))
    config = TransformerConfig(
        width=64,
        depth=2,
        heads=2,
        latent_channels=4,
        vocabulary=WORDS,
        vocabulary_size=len(Tokenizer(WORDS)),
        rotary=RotaryConfig(head_width=32, time_pairs=4),
    )
    data = generator_component_config(config, DEFAULTS, limits, latent_space_sha256(vae))
    _save(folder / "generator", "generator", data, OmniTransformer(config))
    data = {**data, "upscale": asdict(UpscaleConfig())}
    _save(folder / "upscaler", "upscaler", data, OmniTransformer(config))
    return folder


def _save(folder: Path, kind: str, config: dict, model: torch.nn.Module) -> None:
    with torch.no_grad():
        for parameter in model.parameters():
            # Zero-initialised layers would switch the network off.
            parameter.add_(0.05 * torch.randn_like(parameter))
    save_component(folder, kind=kind, config=config, state_dict=model.state_dict(), card={})


def save_random_adapter(folder: Path, generator: Path, seed: int = 7) -> Path:
    """Write an adapter for the component in ``generator`` that changes what it makes."""
    model, base = load_transformer(generator, "generator")
    config = LoraConfig(rank=2, alpha=4.0)
    torch.manual_seed(seed)
    add_lora(model, config)
    state = {n: 0.3 * torch.randn_like(t) for n, t in lora_state(model).items()}
    return save_component(
        folder, kind=ADAPTER, config=adapter_config(base, config), state_dict=state, card={}
    )
