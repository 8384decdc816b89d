"""Packing: order, positions, alignment."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from omnireel.model.positions import RotaryConfig, rotate, rotation_angles, visual_positions
from omnireel.model.sequence import (
    ROLES,
    OmniSample,
    Segment,
    aligned_tokens,
    pack,
    patchify,
    unpatchify,
)
from omnireel.types import Role
from tests.support.tiny_models import latents, mixed_samples, text


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4))
def test_unpatchify_inverts_patchify(t, h, w):
    x = latents(t, 2 * h, 2 * w, seed=t)
    assert torch.equal(unpatchify(patchify(x), (t, 2 * h, 2 * w)), x)


def test_every_condition_slot_is_filled_once():
    packed = pack(mixed_samples())
    slots = torch.cat([packed.text_slots, packed.patch_slots]).sort().values
    assert torch.equal(slots, torch.arange(packed.num_conditions))
    assert packed.roles[packed.text_slots].eq(ROLES.index(Role.TEXT)).all()


def test_targets_split_back_to_clips():
    samples = mixed_samples()
    clips = [latents(*s.target_shape, seed=i) for i, s in enumerate(samples)]
    tokens = torch.cat([patchify(c) for c in clips])
    for found, clip in zip(pack(samples).split_targets(tokens), clips, strict=True):
        assert torch.equal(found, clip)


def test_a_source_lies_on_the_target_and_a_reference_does_not():
    shape = (3, 4, 6)
    source = Segment(latents(3, 4, 6, 0), Role.SOURCE, 1)
    assert torch.equal(aligned_tokens(source, shape), torch.arange(18))
    assert aligned_tokens(Segment(latents(3, 4, 6, 0), Role.REFERENCE, 1), shape) is None
    assert aligned_tokens(Segment(latents(3, 2, 6, 0), Role.SOURCE, 1), shape) is None


def test_a_last_frame_lies_on_the_last_frame_and_a_long_source_is_cut():
    shape = (3, 4, 4)
    last = Segment(latents(1, 4, 4, 0), Role.LAST_FRAME, 1, start=2.0)
    assert torch.equal(aligned_tokens(last, shape), torch.arange(8, 12))
    long = Segment(latents(5, 4, 4, 0), Role.SOURCE, 1)
    index = aligned_tokens(long, shape)
    assert torch.equal(index[:12], torch.arange(12)) and index[12:].eq(-1).all()


def test_a_pack_by_hand():
    """Two samples: one of text alone, one with a reference and a source that outlasts the clip."""
    reference, source = latents(1, 2, 4, 0, channels=1), latents(2, 2, 2, 1, channels=1)
    edit = (Segment(reference, Role.REFERENCE, 1), Segment(source, Role.SOURCE, 2, start=1.0))
    packed = pack([OmniSample(text(5), (), (2, 2, 2)), OmniSample(text(6), edit, (2, 2, 2))])
    assert packed.text_ids.tolist() == [1, 5, 1, 6]
    assert packed.text_slots.tolist() == [0, 1, 2, 3]
    assert packed.sample_of_text.tolist() == [0, 0, 1, 1]
    assert packed.patch_slots.tolist() == [4, 5, 6, 7]
    assert torch.equal(packed.patches_NP[:2], patchify(reference))
    assert torch.equal(packed.patches_NP[2:].view(2, 1, 2, 2), source.transpose(0, 1))
    names = [Role.TEXT] * 4 + [Role.REFERENCE] * 2 + [Role.SOURCE] * 2
    assert packed.roles.tolist() == [ROLES.index(role) for role in names]
    assert packed.condition_positions_N4[:, 0].tolist() == [0, 0, 0, 0, 1, 1, 2, 2]
    assert packed.condition_positions_N4[:, 1].tolist() == [0, 1, 0, 1, 0, 0, 1, 2]
    assert packed.target_positions_N4[:, 1].tolist() == [0, 1, 0, 1]
    assert packed.sample_of_target.tolist() == [0, 0, 1, 1]
    assert (packed.aligned_patch.tolist(), packed.aligned_target.tolist()) == ([2], [3])
    (conditions,), (targets,) = packed.condition_layouts, packed.target_layouts
    assert conditions.q_index.tolist() == conditions.k_index.tolist() == list(range(8))
    assert conditions.q_lengths == conditions.k_lengths == (2, 6)
    assert targets.q_index.tolist() == [0, 1, 2, 3] and targets.q_lengths == (2, 2)
    assert targets.k_index.tolist() == [0, 1, 8, 9, 2, 3, 4, 5, 6, 7, 10, 11]
    assert targets.k_lengths == (4, 8)
    assert packed.target_shapes == ((2, 2, 2), (2, 2, 2)) and packed.patch == 2


def test_alignment_is_shifted_by_the_samples_before():
    source = Segment(latents(1, 4, 4, 0), Role.SOURCE, 1)
    plain, edited = OmniSample(text(3), (), (2, 4, 4)), OmniSample(text(3), (source,), (1, 4, 4))
    packed = pack([plain, edited, edited])
    assert packed.aligned_target.tolist() == [8, 9, 10, 11, 12, 13, 14, 15]
    assert packed.aligned_patch.tolist() == list(range(8))


def test_positions_span_the_same_range_at_every_resolution():
    coarse = visual_positions(1, 4, 4, source_id=0)[:, 2:]
    fine = visual_positions(1, 8, 8, source_id=0)[:, 2:]
    pooled = fine.view(4, 2, 4, 2, 2).mean((1, 3)).reshape(16, 2)
    torch.testing.assert_close(pooled, coarse)


def test_rotation_sees_only_differences_of_positions():
    config = RotaryConfig(head_width=32, time_pairs=4)
    generator = torch.Generator().manual_seed(0)
    q, k = torch.randn(2, 1, 1, 32, generator=generator)
    a, b = torch.tensor([[1.0, 2.0, 3.0, -1.0]]), torch.tensor([[0.0, 1.0, 1.0, 2.0]])

    def score(shift: float) -> torch.Tensor:
        rotated = []
        for x, position in ((q, a + shift), (k, b + shift)):
            angles = rotation_angles(position, config)
            rotated.append(rotate(x, angles.cos(), angles.sin()))
        return (rotated[0] * rotated[1]).sum()

    torch.testing.assert_close(score(0.0), score(3.5), atol=1e-4, rtol=1e-4)
