"""What happens to steps that went wrong, and checkpoints that are written meanwhile."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from omnireel.errors import FailedPrecondition, IntegrityError
from omnireel.parallel import Rank
from omnireel.train import LossReport, Trainer, ValidationReport
from omnireel.train.checkpoint import latest_checkpoint, load_checkpoint
from omnireel.train.saving import CheckpointWriter
from omnireel.train.stability import StepJudge
from omnireel.train.validating import beyond
from tests.support.toy_training import ToyData, ToyObjective, toy_trainer


def _judge(**changes: Any) -> StepJudge:
    config = {"non_finite": "skip", "spike": "skip", "spike_factor": 5.0, "max_skips": 3}
    return StepJudge(**(config | changes))  # type: ignore[arg-type]


def test_a_leap_of_the_norm_is_seen_once_enough_norms_are_known() -> None:
    judge = _judge()
    for step in range(9):
        assert judge(step, 1.0, 1.0) is None and judge.norm_limit == math.inf
    assert judge(9, 1.0, 100.0) is None  # nine norms are too few to judge by
    assert judge.norm_limit == 5.0
    verdict = judge(10, 1.0, 5.1)
    assert verdict is not None and "5.1 is a spike (limit 5)" in verdict.what
    assert judge(11, 1.0, 4.9) is None
    assert judge.skipped == 1 and len(judge.norms()) == 11
    again = _judge()
    again.restore(judge.skipped, judge.norms())
    assert again.norm_limit == judge.norm_limit
    assert _judge(spike_factor=0.0).norm_limit == math.inf


@pytest.mark.parametrize("values", [(math.nan, 1.0), (1.0, math.inf)])
def test_what_is_not_finite_follows_its_policy(values: tuple[float, float]) -> None:
    verdict = _judge(non_finite="roll_back")(0, *values)
    assert verdict is not None and verdict.policy == "roll_back"
    with pytest.raises(FailedPrecondition, match="not finite at step 7"):
        _judge(non_finite="stop")(7, *values)
    patient = _judge(max_skips=1)
    patient(0, *values)
    with pytest.raises(FailedPrecondition, match="2 such steps"):
        patient(1, *values)


class InfiniteLoss(ToyObjective):
    """The loss is infinite, its gradient is not."""

    def loss(self, batch: torch.Tensor, rng: torch.Generator) -> LossReport:
        report = super().loss(batch, rng)
        return replace(report, loss=report.loss + math.inf)


def test_a_skipped_step_changes_no_weight_even_where_its_gradient_is_finite(tmp_path: Path) -> None:
    objective = InfiniteLoss()
    before = {n: p.detach().clone() for n, p in objective.net.named_parameters()}
    result = toy_trainer(tmp_path, objective=objective, num_steps=2).fit()
    assert result.skipped_steps == 2
    assert all(torch.equal(p, before[n]) for n, p in objective.net.named_parameters())
    assert not load_checkpoint(tmp_path).optimizer


class PoisonedData(ToyData):
    """Batch 12 is not finite."""

    def batch(self, index: int) -> torch.Tensor:
        return super().batch(index) * (math.nan if index == 12 else 1.0)


def _poisoned(run: Path, **changes: Any) -> Trainer:
    trainer = toy_trainer(run, non_finite="roll_back", **changes)
    trainer.data = PoisonedData()
    return trainer


def test_rolling_back_leaves_out_the_bad_batches_and_says_so(tmp_path: Path) -> None:
    # Two batches a step: batch 12 is in step 6; the last checkpoint is at step 4.
    result = _poisoned(tmp_path).fit()
    assert (result.step, result.skipped_steps) == (12, 1)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    notices = [(r["step"], r["message"]) for r in rows if r["event"] == "notice"]
    assert notices == [
        (6, "loss is not finite; back to step 4, leaving out the batches since"),
    ]
    # Steps 4 and 5 were made again, from the batches after the bad ones.
    assert load_checkpoint(tmp_path).state["data_offset"] == 3


def test_a_run_that_returned_goes_on_as_if_uninterrupted(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    _poisoned(whole).fit()
    trainer = _poisoned(parts)
    trainer.callbacks.on_step = lambda event: (  # type: ignore[method-assign]
        trainer.request_stop() if event.step == 9 else None
    )
    assert trainer.fit().step == 9
    _poisoned(parts).fit(resume=True)
    one, other = load_checkpoint(whole), load_checkpoint(parts)
    assert all(torch.equal(one.model[n], other.model[n]) for n in one.model)
    assert one.state["data_offset"] == other.state["data_offset"] == 3


def test_nowhere_to_return_to_stops_the_run(tmp_path: Path) -> None:
    trainer = toy_trainer(tmp_path, objective=ToyObjective(bad_steps=(3,)), non_finite="roll_back")
    with pytest.raises(FailedPrecondition, match="no checkpoint to go back to"):
        trainer.fit()


class Worsening(ToyObjective):
    """A held-out score that grows by one with every validation."""

    def validate(self) -> ValidationReport:
        super().validate()
        return ValidationReport({"score": float(len(self.validated))})


def test_a_run_ends_at_the_checkpoint_before_its_held_out_score_left_its_limit(
    tmp_path: Path,
) -> None:
    changes: dict[str, Any] = {
        "validate_every": 4,
        "checkpoint_every": 4,
        "stop_above": {"score": 1.5},
    }
    result = toy_trainer(tmp_path, objective=Worsening(), **changes).fit()
    assert result.step == 8 and not result.stopped_early
    latest = latest_checkpoint(tmp_path)
    assert latest is not None and latest.name == "step_00000004"
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [r["message"] for r in rows if r["event"] == "notice"] == [
        "held-out score 2 is above 1.5 (trainer.stop_above); the run ends at step_00000004"
    ]
    changes["stop_above"] = {"score": 0.5}
    with pytest.raises(FailedPrecondition, match=r"score 1 is above .* at step 4, and there is no"):
        toy_trainer(tmp_path / "first", objective=Worsening(), **changes).fit()


def test_a_held_out_score_that_is_no_number_is_beyond_every_limit() -> None:
    assert beyond({"score": math.nan}, {"score": 1.0}) and not beyond(
        {"score": 1.0}, {"score": 1.0}
    )
    assert not beyond({"other": 5.0}, {"score": 1.0})


def test_a_stopped_run_logs_its_last_step(tmp_path: Path) -> None:
    """Also where the wish comes after the last step was done."""
    trainer = toy_trainer(tmp_path, log_every=5, validate_every=100)
    trainer.callbacks.on_checkpoint = (  # type: ignore[method-assign]
        lambda step, folder: trainer.request_stop()
    )
    assert trainer.fit().step == 4
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if row["event"] == "train"] == [4]


def test_background_checkpoints_are_the_same_and_count_only_when_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, background in (("front", False), ("back", True)):
        toy_trainer(tmp_path / name, background_checkpoints=background).fit()
    front, back = (load_checkpoint(tmp_path / name) for name in ("front", "back"))
    assert all(torch.equal(front.model[n], back.model[n]) for n in front.model)
    assert all(torch.equal(front.optimizer[n], back.optimizer[n]) for n in front.optimizer)

    spoilt = toy_trainer(tmp_path / "spoilt", num_steps=8)
    save = CheckpointWriter.start

    def start(self: CheckpointWriter, step: int, snapshot: Any, state: Any) -> None:
        if step == 8:
            monkeypatch.setattr("omnireel.train.checkpoint._same", lambda read, written: False)
        save(self, step, snapshot, state)

    monkeypatch.setattr(CheckpointWriter, "start", start)
    with pytest.raises(IntegrityError, match="reads back differently"):
        spoilt.fit()
    assert load_checkpoint(tmp_path / "spoilt").step == 4
    assert not list((tmp_path / "spoilt" / "checkpoints").glob(".step_*"))


def test_rank_0_alone_removes_what_an_interrupted_run_left(tmp_path: Path) -> None:
    half = tmp_path / "checkpoints" / ".step_00000004.partial"
    half.mkdir(parents=True)
    for rank in (1, 0):
        engine: Any = SimpleNamespace(rank=Rank(rank, 2, rank))
        CheckpointWriter(tmp_path, engine, keep=2).clear()
        assert half.exists() is (rank == 1)
