from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from PIL import Image

from omnireel.errors import InvalidInput
from omnireel.evaluate.bootstrap import Interval
from omnireel.recipes.scaling import (
    SMOKE_STUDY,
    ScalingPoint,
    ScalingStudy,
    SizeOfStudy,
    run_study,
)
from omnireel.recipes.scaling_figure import draw, fit, frontier


def point(size: str, flops: float, loss: float) -> ScalingPoint:
    return ScalingPoint(size, 1000, 1, 8, flops, loss, Interval(0.5, 0.4, 0.6, 9))


def test_the_frontier_leaves_out_what_a_cheaper_point_beats() -> None:
    points = [
        point("b", 4.0, 0.6),
        point("a", 1.0, 0.9),
        point("b", 2.0, 1.5),
        point("a", 3.0, 0.7),
    ]
    assert [p.flops for p in frontier(points)] == [1.0, 3.0, 4.0]


def test_a_power_law_is_found_again(tmp_path: Path) -> None:
    points = [point("a", flops, 7.0 * flops**-0.25) for flops in (1e9, 1e10, 1e12)]
    law = fit(points)
    assert law.factor == pytest.approx(7.0)
    assert law.exponent == pytest.approx(0.25)
    assert draw([*points, point("b", 1e10, 9.0)], tmp_path / "scaling.png") == law
    with Image.open(tmp_path / "scaling.png") as picture:
        assert picture.size[0] > 500


def test_one_amount_of_compute_is_no_trend() -> None:
    with pytest.raises(InvalidInput, match="two amounts"):
        fit([point("a", 1.0, 0.9), point("b", 1.0, 0.8)])


def test_sizes_of_the_study_grow_and_see_fewer_samples() -> None:
    sizes = ScalingStudy().sizes
    assert [s.network.width for s in sizes] == sorted(s.network.width for s in sizes)
    assert [s.steps for s in sizes] == sorted((s.steps for s in sizes), reverse=True)


def test_a_study_is_measured_point_by_point_and_never_twice(tmp_path: Path) -> None:
    out, cache = tmp_path / "study", tmp_path / "cache"
    smaller = SizeOfStudy("small", SMOKE_STUDY.sizes[0].network, (1, 3))
    study = ScalingStudy(
        SMOKE_STUDY.recipe, (smaller,), ("trainer.schedule.kind=constant",), SMOKE_STUDY.cases
    )
    seen: list[ScalingPoint] = []
    points = run_study(study, out, cache, lambda run: (), print, on_point=seen.append)
    assert points == seen
    assert json.loads((out / "points.json").read_text()) == [asdict(p) for p in points]
    assert [(p.steps, p.samples) for p in points] == [(1, 4), (3, 12)]
    assert points[0].flops * 3 == pytest.approx(points[1].flops, rel=0.5)
    assert points[0].held_out_loss != points[1].held_out_loss

    def unexpected(run: Path) -> tuple[()]:
        raise AssertionError(f"{run} is trained again")

    assert run_study(study, out, cache, unexpected, print) == points
