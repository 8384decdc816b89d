from __future__ import annotations

import dataclasses

import torch

from omnireel.model.joining import join_caches, join_packs
from omnireel.model.packed_tokens import INDEX_SPACES, PackedTokens
from omnireel.model.sequence import pack
from tests.support.tiny_models import mixed_samples, noise_tokens, small_transformer


def assert_equal(one: object, other: object) -> None:
    """Field by field, down to the tensors."""
    if isinstance(one, torch.Tensor):
        assert isinstance(other, torch.Tensor)
        assert torch.equal(one, other)
    elif dataclasses.is_dataclass(one):
        for field in dataclasses.fields(one):
            assert_equal(getattr(one, field.name), getattr(other, field.name))
    elif isinstance(one, tuple):
        assert isinstance(other, tuple) and len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_equal(a, b)
    else:
        assert one == other


def test_joined_packs_are_the_pack_of_all() -> None:
    a, b, c = mixed_samples()
    assert_equal(join_packs([pack([a]), pack([b, c]), pack([a])]), pack([a, b, c, a]))
    assert_equal(join_packs([pack([a]), pack([a])]), pack([a, a]))


def test_every_tensor_of_a_pack_is_an_index_or_is_not() -> None:
    """A new field must be named here, or in the table with what its indices count."""
    values = {"text_ids", "patches_NP", "roles", "condition_positions_N4", "target_positions_N4"}
    packed = pack(mixed_samples())
    fields = {field.name for field in dataclasses.fields(PackedTokens)}
    tensors = {name for name in fields if isinstance(getattr(packed, name), torch.Tensor)}
    assert values | set(INDEX_SPACES) == tensors
    assert not values & set(INDEX_SPACES)
    for name, space in INDEX_SPACES.items():
        index = getattr(packed, name)
        assert index.dtype is torch.long and 0 <= index.min() <= index.max() < packed.count(space)


def test_what_was_encoded_apart_is_denoised_together() -> None:
    model, samples = small_transformer(), mixed_samples()
    packs = [pack(samples[:1]), pack(samples[1:])]
    whole = pack(samples)
    noisy, times = noise_tokens(samples), torch.tensor([0.2, 0.5, 0.9])
    with torch.no_grad():
        caches = [model.encode_conditions(each) for each in packs]
        joint = model.denoise(noisy, times, join_packs(packs), join_caches(caches))
        expected = model.denoise(noisy, times, whole, model.encode_conditions(whole))
    torch.testing.assert_close(joint, expected, atol=1e-5, rtol=1e-5)
