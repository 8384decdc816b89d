"""Layouts against one dense mask, for every mask shape that the product uses."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from omnireel.model.attention import AttentionLayout, padded_attention
from omnireel.model.sequence import OmniSample, Segment, pack
from omnireel.types import Role
from omnireel.upscale.windows import WindowConfig, pack_windows
from tests.support.tiny_models import latents, mixed_samples, text


def dense_attention(q, k, v, layout):
    mask = layout.dense_mask(q.shape[0], k.shape[0])
    out = F.scaled_dot_product_attention(
        q.transpose(0, 1), k.transpose(0, 1), v.transpose(0, 1), attn_mask=mask
    )
    return out.transpose(0, 1)


def windowed_samples() -> list[OmniSample]:
    low = Segment(latents(3, 8, 12, 5), Role.LOW_RESOLUTION, 2)
    reference = Segment(latents(1, 4, 4, 6), Role.REFERENCE, 1)
    return [
        OmniSample(text(4, 5), (low,), (3, 8, 12)),
        OmniSample(text(6), (reference, low), (3, 8, 12)),
    ]


def layouts() -> dict[str, tuple[AttentionLayout, int, int]]:
    packed = pack(mixed_samples())
    windowed = pack_windows(windowed_samples(), WindowConfig(2, 2, 4))
    out = {}
    for name, p in (("full", packed), ("window", windowed)):
        nc, nt = p.num_conditions, sum(p.target_lengths)
        for i, layout in enumerate(p.condition_layouts):
            out[f"{name} conditions {i}"] = (layout, nc, nc)
        for i, layout in enumerate(p.target_layouts):
            out[f"{name} targets {i}"] = (layout, nt, nc + nt)
    return out


@pytest.mark.parametrize("name", layouts())
def test_blocks_equal_the_dense_mask(name):
    layout, nq, nk = layouts()[name]
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(n, 2, 8, generator=generator) for n in (nq, nk, nk))
    torch.testing.assert_close(
        padded_attention(q, k, v, layout), dense_attention(q, k, v, layout), atol=1e-5, rtol=1e-5
    )


def test_gradients_equal_the_dense_mask():
    layout, nq, nk = layouts()["full targets 0"]
    grads = []
    for attend in (padded_attention, dense_attention):
        generator = torch.Generator().manual_seed(0)
        leaves = [torch.randn(n, 2, 8, generator=generator) for n in (nq, nk, nk)]
        for leaf in leaves:
            leaf.requires_grad_()
        attend(*leaves, layout).square().sum().backward()
        grads.append([leaf.grad for leaf in leaves])
    for ours, dense in zip(*grads, strict=True):
        torch.testing.assert_close(ours, dense, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["full targets 0", "full conditions 0"])
def test_bfloat16_equals_the_dense_mask_up_to_its_rounding(name):
    layout, nq, nk = layouts()[name]
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(n, 2, 8, generator=generator).bfloat16() for n in (nq, nk, nk))
    ours = padded_attention(q, k, v, layout)
    assert ours.dtype is torch.bfloat16
    dense = dense_attention(q.float(), k.float(), v.float(), layout)
    torch.testing.assert_close(ours.float(), dense, atol=2e-2, rtol=2e-2)


def test_a_block_without_keys_is_refused():
    with pytest.raises(ValueError, match="without keys"):
        AttentionLayout.build([torch.arange(2)], [torch.arange(0)])
