"""A small network starts from a larger one: evenly spaced layers, the strongest units."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import torch

from omnireel.model.text import Tokenizer
from omnireel.model.transformer import OmniTransformer, TransformerConfig
from omnireel.registry import save_component
from omnireel.train.warm_start import num_blocks, thin_blocks, thin_mlps, warm_start
from tests.support.tiny_models import small_config, small_transformer


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


def test_the_strongest_units_are_kept_and_do_what_they_did():
    block = small_transformer(depth=1).blocks[0]
    hidden = block.mlp_in.out_features
    with torch.no_grad():
        block.mlp_out.weight[:, hidden // 2 :] *= 1e-4
        block.mlp_in.weight[0] *= 1e-6  # a weak unit among strong ones
    state = {f"blocks.0.{n}": t for n, t in block.state_dict().items()}
    x = torch.randn(5, block.mlp_in.in_features)

    def through(weights: dict[str, torch.Tensor]) -> torch.Tensor:
        entry = torch.nn.functional.linear(
            x, weights["blocks.0.mlp_in.weight"], weights["blocks.0.mlp_in.bias"]
        )
        return torch.nn.functional.gelu(entry) @ weights["blocks.0.mlp_out.weight"].T

    thin = thin_mlps(state, hidden // 2 - 1)
    assert thin["blocks.0.mlp_in.weight"].shape[0] == hidden // 2 - 1
    assert torch.equal(thin["blocks.0.mlp_in.weight"][0], state["blocks.0.mlp_in.weight"][1])
    assert (through(thin) - through(state)).norm() < 0.01 * through(state).norm() + 1e-2
    assert thin_mlps(state, hidden)["blocks.0.mlp_in.bias"] is state["blocks.0.mlp_in.bias"]


def test_a_gate_that_the_component_lacks_keeps_its_start(tmp_path: Path):
    earlier = OmniTransformer(replace(small_config(), gated_base=False))
    folder = save_component(
        tmp_path / "earlier", kind="generator", config={}, state_dict=earlier.state_dict(),
        card={}, dtype=None,
    )  # fmt: skip
    gated = OmniTransformer(small_config())
    assert warm_start(gated, folder, ("generator",)) == "generator"
    state = gated.state_dict()
    assert not state["base_gate.weight"].any() and not state["base_gate.bias"].any()
    for name, tensor in earlier.state_dict().items():
        assert torch.equal(state[name], tensor)


def speaking(*words: str) -> TransformerConfig:
    return replace(small_config(), vocabulary=words, vocabulary_size=len(Tokenizer(words)))


def test_words_keep_their_embeddings_in_another_vocabulary(tmp_path: Path):
    torch.manual_seed(0)
    earlier = OmniTransformer(speaking("ball", "red"))
    folder = save_component(
        tmp_path / "earlier", kind="generator", state_dict=earlier.state_dict(), card={},
        config={"transformer": asdict(earlier.config)}, dtype=None,
    )  # fmt: skip
    later = OmniTransformer(speaking("red", "kite", "ball"))
    begun = later.text_embedding.weight.detach().clone()
    warm_start(later, folder, ("generator",))
    had, has = Tokenizer(earlier.config.vocabulary).ids, Tokenizer(later.config.vocabulary).ids
    for word, i in has.items():
        start = begun[i] if word == "kite" else earlier.text_embedding.weight[had[word]]
        assert torch.equal(later.text_embedding.weight[i], start), word
