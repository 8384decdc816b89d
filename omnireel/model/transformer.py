"""The Omni-Generator: one diffusion transformer over text, conditions and noisy target.

1. Text tokens are embedded, visual tokens projected; each gets the embedding of its role.
2. The condition stream runs through all layers, attending only to itself; every layer's keys and
   values are kept (:class:`ConditionCache`), and the mean of the text tokens at its end.
3. The target stream starts from the noisy tokens plus, where a condition lies on the target's own
   grid (editing source, first or last frame), a projection of that condition's token.
4. It runs through the same layers with the diffusion time and the mean text as modulation,
   attending to the cached conditions and to itself, and predicts the clean latents, from which the
   velocity ``eps - x0 = (x_t - x0) / t`` follows. Clean latents lie on a thin manifold that a
   narrow network can represent; noise and velocity do not (JiT, arXiv 2511.13720). Where a
   condition lies on the target's grid the prediction is a change to it: "keep everything else" is
   where learning starts. A gate (``gated_base``) can turn that condition down, element by element:
   what is to vanish need not be copied through the layers first to be subtracted.

Attention is injected (see :mod:`omnireel.model.attention`); positions are part of the input.
Modulation is shared by all layers plus a learned table of each (adaLN-single, PixArt-alpha,
arXiv 2310.00426).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from omnireel.model.attention import AttentionFn, padded_attention
from omnireel.model.block import Block, token_norm
from omnireel.model.positions import RotaryConfig, rotation_angles
from omnireel.model.sequence import PATCH, ROLES, PackedSequence

_TIME_FEATURES = 256
_MIN_TIME = 0.05
"""Below this time the division by t would only amplify the network's error."""


@dataclass(frozen=True)
class TransformerConfig:
    """Size of the generator. ``vocabulary`` holds the tokenizer's words."""

    width: int = 256
    depth: int = 7
    heads: int = 4
    mlp_ratio: float = 4.0
    latent_channels: int = 48
    patch: int = PATCH
    """Tokens are ``patch x patch`` squares of one latent frame: 1 sees the finest detail, and has
    four times the tokens of 2."""
    vocabulary: tuple[str, ...] = ()
    vocabulary_size: int = 0
    max_text_tokens: int = 96
    rotary: RotaryConfig = field(default_factory=RotaryConfig)
    gated_base: bool = False
    """Whether the condition that the prediction is a change to can be turned down."""

    def __post_init__(self) -> None:
        if self.width % self.heads or self.width // self.heads != self.rotary.head_width:
            raise ValueError("width / heads must equal rotary.head_width")
        if self.vocabulary_size <= 0:
            raise ValueError("vocabulary_size must be positive: build the tokenizer first")
        if self.patch < 1:
            raise ValueError("patch must be 1 or more")

    @property
    def token_numbers(self) -> int:
        """Numbers of a visual token."""
        return self.latent_channels * self.patch**2


@dataclass(frozen=True, eq=False)
class ConditionCache:
    """What the condition stream leaves for the target stream, independent of the diffusion time.

    Keys and values ``[Nc, K, E]`` of every layer; the mean text token of every sample
    (``summary_BD``); and of the conditions that lie on the target's
    grid the projected tokens (``aligned_ND``) and the latents themselves (``base_NP``, their mean
    where several lie on one token, 0 where none does).
    """

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]
    summary_BD: Tensor
    aligned_ND: Tensor
    base_NP: Tensor


class OmniTransformer(nn.Module):
    """The generator network; see the module docstring for its flow."""

    def __init__(self, config: TransformerConfig, attend: AttentionFn = padded_attention) -> None:
        super().__init__()
        self.config = config
        self.attend = attend
        self.run: RunFn = run_both_streams
        d, patch = config.width, config.token_numbers
        self.text_embedding = nn.Embedding(config.vocabulary_size, d)
        self.role_embedding = nn.Embedding(len(ROLES), d)
        self.condition_in = nn.Linear(patch, d)
        self.target_in = nn.Linear(patch, d)
        self.aligned_in = nn.Linear(patch, d, bias=False)
        self.time_in = nn.Linear(_TIME_FEATURES, d)
        self.summary_in = nn.Linear(d, d, bias=False)
        self.time_out = nn.Linear(d, 6 * d)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.final_table_2D = nn.Parameter(torch.zeros(2, d))
        self.final_time = nn.Linear(d, 2 * d)
        self.out = nn.Linear(d, patch)
        self.base_gate = nn.Linear(d, patch) if config.gated_base else None
        self._initialise()

    def _initialise(self) -> None:
        nn.init.normal_(self.text_embedding.weight, std=0.5)
        nn.init.normal_(self.role_embedding.weight, std=0.2)
        for zero in (self.time_out, self.final_time, self.out, self.base_gate):
            if zero is not None:
                nn.init.zeros_(zero.weight)
                nn.init.zeros_(zero.bias)

    def encode_conditions(self, packed: PackedSequence) -> ConditionCache:
        """Run the condition stream once; valid for every diffusion time."""
        x_ND = self.role_embedding(packed.roles)
        # Under autocast the embeddings stay float32 and the projections do not.
        text_ND = self.text_embedding(packed.text_ids).to(x_ND.dtype)
        x_ND = x_ND.index_add(0, packed.text_slots, text_ND)
        num_targets = packed.target_positions_N4.shape[0]
        aligned_ND = x_ND.new_zeros(num_targets, self.config.width)
        # Without visual tokens the same layers run on none: ranks that share weights must all
        # run them, and a gradient of 0 is not the same as none.
        patches = packed.patches_NP.to(x_ND.dtype)
        if not packed.patch_slots.numel():
            patches = x_ND.new_zeros(0, self.condition_in.in_features)
        x_ND = x_ND.index_add(0, packed.patch_slots, self.condition_in(patches).to(x_ND.dtype))
        lying_NP = patches[packed.aligned_patch]
        at = packed.aligned_target
        aligned_ND = aligned_ND.index_add(0, at, self.aligned_in(lying_NP).to(x_ND.dtype))
        base_NP = _group_mean(lying_NP, at, num_targets)
        rope = _rope(packed.condition_positions_N4, self.config.rotary, x_ND.dtype)
        keys, values = [], []
        for i, block in enumerate(self.blocks):
            assert isinstance(block, Block)
            layout = packed.condition_layouts[i % len(packed.condition_layouts)]
            x_ND, k, v = block(x_ND, block.condition_table_6D[None], rope, layout, self.attend)
            keys.append(k)
            values.append(v)
        summary_BD = _group_mean(
            token_norm(x_ND[packed.text_slots]), packed.sample_of_text, len(packed.target_shapes)
        )
        return ConditionCache(tuple(keys), tuple(values), summary_BD, aligned_ND, base_NP)

    def denoise(
        self,
        noisy_NP: Tensor,
        timesteps_B: Tensor,
        packed: PackedSequence,
        cache: ConditionCache,
    ) -> Tensor:
        """Velocity ``[Nt, P]`` of the noisy target tokens at ``timesteps_B`` (0 clean, 1 noise)."""
        dtype = self.target_in.weight.dtype
        target_role = self.role_embedding.weight[-1]
        x_ND = self.target_in(noisy_NP.to(dtype)) + cache.aligned_ND + target_role
        time_BD = self.time_in(_time_features(timesteps_B).to(dtype))
        time_BD = F.silu(time_BD + self.summary_in(cache.summary_BD))
        shared_B6D = self.time_out(time_BD).unflatten(-1, (6, -1))
        rope = _rope(packed.target_positions_N4, self.config.rotary, dtype)
        for i, block in enumerate(self.blocks):
            assert isinstance(block, Block)
            modulation = shared_B6D + block.table_6D
            if not packed.equal_targets:
                modulation = modulation[packed.sample_of_target]
            layout = packed.target_layouts[i % len(packed.target_layouts)]
            prefix = (cache.keys[i], cache.values[i])
            x_ND, _, _ = block(x_ND, modulation, rope, layout, self.attend, prefix)
        final_B2D = self.final_time(time_BD).unflatten(-1, (2, -1)) + self.final_table_2D
        shift, scale = final_B2D[packed.sample_of_target].unbind(-2)
        x_ND = token_norm(x_ND) * (1 + scale) + shift
        base_NP = cache.base_NP
        if self.base_gate is not None:
            base_NP = base_NP * (1 + self.base_gate(x_ND))
        clean_NP = base_NP + self.out(x_ND)
        t_N1 = timesteps_B.clamp(min=_MIN_TIME)[packed.sample_of_target][:, None]
        velocity_NP: Tensor = (noisy_NP - clean_NP) / t_N1
        return velocity_NP

    def forward(self, noisy_NP: Tensor, timesteps_B: Tensor, packed: PackedSequence) -> Tensor:
        """Both streams in one call (what training runs), carried out by :attr:`run`."""
        return self.run(self, noisy_NP, timesteps_B, packed)


RunFn = Callable[[OmniTransformer, Tensor, Tensor, PackedSequence], Tensor]
"""``(model, noisy_NP, timesteps_B, packed) -> velocity_NP``. Like the attention operator it is a
property of the place where the model runs: alone, or on one of several ranks that share a pack."""


def run_both_streams(
    model: OmniTransformer, noisy_NP: Tensor, timesteps_B: Tensor, packed: PackedSequence
) -> Tensor:
    """Velocity of all target tokens, on one device."""
    return model.denoise(noisy_NP, timesteps_B, packed, model.encode_conditions(packed))


def _group_mean(x_NP: Tensor, group_N: Tensor, num_groups: int) -> Tensor:
    """Mean of the rows of each group ``[num_groups, P]``, 0 for a group without any."""
    sums = x_NP.new_zeros(num_groups, x_NP.shape[1]).index_add(0, group_N, x_NP)
    counts = torch.bincount(group_N, minlength=num_groups).clamp(min=1)
    return sums / counts[:, None]


def _rope(positions_N4: Tensor, config: RotaryConfig, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    angles = rotation_angles(positions_N4, config)
    return angles.cos().to(dtype), angles.sin().to(dtype)


def _time_features(timesteps_B: Tensor) -> Tensor:
    half = _TIME_FEATURES // 2
    freqs = torch.exp(-math.log(10_000.0) * torch.arange(half, device=timesteps_B.device) / half)
    angles = 1000.0 * timesteps_B.float()[:, None] * freqs
    return torch.cat([angles.cos(), angles.sin()], dim=1)
