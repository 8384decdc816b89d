"""The gate between two rungs, on folders as a climb leaves them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from omnireel.cli.main import app
from omnireel.errors import IntegrityError, NotFound
from omnireel.recipes.ladder import build_ladder
from omnireel.recipes.rung_gate import judge_rung
from omnireel.registry import verify
from tests.support.registry import small_component

LADDER = build_ladder("tiny")


def climbed(folder: Path, rung: str, value: float, start: str = "", loss: Any = 0.5) -> Path:
    """A finished rung."""
    component = small_component(folder / rung / "component", value)
    stands_on = {"reference": verify(folder / start / "component")["sha256"]} if start else {}
    (folder / rung / "plan.json").write_text(json.dumps({"stands_on": stands_on}))
    (folder / rung / "run").mkdir()
    rows = [
        {"event": "start", "step": 0},
        {"event": "train", "step": 3, "loss": loss},
        {"event": "validation", "step": 3, "loss": 0.4},
        {"event": "end", "step": 3},
    ]
    text = "\n".join(json.dumps(row) for row in rows)
    (folder / rung / "run/metrics.jsonl").write_text(text + "\n")
    return component


def scored(folder: Path, rung: str, scores: list[float]) -> None:
    """Its results, one case a score."""
    cases = [
        {
            "name": f"C20/train/{n}", "split": "train", "seed": n, "prompt": "a",
            "scores": {"precise": {"score": {"right": score}}},
        }
        for n, score in enumerate(scores)
    ]  # fmt: skip
    found = {
        "format_version": 1, "wordings": ["precise"], "model": {"version": rung},
        "capabilities": {"C20": {"metrics": [{"oracle": "right", "unit": ""}], "cases": cases}},
    }  # fmt: skip
    (folder / rung / "results.json").write_text(json.dumps(found))


def test_a_whole_and_finite_rung_passes(tmp_path: Path) -> None:
    climbed(tmp_path, "vae", 1.0)
    verdict = judge_rung(tmp_path, LADDER, "vae")
    assert verdict.passed and len(verdict.reasons) == 1


@pytest.mark.parametrize("loss", ["nan", "inf", None])
def test_a_loss_that_is_no_number_fails(tmp_path: Path, loss: Any) -> None:
    climbed(tmp_path, "vae", 1.0, loss=loss)
    verdict = judge_rung(tmp_path, LADDER, "vae")
    assert not verdict.passed and f"train loss is {loss}" in verdict.lines[0]
    result = CliRunner().invoke(app, ["train", "gate", str(tmp_path), "vae"])
    assert result.exit_code == 1 and "failed" in result.output


def test_a_rung_that_has_fallen_fails(tmp_path: Path) -> None:
    climbed(tmp_path, "images", 1.0)
    climbed(tmp_path, "clips", 2.0, start="images")
    scored(tmp_path, "images", [1.0] * 16)
    scored(tmp_path, "clips", [0.97] * 16)
    assert judge_rung(tmp_path, LADDER, "clips").passed
    scored(tmp_path, "clips", [0.1] * 16)
    verdict = judge_rung(tmp_path, LADDER, "clips")
    assert not verdict.passed
    assert any("minus the images's" in line for line in verdict.lines if "failed" in line)


def test_what_was_set_aside_is_not_compared_with(tmp_path: Path) -> None:
    """``trajectory`` starts from what ``preference-2`` would have improved."""
    climbed(tmp_path, "tasks", 1.0)
    climbed(tmp_path, "preference-2", 2.0, start="tasks")
    climbed(tmp_path, "trajectory", 3.0, start="tasks")
    scored(tmp_path, "tasks", [0.5] * 16)
    scored(tmp_path, "preference-2", [0.0] * 16)
    scored(tmp_path, "trajectory", [0.5] * 16)
    assert judge_rung(tmp_path, LADDER, "trajectory").passed
    # An optional rung is the climb's own business.
    assert len(judge_rung(tmp_path, LADDER, "preference-2").reasons) == 1


def test_what_is_not_there_or_damaged_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no rung 'summit'"):
        judge_rung(tmp_path, LADDER, "summit")
    with pytest.raises(NotFound, match="no finished rung vae"):
        judge_rung(tmp_path, LADDER, "vae")
    component = climbed(tmp_path, "vae", 1.0)
    (weights,) = component.glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(IntegrityError):
        judge_rung(tmp_path, LADDER, "vae")


def test_answers_are_files_and_no_exit_status(tmp_path: Path) -> None:
    climbed(tmp_path, "vae", 1.0, loss="nan")
    words = ["train", "gate", str(tmp_path), "vae", "--answer", str(tmp_path / "a/answer")]
    result = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "b/verdict.json")])
    assert result.exit_code == 0
    assert (tmp_path / "a/answer").read_text() == "refused"
    verdict = json.loads((tmp_path / "b/verdict.json").read_text())
    assert verdict["verdict"] == "refused" and verdict["reasons"][0].startswith("failed: ")
