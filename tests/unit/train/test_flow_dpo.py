from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from omnireel.errors import InvalidInput
from omnireel.model.lora import LoraConfig, add_lora, lora_state
from omnireel.model.sequence import pack
from omnireel.sampling.schedule import shifted_sigmas
from omnireel.train import FeedConfig, OptimizerConfig, Trainer, TrainerConfig
from omnireel.train.objectives.flow_dpo import FlowDPO, FlowDPOConfig
from omnireel.train.objectives.packed import frozen_copy
from omnireel.train.objectives.preference_loss import (
    PairErrors,
    PreferenceScale,
    flow_dpo_loss,
    reduce_segments,
    squared_errors,
)
from omnireel.train.preferences import (
    PreferenceBatches,
    PreferencePair,
    PreferenceSet,
    Verdict,
    write_pairs,
)
from tests.support.mixture_2d import Field, Mixture, generate, train
from tests.support.tiny_models import small_transformer
from tests.support.tiny_records import TOKENIZER, preference_pair

SCALE = PreferenceScale("mean", 4.0)


def _share_on_the_right(*, first_wins: bool, num_steps: int = 120) -> float:
    """Two equal modes; pairs of one sample each; the share of samples that end near the right."""
    modes = Mixture(torch.tensor([[2.0, 0.0], [-2.0, 0.0]]))
    right, left = Mixture(modes.means[:1]), Mixture(modes.means[1:])
    model = Field(modes.velocity)
    sign_BS = torch.full((128, 1), 1 if first_wins else -1)

    def loss(rng: torch.Generator) -> torch.Tensor:
        noise = torch.randn(128, 2, generator=rng)
        t_B = torch.rand(128, generator=rng)

        def errors(velocity: object, clean: torch.Tensor) -> torch.Tensor:
            return squared_errors(velocity, clean, noise, t_B).mean(1, keepdim=True)  # type: ignore[arg-type]

        one, other = right.sample(128, rng), left.sample(128, rng)
        pairs = PairErrors(
            errors(model, one),
            errors(model, other),
            errors(modes.velocity, one),
            errors(modes.velocity, other),
        )
        return flow_dpo_loss(pairs, sign_BS, SCALE, winner_weight=0.1)[0]

    train({"model": model}, loss, num_steps, lr=5e-3)
    made = generate(model, shifted_sigmas(20, 1.0))
    near = (made - modes.means[0]).norm(dim=1) < 1.2
    return float(near.float().mean())


def test_mass_moves_to_the_preferred_mode() -> None:
    assert _share_on_the_right(first_wins=True, num_steps=0) == pytest.approx(0.5, abs=0.08)
    assert _share_on_the_right(first_wins=True) > 0.85


def test_a_flipped_sign_moves_it_to_the_other_mode() -> None:
    assert _share_on_the_right(first_wins=False) < 0.1


def _errors(first: float, second: float, count: int = 1) -> PairErrors:
    """The reference's errors are 1."""
    ones = torch.ones(count, 1)
    trained = [(value * ones).requires_grad_() for value in (first, second)]
    return PairErrors(*trained, ones, ones)


def test_loss_in_closed_form() -> None:
    sign = torch.tensor([[1]])
    loss, metrics = flow_dpo_loss(_errors(1.0, 1.0), sign, SCALE, 0.0)
    assert loss.item() == pytest.approx(math.log(2)) and metrics["accuracy"] == 0.0
    # beta / 2 [(1.3 - 1) - (0.9 - 1)] = 0.8
    loss, metrics = flow_dpo_loss(_errors(0.9, 1.3), sign, SCALE, 0.0)
    assert loss.item() == pytest.approx(math.log1p(math.exp(-0.8)))
    assert metrics["margin"] == pytest.approx(0.8) and metrics["accuracy"] == 1.0
    assert metrics["winner_error"] == pytest.approx(0.9)
    assert metrics["winner_error_change"] == pytest.approx(-0.1)
    assert metrics["loser_error"] == pytest.approx(1.3)
    assert metrics["loser_error_change"] == pytest.approx(0.3)
    swapped, mirrored = flow_dpo_loss(_errors(1.3, 0.9), -sign, SCALE, 0.0)
    assert swapped.item() == pytest.approx(loss.item())
    assert mirrored["loser_error"] == metrics["loser_error"]


def test_displacement_is_visible_and_the_guard_pushes_against_it() -> None:
    sign = torch.tensor([[1]])
    # Both errors grow and the loss still falls.
    errors = _errors(1.5, 3.0)
    loss, metrics = flow_dpo_loss(errors, sign, SCALE, 0.0)
    assert loss.item() < math.log(2) and metrics["winner_error_change"] == pytest.approx(0.5)
    loss.backward()
    plain = errors.first_BS.grad
    guarded = _errors(1.5, 3.0)
    flow_dpo_loss(guarded, sign, SCALE, 0.25)[0].backward()
    assert plain is not None and guarded.first_BS.grad is not None
    assert guarded.first_BS.grad.item() == pytest.approx(plain.item() + 0.25 * SCALE.beta / 2)
    assert torch.equal(guarded.second_BS.grad, errors.second_BS.grad)


def test_ties_have_no_gradient() -> None:
    errors = _errors(0.5, 1.5, count=3)
    loss, metrics = flow_dpo_loss(errors, torch.tensor([[1], [0], [-1]]), SCALE, 0.1)
    loss.backward()
    assert errors.first_BS.grad is not None and metrics["ties"] == pytest.approx(1 / 3)
    assert (errors.first_BS.grad.flatten() != 0).tolist() == [True, False, True]
    only = _errors(0.5, 1.5, count=2)
    loss, metrics = flow_dpo_loss(only, torch.zeros(2, 1), SCALE, 0.1)
    loss.backward()
    assert loss.item() == 0.0 and metrics == {"ties": 1.0}
    assert only.first_BS.grad is not None and not only.first_BS.grad.any()


def test_a_sum_of_n_elements_with_beta_equals_a_mean_with_n_beta() -> None:
    square = torch.rand(2, 3, 5, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(reduce_segments(square, "sum"), 15 * reduce_segments(square, "mean"))
    halves = reduce_segments(square, "mean", 2)
    assert torch.allclose(halves[:, 0], square[:, :2].mean((1, 2)))
    assert torch.allclose(halves[:, 1], square[:, 2].mean(1))
    with pytest.raises(InvalidInput, match="4 segment verdicts for 3"):
        reduce_segments(square, "mean", 4)


def _objective(adapters: bool = False, **changes: float) -> FlowDPO:
    model = small_transformer(depth=1)
    reference = None if adapters else frozen_copy(model)
    if adapters:
        torch.manual_seed(0)
        add_lora(model, LoraConfig(rank=4, alpha=8.0, targets=(r"attention\.(qkv|out)$", "mlp")))
    config = replace(FlowDPOConfig(scale=PreferenceScale("mean", 20.0)), **changes)
    return FlowDPO(model, reference, TOKENIZER, config, pack, held_out=_pairs())


def _pairs() -> list[PreferencePair]:
    return [preference_pair(i, v) for i, v in enumerate([Verdict.FIRST, Verdict.SECOND] * 2)]


@pytest.mark.parametrize("adapters", [False, True])
def test_transformer_learns_the_preference_of_a_fixed_batch(adapters: bool) -> None:
    objective = _objective(adapters, winner_weight=0.0)
    parameters = [p for p in objective.model.parameters() if p.requires_grad]
    if adapters:
        assert len(parameters) == len(lora_state(objective.model))
    optimizer = torch.optim.AdamW(parameters, lr=1e-2 if adapters else 2e-3)
    reports = []
    for _ in range(6):
        report = objective.loss(_pairs(), torch.Generator().manual_seed(3))
        optimizer.zero_grad()
        report.loss.backward()
        optimizer.step()
        reports.append(report)
    # Before the first step the network is its own reference.
    assert reports[0].loss.item() == pytest.approx(math.log(2), abs=1e-4)
    assert reports[-1].loss.item() < 0.9 * math.log(2)
    assert reports[-1].metrics["accuracy"] == 1.0 and reports[-1].num_samples == 4


def test_validation_is_repeatable_and_starts_at_the_reference() -> None:
    objective = _objective()
    with torch.no_grad():
        one, two = objective.validate(), objective.validate()
    assert one.metrics == two.metrics
    assert one.metrics["winner_error_change"] == pytest.approx(0.0, abs=1e-5)
    assert one.metrics["winner_error"] > 0


def test_shapes_and_segment_verdicts_may_mix_in_a_batch() -> None:
    mixed = [
        preference_pair(0, Verdict.FIRST, Verdict.TIE, Verdict.SECOND),
        preference_pair(1, Verdict.FIRST),
        preference_pair(2, Verdict.SECOND, frames=1),
    ]
    report = _objective().loss(mixed, torch.Generator().manual_seed(0))
    assert report.num_samples == 3 and math.isfinite(report.loss.item())
    assert report.metrics["ties"] == pytest.approx(1 / 9)


def test_own_noise_is_the_noise_of_each_sample() -> None:
    pairs = _pairs()
    for share, equal in ((0.0, False), (1.0, True)):
        objective = _objective(own_noise_share=share)
        seen: list[torch.Tensor] = []
        objective.model.register_forward_pre_hook(lambda _, inputs, s=seen: s.append(inputs[0]))
        objective._loss(pairs, torch.full((4,), 1.0), torch.Generator().manual_seed(0))
        # At t = 1 the noisy tokens are the noise: winners first, then losers.
        first, second = seen[0].chunk(2)
        assert torch.equal(first, second) is not equal


def test_adapters_train_from_stored_pairs_in_the_training_loop(tmp_path: Path) -> None:
    write_pairs(tmp_path / "pairs", 0, _pairs())
    objective = _objective(adapters=True)
    frozen = {n: t.clone() for n, t in objective.model.state_dict().items() if ".lora_" not in n}
    config = TrainerConfig(
        num_steps=2,
        log_every=1,
        validate_every=2,
        checkpoint_every=1,
        optimizer=OptimizerConfig(muon_lr=0.0),
        feed=FeedConfig(workers=0),
    )
    data = PreferenceBatches(PreferenceSet(tmp_path / "pairs"), 2)
    result = Trainer(config, objective, data, tmp_path / "run").fit()
    assert result.step == 2 and result.num_samples == 4
    state = objective.model.state_dict()
    assert all(torch.equal(state[n], t) for n, t in frozen.items())
    assert any(t.abs().max() > 0 for n, t in state.items() if n.endswith("lora_B.weight"))
    rows = [json.loads(x) for x in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert any("winner_error_change" in row for row in rows if row["event"] == "train")
    assert any("accuracy" in row for row in rows if row["event"] == "validation")


def test_a_reference_is_needed_and_settings_are_checked() -> None:
    with pytest.raises(InvalidInput, match="needs a reference"):
        FlowDPO(small_transformer(1), None, TOKENIZER, FlowDPOConfig(), pack)
    with pytest.raises(InvalidInput, match="beta"):
        PreferenceScale("sum", 0.0)
    with pytest.raises(InvalidInput, match="reduction"):
        PreferenceScale("max", 1.0)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="own_noise_share"):
        FlowDPOConfig(own_noise_share=2.0)
