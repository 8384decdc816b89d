"""What the recipes that refine a finished generator share: its network, and its component again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor

from omnireel.generate.components import load_transformer
from omnireel.generate.settings import SamplingDefaults
from omnireel.model.transformer import OmniTransformer
from omnireel.recipes.base import ComponentParts
from omnireel.registry import load_component
from omnireel.registry.card import earlier_stages


def load_generator(folder: Path) -> OmniTransformer:
    """The generator in ``folder``, ready to be trained."""
    model, _ = load_transformer(folder, "generator")
    return model.train().requires_grad_(True)


def refined_component(
    origin: Path,
    weights: Mapping[str, Tensor],
    card: Mapping[str, Any],
    sampling: SamplingDefaults | None = None,
) -> ComponentParts:
    """The component of a refined generator: new weights, everything else as in ``origin``.

    Args:
        origin: component folder of the generator that was refined.
        weights: of the whole network.
        card: facts for the model card.
        sampling: how the refined model samples; None: as before.

    """
    before = load_component(origin, kind="generator")
    config = dict(before.config)
    if sampling is not None:
        config["sampling"] = asdict(sampling)
    inherited: dict[str, Any] = {}
    for fact in ("limits", "capabilities"):
        if fact in before.card:
            inherited[fact] = before.card[fact]
    facts = {**inherited, "earlier": earlier_stages(before.card), **card}
    return ComponentParts("generator", config, weights, facts)
