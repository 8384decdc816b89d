from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from omnireel.errors import InvalidInput
from omnireel.model.sequence import pack
from omnireel.sampling.guidance import Guidance
from omnireel.train.objective import named_parameters
from omnireel.train.objectives.distribution_matching import (
    DistributionMatching,
    DistributionMatchingConfig,
)
from omnireel.train.objectives.packed import frozen_copy
from omnireel.train.objectives.phase_grid import PhaseGrid, TrajectoryMatchingConfig
from omnireel.train.objectives.trajectory_distribution import (
    FakePath,
    fake_errors,
    importance_weight,
    match_distributions,
    renoise_scales,
    student_errors,
    student_step,
)
from omnireel.train.objectives.trajectory_matching import trajectory_errors
from omnireel.train.objectives.velocity import interpolate, roll_out
from omnireel.train.objectives.watch import diversity, gap_by_step, likeness
from omnireel.train.optim import OptimizerConfig, Optimizers
from tests.support.mixture_2d import MODES, Field, Mixture, generate, same_distribution, train
from tests.support.tiny_models import small_transformer
from tests.support.tiny_records import TOKENIZER, record

DATA = Mixture(MODES, torch.tensor([0.4, 0.2, 0.2, 0.2]))
SIZE = 256


def _grid(phases: int) -> PhaseGrid:
    return PhaseGrid(TrajectoryMatchingConfig(fine_steps=10 * phases, phases=phases, shift=1.0))


def _student(
    num_steps: int, phases: int, sign: float = 1.0, path: FakePath = "trajectory", keep: float = 0.1
) -> Tensor:
    """Samples of a student of ``phases`` steps; ``sign`` -1 follows the scores backwards."""
    student, fake, grid = Field(DATA.velocity), Field(DATA.velocity, seed=1), _grid(phases)

    def loss(rng: torch.Generator) -> Tensor:
        matched = match_distributions(
            student, student, fake, DATA.velocity, (SIZE, 2), grid.edges, rng, fake_path=path
        )
        total = sign * matched.student_B.mean() + matched.fake_B.mean()
        if keep:
            clean, noise = DATA.sample(SIZE, rng), torch.randn(SIZE, 2, generator=rng)
            step_B = grid.draw(SIZE, rng)
            errors_B = trajectory_errors(
                student, student, DATA.velocity, clean, noise, step_B, grid, huber_width=1e-3
            )
            total = total + keep * errors_B.mean()
        return total

    train(
        {"student": student, "fake": fake},
        loss,
        num_steps,
        betas=(0.0, 0.95),
        lr_multipliers={"^fake": 5.0},
    )
    return generate(student, grid.edges)


TRUTH = DATA.sample(400, torch.Generator().manual_seed(5))


def test_two_steps_of_the_student_match_the_data() -> None:
    assert not same_distribution(_student(0, phases=2), TRUTH)
    assert same_distribution(_student(300, phases=2), TRUTH)


def test_a_flipped_sign_does_not_match() -> None:
    assert not same_distribution(_student(60, phases=2, sign=-1.0), TRUTH)


def test_renoised_end_points_teach_the_fake_network_too() -> None:
    assert not same_distribution(_student(0, phases=3), TRUTH)
    assert same_distribution(_student(150, phases=3, path="renoised", keep=0.0), TRUTH)


def test_importance_weight_in_closed_form() -> None:
    rng = torch.Generator().manual_seed(0)
    eps_hat, eps = torch.randn(5, 7, generator=rng), torch.randn(5, 7, generator=rng)
    tau_B = torch.full((5,), 0.6)
    # From clean samples all noise is fresh.
    assert torch.equal(importance_weight(eps_hat, eps, torch.zeros(5), tau_B), torch.ones(5))
    # At tau = s none is: m = eps^.
    expected = torch.exp((eps.square().mean(1) - eps_hat.square().mean(1)) / 2)
    assert torch.allclose(importance_weight(eps_hat, eps, tau_B, tau_B), expected, atol=1e-5)
    # Between: s = 1/3, tau = 1/2 gives a = 3/4, b = sqrt(3)/4, m = (eps^ + sqrt(3) eps) / 2.
    third, half = torch.full((5,), 1 / 3), torch.full((5,), 0.5)
    mixed = (eps_hat + math.sqrt(3) * eps) / 2
    expected = torch.exp((eps.square().mean(1) - mixed.square().mean(1)) / 2)
    assert torch.allclose(importance_weight(eps_hat, eps, third, half), expected, atol=1e-5)
    # The same noise twice: m = (1 + sqrt(3)) / 2 eps.
    factor = (1 + math.sqrt(3)) ** 2 / 4
    expected = torch.exp((1 - factor) * eps.square().mean(1) / 2)
    assert torch.allclose(importance_weight(eps, eps, third, half), expected, atol=1e-5)


def test_renoising_gives_the_asked_noise_level() -> None:
    s_B, tau_B = torch.tensor([0.0, 0.2, 0.5, 0.75]), torch.tensor([0.3, 0.2, 0.9, 1.0])
    a_B, b_B = renoise_scales(s_B, tau_B)
    assert torch.allclose(a_B * (1 - s_B), 1 - tau_B)
    assert torch.allclose((a_B * s_B).square() + b_B.square(), tau_B.square(), atol=1e-6)


def test_a_step_of_an_exact_student_is_data_with_noise() -> None:
    """The student knows its data and noise, so x_tau must be their mixture with fresh noise."""
    rng = torch.Generator().manual_seed(0)
    clean, start, fresh = (torch.randn(4, 3, generator=rng) for _ in range(3))
    sigmas = torch.tensor([1.0, 0.6, 0.0])

    def exact(x: Tensor, t: Tensor) -> Tensor:
        return start - clean

    states = roll_out(exact, start, sigmas)
    step_B, share_B = torch.tensor([0, 0, 1, 1]), torch.tensor([0.0, 1.0, 0.5, 0.0])
    made = student_step(exact, states, sigmas, step_B, share_B, fresh, min_time=0.1)
    assert torch.allclose(made.clean, clean, atol=1e-6)
    assert torch.allclose(made.tau_B, torch.tensor([0.6, 1.0, 0.35, 0.1]))
    assert torch.allclose(made.noisy[0], interpolate(clean, start, made.tau_B)[0], atol=1e-6)
    assert torch.allclose(made.noisy[1], fresh[1], atol=1e-6)
    late = interpolate(clean, fresh, made.tau_B)[2:]
    assert torch.allclose(made.noisy[2:], late, atol=1e-6)


def test_straight_lines_use_the_samples_own_noise() -> None:
    def constant(x: Tensor, t: Tensor) -> Tensor:
        return torch.full_like(x, 0.7)

    def fake_loss(path: FakePath) -> float:
        rng = torch.Generator().manual_seed(0)
        matched = match_distributions(*[constant] * 4, (64, 2), _grid(4).edges, rng, fake_path=path)
        return float(matched.fake_B.mean())

    # Every straight line of a constant flow has that very velocity.
    assert fake_loss("straight") < 1e-6 < 0.1 < fake_loss("renoised")


def test_losses_point_where_they_should_and_do_not_cross() -> None:
    clean = torch.zeros(1, 2, requires_grad=True)
    guided = torch.tensor([[1.0, 0.0]])
    faked = torch.tensor([[0.0, 1.0]], requires_grad=True)
    student_errors(clean, guided, faked, 1e-3).sum().backward()
    assert clean.grad is not None and faked.grad is None
    step = -clean.grad / clean.grad.abs().max()
    assert torch.allclose(step, torch.tensor([[1.0, -1.0]]), atol=1e-3)
    # The exact fake velocity has no loss; the target has no gradient.
    noisy, tau_B = torch.ones(1, 2), torch.tensor([0.5])
    made = torch.zeros(1, 2, requires_grad=True)
    velocity = torch.full((1, 2), 2.0, requires_grad=True)
    assert fake_errors(velocity, noisy, made, tau_B, torch.ones(1)).item() == 0.0
    # min(0.25, 5 * 0.25) * w * 1^2 = 0.5
    off = fake_errors(velocity + 1, noisy, made, tau_B, torch.full((1,), 2.0))
    off.sum().backward()
    assert off.item() == pytest.approx(0.5) and made.grad is None


def test_what_is_watched() -> None:
    data = torch.randn(3, 8, 2, generator=torch.Generator().manual_seed(0))
    assert likeness(2 * data, data, frames=4) == pytest.approx({"saturation": 2.0, "motion": 2.0})
    still = data[:, :2].repeat(1, 4, 1)
    assert likeness(still, data, frames=4)["motion"] < 1e-5
    assert "motion" not in likeness(data, data, frames=1)
    assert diversity(data, data, data) < 1e-5 and diversity(data, -data, data) == pytest.approx(2)
    gaps = gap_by_step(torch.tensor([1.0, 3.0, 5.0]), torch.tensor([0, 2, 2]))
    assert gaps == {"gap": 3.0, "gap_step_1": 1.0, "gap_step_3": 4.0}


def _objective(shift: float = 0.0, path: FakePath = "trajectory") -> DistributionMatching:
    """``shift`` moves what the student (and the fake network, its copy) takes for clean."""
    teacher = frozen_copy(small_transformer(depth=1))
    model = frozen_copy(teacher).requires_grad_(True)
    with torch.no_grad():
        model.out.bias.add_(shift)
    fake = frozen_copy(model).requires_grad_(True)
    guidance = Guidance(1.0, 1.0, 1.0) if shift else Guidance(3.0, 1.5, 1.5)
    config = DistributionMatchingConfig(
        trajectory=TrajectoryMatchingConfig(fine_steps=12, phases=3, guidance=guidance),
        fake_path=path,
    )
    held_out = [record(i) for i in range(3)]
    return DistributionMatching(model, fake, teacher, TOKENIZER, config, pack, held_out=held_out)


def test_a_shifted_transformer_returns_to_its_teacher_on_a_fixed_batch() -> None:
    """The student begins half a unit beside the teacher; both networks step at once."""
    objective = _objective(shift=0.5)
    before = {n: p.detach().clone() for n, p in named_parameters(objective).items()}
    config = OptimizerConfig(
        muon_lr=0.0, adamw_lr=1e-3, adamw_betas=(0.0, 0.95), lr_multipliers={r"^fake\.": 2.0}
    )
    optimizers = Optimizers(config, named_parameters(objective))
    teacher = {n: t.clone() for n, t in objective.teacher.state_dict().items()}
    batch = [record(i) for i in range(4)]
    gaps, losses = [], []
    for _ in range(25):
        report = objective.loss(batch, torch.Generator().manual_seed(2))
        optimizers.zero_grad()
        report.loss.backward()
        optimizers.step(1.0)
        gaps.append(report.metrics["gap"])
        losses.append(report.loss.item())
    assert gaps[0] == pytest.approx(0.5, abs=0.02)
    assert sum(gaps[-5:]) / 5 < 0.3 and sum(losses[-5:]) / 5 < 0.9 * losses[0]
    expected = {"loss_student", "loss_fake", "loss_trajectory", "gap", "saturation", "motion"}
    assert expected <= report.metrics.keys()
    moved = {n for n, p in named_parameters(objective).items() if not torch.equal(p, before[n])}
    assert {n.split(".")[0] for n in moved} == {"transformer", "fake"}
    assert all(torch.equal(t, teacher[n]) for n, t in objective.teacher.state_dict().items())


def test_the_fake_network_learns_where_a_fixed_student_is() -> None:
    objective = _objective(shift=0.5)
    objective.fake.load_state_dict(objective.teacher.state_dict())
    objective.model.requires_grad_(False)
    optimizer = torch.optim.AdamW(objective.fake.parameters(), lr=5e-3)
    losses = []
    for _ in range(12):
        report = objective.loss([record(0), record(1)], torch.Generator().manual_seed(2))
        optimizer.zero_grad()
        report.loss.backward()
        optimizer.step()
        losses.append(report.metrics["loss_fake"])
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("path", ["trajectory", "renoised", "straight"])
def test_each_networks_gradient_is_its_own_losses(path: FakePath) -> None:
    """Freezing one network leaves the other's gradient as it is."""
    batch = [record(i) for i in range(2)]

    def gradient(name: str, frozen: str) -> Tensor:
        objective = _objective(path=path)
        if frozen:
            objective.modules()[frozen].requires_grad_(False)
        objective.loss(batch, torch.Generator().manual_seed(0)).loss.backward()
        module = objective.modules()[name]
        assert isinstance(module.out, torch.nn.Linear) and module.out.weight.grad is not None
        return module.out.weight.grad

    for name, other in (("transformer", "fake"), ("fake", "transformer")):
        alone = gradient(name, other)
        assert alone.abs().max() > 0
        assert torch.equal(gradient(name, ""), alone)


def test_validation_is_repeatable_and_reports_what_a_rollback_needs() -> None:
    objective = _objective()
    with torch.no_grad():
        one, two = objective.validate(), objective.validate()
    assert one.metrics == two.metrics
    assert one.metrics.keys() == {"saturation", "motion", "diversity", "gap"}
    assert one.metrics["diversity"] > 0


def test_settings_are_checked() -> None:
    with pytest.raises(InvalidInput, match="fake_path"):
        DistributionMatchingConfig(fake_path="bent")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="min_time"):
        DistributionMatchingConfig(min_time=0.0)
    with pytest.raises(InvalidInput, match="trajectory_weight"):
        DistributionMatchingConfig(trajectory_weight=-1.0)
