"""Blocks whose small operations are fused (torch.compile), for long training on an accelerator.

Norms, modulation, rotation and residuals read and write every token many times; in a network as
narrow as the tiny one that takes longer than its matrix products. Attention operators stay as they
are: they are kernels already, and look layouts up in tables that a compiler cannot see through.
"""

from __future__ import annotations

import torch
from torch import Tensor

from omnireel.model.attention import AttentionFn, AttentionLayout, operator_name, pads
from omnireel.model.transformer import OmniTransformer


def compile_blocks(model: OmniTransformer, backend: str = "inductor") -> None:
    """Compile every block of ``model``, for packs of any length, at its next calls.

    The first steps take up to a minute longer. Weights keep their names.
    """
    model.attend = _NotCompiled(model.attend)
    for block in model.blocks:
        block.compile(dynamic=True, backend=backend)


class _NotCompiled:
    """An attention operator that compiled blocks call as it is."""

    def __init__(self, attend: AttentionFn) -> None:
        self._attend = attend
        self.name, self.pads = operator_name(attend), pads(attend)

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def __call__(
        self, q_NKE: Tensor, k_MKE: Tensor, v_MKE: Tensor, layout: AttentionLayout
    ) -> Tensor:
        """Attend."""
        return self._attend(q_NKE, k_MKE, v_MKE, layout)
