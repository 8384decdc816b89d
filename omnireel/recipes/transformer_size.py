"""How large a diffusion transformer a recipe trains."""

from __future__ import annotations

from dataclasses import dataclass

from omnireel.errors import InvalidInput
from omnireel.model.positions import RotaryConfig
from omnireel.model.sequence import PATCH
from omnireel.model.text import Tokenizer
from omnireel.model.transformer import TransformerConfig


@dataclass(frozen=True)
class TransformerSize:
    """Size of the network; its vocabulary comes from the world's lexicon."""

    width: int = 256
    depth: int = 7
    heads: int = 4
    mlp_ratio: float = 4.0
    max_text_tokens: int = 96
    gated_base: bool = True
    patch: int | None = None
    """Tokens are ``patch x patch`` squares of one latent frame. None: as those of the component to
    start from, and 2 from random weights."""

    def __post_init__(self) -> None:
        if self.patch is not None and self.patch < 1:
            raise InvalidInput("model.patch must be 1 or more", field="model.patch")

    def build(
        self, latent_channels: int, words: tuple[str, ...], patch: int = PATCH
    ) -> TransformerConfig:
        """The network's own configuration; ``patch`` counts where the size names none."""
        if self.width % self.heads:
            raise InvalidInput("model.width must be a multiple of model.heads", field="model.width")
        head = self.width // self.heads
        return TransformerConfig(
            width=self.width,
            depth=self.depth,
            heads=self.heads,
            mlp_ratio=self.mlp_ratio,
            latent_channels=latent_channels,
            vocabulary=words,
            vocabulary_size=len(Tokenizer(words)),
            max_text_tokens=self.max_text_tokens,
            rotary=RotaryConfig(head_width=head, time_pairs=head // 8),
            gated_base=self.gated_base,
            patch=self.patch or patch,
        )
