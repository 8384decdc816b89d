from __future__ import annotations

import pytest
import torch
from torch import nn

from omnireel.errors import FailedPrecondition, InvalidInput
from omnireel.model.lora import (
    LoraConfig,
    add_lora,
    has_lora,
    load_lora_state,
    lora_disabled,
    lora_state,
    merge_lora,
)
from omnireel.model.sequence import pack
from omnireel.model.transformer import OmniTransformer
from tests.support.tiny_models import mixed_samples, noise_tokens, small_transformer

CONFIG = LoraConfig(rank=3, alpha=6.0)
TIMES = torch.tensor([0.9, 0.5, 0.2])


def _output(model: OmniTransformer) -> torch.Tensor:
    samples = mixed_samples()
    with torch.no_grad():
        return model(noise_tokens(samples), TIMES, pack(samples))


def _trained(seed: int = 0) -> OmniTransformer:
    """A model whose adapters are no longer zero."""
    model = small_transformer(depth=2)
    add_lora(model, CONFIG)
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, tensor in lora_state(model).items():
            if "lora_B" in name:
                tensor.normal_(std=0.3)
    return model


def test_a_new_adapter_changes_nothing_and_the_base_keeps_its_names() -> None:
    model = small_transformer(depth=2)
    before, names = _output(model), set(model.state_dict())
    adapted = add_lora(model, CONFIG)
    assert adapted == (
        "blocks.0.attention.qkv",
        "blocks.0.attention.out",
        "blocks.1.attention.qkv",
        "blocks.1.attention.out",
    )
    assert torch.equal(_output(model), before)
    assert names < set(model.state_dict())


def test_only_the_adapter_is_trained() -> None:
    model = small_transformer(depth=2)
    add_lora(model, CONFIG)
    samples = mixed_samples()
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=0.1, weight_decay=0.1)
    for _ in range(2):  # A only moves once B has left zero
        optimizer.zero_grad()
        model(noise_tokens(samples), TIMES, pack(samples)).square().mean().backward()
        optimizer.step()
    moved = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    assert moved == set(lora_state(model))


def test_merged_weights_equal_the_adapter() -> None:
    model = _trained()
    bare = _output(small_transformer(depth=2))
    adapted = _output(model)
    assert (adapted - bare).abs().max() > 0.01
    merge_lora(model)
    assert not has_lora(model)
    assert model.state_dict().keys() == small_transformer(depth=2).state_dict().keys()
    assert torch.allclose(_output(model), adapted, atol=1e-4)


def test_switched_off_is_the_base_also_after_an_error() -> None:
    model = _trained()
    bare, adapted = _output(small_transformer(depth=2)), _output(model)
    with lora_disabled(model):
        assert torch.equal(_output(model), bare)
    with pytest.raises(KeyError), lora_disabled(model):
        raise KeyError
    assert torch.equal(_output(model), adapted)


def test_state_travels_to_another_model() -> None:
    source, other = _trained(), small_transformer(depth=2)
    add_lora(other, CONFIG)
    load_lora_state(other, {n: t.detach().clone() for n, t in lora_state(source).items()})
    assert torch.equal(_output(other), _output(source))
    state = lora_state(source)
    assert len(state) == 8 and all(".lora_" in name for name in state)


def test_another_rank_or_network_is_named() -> None:
    state = lora_state(_trained())
    wider = small_transformer(depth=2)
    add_lora(wider, LoraConfig(rank=5))
    with pytest.raises(InvalidInput, match=r"blocks\.0\.attention.*\(3, 64\) -> \(5, 64\)"):
        load_lora_state(wider, state)
    with pytest.raises(InvalidInput, match="another network"):
        load_lora_state(small_transformer(depth=2), state)


def test_wrong_targets_and_a_second_adapter_are_refused() -> None:
    with pytest.raises(InvalidInput, match="no linear layer is named like nowhere"):
        add_lora(nn.Sequential(nn.Linear(2, 2)), LoraConfig(targets=("nowhere",)))
    with pytest.raises(InvalidInput, match="regular expression"):
        LoraConfig(targets=("(",))
    with pytest.raises(InvalidInput, match="rank"):
        LoraConfig(rank=0)
    with pytest.raises(FailedPrecondition, match="already"):
        add_lora(_trained(), CONFIG)
