from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import torch

from omnireel.recipes.climb import RungResult
from omnireel.recipes.ladder import Rung
from omnireel.recipes.ladder_scores import compare_rungs, ladder_table, worse_than_its_start
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


def test_only_what_is_worse_beyond_chance_counts_as_worse(tmp_path: Path) -> None:
    start = _rung(tmp_path, "start", [0.5] * 8, text=4.0)

    def worse(name: str, scores: list[float] | None) -> bool:
        result = _rung(tmp_path, name, scores, text=4.0)
        result = replace(result, stands_on={"reference": start.component})
        return worse_than_its_start(result) is not None

    assert worse("bad", [0.1] * 7 + [0.5])
    assert not worse("mixed", [0.1] * 4 + [0.9] * 4)
    assert not worse("good", [0.9] * 8)
    assert not worse("unmeasured", None)


def test_a_rung_after_one_that_was_set_aside_is_compared_with_the_one_before(
    tmp_path: Path,
) -> None:
    first = _rung(tmp_path, "first", [0.5] * 8, text=4.0)
    aside = replace(_rung(tmp_path, "aside", [0.1] * 8, text=4.0), kept=False)
    third = _rung(tmp_path, "third", [0.5] * 8, text=4.0)
    scores = compare_rungs([first, aside, third])
    assert scores[2].measured.comparison is not None
    assert scores[2].measured.comparison.same == 8
    assert "set aside" in ladder_table(scores).splitlines()[3]
