"""How long a rank may be silent, by what it has done before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from torch import nn

from omnireel.recipes.run import _signs_of_life
from omnireel.train import TrainerConfig
from omnireel.train.heartbeat import Heartbeat, read_beat
from omnireel.train.validating import _not_compiled
from tests.support.toy_training import toy_trainer


class Life:
    """A heartbeat of 45 s on a clock that is moved by hand."""

    def __init__(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._now, self._file = 1000.0, file
        clock = SimpleNamespace(monotonic=lambda: self._now)
        monkeypatch.setattr("omnireel.train.heartbeat.time", clock)
        self.heartbeat = Heartbeat(45.0, file)

    def after(self, seconds: float, phase: str, step: int) -> float:
        """The limit, when ``phase`` of ``step`` begins so much later."""
        self._now += seconds
        self.heartbeat(phase, step)
        beat = read_beat(self._file)
        assert beat is not None and (beat.phase, beat.step) == (phase, step)
        return beat.within_s

    def steps(self, numbers: range, seconds: float) -> float:
        """Whole steps; the limit of the last one's passes."""
        limits = [0.0]
        for step in numbers:
            limits.append(self.after(0.1, "data", step))
            self.after(seconds, "step", step + 1)
        return limits[-1]


@pytest.fixture
def life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Life]:
    life = Life(tmp_path / "beat", monkeypatch)
    yield life
    life.heartbeat.close()


def test_a_first_step_that_compiles_is_given_time_and_does_not_count_later(life: Life) -> None:
    assert life.after(60.0, "data", 0) == 900.0
    assert life.after(200.0, "micro-batch", 0) == 900.0
    assert life.after(200.0, "step", 1) == 900.0
    assert life.after(0.3, "data", 1) == 45.0
    assert life.after(0.3, "step", 2) == 45.0


def test_a_slow_step_is_forgotten_after_fifty(life: Life) -> None:
    life.steps(range(10), 0.3)
    life.steps(range(10, 11), 60.0)
    assert life.steps(range(11, 40), 0.3) == 300.0
    assert life.steps(range(40, 70), 0.3) == 45.0


def test_steps_that_are_always_long_have_longer_limits(life: Life) -> None:
    assert life.steps(range(5), 20.0) == 100.0


def test_only_the_first_validation_is_waited_for_long(life: Life) -> None:
    life.steps(range(5), 0.3)
    assert life.after(0.1, "validation", 5) == 900.0
    assert life.after(30.0, "validation", 5) == 900.0  # a network has answered
    life.after(5.0, "step", 5)
    life.steps(range(5, 10), 0.3)
    assert life.after(0.1, "validation", 10) == 150.0


def test_a_slow_step_does_not_make_checkpoints_longer(life: Life) -> None:
    life.steps(range(1), 0.3)
    life.steps(range(1, 3), 60.0)
    assert life.after(0.1, "checkpoint", 3) == 900.0
    life.after(5.0, "step", 3)
    assert life.after(0.1, "checkpoint", 4) == 900.0


def test_a_process_is_watched_when_a_launcher_started_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with _signs_of_life(TrainerConfig(num_steps=1)) as beat:
        assert not isinstance(beat, Heartbeat)
    monkeypatch.setenv("WORLD_SIZE", "1")
    with _signs_of_life(TrainerConfig(num_steps=1)) as beat:
        assert isinstance(beat, Heartbeat)


def test_a_validation_beats_with_each_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omnireel.train.validating._APART_S", 0.0)
    beats: list[str] = []
    trainer = toy_trainer(tmp_path, beat=lambda phase, step: beats.append(f"{phase} {step}"))
    trainer.fit()
    # One at the start, one for each of three layers and one for the network.
    assert beats.count("validation 6") == 5
    assert not any(m._forward_hooks for m in trainer.objective.modules()["net"].modules())


def test_compiled_parts_get_no_hooks() -> None:
    inner = nn.Linear(2, 2)
    net = nn.Sequential(inner, nn.ReLU())
    inner.compile(backend="eager")
    assert [type(m) for m in _not_compiled(net)] == [nn.Sequential, nn.ReLU]
