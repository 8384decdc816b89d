"""Every mask shape that the product uses, and slow attention to compare operators with."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from omnireel.model.attention import AttentionLayout
from omnireel.model.sequence import OmniSample, Segment, pack
from omnireel.types import Role
from omnireel.upscale.windows import WindowConfig, pack_windows
from tests.support.tiny_models import latents, mixed_samples, text


def dense_attention(q: Tensor, k: Tensor, v: Tensor, layout: AttentionLayout) -> Tensor:
    """All pairs under one mask."""
    mask = layout.dense_mask(q.shape[0], k.shape[0]).to(q.device)
    out = F.scaled_dot_product_attention(
        q.transpose(0, 1), k.transpose(0, 1), v.transpose(0, 1), attn_mask=mask
    )
    return out.transpose(0, 1)


def reference_varlen(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    cu_seqlens_q: Tensor,
    cu_seqlens_k: Tensor,
    max_seqlen_q: int,
    max_seqlen_k: int,
) -> Tensor:
    """What flash-attn's ``flash_attn_varlen_func`` promises, block by block; strict about its
    arguments where the kernel would read beyond its memory."""
    for offsets, rows, longest in (
        (cu_seqlens_q, q, max_seqlen_q),
        (cu_seqlens_k, k, max_seqlen_k),
    ):
        assert offsets.dtype is torch.int32 and offsets.device == q.device
        assert int(offsets[0]) == 0 and int(offsets[-1]) == rows.shape[0]
        assert int(offsets.diff().max()) == longest and int(offsets.diff().min()) >= 0
        assert rows.stride(-1) == 1 and rows.dtype in (torch.float16, torch.bfloat16)
    assert k.shape == v.shape and len(cu_seqlens_q) == len(cu_seqlens_k)
    blocks = []
    for i in range(len(cu_seqlens_q) - 1):
        queries = q[cu_seqlens_q[i] : cu_seqlens_q[i + 1]].transpose(0, 1).float()
        keys = k[cu_seqlens_k[i] : cu_seqlens_k[i + 1]].transpose(0, 1).float()
        values = v[cu_seqlens_k[i] : cu_seqlens_k[i + 1]].transpose(0, 1).float()
        weights = (queries @ keys.mT * q.shape[-1] ** -0.5).softmax(-1)
        blocks.append((weights @ values).transpose(0, 1))
    return torch.cat(blocks).to(q.dtype)


def windowed_samples() -> list[OmniSample]:
    low = Segment(latents(3, 8, 12, 5), Role.LOW_RESOLUTION, 2)
    reference = Segment(latents(1, 4, 4, 6), Role.REFERENCE, 1)
    return [
        OmniSample(text(4, 5), (low,), (3, 8, 12)),
        OmniSample(text(6), (reference, low), (3, 8, 12)),
    ]


def layouts(device: str = "cpu") -> dict[str, tuple[AttentionLayout, int, int]]:
    """By name: a layout, and how many queries and keys it is about."""
    packed = pack(mixed_samples(), device)
    windowed = pack_windows(windowed_samples(), WindowConfig(2, 2, 4), device)
    out = {}
    for name, p in (("full", packed), ("window", windowed)):
        nc, nt = p.num_conditions, sum(p.target_lengths)
        for i, layout in enumerate(p.condition_layouts):
            out[f"{name} conditions {i}"] = (layout, nc, nc)
        for i, layout in enumerate(p.target_layouts):
            out[f"{name} targets {i}"] = (layout, nt, nc + nt)
    return out


NAMES = tuple(layouts())


def random_rows(
    nq: int, nk: int, width: int = 16, dtype: torch.dtype = torch.float32, device: str = "cpu"
) -> list[Tensor]:
    """Queries, keys and values of two heads."""
    generator = torch.Generator().manual_seed(0)
    rows = (torch.randn(n, 2, width, generator=generator) for n in (nq, nk, nk))
    return [x.to(device, dtype) for x in rows]
