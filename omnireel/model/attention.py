"""Who attends to whom, as data, and the attention operators that honour it.

An :class:`AttentionLayout` cuts one packed sequence into *blocks*: block i lets ``q_lengths[i]``
query tokens attend to ``k_lengths[i]`` key tokens, both named by index.  The asymmetric design is
two such layouts (conditions to conditions; targets to conditions and targets), shifted windows are
two more, and nothing in the transformer changes between them.

The operator is injected into the model: :func:`padded_attention` here runs anywhere; operators for
accelerators (:mod:`omnireel.model.packed_attention`) and sequence-parallel ones have the same
signature.

Shapes: N query tokens, M key tokens, K heads of width E; B blocks, padded to L slots each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True, eq=False)
class AttentionLayout:
    """Blocks of full attention over a packed sequence.

    ``q_index`` lists the query tokens of all blocks one block after the other (every query occurs
    once), ``k_index`` the key tokens (a key may occur in many blocks).
    """

    q_index: Tensor
    """``[N]``, the sum of ``q_lengths``."""
    k_index: Tensor
    """``[sum of k_lengths]``, more than M where blocks share keys."""
    q_lengths: tuple[int, ...]
    k_lengths: tuple[int, ...]
    q_padded_BL: Tensor
    k_padded_BL: Tensor
    """Tokens in each slot; 0 in those beyond a block's end. L is the longest block's length, that
    of queries here and that of keys there."""
    mask_BLL: Tensor | None
    """``[B, 1, L]``: which slots hold keys; None: all do."""
    q_restore: Tensor
    """Slot of each query token among all ``B * L`` ``[N]``."""
    even: bool
    """Queries come in order and blocks are equally long: the packed tensor is the padded one."""
    ordered: tuple[bool, bool]
    """Whether ``q_index`` and ``k_index`` count up from 0: the rows are in a row already."""

    @classmethod
    def build(
        cls, queries: Sequence[Tensor], keys: Sequence[Tensor], device: torch.device | str = "cpu"
    ) -> AttentionLayout:
        """A layout from the index lists of each block's queries and keys."""
        if len(queries) != len(keys):
            raise ValueError("each block needs queries and keys")
        q_lengths = tuple(int(q.numel()) for q in queries)
        k_lengths = tuple(int(k.numel()) for k in keys)
        if min(k_lengths) == 0:
            raise ValueError("a block without keys has no attention")
        lq, lk = max(q_lengths), max(k_lengths)
        q_padded = torch.stack([F.pad(q, (0, lq - q.numel())) for q in queries])
        k_padded = torch.stack([F.pad(k, (0, lk - k.numel())) for k in keys])
        mask = None
        if min(k_lengths) != lk:
            mask = torch.arange(lk)[None, None] < torch.tensor(k_lengths)[:, None, None]
        q_index = torch.cat(list(queries))
        # Where token n of the packed sequence sits in the padded [block, slot] grid.
        slots = torch.cat([b * lq + torch.arange(n) for b, n in enumerate(q_lengths)])
        restore = torch.empty_like(q_index)
        restore[q_index] = slots
        k_index = torch.cat(list(keys))
        ordered = (_counts_up(q_index), _counts_up(k_index))
        return cls(
            q_index=q_index.to(device),
            k_index=k_index.to(device),
            q_lengths=q_lengths,
            k_lengths=k_lengths,
            q_padded_BL=q_padded.to(device),
            k_padded_BL=k_padded.to(device),
            mask_BLL=None if mask is None else mask.to(device),
            q_restore=restore.to(device),
            even=min(q_lengths) == lq and ordered[0],
            ordered=ordered,
        )

    def to(self, device: torch.device | str) -> AttentionLayout:
        """The same layout on ``device``."""
        mask = self.mask_BLL
        return replace(
            self,
            q_index=self.q_index.to(device),
            k_index=self.k_index.to(device),
            q_padded_BL=self.q_padded_BL.to(device),
            k_padded_BL=self.k_padded_BL.to(device),
            mask_BLL=None if mask is None else mask.to(device),
            q_restore=self.q_restore.to(device),
        )

    def dense_mask(self, num_queries: int, num_keys: int) -> Tensor:
        """The same layout as one ``[num_queries, num_keys]`` boolean mask (for tests)."""
        mask = torch.zeros(num_queries, num_keys, dtype=torch.bool)
        q_start = k_start = 0
        for nq, nk in zip(self.q_lengths, self.k_lengths, strict=True):
            q = self.q_index[q_start : q_start + nq].cpu()
            k = self.k_index[k_start : k_start + nk].cpu()
            mask[q[:, None], k[None, :]] = True
            q_start, k_start = q_start + nq, k_start + nk
        return mask


def _counts_up(index: Tensor) -> bool:
    return bool((index == torch.arange(index.numel())).all())


AttentionFn = Callable[[Tensor, Tensor, Tensor, AttentionLayout], Tensor]
"""``(q_NKE, k_MKE, v_MKE, layout) -> out_NKE``."""


def operator_name(attend: AttentionFn) -> str:
    """How an operator calls itself (``name``), for logs."""
    return str(getattr(attend, "name", getattr(attend, "__name__", type(attend).__name__)))


def pads(attend: AttentionFn) -> bool:
    """Whether an operator computes blocks of different lengths by padding them (``pads``)."""
    return bool(getattr(attend, "pads", False))


def padded_attention(
    q_NKE: Tensor,
    k_MKE: Tensor,
    v_MKE: Tensor,
    layout: AttentionLayout,
    operator: Callable[..., Tensor] | None = None,
) -> Tensor:
    """Scaled dot-product attention with blocks padded to equal length inside this call only.

    ``operator`` has the signature of torch's; by default the fastest for type and device.
    """
    if layout.even:
        q_BKLE = q_NKE.view(len(layout.q_lengths), -1, *q_NKE.shape[1:]).transpose(1, 2)
    else:
        q_BKLE = q_NKE[layout.q_padded_BL].transpose(1, 2)
    k_BKLE = k_MKE[layout.k_padded_BL].transpose(1, 2)
    v_BKLE = v_MKE[layout.k_padded_BL].transpose(1, 2)
    mask = None if layout.mask_BLL is None else layout.mask_BLL[:, None]
    if operator is None:
        half_on_cpu = q_NKE.device.type == "cpu" and q_NKE.dtype is torch.bfloat16
        operator = _attention_by_products if half_on_cpu else F.scaled_dot_product_attention
    out_BKLE = operator(q_BKLE, k_BKLE, v_BKLE, attn_mask=mask)
    out_NKE = out_BKLE.transpose(1, 2).flatten(0, 1)
    return out_NKE if layout.even else out_NKE[layout.q_restore]


padded_attention.name = "torch SDPA, blocks padded"  # type: ignore[attr-defined]
padded_attention.pads = True  # type: ignore[attr-defined]


def _attention_by_products(
    q_BKLE: Tensor, k_BKLE: Tensor, v_BKLE: Tensor, attn_mask: Tensor | None
) -> Tensor:
    """The same in plain matrix products: in bfloat16 on processors torch's fused operator takes
    about three times as long, forward and backward."""
    scores_BKLL: Tensor = (q_BKLE * q_BKLE.shape[-1] ** -0.5) @ k_BKLE.mT
    if attn_mask is not None:
        scores_BKLL = scores_BKLL.masked_fill(~attn_mask, -math.inf)
    out_BKLE: Tensor = scores_BKLL.softmax(-1).to(v_BKLE.dtype) @ v_BKLE
    return out_BKLE
