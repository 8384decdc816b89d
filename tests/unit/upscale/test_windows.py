"""Windows cover the grid once, shift by half, and stay inside the asymmetric design."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from omnireel.model.sequence import OmniSample, Segment
from omnireel.types import Role
from omnireel.upscale.windows import WindowConfig, pack_windows, window_blocks
from tests.support.tiny_models import latents, noise_tokens, small_transformer, text


@given(
    st.tuples(st.integers(1, 6), st.integers(1, 9), st.integers(1, 9)),
    st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4)),
    st.booleans(),
)
def test_windows_cover_every_token_once(shape, window, shifted):
    blocks = window_blocks(shape, WindowConfig(*window), shifted)
    t, h, w = shape
    assert torch.equal(torch.cat(blocks).sort().values, torch.arange(t * h * w))
    assert all(len(b) <= window[0] * window[1] * window[2] for b in blocks)


def test_odd_layers_shift_by_half_a_window():
    plain = window_blocks((1, 1, 8), WindowConfig(1, 1, 4), shifted=False)
    shifted = window_blocks((1, 1, 8), WindowConfig(1, 1, 4), shifted=True)
    assert [b.tolist() for b in plain] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert [b.tolist() for b in shifted] == [[0, 1], [2, 3, 4, 5], [6, 7]]


def sample(low_seed: int = 1) -> OmniSample:
    return OmniSample(
        text(4, 5),
        (
            Segment(latents(1, 4, 4, 0), Role.REFERENCE, 1),
            Segment(latents(2, 8, 8, low_seed), Role.LOW_RESOLUTION, 2),
        ),
        (2, 8, 8),
    )


def test_distant_windows_meet_only_through_shifted_layers():
    config = WindowConfig(2, 2, 2)
    noisy = noise_tokens([sample()])
    far = noisy.clone()
    far.view(2, 4, 4, -1)[:, 3, 3] += 5.0
    times = torch.tensor([0.5])
    corner = []
    for depth in (1, 2, 4):
        model = small_transformer(depth=depth)
        packed = pack_windows([sample()], config)
        a, b = (model(x, times, packed).view(2, 4, 4, -1)[:, 0, 0] for x in (noisy, far))
        corner.append(torch.allclose(a, b, atol=1e-6))
    assert corner == [True, True, False]


def test_conditions_are_cached_over_all_steps():
    model = small_transformer()
    packed = pack_windows([sample(), sample(2)], WindowConfig(2, 2, 2))
    noisy = noise_tokens([sample(), sample()])
    cache = model.encode_conditions(packed)
    for time in (0.9, 0.2):
        times = torch.full((2,), time)
        assert torch.equal(model.denoise(noisy, times, packed, cache), model(noisy, times, packed))


def test_packed_equals_alone():
    model = small_transformer()
    samples = [sample(1), sample(2)]
    noisy, times = noise_tokens(samples), torch.tensor([0.3, 0.8])
    together = model(noisy, times, pack_windows(samples, WindowConfig(2, 2, 2))).chunk(2)
    for i in range(2):
        alone = model(
            noisy.chunk(2)[i], times[i : i + 1], pack_windows([samples[i]], WindowConfig(2, 2, 2))
        )
        torch.testing.assert_close(together[i], alone, atol=1e-5, rtol=1e-4)


def test_a_sample_without_low_resolution_clip_is_refused():
    with pytest.raises(ValueError, match="low-resolution"):
        pack_windows([OmniSample(text(3), (), (1, 4, 4))], WindowConfig())
