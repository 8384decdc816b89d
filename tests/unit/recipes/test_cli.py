from __future__ import annotations

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from omnireel.cli import models, train
from omnireel.cli.launch.recipe import STOPPED_EARLY
from omnireel.errors import IntegrityError, InvalidInput, NotFound, OmnireelError
from omnireel.recipes.ladder import build_ladder
from omnireel.registry import save_component
from omnireel.train.supervise import Supervision, Supervisor

RUNNER = CliRunner()


def _fails(app: object, *arguments: str) -> OmnireelError:
    result = RUNNER.invoke(app, list(arguments))  # type: ignore[arg-type]
    assert isinstance(result.exception, OmnireelError), result.output
    return result.exception


def test_list_and_help_name_every_recipe() -> None:
    listed = RUNNER.invoke(train.app, ["list"])
    assert listed.exit_code == 0 and "vae-tiny" in listed.output
    described = RUNNER.invoke(train.app, ["vae-tiny", "--help"])
    assert "omnireel train vae-tiny" in described.output and "--resume" in described.output


def test_show_prints_fields() -> None:
    result = RUNNER.invoke(train.app, ["show", "vae-debug"])
    assert "trainer.optimizer.muon_lr = " in result.output


def test_train_then_resume(tmp_path: Path) -> None:
    common = ["vae-debug", "--out", str(tmp_path / "run"), "--cache", str(tmp_path / "cache")]
    common += ["--mlflow", "off", "--set", "data.count=2", "--set", "data.shard_clips=2"]
    common += ["--set", "trainer.validate_every=50", "--set", "held_out_per_format=1"]
    first = RUNNER.invoke(train.app, [*common, "--set", "trainer.num_steps=1"])
    assert first.exit_code == 0, first.output
    assert "step 1," in first.output
    again = RUNNER.invoke(train.app, [*common, "--resume", "--set", "trainer.num_steps=2"])
    assert "step 2," in again.output


def test_ranks_get_what_the_verb_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = []

    def work(supervisor: Supervisor) -> Supervision:
        commands.append(supervisor._command(False))
        return Supervision(stopped=True)

    monkeypatch.setattr(Supervisor, "work", work)
    run = tmp_path / "run"
    common = ["vae-debug", "--out", str(run), "--ranks", "2"]
    named = ["--run-name", "a name", "--run-parent", "0123"]
    assert RUNNER.invoke(train.app, [*common, *named]).exit_code == 0
    (command,) = commands
    assert [command[command.index(word) + 1] for word in named[::2]] == named[1::2]
    assert RUNNER.invoke(train.app, [*common, "--continue"]).exit_code == STOPPED_EARLY
    # Nothing to go on from is never a reason to begin.
    missing = _fails(train.app, *common, "--resume")
    assert isinstance(missing, NotFound) and "leave --resume out" in str(missing)
    assert len(commands) == 2 and not run.exists()


def test_mistakes_are_product_errors(tmp_path: Path) -> None:
    wrong_field = _fails(train.app, "vae-debug", "--out", str(tmp_path), "--set", "trainer.stps=3")
    assert isinstance(wrong_field, InvalidInput) and "trainer.num_steps" in str(wrong_field)
    assert isinstance(_fails(train.app, "show", "vae-huge"), InvalidInput)
    score = _fails(train.app, "export", str(tmp_path), str(tmp_path / "o"), "--score", "psnr=high")
    assert isinstance(score, InvalidInput)
    assert isinstance(_fails(models.app, "show", str(tmp_path)), NotFound)


def test_a_ladder_says_why_nothing_is_promoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rungs = build_ladder("tiny").rungs

    def climbed(count: int, *options: str) -> str:
        monkeypatch.setattr("omnireel.recipes.climb.climb", lambda *a, **k: [None] * count)
        done = RUNNER.invoke(train.app, ["ladder", "--out", str(tmp_path), *options])
        assert done.exit_code == 0, done.output
        return done.output

    assert "nothing can be promoted: --mlflow off" in climbed(len(rungs), "--mlflow", "off")
    stopped = climbed(2, "--mlflow", "off", "--last", "images")
    assert "stopped after images" in stopped and "nothing can be promoted" not in stopped


def test_models_show_and_verify(tmp_path: Path) -> None:
    save_component(
        tmp_path / "vae",
        kind="vae",
        config={},
        state_dict={"w": torch.ones(2)},
        card={"scores": {"psnr": 31.256}},
    )
    shown = RUNNER.invoke(models.app, ["show", str(tmp_path)])
    assert "vae, 0.00 M parameters" in shown.output and "psnr 31.26" in shown.output
    assert "ok" in RUNNER.invoke(models.app, ["verify", str(tmp_path)]).output
    with (tmp_path / "vae" / "model.safetensors").open("ab") as file:
        file.write(b"x")
    assert isinstance(_fails(models.app, "verify", str(tmp_path)), IntegrityError)


@pytest.mark.parametrize("app", [train.app, models.app])
def test_no_arguments_show_help(app: object) -> None:
    assert "Usage" in RUNNER.invoke(app, []).output  # type: ignore[arg-type]
