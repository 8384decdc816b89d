"""The network: a Llama decoder that also reads image patches.

Shapes: ``B`` sequences, ``N`` tokens, ``D`` width, ``P`` patches per picture (16), ``I`` pictures
of all sequences together, in the order in which their ``<image>`` tokens appear.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM, PretrainedConfig, PreTrainedModel

from omnireel.enhancer.tiny.vocabulary import IMAGE, build_tokenizer
from omnireel.errors import InvalidInput

PATCHES = 16
"""Tokens per picture: a 4 x 4 grid."""
_CELLS = 32
"""Cells across a picture that the first convolution tells apart."""


class TinyEnhancerConfig(PretrainedConfig):  # type: ignore[misc]
    """Sizes of the decoder (``text_config``) and of the patch encoder."""

    model_type = "omnireel_enhancer"
    sub_configs = {"text_config": LlamaConfig}  # noqa: RUF012 (transformers' interface)

    def __init__(
        self,
        text_config: dict[str, Any] | LlamaConfig | None = None,
        image_token_id: int = 4,
        vision_channels: int = 32,
        image_side: int = 32,
        words: list[str] | None = None,
        lexicon: list[dict[str, Any]] | None = None,
        tasks: list[str] | None = None,
        **kwargs: Any,
    ) -> None:
        given = LlamaConfig(**text_config) if isinstance(text_config, dict) else text_config
        self.text_config: Any = given or LlamaConfig()
        self.image_token_id = image_token_id
        self.vision_channels = vision_channels
        self.image_side = image_side
        """Pixels; every picture is shrunk to this square."""
        self.words = words or []
        """The vocabulary beside special tokens and characters, see ``vocabulary``."""
        self.lexicon = lexicon or []
        """Facts and the words for them, see ``facts.Lexicon``."""
        self.tasks = tasks or []
        """Capabilities whose prompts it was taught; prompts that look like none of them are left as
        they are, see ``untaught``."""
        super().__init__(**kwargs)


def tiny_config(
    words: list[str],
    lexicon: list[dict[str, Any]],
    *,
    tasks: Sequence[str] = (),
    width: int = 128,
    layers: int = 4,
    image_side: int = 64,
) -> TinyEnhancerConfig:
    """A decoder for the vocabulary ``words``; the defaults are the shipped size.

    Raises:
        InvalidInput: ``image_side`` is no multiple of 32.

    """
    if image_side < _CELLS or image_side % _CELLS:
        raise InvalidInput(
            f"image_side must be a multiple of {_CELLS}, not {image_side}", field="image_side"
        )
    tokenizer = build_tokenizer(words)
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=layers,
        num_attention_heads=width // 32,
        num_key_value_heads=width // 32,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    image_token_id = tokenizer.convert_tokens_to_ids(IMAGE)
    return TinyEnhancerConfig(
        text,
        image_token_id,
        image_side=image_side,
        words=sorted(set(words)),
        lexicon=lexicon,
        tasks=sorted(tasks),
    )


class PatchEncoder(nn.Module):
    """Three strided convolutions: a picture becomes 4 x 4 tokens of width ``D``.

    The first one reads the picture as 32 x 32 cells of a pixel or more, so larger pictures show
    more and cost little more.

    Its layers keep torch's own initial scale. With the 0.02 of language models the picture would
    drown in the biases, and the normalisation at the end would learn to show a constant.
    """

    def __init__(self, channels: int, width: int, image_side: int) -> None:
        super().__init__()
        cell = image_side // _CELLS
        self.convs = nn.Sequential(
            nn.Conv2d(3, channels, 3 * cell, stride=2 * cell, padding=cell),
            nn.GELU(),
            nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1, bias=False),
            nn.GELU(),
            nn.Conv2d(2 * channels, width, 3, stride=2, padding=1, bias=False),
        )
        self.position_embed = nn.Parameter(torch.zeros(PATCHES, width))
        self.norm = nn.LayerNorm(width)

    def forward(self, pixels_ICHW: Tensor) -> Tensor:
        """Tokens ``(I, P, D)`` of pictures in -1..1."""
        features: Tensor = self.convs(pixels_ICHW).flatten(2).transpose(1, 2)
        normed: Tensor = self.norm(features)
        return normed + self.position_embed


class TinyEnhancer(PreTrainedModel):  # type: ignore[misc]
    """Reads ``<image>`` tokens as patches and continues the text."""

    config_class = TinyEnhancerConfig
    base_model_prefix = "enhancer"
    _tied_weights_keys = {  # noqa: RUF012 (transformers' interface)
        "language_model.lm_head.weight": "language_model.model.embed_tokens.weight"
    }

    def __init__(self, config: TinyEnhancerConfig) -> None:
        super().__init__(config)
        self.vision = PatchEncoder(
            config.vision_channels, config.text_config.hidden_size, config.image_side
        )
        self.language_model = LlamaForCausalLM(config.text_config)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """The language model's initial scale everywhere but in the patch encoder."""
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        else:
            super()._init_weights(module)

    def embed(self, ids_BN: Tensor, pixels_ICHW: Tensor | None) -> Tensor:
        """Token embeddings ``(B, N, D)`` with the patches in their places."""
        embedded = self.language_model.get_input_embeddings()(ids_BN)
        if pixels_ICHW is None or not len(pixels_ICHW):
            return embedded  # type: ignore[no-any-return]
        patches = self.vision(pixels_ICHW).flatten(0, 1).to(embedded.dtype)
        here = (ids_BN == self.config.image_token_id).unsqueeze(-1)
        return embedded.masked_scatter(here, patches)  # type: ignore[no-any-return]

    def forward(
        self, input_ids: Tensor, pixel_values: Tensor | None = None, **kwargs: Any
    ) -> Tensor:
        """Last hidden states ``(B, N, D)``; :meth:`logits` reads words from them.

        Sequences are padded on the right, so causal attention needs no mask.
        """
        embedded = self.embed(input_ids, pixel_values)
        out = self.language_model.model(inputs_embeds=embedded, use_cache=False, **kwargs)
        return out.last_hidden_state  # type: ignore[no-any-return]

    def operations(self, sequences: int, tokens: int, pictures: int, read: int) -> float:
        """Of a forward pass (a multiplication and an addition are two): ``pictures`` in all
        ``sequences`` of ``tokens`` each, and the logits of ``read`` tokens.

        All query-key pairs count, although the later half of them is masked: no operator here
        leaves them out.
        """
        c = self.config.text_config
        heads, kept = c.num_attention_heads * c.head_dim, c.num_key_value_heads * c.head_dim
        projections = c.hidden_size * (2 * heads + 2 * kept + 3 * c.intermediate_size)
        layer = tokens * projections + 2 * tokens**2 * heads
        decoder = sequences * c.num_hidden_layers * layer
        side, vision = self.config.image_side, 0
        for conv in self.vision.convs:
            if isinstance(conv, nn.Conv2d):
                side //= conv.stride[0]
                vision += side**2 * conv.weight.numel()
        total = decoder + pictures * vision + read * c.hidden_size * c.vocab_size
        return 2.0 * float(total)

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores of the next token for hidden states ``(..., D)``."""
        return self.language_model.lm_head(hidden)  # type: ignore[no-any-return]
