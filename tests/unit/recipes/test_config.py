from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from omnireel.errors import InvalidInput
from omnireel.recipes import RECIPES, build_recipe
from omnireel.recipes.config import flatten, from_json, override, to_json


@dataclass(frozen=True)
class Inner:
    rate: float = 0.5
    kind: Literal["a", "b"] = "a"


@dataclass(frozen=True)
class Outer:
    steps: int
    inner: Inner = field(default_factory=Inner)
    many: tuple[Inner, ...] = ()
    pair: tuple[int, str] = (1, "x")
    folder: Path | None = None
    weights: dict[str, float] = field(default_factory=dict)


CONFIG = Outer(3, many=(Inner(0.1), Inner(kind="b")), folder=Path("x/y"), weights={"C1": 1.0})


def test_json_round_trip() -> None:
    assert from_json(Outer, to_json(CONFIG)) == CONFIG


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_survives_json_and_has_the_trainer_first(name: str) -> None:
    recipe = build_recipe(name)
    assert from_json(type(recipe), to_json(recipe)) == recipe
    assert "trainer.num_steps" in flatten(recipe)


def test_overrides_are_typed() -> None:
    changed = override(
        CONFIG,
        ["steps=7", "inner.rate=2", "inner.kind=b", "folder=null", 'pair=[2, "y"]', "many=[]"],
    )
    assert changed == Outer(7, Inner(2.0, "b"), (), (2, "y"), None, {"C1": 1.0})
    assert isinstance(changed.inner.rate, float)
    assert override(CONFIG, ["folder=runs/1"]).folder == Path("runs/1")


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("inner.rat=1", r"did you mean inner\.rate"),
        ("rate=1", r"inner\.rate"),
        ("steps.more=1", "no field 'steps.more'"),
        ("steps=many", "steps must be int, not 'many'"),
        ("steps=true", "steps must be int"),
        ("inner.kind=c", "one of a, b"),
        ("inner=3", "an object with the fields of Inner"),
        ('many=[{"rte": 1}]', "did you mean rate"),
        ("pair=[1]", "a list of 2 values"),
        ("steps", "field=value"),
    ],
)
def test_wrong_overrides_name_field_and_remedy(assignment: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        override(CONFIG, [assignment])


@pytest.mark.parametrize("name", RECIPES)
def test_counts_that_make_no_sense_are_refused_with_their_field(name: str) -> None:
    recipe = build_recipe(name)
    counted = ("batch_size", "held_out", "held_out_per_format", "scored")
    wrong = {
        path: 0 if path.rpartition(".")[2] in counted else -1
        for path in flatten(recipe)
        if path.rpartition(".")[2] in (*counted, "previews", "workers", "render_workers")
    }
    assert wrong
    for path, value in wrong.items():
        with pytest.raises(InvalidInput) as caught:
            override(recipe, [f"{path}={value}"])
        # The loop's own configurations do not know where they stand.
        assert path.endswith(caught.value.violations[0].field)


def test_missing_field_is_named() -> None:
    with pytest.raises(InvalidInput, match="steps is missing"):
        from_json(Outer, {})


def test_unknown_recipe_suggests_the_nearest() -> None:
    with pytest.raises(InvalidInput, match="did you mean vae-tiny"):
        build_recipe("vae-tny")
