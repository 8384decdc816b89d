"""The settings of preference rounds."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from omnireel.errors import InvalidInput
from omnireel.model.lora import LoraLinear, add_lora
from omnireel.recipes.base import Workplace
from omnireel.recipes.preference import base_preference
from tests.support.tiny_models import small_transformer


def test_the_base_round_has_the_published_settings() -> None:
    recipe = base_preference()
    assert recipe.lora is not None and (recipe.lora.rank, recipe.lora.alpha) == (64, 128.0)
    assert recipe.trainer.optimizer.adamw_lr == 5e-6
    scale = recipe.objective.scale
    assert (scale.reduction, scale.beta, recipe.objective.winner_weight) == ("mean", 500.0, 0.0)
    limit = recipe.trainer.stop_above["preference_loss"]
    assert math.log(2) < limit < 0.71
    model = small_transformer(depth=1)
    add_lora(model, recipe.lora)
    adapted = {n.rsplit(".", 1)[-1] for n, m in model.named_modules() if isinstance(m, LoraLinear)}
    assert adapted == {"qkv", "out"}


def test_a_reference_that_is_too_small_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    place = Workplace(tmp_path, lambda what, done, total: None)
    with pytest.raises(
        InvalidInput, match="give a larger one with --set reference=FOLDER"
    ) as found:
        base_preference().prepare(place)
    assert found.value.violations[0].field == "pairs.format" and not list(tmp_path.iterdir())
