from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from omnireel.cli import train
from omnireel.errors import NotFound
from omnireel.recipes.ladder import build_ladder
from omnireel.recipes.ladder_report import (
    distillation_curve,
    metric_rows,
    rung_scores,
    write_ladder_report,
)
from omnireel.registry import save_component
from tests.support.results import results_of

LADDER = build_ladder("tiny")


def _measured(root: Path, rung: str, score: float, *, steps: int, text: float, name: str) -> None:
    folder = root / rung
    save_component(
        folder / "component",
        kind="generator",
        config={"sampling": {"num_inference_steps": steps, "guidance": {"text": text}}},
        state_dict={"a": torch.zeros(1)},
        card={},
    )
    data = results_of(rung, [score] * 8, decibels=30.0)
    data["model"] = {"version": rung, "num_inference_steps": steps}
    (folder / name).write_text(json.dumps(data))


@pytest.fixture
def climbed(tmp_path: Path) -> Path:
    _measured(tmp_path, "tasks", 0.5, steps=16, text=4.0, name="results.json")
    _measured(tmp_path, "preference-2", 0.6, steps=16, text=4.0, name="results.json")
    _measured(tmp_path, "preference-2", 0.2, steps=4, text=4.0, name="results-4.json")
    _measured(tmp_path, "distribution", 0.55, steps=10, text=1.0, name="results.json")
    rows: list[dict[str, Any]] = [{"event": "start", "step": 0}]
    for step in (1, 2, 3, 2, 3, 4):  # killed after step 3, with its checkpoint at 1
        errors = {"winner_error": 0.3 + step, "loser_error": 0.4 + step}
        rows.append({"event": "train", "step": step, "margin": 0.1 * step, **errors})
    rows.append({"event": "validation", "step": 4, "margin": "nan", "winner_error": 1.0})
    run = tmp_path / "preference/run"
    run.mkdir(parents=True)
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def test_pictures_are_drawn_from_the_files_of_a_climb(climbed: Path) -> None:
    paths = write_ladder_report(climbed, LADDER)
    assert [p.name for p in paths] == ["scores.png", "dpo-preference.png", "distillation.png"]
    for path in paths:
        with Image.open(path) as picture:
            assert min(picture.size) > 300
            assert len(picture.convert("L").getcolors()) > 10  # type: ignore[arg-type]


def test_scores_by_rung_are_shares_in_order(climbed: Path) -> None:
    found = rung_scores(climbed, LADDER)
    assert list(found) == ["tasks", "preference-2", "distribution"]
    assert set(found["tasks"]) == {"mean", "C20/recognisable"}
    assert found["distribution"]["mean"].estimate == pytest.approx(0.55)


def test_the_curve_counts_guided_steps_twice(climbed: Path) -> None:
    points = distillation_curve(climbed, LADDER)
    assert {(p.rung, p.evaluations, round(p.score.estimate, 2)) for p in points} == {
        ("preference-2", 32, 0.6), ("preference-2", 8, 0.2), ("distribution", 10, 0.55),
    }  # fmt: skip
    (climbed / "distribution/results.json").unlink()
    assert distillation_curve(climbed, LADDER) == [], "a teacher alone is no distillation"


def test_a_step_that_was_done_again_counts_once(climbed: Path) -> None:
    rows = metric_rows(climbed / "preference/run", "train")
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    assert metric_rows(climbed / "tasks/run", "train") == []


def test_report_verb_and_nothing_to_draw(climbed: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(train.app, ["report", str(climbed)])
    assert done.exit_code == 0 and "report/dpo-preference.png" in done.output
    with pytest.raises(NotFound, match="--cases"):
        write_ladder_report(tmp_path / "empty", LADDER)
