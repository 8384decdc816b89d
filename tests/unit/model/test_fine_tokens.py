"""Tokens of one latent pixel: the same samples, four times the tokens, the same contracts."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from omnireel.model.joining import join_packs
from omnireel.model.sequence import OmniSample, pack, patchify, unpatchify
from omnireel.model.transformer import OmniTransformer
from omnireel.train.warm_start import resize_tokens
from tests.support.tiny_models import mixed_samples, small_config, small_transformer


def fine_samples() -> list[OmniSample]:
    return [replace(sample, patch=1) for sample in mixed_samples()]


def fine_transformer() -> OmniTransformer:
    torch.manual_seed(0)
    model = OmniTransformer(replace(small_config(), patch=1))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model.eval()


def noise(samples: list[OmniSample]) -> list[torch.Tensor]:
    return [
        torch.randn(4, *s.target_shape, generator=torch.Generator().manual_seed(i))
        for i, s in enumerate(samples)
    ]


def test_a_pack_has_a_token_for_every_latent_pixel():
    packed = pack(fine_samples())
    assert packed.target_lengths == (3 * 4 * 4, 2 * 4 * 6, 8 * 4)
    assert packed.patches_NP.shape == (6 * 4 + 2 * 4 * 6 + 8 * 4, 4)
    clips = noise(fine_samples())
    back = packed.split_targets(torch.cat([patchify(x, 1) for x in clips]))
    assert all(torch.equal(a, b) for a, b in zip(back, clips, strict=True))


def test_what_lies_on_the_target_lies_on_the_same_pixel():
    _, edit, _ = fine_samples()
    source = edit.segments[1].latents_CTHW
    packed = pack([edit])
    lying = torch.zeros(packed.target_lengths[0], 4)
    lying[packed.aligned_target] = packed.patches_NP[packed.aligned_patch]
    assert torch.equal(unpatchify(lying, edit.target_shape, 1), source)


def test_packed_equals_alone_and_joined():
    model, samples = fine_transformer(), fine_samples()
    parts = [patchify(x, 1) for x in noise(samples)]
    times = torch.tensor([0.9, 0.4, 0.1])
    packed = pack(samples)
    joined = join_packs([pack([sample]) for sample in samples])
    assert joined.patch == 1
    for pack_of_all in (packed, joined):
        out = model(torch.cat(parts), times, pack_of_all).split(list(packed.target_lengths))
        for i, sample in enumerate(samples):
            alone = model(parts[i], times[i : i + 1], pack([sample]))
            torch.testing.assert_close(out[i], alone, atol=1e-5, rtol=1e-4)


def test_tokens_of_two_sizes_make_no_pack():
    one, other, _ = mixed_samples()
    with pytest.raises(ValueError, match="tokens of one size"):
        pack([one, replace(other, patch=1)])


def test_weights_of_coarse_tokens_fit_fine_ones_and_back():
    coarse = small_transformer().state_dict()
    fine = resize_tokens(coarse, 2, 1)
    OmniTransformer(replace(small_config(), patch=1)).load_state_dict(fine)
    again = resize_tokens(fine, 1, 2)
    OmniTransformer(small_config()).load_state_dict(again)
    # A picture without detail inside a token: both see it at the same strength, and answer alike.
    flat_D = torch.ones(4)
    entry = "target_in.weight"
    into_coarse = coarse[entry] @ flat_D.repeat_interleave(4)
    assert torch.allclose(2 * fine[entry] @ flat_D, into_coarse, atol=1e-5)
    assert torch.allclose(again[entry] @ flat_D.repeat_interleave(4), into_coarse, atol=1e-5)
    assert torch.allclose(again["out.bias"].view(4, 4).mean(1), fine["out.bias"])
    for now in (2, 3):
        assert resize_tokens(coarse, 2, now)["out.weight"] is coarse["out.weight"]
