"""Operators for accelerators, on the CPU: arguments, tiles and results against the dense mask."""

from __future__ import annotations

import gc
import importlib.util
import sys
from types import ModuleType
from typing import Any

import pytest
import torch

from omnireel.model.attention import AttentionLayout, operator_name, padded_attention, pads
from omnireel.model.packed_attention import (
    FlexAttention,
    VarlenAttention,
    block_mask,
    choose_attention,
)
from tests.support.attention_layouts import (
    NAMES,
    dense_attention,
    layouts,
    random_rows,
    reference_varlen,
)

uncompiled = pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")


@pytest.mark.parametrize("name", NAMES)
def test_varlen_equals_the_dense_mask(name: str) -> None:
    layout, nq, nk = layouts()[name]
    leaves = [x.requires_grad_() for x in random_rows(nq, nk, dtype=torch.bfloat16)]
    out = VarlenAttention(reference_varlen)(*leaves, layout)
    copies = [x.detach().float().requires_grad_() for x in leaves]
    dense = dense_attention(*copies, layout)
    torch.testing.assert_close(out.float(), dense, atol=2e-2, rtol=2e-2)
    for result, inputs in ((out, leaves), (dense, copies)):
        result.float().square().sum().backward()  # type: ignore[no-untyped-call]
        assert all(x.grad is not None for x in inputs)
    for ours, exact in zip(leaves, copies, strict=True):
        assert ours.grad is not None and exact.grad is not None
        torch.testing.assert_close(ours.grad.float(), exact.grad, atol=6e-2, rtol=6e-2)


def test_float32_passes_go_elsewhere() -> None:
    layout, nq, nk = layouts()["full targets 0"]
    rows = random_rows(nq, nk)

    def never(*_: Any) -> Any:
        raise AssertionError("the kernel computes in half precision")

    assert torch.equal(VarlenAttention(never)(*rows, layout), padded_attention(*rows, layout))


@uncompiled
@pytest.mark.parametrize("name", NAMES)
def test_flex_equals_the_dense_mask(name: str) -> None:
    layout, nq, nk = layouts()[name]
    rows = random_rows(nq, nk)
    attend = FlexAttention(compiled=False)
    dense = dense_attention(*rows, layout)
    torch.testing.assert_close(attend(*rows, layout), dense, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(attend(*rows, layout), dense, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("tile", [4, 16, 128])
@pytest.mark.parametrize("name", NAMES)
def test_tiles_are_those_of_the_dense_mask(name: str, tile: int) -> None:
    """Tile by tile: in no list where nothing is seen, in the list of full tiles only where all is;
    without a mask for tiles that one block fills."""
    layout, _, _ = layouts()[name]
    rows = [torch.arange(sum(lengths)) for lengths in (layout.q_lengths, layout.k_lengths)]
    in_a_row = AttentionLayout.build(
        torch.split(rows[0], list(layout.q_lengths)), torch.split(rows[1], list(layout.k_lengths))
    )
    dense = in_a_row.dense_mask(len(rows[0]), len(rows[1]))
    mask = block_mask(layout, tile)
    partial = _tiles(mask.kv_num_blocks, mask.kv_indices)
    full = _tiles(mask.full_kv_num_blocks, mask.full_kv_indices)
    assert not (partial & full).any()
    for i, row in enumerate(dense.split(tile)):
        for j, part in enumerate(row.split(tile, dim=1)):
            whole = bool(part.all()) and part.shape == (tile, tile)
            assert bool(full[i, j]) == whole, (i, j)
            assert bool(partial[i, j] | full[i, j]) == bool(part.any()), (i, j)


def _tiles(counts: Any, indices: Any) -> torch.Tensor:
    found = torch.zeros(indices.shape[2:], dtype=torch.bool)
    for i, count in enumerate(counts[0, 0].tolist()):
        found[i, indices[0, 0, i, :count].long()] = True
    return found


@uncompiled
def test_what_is_worked_out_for_a_layout_goes_with_it() -> None:
    attend = FlexAttention(compiled=False)
    layout, nq, nk = layouts()["full targets 0"]
    rows = random_rows(nq, nk)
    attend(*rows, layout)
    kept = attend._masks[layout]
    attend(*rows, layout)
    assert attend._masks[layout] is kept
    del layout
    gc.collect()
    assert not len(attend._masks)


def test_the_choice_is_by_device_type_and_what_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert choose_attention("cpu", torch.bfloat16) is padded_attention
    installed: set[str] = {"triton"}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: name if name in installed else None
    )
    monkeypatch.setattr(torch, "compile", lambda operator, dynamic: operator)
    flex = choose_attention("cuda", torch.bfloat16)
    assert operator_name(flex) == "FlexAttention" and not pads(flex)
    own = ModuleType("torch.nn.attention.varlen")
    own.varlen_attn = reference_varlen  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.nn.attention.varlen", own)
    installed.add("torch.nn.attention.varlen")
    of_torch = choose_attention("cuda", torch.bfloat16)
    assert operator_name(of_torch) == "torch, variable length" and not pads(of_torch)
    flash = ModuleType("flash_attn")
    flash.flash_attn_varlen_func = reference_varlen  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "flash_attn", flash)
    installed.add("flash_attn")
    chosen = choose_attention("cuda", torch.bfloat16)
    assert operator_name(chosen) == "flash-attn, variable length" and not pads(chosen)
    assert operator_name(choose_attention("cuda", torch.float32)) == "FlexAttention"
    installed.clear()
    assert choose_attention("cuda", torch.bfloat16) is padded_attention and pads(padded_attention)
