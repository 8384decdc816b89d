"""Layouts against one dense mask, for every mask shape that the product uses."""

from __future__ import annotations

import pytest
import torch

from omnireel.model.attention import AttentionLayout, padded_attention
from tests.support.attention_layouts import NAMES, dense_attention, layouts


@pytest.mark.parametrize("name", NAMES)
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
