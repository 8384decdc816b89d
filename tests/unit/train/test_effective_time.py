"""The model of failures against a simulation of them."""

from __future__ import annotations

import random

import pytest

from omnireel.errors import InvalidInput
from omnireel.train.effective_time import FailureModel


def _simulated(model: FailureModel, interval_s: float, segments: int) -> float:
    """Share of useful time, failure by failure."""
    rng = random.Random(0)
    clock = 0.0
    for _ in range(segments):
        while True:
            until = rng.expovariate(model.rate)
            if until > interval_s + model.checkpoint_s:
                clock += interval_s + model.checkpoint_s
                break
            clock += until
            # Restarting, and what was not written yet, can be hit by failures as well.
            while (again := rng.expovariate(model.rate)) < model.restart_s + model.write_s:
                clock += again
            clock += model.restart_s + model.write_s
    return segments * interval_s / clock


@pytest.mark.parametrize("mtbf_s", [2e5, 1e6])
@pytest.mark.parametrize("interval_s", [60.0, 400.0])
def test_the_formula_is_what_happens_on_average(mtbf_s: float, interval_s: float) -> None:
    model = FailureModel(1000, mtbf_s, restart_s=40.0, checkpoint_s=3.0, write_s=10.0)
    assert model.effective(interval_s) == pytest.approx(
        _simulated(model, interval_s, 20_000), rel=0.02
    )


def test_without_failures_only_checkpoints_cost() -> None:
    model = FailureModel(1, 1e12, restart_s=60.0, checkpoint_s=5.0)
    assert model.effective(95.0) == pytest.approx(0.95, rel=1e-6)


def test_the_best_interval_is_near_the_maximum() -> None:
    model = FailureModel(1000, 5e7, restart_s=120.0, checkpoint_s=4.0)
    best = model.best_interval_s()
    assert best == pytest.approx(632.5, rel=0.01)
    assert model.effective(best) >= max(model.effective(best * f) for f in (0.3, 3.0))
    assert model.effective(best) - model.effective(1.2 * best) < 0.001
    with pytest.raises(InvalidInput):
        FailureModel(0, 1.0, 0.0, 0.0)
