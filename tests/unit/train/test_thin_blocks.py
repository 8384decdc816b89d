"""A shallow network starts from evenly spaced layers of a deep one."""

from __future__ import annotations

import torch

from omnireel.train.warm_start import num_blocks, thin_blocks
from tests.support.tiny_models import small_transformer


def test_first_and_last_layers_are_kept_and_renumbered():
    deep = small_transformer(depth=7)
    state = thin_blocks(deep.state_dict(), 3)
    shallow = small_transformer(depth=3, seed=5)
    shallow.load_state_dict(state)
    for new, old in enumerate((0, 3, 6)):
        name = "attention.qkv.weight"
        assert torch.equal(state[f"blocks.{new}.{name}"], deep.state_dict()[f"blocks.{old}.{name}"])
    assert torch.equal(state["out.weight"], deep.out.weight)


def test_equal_depth_is_left_alone():
    state = small_transformer(depth=2).state_dict()
    assert num_blocks(state) == 2
    assert thin_blocks(state, 2).keys() == state.keys()
