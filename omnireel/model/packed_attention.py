"""Attention operators for accelerators: blocks of any lengths side by side, without padding.

1. Queries, keys and values are put in a row, block after block, as the layout lists them. Keys that
   several blocks see (the text of a windowed clip) are there once for each.
2. A kernel for variable lengths (flash-attn's, or torch's own) is told where blocks begin;
   FlexAttention is told which tiles of the score matrix belong to a block (:func:`block_mask`).
   Both are worked out once for a layout, so once a batch, and used by all its layers.
3. The results go back to where their queries came from.

:func:`choose_attention` takes the first of the three that is there, and padded blocks where none
is. Nothing here needs an accelerator, or flash-attn, to be imported.

Shapes: N query tokens and M key tokens, in I and J tiles; K heads of width E.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from omnireel.model.attention import AttentionFn, AttentionLayout, padded_attention

VarlenKernel = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, int, int], Any]
"""``(q_NKE, k_MKE, v_MKE, q_offsets, k_offsets, longest_q, longest_k) -> out_NKE``, with offsets
``[blocks + 1]`` in int32: what flash-attn's ``flash_attn_varlen_func`` takes first."""
TILE = 128
"""FlexAttention's own tile of queries and of keys."""
_HALVES = (torch.float16, torch.bfloat16)


class VarlenAttention:
    """Attention by a kernel for variable lengths, which computes in half precision.

    Passes in float32 (validation runs outside of autocast) go to ``otherwise``.
    """

    pads = False

    def __init__(
        self,
        kernel: VarlenKernel,
        otherwise: AttentionFn = padded_attention,
        name: str = "flash-attn, variable length",
    ) -> None:
        self._kernel, self._otherwise, self.name = kernel, otherwise, name
        self._offsets: WeakKeyDictionary[AttentionLayout, _Offsets] = WeakKeyDictionary()

    def __call__(
        self, q_NKE: Tensor, k_MKE: Tensor, v_MKE: Tensor, layout: AttentionLayout
    ) -> Tensor:
        """Attend."""
        if q_NKE.dtype not in _HALVES:
            return self._otherwise(q_NKE, k_MKE, v_MKE, layout)
        if layout not in self._offsets:
            self._offsets[layout] = _Offsets.of(layout)
        at = self._offsets[layout]
        q, k, v = _in_a_row(q_NKE, k_MKE, v_MKE, layout)
        longest = max(layout.q_lengths), max(layout.k_lengths)
        out: Tensor = self._kernel(q, k, v, at.queries, at.keys, *longest)
        return _back(out, layout)


class FlexAttention:
    """Attention by torch's FlexAttention in any precision.

    ``compiled`` is for accelerators. Without it torch computes the whole masked score matrix, which
    is for tests.
    """

    name = "FlexAttention"
    pads = False

    def __init__(self, *, compiled: bool = True) -> None:
        from torch.nn.attention.flex_attention import flex_attention

        # Every batch has another length: one kernel must do for all.
        operator: Callable[..., Any] = flex_attention
        self._operator = torch.compile(operator, dynamic=True) if compiled else operator
        self._masks: WeakKeyDictionary[AttentionLayout, Any] = WeakKeyDictionary()

    def __call__(
        self, q_NKE: Tensor, k_MKE: Tensor, v_MKE: Tensor, layout: AttentionLayout
    ) -> Tensor:
        """Attend."""
        if layout not in self._masks:
            self._masks[layout] = block_mask(layout)
        rows = _in_a_row(q_NKE, k_MKE, v_MKE, layout)
        q, k, v = (x.transpose(0, 1)[None] for x in rows)
        out_1KNE: Tensor = self._operator(q, k, v, block_mask=self._masks[layout])
        return _back(out_1KNE[0].transpose(0, 1), layout)


def choose_attention(device: torch.device | str, compute: torch.dtype) -> AttentionFn:
    """The operator for a network on ``device`` whose products are computed in ``compute``."""
    if torch.device(device).type != "cuda":
        return padded_attention
    if compute in _HALVES:
        if importlib.util.find_spec("flash_attn") is not None:
            return VarlenAttention(importlib.import_module("flash_attn").flash_attn_varlen_func)
        if importlib.util.find_spec("torch.nn.attention.varlen") is not None:
            kernel = importlib.import_module("torch.nn.attention.varlen").varlen_attn
            return VarlenAttention(kernel, name="torch, variable length")
    if importlib.util.find_spec("triton") is not None:
        return FlexAttention()
    return padded_attention


def block_mask(layout: AttentionLayout, tile: int = TILE) -> Any:
    """A layout as torch's ``BlockMask`` over rows in a row.

    Built from where blocks begin, not by asking for every pair: tile (i, j) is left out when no
    block of its queries has keys there, and needs no mask when one block fills it.
    """
    from torch.nn.attention.flex_attention import BlockMask

    device = layout.q_index.device
    q_block_N, k_block_M = _block_numbers(layout.q_lengths), _block_numbers(layout.k_lengths)
    ends_B = torch.tensor(layout.k_lengths).cumsum(0)
    starts_B = ends_B - torch.tensor(layout.k_lengths)
    count_q, count_k = len(q_block_N), len(k_block_M)
    first_I = torch.arange(0, count_q, tile)
    last_I = (first_I + tile - 1).clamp(max=count_q - 1)
    first_block_I, last_block_I = q_block_N[first_I], q_block_N[last_I]
    left_J = torch.arange(0, count_k, tile)
    right_J = left_J + tile
    touched_IJ = (left_J < ends_B[last_block_I][:, None]) & (
        right_J > starts_B[first_block_I][:, None]
    )
    alone_I = (first_block_I == last_block_I) & (first_I + tile <= count_q)
    full_IJ = (
        alone_I[:, None]
        & (left_J >= starts_B[first_block_I][:, None])
        & (right_J <= ends_B[first_block_I][:, None])
    )
    q_block_N, k_block_M = q_block_N.to(device), k_block_M.to(device)

    def same_block(b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        return q_block_N[q] == k_block_M[k]

    return BlockMask.from_kv_blocks(
        *_listed(touched_IJ & ~full_IJ, device),
        *_listed(full_IJ, device),
        BLOCK_SIZE=tile,
        mask_mod=same_block,
        seq_lengths=(count_q, count_k),
    )


@dataclass(frozen=True, eq=False)
class _Offsets:
    """Where the blocks of a layout begin ``[blocks + 1]``."""

    queries: Tensor
    keys: Tensor

    @classmethod
    def of(cls, layout: AttentionLayout) -> _Offsets:
        found = []
        for lengths in (layout.q_lengths, layout.k_lengths):
            ends = torch.tensor((0, *lengths)).cumsum(0)
            found.append(ends.to(layout.q_index.device, torch.int32))
        return cls(*found)


def _block_numbers(lengths: tuple[int, ...]) -> Tensor:
    return torch.arange(len(lengths)).repeat_interleave(torch.tensor(lengths))


def _listed(mask_IJ: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
    """How many tiles each row of tiles has ``[1, 1, I]``, and which, those first."""
    order_IJ = torch.argsort((~mask_IJ).int(), dim=1, stable=True)
    counts_I = mask_IJ.sum(1)
    return (
        counts_I.to(device, torch.int32)[None, None],
        order_IJ.to(device, torch.int32)[None, None],
    )


def _in_a_row(
    q_NKE: Tensor, k_MKE: Tensor, v_MKE: Tensor, layout: AttentionLayout
) -> tuple[Tensor, Tensor, Tensor]:
    q_ordered, k_ordered = layout.ordered
    q = q_NKE if q_ordered else q_NKE.index_select(0, layout.q_index)
    if k_ordered:
        return q, k_MKE, v_MKE
    return q, k_MKE.index_select(0, layout.k_index), v_MKE.index_select(0, layout.k_index)


def _back(out_NKE: Tensor, layout: AttentionLayout) -> Tensor:
    if layout.ordered[0]:
        return out_NKE
    return torch.empty_like(out_NKE).index_copy(0, layout.q_index, out_NKE)
