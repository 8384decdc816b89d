"""Activations on the host: the same bits, copied once, and only what should go."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from omnireel.model.block import Block, Half
from omnireel.model.lora import LoraConfig, add_lora
from omnireel.model.offload import HostOffload
from omnireel.model.sequence import pack
from omnireel.model.transformer import OmniTransformer
from tests.support.tiny_models import mixed_samples, noise_tokens, small_transformer

BOTH: frozenset[Half] = frozenset({"attention", "mlp"})
Choice = dict[int, frozenset[Half]]


def _offload(model: OmniTransformer, chosen: Choice, host: HostOffload) -> None:
    for layer, halves in chosen.items():
        block = model.blocks[layer]
        assert isinstance(block, Block)
        block.offload, block.host = halves, host


def _gradients(model: OmniTransformer, passes: int = 1) -> tuple[float, list[Tensor]]:
    """Of the sum over several forward passes that are all open before the backward pass."""
    samples = mixed_samples()
    packed, noisy = pack(samples), noise_tokens(samples)
    model.zero_grad()
    times = torch.tensor([0.2, 0.5, 0.9])
    losses = [model(noisy, times / (1 + i), packed).square().mean() for i in range(passes)]
    total = torch.stack(losses).sum()
    total.backward()  # type: ignore[no-untyped-call]
    return total.item(), [p.grad.clone() for p in model.parameters() if p.grad is not None]


@contextmanager
def _autocast(on: bool) -> Iterator[None]:
    with torch.autocast("cpu", torch.bfloat16, enabled=on):
        yield


@pytest.mark.parametrize(
    "chosen",
    [
        {0: BOTH, 1: BOTH, 2: BOTH},
        {0: frozenset({"mlp"}), 2: frozenset({"attention"})},
        {1: frozenset({"attention"})},
    ],
    ids=["all", "mixed", "one"],
)
@pytest.mark.parametrize("ahead", [0, 1, 9])
@pytest.mark.parametrize("bfloat16", [False, True], ids=["float32", "bfloat16"])
def test_loss_and_gradients_are_the_same_bits(chosen: Choice, ahead: int, bfloat16: bool) -> None:
    model = small_transformer()
    with _autocast(bfloat16):
        loss, gradients = _gradients(model)
    host = HostOffload(ahead=ahead, min_bytes=64)
    _offload(model, chosen, host)
    with _autocast(bfloat16):
        again, same = _gradients(model)
    assert again == loss and host.moved_bytes > 0
    assert len(same) == len(gradients)
    assert all(torch.equal(a, b) for a, b in zip(gradients, same, strict=True))


def test_several_open_passes_recomputation_and_adapters() -> None:
    model = small_transformer()
    add_lora(model, LoraConfig(rank=2, alpha=4.0, targets=(r"attention\.(qkv|out)$", "mlp")))
    model.blocks[1].recompute = BOTH  # type: ignore[union-attr]
    loss, gradients = _gradients(model, passes=2)
    _offload(model, {0: BOTH, 2: BOTH}, HostOffload(min_bytes=64))
    again, same = _gradients(model, passes=2)
    assert again == loss and len(gradients) > 0
    assert all(torch.equal(a, b) for a, b in zip(gradients, same, strict=True))


def test_a_storage_is_copied_once_and_brought_back_once() -> None:
    """The square keeps two views of what the product returned, and the sine all of it."""
    host = HostOffload(min_bytes=64)
    x = torch.randn(8, 16, requires_grad=True)
    with host.saving([]):
        whole = x * 1.0
        left, right = whole.unbind(0)[0:2]
        out = (left * right).sum() + whole.sin().sum()
    before = host.moved_bytes
    assert before == 8 * 16 * 4
    out.backward()  # type: ignore[no-untyped-call]
    expected = whole.detach().cos()
    expected[0] += right.detach()
    expected[1] += left.detach()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, expected)
    assert host.moved_bytes == before


def test_weights_their_casts_small_tensors_and_integers_stay() -> None:
    weight = torch.randn(64, 64, requires_grad=True)
    index = torch.arange(64).repeat(64)
    host = HostOffload(min_bytes=1024)
    x = torch.randn(2, 64, requires_grad=True)
    with host.saving([weight]), torch.autocast("cpu", torch.bfloat16):
        y = x @ weight
        z = weight.flatten()[index] * torch.ones(1)
    (y.float().sum() + z.sum()).backward()
    # 512 bytes of x are too few; the weight is 16,384 bytes, its copy a half of that.
    assert host.moved_bytes == 0
    assert weight.grad is not None


def test_an_own_weight_is_read_where_it_is_in_the_backward_pass() -> None:
    """Ranks that share weights move them between the passes: never keep their memory."""
    weight = torch.nn.Parameter(torch.randn(32, 32))
    x = torch.randn(32, 32, requires_grad=True)
    with HostOffload(min_bytes=64).saving([weight]):
        y = x @ weight
    before = weight.data
    value = weight.data = before.clone()
    before.zero_()
    y.sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert torch.equal(x.grad, torch.ones(32, 32) @ value.T)


def test_host_and_device_copies_die_with_the_graph() -> None:
    model = small_transformer()
    host = HostOffload(min_bytes=64)
    _offload(model, {0: BOTH, 1: BOTH}, host)
    _gradients(model)
    gc.collect()
    assert host.open_storages == 0
    packed = pack(mixed_samples())
    out = model(noise_tokens(mixed_samples()), torch.rand(3), packed)
    assert host.open_storages > 0
    del out
    gc.collect()
    assert host.open_storages == 0


def test_nothing_moves_without_gradient() -> None:
    model = small_transformer()
    host = HostOffload(min_bytes=64)
    _offload(model, {0: BOTH}, host)
    with torch.no_grad():
        model(noise_tokens(mixed_samples()), torch.rand(3), pack(mixed_samples()))
    assert host.moved_bytes == 0


@pytest.mark.parametrize("ahead", [0, 1])
def test_only_so_many_halves_stay_on_the_device(ahead: int) -> None:
    host = HostOffload(ahead=ahead, min_bytes=64)
    x = torch.randn(64, requires_grad=True)
    saved = []
    for _ in range(3):
        with host.saving([]):
            x = x * 1.0
            saved.append(StorageWeakRef(x.untyped_storage()))
            x = x.sin()
    assert [reference.expired() for reference in saved] == [True] * (3 - ahead) + [False] * ahead
    x.sum().backward()  # type: ignore[no-untyped-call]
