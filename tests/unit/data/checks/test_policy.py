"""Policies: names, YAML, and every mistake named with its remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnireel.data.checks import ALL, Bounds, load_policy
from omnireel.data.checks.policy import read_policy, standard_policy
from omnireel.errors import InvalidInput, NotFound


def mistakes(data: object) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        read_policy(data, name="mine")
    return {v.field: v.description for v in caught.value.violations}


def test_standard_asks_every_check_that_needs_no_model() -> None:
    policy = load_policy("standard")
    without = {c.name for c in ALL if getattr(c, "model", None) is None}
    assert policy.bounds.keys() == without
    assert all(policy.bounds[c.name] == c.standard for c in ALL if c.name in without)


def test_a_file_changes_what_it_names_and_keeps_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "strict.yaml"
    path.write_text("unsafe: off\nchecks:\n  resolution: {low: 720}\n  readable: off\n")
    policy = load_policy(str(path))
    assert policy.name == "strict"
    assert policy.bounds["resolution"] == Bounds(720, standard_policy().bounds["resolution"].high)
    assert "readable" not in policy.bounds
    assert policy.digest() != standard_policy().digest()


def test_an_empty_base_asks_only_what_is_named() -> None:
    policy = read_policy(
        {"base": "empty", "unsafe": False, "checks": {"resolution": {"low": 64}}}, name="mine"
    )
    assert policy.bounds == {"resolution": Bounds(low=64)}


def test_unknown_checks_and_names_get_the_nearest_suggestion() -> None:
    found = mistakes({"unsafe": False, "checks": {"resolutoin": {"low": 1}}, "shot": {}})
    assert "did you mean 'resolution'?" in found["checks.resolutoin"]
    assert "did you mean 'shots'?" in found["shot"]
    with pytest.raises(NotFound, match="did you mean 'standard'"):
        load_policy("standart")


@pytest.mark.parametrize(
    ("line", "field", "words"),
    [
        ({"resolution": {"low": -5}}, "checks.resolution.low", "did you mean 0?"),
        ({"resolution": {"low": 9, "high": 3}}, "checks.resolution", "swap them"),
        ({"resolution": {"low": "big"}}, "checks.resolution.low", "not a number"),
        ({"resolution": {"lowest": 5}}, "checks.resolution", "give {low"),
        ({"resolution": 5}, "checks.resolution", "give {low"),
    ],
)
def test_thresholds_that_make_no_sense(line: object, field: str, words: str) -> None:
    assert words in mistakes({"unsafe": "off", "checks": line})[field]


def test_unsafe_is_never_left_out(tmp_path: Path) -> None:
    assert "unsafe: off" in mistakes({"checks": {}})["unsafe"]
    assert "no model" in mistakes({"unsafe": str(tmp_path / "nowhere")})["unsafe"]


def test_all_mistakes_come_at_once() -> None:
    found = mistakes(
        {"base": "best", "checks": {"x": {}, "resolution": {"low": -1}}, "shots": {"cut": 2}}
    )
    assert found.keys() == {"base", "unsafe", "checks.x", "checks.resolution.low", "shots.cut"}


@pytest.mark.parametrize("shots", [{"max_seconds": 0.5}, {"cutt": 1}, {"split": 1}, {"cut": "x"}])
def test_shots_that_make_no_sense(shots: object) -> None:
    assert any(field.startswith("shots.") for field in mistakes({"unsafe": False, "shots": shots}))
