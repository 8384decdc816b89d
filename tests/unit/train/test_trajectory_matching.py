from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from omnireel.errors import InvalidInput
from omnireel.model.sequence import pack, patchify
from omnireel.sampling.guidance import Guidance, chain
from omnireel.sampling.sampler import sample_latents
from omnireel.sampling.schedule import shifted_sigmas
from omnireel.train.feed import Feed, FeedConfig
from omnireel.train.latent_record import LatentRecord
from omnireel.train.objectives.packed import (
    fixed_velocity,
    frozen_copy,
    guided_pack,
    guided_velocity,
    omni_sample,
    stack_tokens,
    trained_velocity,
)
from omnireel.train.objectives.phase_grid import PhaseGrid, TrajectoryMatchingConfig
from omnireel.train.objectives.trajectory_matching import TrajectoryMatching, trajectory_errors
from omnireel.train.objectives.velocity import roll_out
from omnireel.train.prepared import PreparedBatches
from omnireel.train.randomness import step_seed
from omnireel.train.work import Tally
from tests.support.equal_learning import assert_learned_alike
from tests.support.mixture_2d import MODES, Field, Mixture, generate, same_distribution, train
from tests.support.tiny_models import latents, small_transformer
from tests.support.tiny_records import TOKENIZER, record

GUIDANCE = 1.5
GRID = PhaseGrid(TrajectoryMatchingConfig(fine_steps=20, phases=2, shift=1.0))
WANTED = Mixture(MODES, torch.tensor([0.4, 0.2, 0.2, 0.2]))
"""What the condition asks for; without it all modes are equally likely."""
ANYTHING = Mixture(MODES)


def _teacher(x: Tensor, t: Tensor) -> Tensor:
    free = ANYTHING.velocity(x, t)
    return free + GUIDANCE * (WANTED.velocity(x, t) - free)


def _student(num_steps: int, sign: float = 1.0) -> Field:
    student = Field(WANTED.velocity)

    def loss(rng: torch.Generator) -> Tensor:
        clean, noise = WANTED.sample(256, rng), torch.randn(256, 2, generator=rng)
        steps_B = GRID.draw(256, rng)
        errors_B = trajectory_errors(
            student, student, _teacher, clean, noise, steps_B, GRID, huber_width=0.05
        )
        return sign * errors_B.mean()

    train({"student": student}, loss, num_steps, lr=4e-3)
    return student


def test_two_steps_of_the_student_match_twenty_guided_ones() -> None:
    teacher = generate(_teacher, GRID.sigmas, seed=5)
    assert same_distribution(generate(_teacher, GRID.sigmas), teacher)
    assert not same_distribution(generate(_student(0), GRID.edges), teacher)
    assert same_distribution(generate(_student(300), GRID.edges), teacher)


def test_a_flipped_sign_does_not_match() -> None:
    teacher = generate(_teacher, GRID.sigmas, seed=5)
    assert not same_distribution(generate(_student(60, sign=-1.0), GRID.edges), teacher)


def test_phases_lie_on_the_students_own_schedule() -> None:
    grid = PhaseGrid(TrajectoryMatchingConfig(fine_steps=30, phases=10, shift=3.0))
    assert torch.allclose(grid.edges, shifted_sigmas(10, 3.0))
    assert torch.allclose(grid.sigmas, shifted_sigmas(30, 3.0), atol=1e-6)
    ends = grid.phase_end(torch.arange(30))
    assert torch.equal(ends, grid.edges[1:].repeat_interleave(3))
    assert bool((ends <= grid.sigmas[1:]).all()) and ends[-1] == 0
    with pytest.raises(InvalidInput, match="multiple of phases"):
        TrajectoryMatchingConfig(fine_steps=25, phases=10)


def test_a_single_phase_walks_the_teachers_own_schedule() -> None:
    grid = PhaseGrid(TrajectoryMatchingConfig(fine_steps=8, phases=1, shift=3.0, last=0.35))
    assert torch.equal(grid.sigmas, shifted_sigmas(8, 3.0, last=0.35))
    assert grid.edges.tolist() == [1.0, 0.0] and grid.num_steps == 8
    assert bool((grid.phase_end(torch.arange(8)) == 0).all())
    assert int(grid.draw(200, torch.Generator().manual_seed(0)).max()) == 7


def test_the_last_phase_may_be_one_jump_from_a_chosen_level() -> None:
    grid = PhaseGrid(TrajectoryMatchingConfig(fine_steps=20, phases=5, shift=3.0, last=0.35))
    assert torch.equal(grid.edges, shifted_sigmas(5, 3.0, last=0.35))
    assert grid.num_steps == 17 and len(grid.sigmas) == 18
    assert grid.sigmas[-2].item() == pytest.approx(0.35) and grid.sigmas[-1] == 0
    assert bool((grid.sigmas.diff() < 0).all())
    ends = grid.phase_end(torch.arange(17))
    assert bool((ends <= grid.sigmas[1:]).all()) and int((ends == grid.sigmas[1:]).sum()) == 5
    drawn = grid.draw(4000, torch.Generator().manual_seed(0))
    # Every phase is drawn equally often, the jump as well.
    assert (drawn == 16).float().mean().item() == pytest.approx(0.2, abs=0.03)
    with pytest.raises(InvalidInput, match="last"):
        TrajectoryMatchingConfig(last=1.0)


def test_a_straight_flow_is_its_own_student_and_a_phase_ends_at_the_teacher() -> None:
    rng = torch.Generator().manual_seed(0)
    clean, noise = torch.randn(40, 3, generator=rng), torch.randn(40, 3, generator=rng)
    steps_B = torch.arange(40) % 20

    def errors(student: float, teacher: float, at: Tensor) -> Tensor:
        fields = [lambda x, t, v=v: torch.full_like(x, v) for v in (student, student, teacher)]
        return trajectory_errors(*fields, clean, noise, at, GRID, huber_width=1e-6)

    assert errors(1.0, 1.0, steps_B).max() < 1e-5
    # They differ by 2 in velocity over one fine step of 1/20, wherever it is in the phase.
    assert torch.allclose(errors(3.0, 1.0, steps_B), torch.tensor(0.1), atol=1e-4)


def test_only_the_students_own_step_has_a_gradient() -> None:
    weight = torch.tensor(0.5, requires_grad=True)

    def field(x: Tensor, t: Tensor) -> Tensor:
        return weight * x

    x, noise = torch.ones(1, 1), torch.zeros(1, 1)
    step_B = torch.tensor([10])  # sigma 0.5, phase end 0
    trajectory_errors(
        field, field, field, x, noise, step_B, GRID, huber_width=1e-4
    ).sum().backward()
    # reached = 0.5 + (0 - 0.5) w 0.5, so |d reached / d w| = 0.25; the target's part would add 0.2.
    assert weight.grad is not None and abs(weight.grad.item()) == pytest.approx(0.25, rel=1e-2)


def test_guided_velocity_equals_the_samplers_chain() -> None:
    model, guidance = small_transformer(2), Guidance(text=4.0, image=1.5, video=2.0)
    records = [record(i) for i in range(3)]
    samples = [omni_sample(TOKENIZER, r.prompt, r.segments, r.target_CTHW) for r in records]
    noise = [latents(3, 4, 4, 900 + i) for i in range(3)]
    sigmas = shifted_sigmas(3, 3.0)
    expected = [
        patchify(sample_latents(model, chain(s, TOKENIZER.empty(), guidance), x, sigmas, pack))
        for s, x in zip(samples, noise, strict=True)
    ]
    guided = guided_pack(samples, pack, TOKENIZER.empty(), guidance)
    velocity = guided_velocity(model, guided, Tally(0))
    made = roll_out(velocity, stack_tokens(noise), sigmas)[-1]
    assert torch.allclose(made, torch.stack(expected), atol=1e-3)


def test_the_views_of_the_network_agree() -> None:
    model = small_transformer(2)
    samples = [
        omni_sample(TOKENIZER, r.prompt, r.segments, r.target_CTHW) for r in map(record, range(2))
    ]
    packed, x = pack(samples), torch.randn(2, 12, 16, generator=torch.Generator().manual_seed(0))
    times = torch.tensor([0.8, 0.3])
    with_gradient = trained_velocity(model, packed, Tally(0))(x, times)
    without = fixed_velocity(model, packed, Tally(0))(x, times)
    assert with_gradient.requires_grad and not without.requires_grad
    assert torch.allclose(with_gradient, without, atol=1e-5)


def _objective() -> TrajectoryMatching:
    model = small_transformer(depth=1)
    config = TrajectoryMatchingConfig(fine_steps=20, phases=4)
    held_out = [record(i) for i in range(3)]
    return TrajectoryMatching(model, frozen_copy(model), TOKENIZER, config, pack, held_out=held_out)


def test_transformer_learns_a_fixed_batch_and_its_teacher_stays() -> None:
    objective = _objective()
    teacher = {n: t.clone() for n, t in objective.teacher.state_dict().items()}
    optimizer = torch.optim.AdamW(objective.model.parameters(), lr=1e-3)
    batch = [record(i) for i in range(4)]
    losses = []
    for _ in range(10):
        report = objective.loss(batch, torch.Generator().manual_seed(2))
        optimizer.zero_grad()
        report.loss.backward()
        optimizer.step()
        losses.append(report.loss.item())
    assert losses[-1] < 0.8 * losses[0] and report.num_samples == 4
    assert all(torch.equal(t, teacher[n]) for n, t in objective.teacher.state_dict().items())
    assert list(objective.modules()) == ["transformer"]


def test_validation_is_repeatable_and_shapes_may_mix() -> None:
    objective = _objective()
    with torch.no_grad():
        assert objective.validate().metrics == objective.validate().metrics
    mixed = [record(0), record(1, frames=1)]
    report = objective.loss(mixed, torch.Generator().manual_seed(0))
    assert report.num_samples == 2 and math.isfinite(report.loss.item())
    with pytest.raises(InvalidInput, match="one shape"):
        objective.preparation.at(mixed, torch.tensor([0, 1]), torch.Generator())


@dataclass(frozen=True)
class Records:
    """Three records a batch, of two shapes."""

    def batch(self, index: int) -> list[LatentRecord]:
        return [record(3 * index + i, frames=1 if i == 1 else 3) for i in range(3)]


def test_batches_of_loaders_are_learned_from_like_those_of_the_loop() -> None:
    alone, fed = _objective(), _objective()
    data = PreparedBatches(Records(), fed.preparation, seed=7, per_step=2)
    feed = Feed(data, FeedConfig(workers=1, depth=2, processes=True))
    try:
        for index in range(3):
            prepared, records = feed.take(), Records().batch(index)
            assert [len(part.step_B) for part in prepared] == [2, 1]
            seed = step_seed(7, index // 2, index % 2)
            assert_learned_alike(alone, fed, records, prepared, seed)
    finally:
        feed.close()
