"""Parity tests of the generator: packed = alone, cached = recomputed."""

from __future__ import annotations

from dataclasses import replace

import torch

from omnireel.model.sequence import pack, patchify
from omnireel.model.transformer import OmniTransformer
from tests.support.tiny_models import (
    mixed_samples,
    noise_tokens,
    small_config,
    small_transformer,
)


def test_packed_equals_alone():
    model, samples = small_transformer(), mixed_samples()
    noisy = noise_tokens(samples)
    times = torch.tensor([0.9, 0.4, 0.1])
    packed = pack(samples)
    together = model(noisy, times, packed).split(list(packed.target_lengths))
    parts = noisy.split(list(packed.target_lengths))
    for i, sample in enumerate(samples):
        alone = model(parts[i], times[i : i + 1], pack([sample]))
        torch.testing.assert_close(together[i], alone, atol=1e-5, rtol=1e-4)


def test_cached_conditions_equal_recomputed_ones_at_every_time():
    model, samples = small_transformer(), mixed_samples()
    packed, noisy = pack(samples), noise_tokens(samples)
    cache = model.encode_conditions(packed)
    for time in (1.0, 0.5, 0.02):
        times = torch.full((3,), time)
        assert torch.equal(model.denoise(noisy, times, packed, cache), model(noisy, times, packed))


def test_autocast_equals_float32_up_to_its_rounding():
    model, samples = small_transformer(), mixed_samples()
    packed, noisy = pack(samples), noise_tokens(samples)
    times = torch.tensor([0.9, 0.6, 0.3])
    exact = model(noisy, times, packed)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = model(noisy, times, packed)
        rounded.float().square().mean().backward()
    assert (rounded - exact).norm() < 0.03 * exact.norm()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in model.parameters())


def test_time_and_noise_change_the_target_only():
    model, samples = small_transformer(), mixed_samples()
    packed, noisy = pack(samples), noise_tokens(samples)
    a = model(noisy, torch.full((3,), 0.9), packed)
    assert not torch.allclose(a, model(noisy, torch.full((3,), 0.1), packed))
    assert not torch.allclose(a, model(-noisy, torch.full((3,), 0.9), packed))


def test_every_condition_reaches_the_target():
    model, samples = small_transformer(), mixed_samples()
    noisy, times = noise_tokens(samples), torch.full((3,), 0.5)
    base = model(noisy, times, pack(samples))
    edited = samples[1]
    changed = [
        replace(edited, text=replace(edited.text, ids=(1, 9, 2))),
        replace(edited, text=replace(edited.text, sources=(0, 0, 2))),
        *(
            replace(
                edited,
                segments=tuple(
                    replace(s, latents_CTHW=s.latents_CTHW + 1.0) if i == j else s
                    for i, s in enumerate(edited.segments)
                ),
            )
            for j in range(2)
        ),
        replace(edited, segments=tuple(replace(s, start=3.0) for s in edited.segments)),
    ]
    lengths = list(pack(samples).target_lengths)
    for sample in changed:
        out = model(noisy, times, pack([samples[0], sample, samples[2]])).split(lengths)
        assert not torch.allclose(out[1], base.split(lengths)[1], atol=1e-5)
        torch.testing.assert_close(out[0], base.split(lengths)[0], atol=1e-5, rtol=1e-4)


def test_a_fresh_model_expects_the_condition_under_the_target_or_the_mean():
    samples = mixed_samples()
    noisy = noise_tokens(samples)
    velocity = OmniTransformer(small_config())(noisy, torch.full((3,), 0.5), pack(samples))
    expected = [
        torch.zeros(12, 16),
        patchify(samples[1].segments[1].latents_CTHW),
        patchify(samples[2].segments[0].latents_CTHW),
    ]
    torch.testing.assert_close(noisy - 0.5 * velocity, torch.cat(expected))


def test_a_fresh_gate_changes_nothing_and_an_open_one_removes_the_condition():
    samples = [s for s in mixed_samples() if s.segments]
    packed, noisy = pack(samples), noise_tokens(samples)
    gated = small_transformer()
    plain = OmniTransformer(replace(small_config(), gated_base=False)).eval()
    state = gated.state_dict()
    plain.load_state_dict({k: v for k, v in state.items() if not k.startswith("base_gate.")})
    times = torch.tensor([1.0, 1.0])
    for name in ("base_gate.weight", "base_gate.bias"):
        state[name].zero_()
    torch.testing.assert_close(gated(noisy, times, packed), plain(noisy, times, packed))
    base = gated.encode_conditions(packed).base_NP
    assert bool(base.any())
    before = gated(noisy, times, packed)
    state["base_gate.bias"].fill_(-1.0)
    # At time 1 the velocity is the noise less the clean estimate, which has lost the base.
    torch.testing.assert_close(gated(noisy, times, packed), before + base)
