"""What the recipes that refine a finished model share: its network, and its component again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from omnireel.generate.components import load_transformer, model_limits
from omnireel.generate.settings import SamplingDefaults
from omnireel.model.packed_attention import choose_attention
from omnireel.model.transformer import OmniTransformer
from omnireel.recipes.base import ComponentParts
from omnireel.registry import load_component
from omnireel.registry.descent import earlier_stages
from omnireel.train import TrainerConfig


def load_network(folder: Path, trainer: TrainerConfig, kind: str = "generator") -> OmniTransformer:
    """The network of the generator or upscaler in ``folder``, ready for ``trainer``."""
    model, _ = load_transformer(folder, kind)
    model.attend = choose_attention(trainer.device, trainer.compute)
    return model.train().requires_grad_(True)


def refined_component(
    origin: Path,
    weights: Mapping[str, Tensor],
    card: Mapping[str, Any],
    sampling: SamplingDefaults | None = None,
    *,
    guidance_baked_in: bool = False,
) -> ComponentParts:
    """The component of a refined model: new weights, everything else as in ``origin``.

    Args:
        origin: component folder of the generator or upscaler that was refined.
        weights: of the whole network.
        card: facts for the model card.
        sampling: how the refined model samples; None: as before.
        guidance_baked_in: it is a student that has guidance in its weights, and refuses more.

    """
    before = load_component(origin)
    config = dict(before.config)
    if guidance_baked_in:
        config["limits"] = asdict(replace(model_limits(before), guidance_baked_in=True))
    if sampling is not None:
        config["sampling"] = asdict(sampling)
    inherited: dict[str, Any] = {}
    for fact in ("limits", "capabilities"):
        if fact in before.card:
            inherited[fact] = before.card[fact]
    facts = {**inherited, "earlier": earlier_stages(before.card), **card}
    return ComponentParts(before.kind, config, weights, facts)
