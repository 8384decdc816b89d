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
    "embedder-debug": RecipeEntry(
        "omnireel.recipes.embedder:debug_embedder", "embedder, one minute, no use"
    ),
    "embedder-tiny": RecipeEntry(
        "omnireel.recipes.embedder:tiny_embedder", "the embedder that filters and mines data"
    ),
    "enhancer-debug": RecipeEntry(
        "omnireel.recipes.enhancer:debug_enhancer", "prompt enhancer, one minute, no use"
    ),
    "enhancer-tiny": RecipeEntry(
        "omnireel.recipes.enhancer:tiny_enhancer", "the shipped prompt enhancer"
    ),
    "enhancer-tiny-all": RecipeEntry(
        "omnireel.recipes.enhancer:tiny_enhancer_all", "prompt enhancer of all 25 capabilities"
    ),
    "enhancer-rl-debug": RecipeEntry(
        "omnireel.recipes.enhancer_policy:debug_enhancer_policy",
        "prompt enhancer with rewards, one minute, no use",
    ),
    "enhancer-rl-tiny": RecipeEntry(
        "omnireel.recipes.enhancer_policy:tiny_enhancer_policy",
        "the prompt enhancer, tuned with rewards",
    ),
    "vae-debug": RecipeEntry("omnireel.recipes.vae:debug_vae", "autoencoder, one minute, no use"),
    "vae-tiny": RecipeEntry("omnireel.recipes.vae:tiny_vae", "the shipped video autoencoder"),
    "vae-tiny-decoder": RecipeEntry(
        "omnireel.recipes.vae:tiny_vae_decoder", "a better decoder for the autoencoder's latents"
    ),
    "keeper-debug": RecipeEntry(
        "omnireel.recipes.keeper:debug_keeper", "keeper of given pixels, one minute, no use"
    ),
    "keeper-tiny": RecipeEntry(
        "omnireel.recipes.keeper:tiny_keeper",
        "the autoencoder: which pixels of their media its clips show",
    ),
    "generator-debug": RecipeEntry(
        "omnireel.recipes.generator_tiny:debug_generator", "generator, one minute, no use"
    ),
    "generator-tiny-images": RecipeEntry(
        "omnireel.recipes.generator_tiny:tiny_generator_images",
        "Omni-Generator, first stage: images",
    ),
    "generator-tiny-clips": RecipeEntry(
        "omnireel.recipes.generator_tiny:tiny_generator_clips",
        "Omni-Generator, second stage: clips",
    ),
    "generator-tiny": RecipeEntry(
        "omnireel.recipes.generator_tiny:tiny_generator", "Omni-Generator, third stage: all tasks"
    ),
    "generator-tiny-all": RecipeEntry(
        "omnireel.recipes.generator_tiny:tiny_generator_all",
        "Omni-Generator: all 25 capabilities, from weights of the stages before",
    ),
    "generator-tiny-long": RecipeEntry(
        "omnireel.recipes.generator_tiny:tiny_generator_long",
        "Omni-Generator: all 25 capabilities at length, one GPU",
    ),
    "generator-tiny-fine": RecipeEntry(
        "omnireel.recipes.generator_tiny:tiny_generator_fine",
        "Omni-Generator: the same with the finest tokens, one GPU",
    ),
    "generator-tiny-views": RecipeEntry(
        "omnireel.recipes.generator_tiny:tiny_generator_views",
        "Omni-Generator: fine tokens again, other views and storyboards most, one GPU",
    ),
    "generator-tiny-company": RecipeEntry(
        "omnireel.recipes.generator_tiny:tiny_generator_company",
        "Omni-Generator: fine tokens in large batches, two subjects more often, one GPU",
    ),
    "generator-tiny-quality": RecipeEntry(
        "omnireel.recipes.generator_tiny:tiny_generator_quality",
        "Omni-Generator, fourth stage: few, balanced and clear",
    ),
    "generator-base": RecipeEntry(
        "omnireel.recipes.sizes:base_generator", "Omni-Generator of 1.25 B parameters, one GPU"
    ),
    "generator-large": RecipeEntry(
        "omnireel.recipes.sizes:large_generator", "Omni-Generator of 8 B parameters, many nodes"
    ),
    "lora-debug": RecipeEntry("omnireel.recipes.lora:debug_lora", "adapter, one minute, no use"),
    "lora-tiny": RecipeEntry(
        "omnireel.recipes.lora:tiny_lora", "an adapter of the generator, see train lora"
    ),
    "preference-debug": RecipeEntry(
        "omnireel.recipes.preference:debug_preference", "preference tuning, one minute, no use"
    ),
    "preference-tiny": RecipeEntry(
        "omnireel.recipes.preference:tiny_preference", "a preference round of the generator"
    ),
    "preference-base": RecipeEntry(
        "omnireel.recipes.preference:base_preference",
        "a preference round of generator-base, with published settings",
    ),
    "trajectory-debug": RecipeEntry(
        "omnireel.recipes.distillation_tiny:debug_trajectory", "distillation, one minute, no use"
    ),
    "trajectory-tiny": RecipeEntry(
        "omnireel.recipes.distillation_tiny:tiny_trajectory", "ten-step student, first stage"
    ),
    "distribution-debug": RecipeEntry(
        "omnireel.recipes.distillation_tiny:debug_distribution", "distillation, one minute, no use"
    ),
    "distribution-tiny": RecipeEntry(
        "omnireel.recipes.distillation_tiny:tiny_distribution", "ten-step student, second stage"
    ),
    "trajectory-tiny-long": RecipeEntry(
        "omnireel.recipes.distillation_tiny:tiny_trajectory_long",
        "ten-step student, first stage, one GPU",
    ),
    "trajectory-tiny-fine": RecipeEntry(
        "omnireel.recipes.distillation_tiny:tiny_trajectory_fine",
        "ten-step student of the finest tokens, one GPU",
    ),
    "trajectory-tiny-views": RecipeEntry(
        "omnireel.recipes.distillation_tiny:tiny_trajectory_views",
        "ten-step student of that teacher, two of its steps for one, one GPU",
    ),
    "trajectory-tiny-company": RecipeEntry(
        "omnireel.recipes.distillation_tiny:tiny_trajectory_company",
        "ten-step student of that teacher in large batches, one GPU",
    ),
    "distribution-tiny-long": RecipeEntry(
        "omnireel.recipes.distillation_tiny:tiny_distribution_long",
        "ten-step student, second stage, one GPU",
    ),
    "upscaler-debug": RecipeEntry(
        "omnireel.recipes.upscaler:debug_upscaler", "super-resolver, one minute, no use"
    ),
    "upscaler-tiny": RecipeEntry(
        "omnireel.recipes.upscaler:tiny_upscaler", "the shipped super-resolver"
    ),
    "enlarger-debug": RecipeEntry(
        "omnireel.recipes.enlarger:debug_enlarger", "learned enlargement, one minute, no use"
    ),
    "enlarger-tiny": RecipeEntry(
        "omnireel.recipes.enlarger:tiny_enlarger",
        "learned enlargement of the shipped super-resolver",
    ),
    "fusion-debug": RecipeEntry(
        "omnireel.recipes.fusion:debug_fusion", "showing given pixels, one minute, no use"
    ),
    "fusion-tiny": RecipeEntry(
        "omnireel.recipes.fusion:tiny_fusion",
        "pixels of given media in super-resolved clips",
    ),
    "upscaler-student-debug": RecipeEntry(
        "omnireel.recipes.upscaler_distillation:debug_upscaler_student",
        "super-resolver's distillation, one minute, no use",
    ),
    "upscaler-student-tiny": RecipeEntry(
        "omnireel.recipes.upscaler_distillation:tiny_upscaler_student",
        "one-step student of the super-resolver",
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
        raise InvalidInput(f"there is no recipe {name!r}; {hint}", field="recipe")
    module, function = entry.path.split(":")
    recipe: Recipe = getattr(importlib.import_module(module), function)()
    return recipe
