from __future__ import annotations

import json
from pathlib import Path

import torch

from omnireel.recipes.climb import RungResult
from omnireel.recipes.ladder import Rung
from omnireel.recipes.ladder_scores import compare_rungs, ladder_table
from omnireel.registry import save_component
from tests.support.results import results_of


def _rung(root: Path, name: str, scores: list[float] | None, *, text: float) -> RungResult:
    component = save_component(
        root / name / "component",
        kind="generator",
        config={"sampling": {"num_inference_steps": 10, "guidance": {"text": text}}},
        state_dict={"a": torch.zeros(1)},
        card={"steps": 5, "samples": 80, "wall_time_s": 120},
    )
    if scores is not None:
        (root / name / "results.json").write_text(json.dumps(results_of(name, scores)))
    rung = Rung(name, f"what {name} is for", "generator", "generator-debug", "generator-debug")
    return RungResult(rung, component, {"generator": component}, was_done=False)


def test_rungs_are_compared_with_the_measured_one_before(tmp_path: Path) -> None:
    results = [
        _rung(tmp_path, "first", [0.1] * 8, text=4.0),
        _rung(tmp_path, "unmeasured", None, text=4.0),
        _rung(tmp_path, "student", [0.9] * 6 + [0.0] * 2, text=1.0),
    ]
    scores = compare_rungs(results)
    assert [s.result.rung.name for s in scores] == ["first", "student"]
    assert [s.num_function_evaluations for s in scores] == [20, 10]
    assert scores[0].measured.comparison is None
    comparison = scores[1].measured.comparison
    assert comparison is not None and (comparison.good, comparison.bad) == (6, 2)
    lines = ladder_table(scores).splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert "what student is for" in lines[-1] and "(6 / 0 / 2)" in lines[-1]
    assert "recognisable 0.68" in lines[-1]
