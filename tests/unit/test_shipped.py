"""Shipped weights are found from any directory, and written down without the machine's folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnireel.recipes import RECIPES, build_recipe
from omnireel.recipes.config import flatten, from_json, override, to_json
from omnireel.shipped import SHIPPED, SHIPPED_TINY, located, portable


def test_only_what_lies_nowhere_else_becomes_the_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    named = Path("omnireel/weights/tiny/vae")
    assert located(named) == SHIPPED_TINY / "vae"
    assert located(Path("runs/vae")) == Path("runs/vae")
    named.mkdir(parents=True)
    assert located(named) == named


def test_only_the_packages_own_weights_are_written_without_their_folder() -> None:
    assert portable(SHIPPED_TINY / "vae") == "omnireel/weights/tiny/vae"
    assert portable(SHIPPED.parent / "cli") == str(SHIPPED.parent / "cli")
    assert portable(Path("runs/vae")) == "runs/vae"


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_find_their_components_from_any_directory(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = build_recipe(name)
    named = {n: v for n, v in vars(recipe).items() if isinstance(v, Path)}
    assert all((folder / "card.json").is_file() for folder in named.values())
    flat = flatten(recipe)
    assert all(str(flat[n]).startswith("omnireel/weights/") for n in named)
    assert from_json(type(recipe), to_json(recipe)) == recipe
    same = [f"{n}={flat[n]}" for n in named]
    assert override(recipe, same) == recipe
