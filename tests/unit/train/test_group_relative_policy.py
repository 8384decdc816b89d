"""GRPO on policies small enough to know the answer."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from omnireel.errors import InvalidInput
from omnireel.train import (
    Callback,
    EmaConfig,
    FeedConfig,
    OptimizerConfig,
    ScheduleConfig,
    StepEvent,
    Trainer,
    TrainerConfig,
    ValidationReport,
)
from omnireel.train.checkpoint import load_checkpoint
from omnireel.train.objectives import group_relative_policy
from omnireel.train.objectives.group_relative_policy import (
    GroupRelativeConfig,
    GroupRelativePolicy,
    Rollout,
    TokenOdds,
    group_advantages,
    group_relative_loss,
)

WORDS, WANTED = 5, 3
CONFIG = GroupRelativeConfig(group=8, clip=0.2, kl_weight=0.0, length=2)


class Bigrams(nn.Module):
    """The next word depends on the last one only."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Linear(WORDS, WORDS, bias=False)
        nn.init.zeros_(self.table.weight)

    def forward(self, ids_BN: Tensor, pixels_ICHW: Tensor) -> Tensor:
        del pixels_ICHW
        return nn.functional.one_hot(ids_BN, WORDS).float()

    def logits(self, hidden: Tensor) -> Tensor:
        scores: Tensor = self.table(hidden)
        return scores


@dataclass(frozen=True)
class Prompts:
    rollout: int
    pixels_ICHW: Tensor


class PromptsByNumber:
    """Two prompts (the words 0 and 1) for every step; each rollout serves two steps."""

    def batch(self, index: int) -> Prompts:
        return Prompts(index // 2, torch.zeros(0))


class Writer:
    """Writes two words after a prompt; the reward is for WANTED as the second."""

    def __init__(self, model: Bigrams) -> None:
        self.model, self.calls = model, 0

    def __call__(self, batch: Prompts, group: int, rng: torch.Generator) -> Rollout:
        self.calls += 1
        ids_BN = torch.arange(2).repeat_interleave(group)[:, None]
        for _ in range(2):
            odds = self.model.logits(self.model(ids_BN[:, -1:], batch.pixels_ICHW))[:, 0].softmax(
                -1
            )
            ids_BN = torch.cat([ids_BN, torch.multinomial(odds, 1, generator=rng)], 1)
        chosen_BN = torch.ones_like(ids_BN, dtype=torch.bool)
        chosen_BN[:, 0] = False
        return Rollout(ids_BN, chosen_BN, (ids_BN[:, 2] == WANTED).float(), {"two": 2.0})


def _objective(config: GroupRelativeConfig = CONFIG) -> tuple[GroupRelativePolicy, Writer]:
    model = Bigrams()
    writer = Writer(model)
    objective = GroupRelativePolicy(
        model, Bigrams(), writer, config, evaluate=lambda: ValidationReport({"score": 1.0})
    )
    return objective, writer


def _chance_of_wanted(model: Bigrams) -> float:
    with torch.no_grad():
        odds = model.logits(torch.eye(WORDS)).softmax(-1)
    return float((odds[:2] @ odds[:, WANTED]).mean())


def _learn(objective: GroupRelativePolicy, steps: int) -> None:
    data = PromptsByNumber()
    optimizer = torch.optim.SGD(objective.model.parameters(), lr=5.0)
    for step in range(steps):
        report = objective.loss(data.batch(step), torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        report.loss.backward()
        optimizer.step()


def test_probability_moves_to_what_is_rewarded() -> None:
    objective, writer = _objective()
    assert isinstance(objective.model, Bigrams)
    assert _chance_of_wanted(objective.model) == pytest.approx(1 / WORDS)
    _learn(objective, 60)
    assert _chance_of_wanted(objective.model) > 0.9
    assert writer.calls == 30  # every rollout is trained on twice


def test_a_flipped_advantage_moves_it_away(monkeypatch: pytest.MonkeyPatch) -> None:
    flipped = lambda rewards, group: -group_advantages(rewards, group)  # noqa: E731
    monkeypatch.setattr(group_relative_policy, "group_advantages", flipped)
    objective, _ = _objective()
    assert isinstance(objective.model, Bigrams)
    _learn(objective, 60)
    assert _chance_of_wanted(objective.model) < 1 / WORDS


def test_the_reference_holds_the_policy_back() -> None:
    free, _ = _objective()
    held, _ = _objective(replace(CONFIG, kl_weight=1.0))
    assert isinstance(free.model, Bigrams) and isinstance(held.model, Bigrams)
    _learn(free, 40)
    _learn(held, 40)
    assert 1 / WORDS < _chance_of_wanted(held.model) < _chance_of_wanted(free.model) - 0.1


def test_advantages_are_relative_to_the_own_group_and_not_scaled() -> None:
    rewards_B = torch.tensor([1.0, 0.0, 0.0, 0.0, 0.6, 0.6, 0.6, 0.6])
    expected = [0.75, -0.25, -0.25, -0.25, 0.0, 0.0, 0.0, 0.0]
    assert group_advantages(rewards_B, 4).tolist() == pytest.approx(expected)


def _loss(ratio: float, advantage: float, *, reference: float = 1.0, kl: float = 0.0) -> float:
    """Of one token whose probability is 0.5 now; ``reference``: pi_ref / pi."""
    now = torch.tensor([math.log(0.5)])
    odds = TokenOdds(now, now - math.log(ratio), now + math.log(reference))
    config = GroupRelativeConfig(clip=0.2, kl_weight=kl, length=4)
    loss, _ = group_relative_loss(odds, torch.tensor([advantage]), 1, config)
    return float(loss)


@pytest.mark.parametrize(
    ("ratio", "advantage", "gain"),
    [
        (1.0, 2.0, 2.0),
        (1.1, 2.0, 2.2),
        (1.5, 2.0, 2.4),  # clipped: no gain beyond 1.2
        (0.5, 2.0, 1.0),  # a good answer that became unlikely is not clipped
        (0.5, -2.0, -1.6),  # clipped: no gain below 0.8
        (1.5, -2.0, -3.0),  # a bad answer that became likely is not clipped
    ],
)
def test_the_clipped_ratio(ratio: float, advantage: float, gain: float) -> None:
    assert _loss(ratio, advantage) == pytest.approx(-gain / 4)


def test_a_clipped_token_has_no_gradient() -> None:
    now = torch.tensor([0.0, 0.0], requires_grad=True)
    odds = TokenOdds(now, torch.tensor([-1.0, 0.0]), torch.zeros(2))
    config = GroupRelativeConfig(kl_weight=0.0, length=1)
    loss, metrics = group_relative_loss(odds, torch.tensor([1.0, 1.0]), 1, config)
    loss.backward()
    assert now.grad is not None and now.grad.tolist() == [0.0, -1.0]
    assert metrics["clipped"] == 0.5


@pytest.mark.parametrize("reference", [0.25, 1.0, 3.0])
def test_the_distance_to_the_reference(reference: float) -> None:
    expected = reference - math.log(reference) - 1.0
    assert _loss(1.0, 0.0, reference=reference, kl=0.5) == pytest.approx(0.5 * expected / 4)


def test_the_distance_is_the_divergence_on_average() -> None:
    pi, ref = torch.tensor([0.7, 0.2, 0.1]), torch.tensor([0.3, 0.3, 0.4])
    config = GroupRelativeConfig(kl_weight=1.0, length=1)
    each = [
        group_relative_loss(TokenOdds(p[None], p[None], r[None]), torch.zeros(1), 1, config)[0]
        for p, r in zip(pi.log(), ref.log(), strict=True)
    ]
    divergence = (pi * (pi / ref).log()).sum()
    torch.testing.assert_close((pi * torch.stack(each)).sum(), divergence)


def test_long_answers_count_as_written_not_as_averaged() -> None:
    zeros = torch.zeros(6)
    config = GroupRelativeConfig(length=4, kl_weight=0.0)
    loss, _ = group_relative_loss(
        TokenOdds(zeros, zeros, zeros), torch.tensor([1.0, 1.0, -0.5, -0.5, -0.5, -0.5]), 2, config
    )
    assert float(loss) == pytest.approx(-(2 * 1.0 - 4 * 0.5) / (2 * 4))


def test_the_first_update_has_ratio_one_and_learns_under_autocast() -> None:
    objective, _ = _objective()
    batch = PromptsByNumber().batch(0)
    with torch.autocast("cpu", torch.bfloat16):
        report = objective.loss(batch, torch.Generator().manual_seed(0))
    report.loss.backward()
    assert report.metrics["clipped"] == 0.0 and report.metrics["two"] == 2.0
    grads = [p.grad for p in objective.model.parameters()]
    assert all(g is not None and bool(g.abs().sum() > 0) for g in grads)
    assert not any(p.requires_grad for p in objective.reference.parameters())


def test_the_settings_are_checked() -> None:
    for wrong in ({"group": 1}, {"clip": 0.0}, {"kl_weight": -1.0}, {"length": 0}):
        with pytest.raises(InvalidInput) as caught:
            GroupRelativeConfig(**wrong)  # type: ignore[arg-type]
        assert caught.value.violations[0].field == f"objective.{next(iter(wrong))}"


def _trainer(run: Path, *callbacks: Callback) -> tuple[Trainer, Writer]:
    objective, writer = _objective(replace(CONFIG, kl_weight=0.1))
    config = TrainerConfig(
        num_steps=8,
        log_every=1,
        validate_every=8,
        checkpoint_every=3,
        optimizer=OptimizerConfig(muon_lr=0.0, adamw_lr=0.05),
        schedule=ScheduleConfig(kind="wsd", warmup_steps=1, decay_fraction=0.5),
        ema=EmaConfig(decays=(0.9,)),
        feed=FeedConfig(workers=0),
    )
    return Trainer(config, objective, PromptsByNumber(), run, callbacks=callbacks), writer


@pytest.mark.parametrize("stop_at", [3, 4])
def test_a_run_resumed_in_the_middle_of_a_rollout_equals_an_uninterrupted_one(
    tmp_path: Path, stop_at: int
) -> None:
    class StopAt(Callback):
        def on_step(self, event: StepEvent) -> None:
            if event.step == stop_at:
                trainer.request_stop()

    whole, _ = _trainer(tmp_path / "whole")
    whole.fit()
    trainer, _ = _trainer(tmp_path / "parts", StopAt())
    assert trainer.fit().stopped_early
    resumed, writer = _trainer(tmp_path / "parts")
    assert resumed.fit(resume=True).step == 8
    assert writer.calls == 2  # steps 4 to 7: the rollout of step 3 came from the checkpoint
    one, two = load_checkpoint(tmp_path / "whole"), load_checkpoint(tmp_path / "parts")
    for name, tensor in one.model.items():
        assert torch.equal(tensor, two.model[name])
    assert one.state["objective"] == two.state["objective"]
    json.dumps(one.state["objective"])
