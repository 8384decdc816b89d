from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from omnireel.errors import (
    AlreadyExists,
    FailedPrecondition,
    IntegrityError,
    InvalidInput,
    NotFound,
    ResourceExhausted,
)
from omnireel.train import Callback, FeedConfig, StepEvent, checkpoint
from omnireel.train.checkpoint import load_checkpoint
from omnireel.train.lock import run_lock
from tests.support.toy_training import ToyObjective, toy_trainer


def _same(a: Path, b: Path) -> None:
    one, two = load_checkpoint(a), load_checkpoint(b)
    assert one.step == two.step
    for group in ("model", "ema", "optimizer", "random"):
        left, right = getattr(one, group), getattr(two, group)
        assert left.keys() == right.keys() and left
        for name in left:
            assert torch.equal(left[name], right[name]), (group, name)
    for key in ("num_samples", "skipped", "ema_updates", "random", "objective"):
        assert one.state[key] == two.state[key], key


@pytest.mark.parametrize("feed", [FeedConfig(workers=0), FeedConfig(workers=2, depth=3)])
@pytest.mark.parametrize("stop_at", [4, 7])
def test_interrupted_and_resumed_equals_uninterrupted(
    tmp_path: Path, stop_at: int, feed: FeedConfig
) -> None:
    toy_trainer(tmp_path / "whole").fit()

    class StopAt(Callback):
        def on_step(self, event: StepEvent) -> None:
            if event.step == stop_at:
                trainer.request_stop()

    trainer = toy_trainer(tmp_path / "parts", StopAt(), feed=feed, log_every=1)
    result = trainer.fit()
    assert result.stopped_early and result.step == stop_at
    torch.manual_seed(999)  # the state of another process
    resumed = toy_trainer(tmp_path / "parts", feed=feed)
    assert resumed.fit(resume=True).step == 12
    _same(tmp_path / "whole", tmp_path / "parts")


def test_saved_state_covers_both_optimisers_and_every_average(tmp_path: Path) -> None:
    toy_trainer(tmp_path).fit()
    saved = load_checkpoint(tmp_path)
    assert "muon/momentum_buffer/net.hidden.weight" in saved.optimizer
    assert "adamw/exp_avg_sq/net.table" in saved.optimizer
    assert "0.5/net.hidden.weight" in saved.ema and "0.9/net.norm.running_var" in saved.ema
    assert "net.norm.num_batches_tracked" in saved.model


def test_only_the_newest_two_are_kept(tmp_path: Path) -> None:
    toy_trainer(tmp_path).fit()
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == [
        "latest",
        "step_00000008",
        "step_00000012",
    ]


def test_truncated_checkpoint_names_the_older_one_which_works(tmp_path: Path) -> None:
    toy_trainer(tmp_path).fit()
    newest = tmp_path / "checkpoints" / "step_00000012" / "optimizer.safetensors"
    newest.write_bytes(newest.read_bytes()[:-5])
    with pytest.raises(IntegrityError, match=r"optimizer\.safetensors.*step_00000008"):
        toy_trainer(tmp_path).fit(resume=True)
    (tmp_path / "checkpoints" / "latest").write_text("step_00000008\n")
    assert toy_trainer(tmp_path).fit(resume=True).step == 12


@pytest.mark.parametrize("text", ["", "{}", '{"format": "another tool", "step": 3}'])
def test_foreign_or_damaged_state_is_refused(tmp_path: Path, text: str) -> None:
    toy_trainer(tmp_path).fit()
    (tmp_path / "checkpoints" / "step_00000012" / "state.json").write_text(text)
    with pytest.raises((IntegrityError, InvalidInput), match=r"damaged|no checkpoint of this"):
        toy_trainer(tmp_path).fit(resume=True)


def test_another_model_is_refused(tmp_path: Path) -> None:
    toy_trainer(tmp_path).fit()
    objective = ToyObjective()
    objective.net.extra = torch.nn.Linear(2, 2)
    with pytest.raises(IntegrityError, match="another model"):
        toy_trainer(tmp_path, objective=objective).fit(resume=True)


def test_changed_configuration_is_refused_by_name(tmp_path: Path) -> None:
    toy_trainer(tmp_path, description={"model.width": 4, "trainer.num_steps": 12}).fit()
    with pytest.raises(InvalidInput, match=r"model\.width \(4 -> 8\)") as caught:
        toy_trainer(tmp_path, description={"model.width": 8}).fit(resume=True)
    assert caught.value.violations[0].field == "model.width"
    longer = {"model.width": 4, "trainer.num_steps": 14}
    assert toy_trainer(tmp_path, description=longer, num_steps=14).fit(resume=True).step == 14


def test_a_run_is_not_overwritten_and_absence_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="without --resume"):
        toy_trainer(tmp_path).fit(resume=True)
    toy_trainer(tmp_path).fit()
    with pytest.raises(AlreadyExists, match="--resume"):
        toy_trainer(tmp_path).fit()


def test_disk_full_leaves_the_previous_checkpoint_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = checkpoint.save_file

    def full_later(tensors: dict[str, torch.Tensor], path: Path) -> None:
        if "step_00000008" in str(path) and path.name == "optimizer.safetensors":
            path.write_bytes(b"half")
            raise OSError(28, "No space left on device")
        real(tensors, path)

    monkeypatch.setattr(checkpoint, "save_file", full_later)
    with pytest.raises(ResourceExhausted, match="no space left"):
        toy_trainer(tmp_path).fit()
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == [
        "latest",
        "step_00000004",
    ]
    monkeypatch.undo()
    toy_trainer(tmp_path).fit(resume=True)
    toy_trainer(tmp_path / "whole").fit()
    _same(tmp_path, tmp_path / "whole")


def test_two_runs_on_one_folder_are_refused(tmp_path: Path) -> None:
    with (
        run_lock(tmp_path),
        pytest.raises(FailedPrecondition, match=f"process {os.getpid()}"),
    ):
        toy_trainer(tmp_path).fit()
    toy_trainer(tmp_path).fit()


def test_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    code = (
        "import os, signal; from pathlib import Path; from omnireel.train.lock import run_lock\n"
        f"with run_lock(Path({str(tmp_path)!r})): os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -9
    assert json.loads((tmp_path / "run.lock").read_text())["pid"] != os.getpid()
    with run_lock(tmp_path):
        pass
