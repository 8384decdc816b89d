"""Randomly initialised models, small enough for tests, whose every parameter matters."""

from __future__ import annotations

import torch

from omnireel.model.attention import AttentionFn, padded_attention
from omnireel.model.positions import RotaryConfig
from omnireel.model.sequence import OmniSample, Segment
from omnireel.model.text import TextTokens
from omnireel.model.transformer import OmniTransformer, TransformerConfig
from omnireel.types import Role


def small_config(depth: int = 3) -> TransformerConfig:
    return TransformerConfig(
        width=64,
        depth=depth,
        heads=2,
        latent_channels=4,
        vocabulary_size=50,
        rotary=RotaryConfig(head_width=32, time_pairs=4),
        gated_base=True,
    )


def small_transformer(
    depth: int = 3, attend: AttentionFn = padded_attention, seed: int = 0
) -> OmniTransformer:
    """Zero-initialised layers are given random values, so that nothing is switched off."""
    torch.manual_seed(seed)
    model = OmniTransformer(small_config(depth), attend)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model.eval()


def text(*ids: int, mention: int = 0) -> TextTokens:
    sources = [0] * (len(ids) + 1)
    if mention:
        sources[-1] = mention
    return TextTokens((1, *ids), tuple(sources))


def latents(t: int, h: int, w: int, seed: int, channels: int = 4) -> torch.Tensor:
    return torch.randn(channels, t, h, w, generator=torch.Generator().manual_seed(seed))


def mixed_samples() -> list[OmniSample]:
    """Text only, references with an editing source, an image, another aspect ratio."""
    return [
        OmniSample(text(5, 6, 7), (), (3, 4, 4)),
        OmniSample(
            text(8, 2, mention=1),
            (
                Segment(latents(1, 6, 4, 1), Role.REFERENCE, 1),
                Segment(latents(2, 4, 6, 2), Role.SOURCE, 2),
            ),
            (2, 4, 6),
        ),
        OmniSample(text(9), (Segment(latents(1, 8, 4, 3), Role.FIRST_FRAME, 1),), (1, 8, 4)),
    ]


def noise_tokens(samples: list[OmniSample], seed: int = 7, patch: int = 16) -> torch.Tensor:
    count = sum(t * (h // 2) * (w // 2) for t, h, w in (s.target_shape for s in samples))
    return torch.randn(count, patch, generator=torch.Generator().manual_seed(seed))
