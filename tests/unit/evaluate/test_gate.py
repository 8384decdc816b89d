"""The gate: lower bounds decide, and what was not measured does not pass."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from omnireel.errors import InvalidInput, NotFound
from omnireel.evaluate.bootstrap import Interval
from omnireel.evaluate.gate import GateConfig, Measured, decide
from omnireel.evaluate.gate_scores import measure, read_results
from omnireel.evaluate.gsb import Comparison
from tests.support.results import results_of


def test_the_lower_bound_decides() -> None:
    measured = Measured("new", {"mean": Interval(0.62, 0.55, 0.70, 20)})
    good = decide(measured, GateConfig(required={"mean": 0.55}))
    assert good.passed
    bad = decide(measured, GateConfig(required={"mean": 0.56}))
    assert not bad.passed
    assert bad.lines == ("failed: mean is 0.62 [0.55..0.7]: the lower bound is not at least 0.56",)


def test_no_worse_tolerates_a_loss_but_not_doubt() -> None:
    rule = GateConfig(no_worse={"mean": 0.02})

    def passes(low: float) -> bool:
        difference = {"mean": Interval(0.0, low, 0.05, 20)}
        return decide(Measured("new", {}, "old", difference), rule).passed

    assert passes(-0.02) and passes(0.01)
    assert not passes(-0.03)  # may be a loss of 0.03, even where the estimate is none


def test_gsb_has_its_counts_and_may_be_infinite() -> None:
    def verdict(low: float) -> Any:
        compared = Comparison(9, 10, 1, Interval(1.7, low, math.inf, 20))
        return decide(Measured("new", {}, "old", {}, compared), GateConfig(gsb=0.95))

    assert verdict(1.1).passed and verdict(math.inf).passed
    assert not verdict(0.9).passed
    assert verdict(0.9).lines[0].endswith("is not at least 0.95 from 9 good, 10 same, 1 bad")


def test_another_opponent_is_called_by_its_name() -> None:
    compared = Comparison(9, 10, 1, Interval(1.7, 1.1, 2.0, 20))
    measured = Measured("new", {}, "old", {"mean": Interval(0.0, -0.1, 0.1, 20)}, compared)
    config = GateConfig(no_worse={"mean": 0.2}, gsb=0.9)
    lines = decide(measured, config, opponent="teacher").lines
    assert lines[0].startswith("passed: mean minus the teacher's is 0 ")
    assert lines[1].startswith("passed: GSB against the teacher is 1.7 ")
    assert decide(measured, config).lines[1].startswith("passed: GSB is 1.7 ")


@pytest.mark.parametrize(
    ("measured", "words"),
    [
        (Measured("new", {}), "mean was not measured"),
        (Measured("new", {"mean": Interval(1, 1, 1, 3)}), "from 3 observations; 8 are needed"),
        (Measured("new", {"mean": Interval(1, math.nan, 1, 9)}), "lower bound is not at least"),
    ],
)
def test_what_is_not_known_does_not_pass(measured: Measured, words: str) -> None:
    verdict = decide(measured, GateConfig(required={"mean": 0.1}))
    assert not verdict.passed
    assert words in verdict.lines[0]


def test_a_missing_comparison_does_not_pass() -> None:
    verdict = decide(Measured("new", {}, "old"), GateConfig(no_worse={"mean": 0.1}, gsb=0.9))
    assert [r.passed for r in verdict.reasons] == [False, False]


def test_the_first_champion_needs_a_required_score() -> None:
    scores = {"mean": Interval(0.6, 0.5, 0.7, 9)}
    assert not decide(Measured("new", scores), GateConfig(gsb=0.95)).passed
    verdict = decide(Measured("new", scores), GateConfig(required={"mean": 0.4}, gsb=0.95))
    assert verdict.passed
    assert verdict.lines[1] == "passed: GSB: no champion to compare with"


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({}, "passes everything"),
        ({"required": {"a": math.nan}}, "not finite"),
        ({"no_worse": {"a": -0.1}}, "is negative"),
        ({"gsb": 0.0}, "not above 0"),
        ({"gsb": 1.0, "min_count": 1}, "at least 2"),
    ],
)
def test_rules_that_make_no_sense(rules: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        GateConfig(**rules)


def test_scores_are_paired_by_case() -> None:
    # Cases differ a lot, the models by exactly 0.1: only pairing sees that.
    levels = [0.1 * i for i in range(9)]
    better = results_of("new", [level + 0.1 for level in levels])
    worse = results_of("old", levels)
    measured = measure(better, worse, tie_margin=0.05)
    assert (measured.candidate, measured.champion) == ("new", "old")
    assert measured.scores["C20/recognisable"].estimate == pytest.approx(0.5)
    assert measured.scores["C20/recognisable"].count == 9
    difference = measured.differences["C20/recognisable"]
    assert (difference.low, difference.high) == (pytest.approx(0.1), pytest.approx(0.1))
    assert measured.comparison is not None
    assert (measured.comparison.good, measured.comparison.bad) == (9, 0)
    back = measure(worse, better, tie_margin=0.05)
    assert not decide(back, GateConfig(no_worse={"C20/recognisable": 0.05})).passed
    assert decide(measured, GateConfig(no_worse={"mean": 0.0}, gsb=1.0)).passed
    ties = measure(better, worse, tie_margin=0.2).comparison
    assert ties is not None and ties.same == 9


def test_held_out_cases_and_decibels_stand_apart() -> None:
    results = results_of("new", [0.5] * 8, held_out=[0.1] * 8, decibels=30.0)
    scores = measure(results, None).scores
    assert scores["C20/recognisable"].estimate == pytest.approx(0.5)
    assert scores["C20/recognisable/held_out"].estimate == pytest.approx(0.1)
    assert scores["C20/target"].estimate == pytest.approx(30.0)
    assert scores["mean"].estimate == pytest.approx(0.3)


def test_other_cases_are_not_compared() -> None:
    with pytest.raises(InvalidInput, match="different cases"):
        measure(results_of("new", [0.5] * 8), results_of("old", [0.5] * 9))
    with pytest.raises(InvalidInput, match="different cases"):
        measure(results_of("new", [0.5] * 8), results_of("old", [0.5] * 8, seed=7))


def test_results_files(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    with pytest.raises(NotFound, match="omnireel eval quick"):
        read_results(path)
    for content in ("not json", "[]", "{}", json.dumps({"format_version": 1, "model": {}})):
        path.write_text(content)
        with pytest.raises(InvalidInput):
            read_results(path)
    path.write_text(json.dumps(results_of("new", [0.5] * 8)))
    assert read_results(path)["model"]["version"] == "new"
