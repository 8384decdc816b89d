"""One layer of the transformer: attention and MLP, each a residual half with modulation.

Norms, activations and gates are recomputed or moved to the host with the half that they belong to
(:mod:`omnireel.recipes.planning.activations` decides which).

Shapes: tokens that share a modulation are a group: G groups of L tokens each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Set
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from omnireel.model.attention import AttentionFn, AttentionLayout
from omnireel.model.offload import HostOffload
from omnireel.model.positions import rotate

if TYPE_CHECKING:
    from omnireel.model.transformer import TransformerConfig

Half = Literal["attention", "mlp"]
"""A block's two residual halves."""
Result = TypeVar("Result")


class Attention(nn.Module):
    """Projections with normalised queries and keys; the operator itself is an argument."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.out = nn.Linear(config.width, config.width)
        head = config.width // config.heads
        self.q_norm = nn.RMSNorm(head, eps=1e-6)
        self.k_norm = nn.RMSNorm(head, eps=1e-6)

    def project(self, x_ND: Tensor, rope: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Rotated queries and keys, and values, each ``[N, K, E]``."""
        q, k, v = self.qkv(x_ND).view(x_ND.shape[0], 3, self.heads, -1).unbind(1)
        return _positioned(q, self.q_norm, rope), _positioned(k, self.k_norm, rope), v


class Block(nn.Module):
    """One transformer layer.

    ``modulation_G6D`` holds shift, scale and gate of attention and of the MLP for G equally long
    runs of consecutive tokens (1: the same for all; the number of tokens: each its own).
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        d = config.width
        hidden = int(config.mlp_ratio * d)
        self.attention = Attention(config)
        self.mlp_in = nn.Linear(d, hidden)
        self.mlp_out = nn.Linear(hidden, d)
        self.table_6D = nn.Parameter(torch.zeros(6, d))
        self.condition_table_6D = nn.Parameter(torch.zeros(6, d))
        self.recompute: Set[Half] = frozenset()
        """Halves that keep nothing for the backward pass but their inputs, and run again there."""
        self.offload: Set[Half] = frozenset()
        """Halves whose activations :attr:`host` keeps until the backward pass."""
        self.host: HostOffload | None = None
        with torch.no_grad():
            for table in (self.table_6D, self.condition_table_6D):
                table[2].fill_(1.0 / math.sqrt(2 * config.depth))
                table[5].fill_(1.0 / math.sqrt(2 * config.depth))

    def forward(
        self,
        x_ND: Tensor,
        modulation_G6D: Tensor,
        rope: tuple[Tensor, Tensor],
        layout: AttentionLayout,
        attend: AttentionFn,
        prefix: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Returns the new tokens and this layer's own keys and values.

        ``prefix`` holds keys and values that come before the layer's own in the key order.
        """
        attention_G3D, mlp_G3D = modulation_G6D[..., :3, :], modulation_G6D[..., 3:, :]
        x_ND, k, v = self._run(
            "attention", self._attend, x_ND, attention_G3D, rope, layout, attend, prefix
        )
        return self._run("mlp", self._transform, x_ND, mlp_G3D), k, v

    def _run(self, half: Half, function: Callable[..., Result], *inputs: Any) -> Result:
        if not torch.is_grad_enabled():
            return function(*inputs)
        if half in self.recompute:
            again: Result = checkpoint(
                function, *inputs, use_reentrant=False, preserve_rng_state=False
            )
            return again
        if half in self.offload and self.host is not None:
            with self.host.saving(self.parameters()):
                return function(*inputs)
        return function(*inputs)

    def _attend(
        self,
        x_ND: Tensor,
        modulation_G3D: Tensor,
        rope: tuple[Tensor, Tensor],
        layout: AttentionLayout,
        attend: AttentionFn,
        prefix: tuple[Tensor, Tensor] | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        shift, scale, gate = modulation_G3D.unbind(-2)
        q, k, v = self.attention.project(_modulated(token_norm(x_ND), shift, scale), rope)
        all_k, all_v = k, v
        if prefix is not None:
            all_k, all_v = torch.cat([prefix[0], k]), torch.cat([prefix[1], v])
        attended = attend(q, all_k, all_v, layout).flatten(1)
        return _added(x_ND, gate, self.attention.out(attended)), k, v

    def _transform(self, x_ND: Tensor, modulation_G3D: Tensor) -> Tensor:
        shift, scale, gate = modulation_G3D.unbind(-2)
        hidden = F.gelu(self.mlp_in(_modulated(token_norm(x_ND), shift, scale)), approximate="tanh")
        return _added(x_ND, gate, self.mlp_out(hidden))


def token_norm(x_ND: Tensor) -> Tensor:
    """Every token divided by its root mean square; no weights."""
    return F.rms_norm(x_ND, (x_ND.shape[-1],), eps=1e-6)


def _positioned(x_NKE: Tensor, norm: nn.RMSNorm, rope: tuple[Tensor, Tensor]) -> Tensor:
    """Normalised and rotated, in the type it came in also where weights and angles are wider."""
    weight = norm.weight.to(x_NKE.dtype)
    return rotate(F.rms_norm(x_NKE, norm.normalized_shape, weight, norm.eps), *rope).to(x_NKE.dtype)


def _modulated(x_ND: Tensor, shift_GD: Tensor, scale_GD: Tensor) -> Tensor:
    x_GLD = _grouped(x_ND, shift_GD)
    out_GLD: Tensor = x_GLD * (1 + scale_GD[:, None]) + shift_GD[:, None]
    return out_GLD.flatten(0, 1)


def _added(x_ND: Tensor, gate_GD: Tensor, change_ND: Tensor) -> Tensor:
    out_GLD: Tensor = _grouped(x_ND, gate_GD) + gate_GD[:, None] * _grouped(change_ND, gate_GD)
    return out_GLD.flatten(0, 1)


def _grouped(x_ND: Tensor, modulation_GD: Tensor) -> Tensor:
    return x_ND.view(modulation_GD.shape[0], -1, x_ND.shape[1])
