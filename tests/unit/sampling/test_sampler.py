"""The sampling loop on problems with a known answer."""

from __future__ import annotations

import pytest
import torch

from omnireel.errors import Cancelled, InvalidInput
from omnireel.model.sequence import OmniSample, Segment, pack
from omnireel.sampling import Guidance, SamplerState, sample_latents, shifted_sigmas
from omnireel.sampling.guidance import chain
from omnireel.types import Role
from tests.support.tiny_models import latents, mixed_samples, small_transformer, text

EMPTY = text()


class StraightLine:
    """The exact velocity towards one known clip: ``(x_t - x0) / t``."""

    def __init__(self, target_NP: torch.Tensor) -> None:
        self.target_NP = target_NP
        self.calls = 0

    def encode_conditions(self, packed):
        return None

    def denoise(self, noisy_NP, timesteps_B, packed, cache):
        self.calls += 1
        return (noisy_NP - self.target_NP) / timesteps_B[0]


@pytest.mark.parametrize("steps", [1, 4, 13])
def test_a_straight_flow_is_integrated_exactly(steps):
    from omnireel.model.sequence import patchify

    goal = latents(2, 4, 4, seed=3)
    model = StraightLine(patchify(goal))
    guided = chain(OmniSample(EMPTY, (), (2, 4, 4)), EMPTY, Guidance())
    out = sample_latents(model, guided, latents(2, 4, 4, 9), shifted_sigmas(steps, 3.0), pack)
    torch.testing.assert_close(out, goal, atol=1e-5, rtol=1e-5)
    assert model.calls == steps


def test_reused_conditions_give_the_same_latents():
    model, sample = small_transformer(), mixed_samples()[1]
    guided = chain(sample, EMPTY, Guidance())
    noise, sigmas = latents(2, 4, 6, 0), shifted_sigmas(5, 3.0)
    a = sample_latents(model, guided, noise, sigmas, pack)
    b = sample_latents(model, guided, noise, sigmas, pack, reuse_conditions=False)
    assert torch.equal(a, b)


def test_cancel_stops_before_the_next_step():
    model, sample = small_transformer(), mixed_samples()[0]
    done: list[int] = []
    with pytest.raises(Cancelled, match="step 3 of 6"):
        sample_latents(
            model,
            chain(sample, EMPTY, Guidance()),
            latents(3, 4, 4, 0),
            shifted_sigmas(6, 1.0),
            pack,
            on_step=lambda event: done.append(event.step),
            cancelled=lambda: len(done) == 2,
        )
    assert done == [1, 2]


def test_sigmas_fall_from_start_to_zero():
    sigmas = shifted_sigmas(10, 3.0, start=0.6)
    assert sigmas[0] == pytest.approx(0.6) and sigmas[-1] == 0
    assert (sigmas.diff() < 0).all()
    plain = shifted_sigmas(4, 1.0)
    torch.testing.assert_close(plain, torch.tensor([1.0, 0.75, 0.5, 0.25, 0.0]))
    with pytest.raises(ValueError, match="num_steps"):
        shifted_sigmas(0, 1.0)


@pytest.mark.parametrize("start", [1.0, 0.8])
def test_sigmas_reach_the_last_level_and_jump_to_zero(start: float):
    sigmas = shifted_sigmas(8, 3.0, start=start, last=0.35)
    assert len(sigmas) == 9 and (sigmas.diff() < 0).all()
    assert sigmas[0] == pytest.approx(start) and sigmas[-2] == pytest.approx(0.35)
    torch.testing.assert_close(shifted_sigmas(1, 3.0, last=0.35), torch.tensor([1.0, 0.0]))
    with pytest.raises(ValueError, match="last"):
        shifted_sigmas(8, 3.0, start=0.3, last=0.35)


def segment(role: Role) -> Segment:
    return Segment(latents(1, 4, 4, 0), role, 1)


@pytest.mark.parametrize(
    ("roles", "words", "guidance", "evaluations"),
    [
        ((), True, Guidance(), 2),
        ((Role.REFERENCE,), True, Guidance(image=2.0), 3),
        ((Role.REFERENCE, Role.SOURCE), True, Guidance(4.0, 2.0, 1.5), 4),
        ((Role.REFERENCE, Role.SOURCE), True, Guidance(1.0, 1.0, 1.0), 1),
        ((Role.REFERENCE, Role.SOURCE), True, Guidance(4.0, 1.5, 1.5), 3),
        ((), False, Guidance(), 1),
    ],
)
def test_guidance_evaluates_only_the_links_in_use(roles, words, guidance, evaluations):
    sample = OmniSample(text(5) if words else EMPTY, tuple(segment(r) for r in roles), (1, 4, 4))
    guided = chain(sample, EMPTY, guidance)
    assert len(guided.variants) == evaluations
    assert sum(guided.weights) == pytest.approx(1.0)


def test_the_chain_is_the_published_formula():
    sample = OmniSample(text(5), (segment(Role.SOURCE), segment(Role.REFERENCE)), (1, 4, 4))
    guided = chain(sample, EMPTY, Guidance(text=4.0, image=2.0, video=1.5))
    v0, v_v, v_vi, v_vit = (torch.tensor(x) for x in (1.0, 3.0, 4.0, 9.0))
    expected = v0 + 1.5 * (v_v - v0) + 2.0 * (v_vi - v_v) + 4.0 * (v_vit - v_vi)
    torch.testing.assert_close(guided.combine([v0, v_v, v_vi, v_vit]), expected)
    kept = [[s.role for s in v.segments] for v in guided.variants]
    assert kept == [[], [Role.SOURCE], [Role.SOURCE, Role.REFERENCE], [Role.SOURCE, Role.REFERENCE]]


def test_a_scale_out_of_range_names_its_field():
    with pytest.raises(InvalidInput, match=r"guidance\.image"):
        Guidance(image=-1.0)


def test_a_loop_goes_on_from_any_step_to_the_same_bits():
    model, sample = small_transformer(), mixed_samples()[1]
    guided = chain(sample, EMPTY, Guidance())
    noise, sigmas = latents(2, 4, 6, 0), shifted_sigmas(5, 3.0)
    events = []
    whole = sample_latents(model, guided, noise, sigmas, pack, on_step=events.append)
    for event in events:
        start = SamplerState(event.step, event.x_CTHW)
        again = []
        rest = sample_latents(model, guided, noise, sigmas, pack, start=start, on_step=again.append)
        assert [e.step for e in again] == list(range(event.step + 1, 6))
        assert torch.equal(rest, whole)


def test_a_state_of_another_loop_is_refused():
    model, sample = small_transformer(), mixed_samples()[1]
    guided = chain(sample, EMPTY, Guidance())
    noise, sigmas = latents(2, 4, 6, 0), shifted_sigmas(5, 3.0)
    for state in (SamplerState(6, noise), SamplerState(1, latents(2, 4, 4, 0))):
        with pytest.raises(InvalidInput, match="cannot resume"):
            sample_latents(model, guided, noise, sigmas, pack, start=state)
