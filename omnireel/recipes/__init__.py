"""Named recipes: each is a function that returns a complete training configuration.

The table holds import paths, so that listing recipes imports neither torch nor a model.
"""

from __future__ import annotations

import difflib
import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from omnireel.errors import InvalidInput

if TYPE_CHECKING:
    from omnireel.recipes.base import Recipe


@dataclass(frozen=True)
class RecipeEntry:
    """Where a recipe's function is, and what it trains, in one line."""

    path: str
    summary: str


RECIPES: dict[str, RecipeEntry] = {
    "enhancer-debug": RecipeEntry(
        "omnireel.recipes.enhancer:debug_enhancer", "prompt enhancer, one minute, no use"
    ),
    "enhancer-tiny": RecipeEntry(
        "omnireel.recipes.enhancer:tiny_enhancer", "the shipped prompt enhancer"
    ),
    "vae-debug": RecipeEntry("omnireel.recipes.vae:debug_vae", "autoencoder, one minute, no use"),
    "vae-tiny": RecipeEntry("omnireel.recipes.vae:tiny_vae", "the shipped video autoencoder"),
    "generator-debug": RecipeEntry(
        "omnireel.recipes.generator:debug_generator", "generator, one minute, no use"
    ),
    "generator-tiny": RecipeEntry(
        "omnireel.recipes.generator:tiny_generator", "the shipped Omni-Generator"
    ),
    "upscaler-debug": RecipeEntry(
        "omnireel.recipes.upscaler:debug_upscaler", "super-resolver, one minute, no use"
    ),
    "upscaler-tiny": RecipeEntry(
        "omnireel.recipes.upscaler:tiny_upscaler", "the shipped super-resolver"
    ),
}


def build_recipe(name: str) -> Recipe:
    """The configuration of a named recipe.

    Raises:
        InvalidInput: there is no such recipe; the nearest name is suggested.

    """
    entry = RECIPES.get(name)
    if entry is None:
        near = difflib.get_close_matches(name, RECIPES, n=1)
        hint = f"did you mean {near[0]}?" if near else "see 'omnireel train list'"
        raise InvalidInput(f"There is no recipe {name!r}; {hint}", field="recipe")
    module, function = entry.path.split(":")
    recipe: Recipe = getattr(importlib.import_module(module), function)()
    return recipe
