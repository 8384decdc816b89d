"""Compiled blocks compute what the others do, at any length, under the same names."""

from __future__ import annotations

import pytest
import torch

from omnireel.model.attention import operator_name, pads
from omnireel.model.block import Half
from omnireel.model.compiled import compile_blocks
from omnireel.model.sequence import pack
from tests.support.tiny_models import mixed_samples, noise_tokens, small_transformer


# torch asks every tensor that it traces for its gradient.
@pytest.mark.filterwarnings("ignore:The .grad attribute")
@pytest.mark.parametrize("recompute", [(), ("attention", "mlp")], ids=["kept", "recomputed"])
def test_compiled_equals_eager_forward_and_backward(recompute: tuple[Half, ...]):
    plain, compiled = small_transformer(), small_transformer()
    for block in compiled.blocks:
        block.recompute = frozenset(recompute)
    compile_blocks(compiled, backend="aot_eager")
    assert compiled.state_dict().keys() == plain.state_dict().keys()
    assert operator_name(compiled.attend) == operator_name(plain.attend)
    assert pads(compiled.attend) == pads(plain.attend)
    for chosen in (mixed_samples(), mixed_samples()[1:]):
        packed, noisy = pack(chosen), noise_tokens(chosen)
        times = torch.linspace(0.2, 0.9, len(chosen))
        made = []
        for model in (plain, compiled):
            model.zero_grad()
            out = model(noisy, times, packed)
            out.square().mean().backward()
            made.append((out, model.blocks[1].mlp_in.weight.grad))
        for one, other in zip(*made, strict=True):
            torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
