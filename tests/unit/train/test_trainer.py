from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from omnireel.errors import FailedPrecondition, InvalidInput
from omnireel.train import Callback, FeedConfig, StepEvent, TrainerConfig
from omnireel.train.callbacks import RunInfo, ValidationReport
from omnireel.train.feed import Feed
from omnireel.train.randomness import step_seed
from tests.support.toy_training import ToyData, ToyObjective, toy_trainer


class Recorder(Callback):
    def __init__(self) -> None:
        self.seen: list[tuple[str, int]] = []
        self.metrics: list[dict[str, float]] = []
        self.error: BaseException | None = None

    def on_start(self, info: RunInfo) -> None:
        self.seen.append(("start", info.start_step))

    def on_step(self, event: StepEvent) -> None:
        self.seen.append(("step", event.step))
        self.metrics.append(dict(event.metrics))

    def on_validation(self, step: int, report: ValidationReport) -> None:
        self.seen.append(("validation", step))

    def on_checkpoint(self, step: int, folder: Path) -> None:
        assert (folder / "state.json").is_file()
        self.seen.append(("checkpoint", step))

    def on_end(self, step: int, error: BaseException | None) -> None:
        self.seen.append(("end", step))
        self.error = error


def _rows(run: Path, event: str) -> list[dict[str, Any]]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["event"] == event]


def test_events_come_in_order_and_reach_the_metrics_file(tmp_path: Path) -> None:
    recorder = Recorder()
    result = toy_trainer(tmp_path, recorder).fit()
    assert result.num_samples == 12 * 2 * 4
    assert recorder.seen == [
        ("start", 0),
        ("step", 3),
        ("checkpoint", 4),
        ("step", 6),
        ("validation", 6),
        ("checkpoint", 8),
        ("step", 9),
        ("step", 12),
        ("validation", 12),
        ("checkpoint", 12),
        ("end", 12),
    ]
    assert [row["step"] for row in _rows(tmp_path, "train")] == [3, 6, 9, 12]
    assert {"loss", "grad_norm", "noise", "samples_per_s"} <= _rows(tmp_path, "train")[0].keys()


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    recorder = Recorder()
    toy_trainer(tmp_path, recorder, num_steps=200, log_every=5, checkpoint_every=200).fit()
    assert recorder.metrics[-1]["loss"] < 0.6 * recorder.metrics[0]["loss"]


def test_validation_uses_the_average_and_gives_the_weights_back(tmp_path: Path) -> None:
    objective = ToyObjective()
    trainer = toy_trainer(tmp_path, objective=objective)
    trainer.fit()
    live = objective.net.eval()(torch.ones(2, 6)).mean().item()
    with trainer.ema.swapped_in():
        averaged = objective.net(torch.ones(2, 6)).mean().item()
    assert objective.validated[-1] == averaged != live


def test_accumulation_averages_the_batches(tmp_path: Path) -> None:
    class Sum(ToyObjective):
        def loss(self, batch: torch.Tensor, rng: torch.Generator) -> Any:
            report = super().loss(batch, rng)
            self.gradients.append(torch.autograd.grad(report.loss, self.net.table)[0])
            return super().loss(batch, rng)

    objective = Sum()
    objective.gradients = []
    objective.net.norm = torch.nn.Identity()
    torch.manual_seed(0)
    trainer = toy_trainer(tmp_path, objective=objective, num_steps=1, clip_norm=0)
    trainer.fit()
    expected = torch.stack(objective.gradients).mean(0)
    # Both draw other dropout masks, so only the size is comparable: a sum would be twice as long.
    assert objective.net.table.grad is not None
    assert objective.net.table.grad.norm() < 1.5 * expected.norm()


def test_skipped_steps_are_counted_and_leave_no_trace(tmp_path: Path) -> None:
    objective = ToyObjective(bad_steps=(5,))
    result = toy_trainer(tmp_path, objective=objective).fit()
    assert result.skipped_steps == 1
    assert all(bool(torch.isfinite(p).all()) for p in objective.net.parameters())
    assert _rows(tmp_path, "train")[-1]["skipped_steps"] == 1


@pytest.mark.parametrize("change", [{"non_finite": "stop"}, {"max_skips": 0}])
def test_policy_stops_on_a_loss_that_is_not_finite(tmp_path: Path, change: dict[str, Any]) -> None:
    recorder = Recorder()
    trainer = toy_trainer(tmp_path, recorder, objective=ToyObjective(bad_steps=(5,)), **change)
    with pytest.raises(FailedPrecondition, match="not finite at step 2"):
        trainer.fit()
    assert isinstance(recorder.error, FailedPrecondition)
    assert "not finite" in _rows(tmp_path, "end")[0]["error"]


def test_time_budget_ends_the_run_and_drives_the_schedule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = {"now": 100.0}
    monkeypatch.setattr("omnireel.train.clock.time.monotonic", lambda: clock["now"])

    class Tick(Recorder):
        def on_step(self, event: StepEvent) -> None:
            super().on_step(event)
            clock["now"] += 6.0

    tick = Tick()
    result = toy_trainer(tmp_path, tick, num_steps=1000, max_minutes=1.0, log_every=1).fit()
    assert result.step == 10 and not result.stopped_early
    rates = [m["lr_multiplier"] for m in tick.metrics]
    assert rates[-1] == pytest.approx(0.2) and rates[4] == pytest.approx(1.0)
    assert ("validation", 10) in tick.seen


def test_data_errors_surface_and_the_run_is_marked_failed(tmp_path: Path) -> None:
    class Broken(ToyData):
        def batch(self, index: int) -> torch.Tensor:
            if index == 3:
                raise ValueError("shard is broken")
            return super().batch(index)

    trainer = toy_trainer(tmp_path, feed=FeedConfig(workers=2))
    trainer.data = Broken()
    with pytest.raises(ValueError, match="shard is broken"):
        trainer.fit()
    assert "shard is broken" in _rows(tmp_path, "end")[0]["error"]


@pytest.mark.parametrize(
    "config",
    [FeedConfig(0), FeedConfig(2, depth=4), FeedConfig(1, depth=2, processes=True)],
)
def test_feed_keeps_the_order(config: FeedConfig) -> None:
    feed = Feed(ToyData(), config, start=5)
    try:
        for index in range(5, 10):
            assert torch.equal(feed.take(), ToyData().batch(index))
    finally:
        feed.close()


def test_step_seeds_do_not_collide() -> None:
    seeds = {step_seed(s, t, m) for s in range(3) for t in range(200) for m in range(3)}
    assert len(seeds) == 1800 and all(0 <= s < 2**63 for s in seeds)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("num_steps", 0),
        ("accumulate", 0),
        ("max_minutes", 0.0),
        ("non_finite", "ignore"),
        ("clip_norm", -1.0),
        ("clip_norm", float("nan")),
        ("clip_norm", float("inf")),
        ("threads", -1),
        ("device", "gpu"),
    ],
)
def test_bad_values_are_named(field: str, value: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        TrainerConfig(**{"num_steps": 1, field: value})
    assert caught.value.violations[0].field == f"trainer.{field}"
