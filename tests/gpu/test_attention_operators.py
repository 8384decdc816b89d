"""Attention operators of accelerators against the dense mask, on a real one."""

from __future__ import annotations

import importlib.util

import pytest
import torch

from omnireel.model.attention import AttentionFn
from omnireel.model.packed_attention import FlexAttention, VarlenAttention
from tests.support.attention_layouts import NAMES, dense_attention, layouts, random_rows

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    # What torch.compile imports is deprecated by some versions of torch themselves.
    pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning"),
]


def _flash() -> AttentionFn:
    if importlib.util.find_spec("flash_attn") is None:
        pytest.skip("needs flash-attn")
    from flash_attn import flash_attn_varlen_func

    return VarlenAttention(flash_attn_varlen_func)


def _torch() -> AttentionFn:
    varlen = pytest.importorskip("torch.nn.attention.varlen")
    return VarlenAttention(varlen.varlen_attn, name="torch, variable length")


_OPERATORS = {"flex": FlexAttention, "flash": _flash, "torch": _torch}


@pytest.fixture(scope="module", params=sorted(_OPERATORS))
def attend(request: pytest.FixtureRequest) -> AttentionFn:
    return _OPERATORS[request.param]()


@pytest.mark.parametrize("name", NAMES)
def test_results_and_gradients_equal_the_dense_mask(attend: AttentionFn, name: str) -> None:
    layout, nq, nk = layouts("cuda")[name]
    leaves = random_rows(nq, nk, 64, torch.bfloat16, "cuda")
    copies = [x.float().requires_grad_() for x in leaves]
    for leaf in leaves:
        leaf.requires_grad_()
    out, dense = attend(*leaves, layout), dense_attention(*copies, layout)
    torch.testing.assert_close(out.float(), dense, atol=2e-2, rtol=2e-2)
    out.float().square().sum().backward()  # type: ignore[no-untyped-call]
    dense.square().sum().backward()  # type: ignore[no-untyped-call]
    for ours, exact in zip(leaves, copies, strict=True):
        assert ours.grad is not None and exact.grad is not None
        torch.testing.assert_close(ours.grad.float(), exact.grad, atol=6e-2, rtol=6e-2)
