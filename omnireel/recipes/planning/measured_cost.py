"""Measure what packs cost on this device, for plans that spread them over ranks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from omnireel.errors import InvalidInput
from omnireel.model.packed_attention import choose_attention
from omnireel.model.sequence import OmniSample
from omnireel.model.transformer import OmniTransformer, TransformerConfig
from omnireel.recipes import build_recipe
from omnireel.recipes.config import override
from omnireel.recipes.planning.workload import Planned, relative_cost
from omnireel.train import TrainerConfig
from omnireel.train.balance import CostModel, fit_cost
from omnireel.train.balance.cost import relative_errors
from omnireel.train.balance.measure import Step, measure_costs, probe_packs, training_step


@dataclass(frozen=True)
class MeasuredCost:
    """A fitted cost model, and the largest relative error of a pack that it was fitted to."""

    cost: CostModel
    largest_error: float

    @property
    def setting(self) -> str:
        """What ``--set`` takes."""
        values = {name: float(f"{value:.4g}") for name, value in asdict(self.cost).items()}
        return f"packing.cost={json.dumps(values, separators=(',', ':'))}"


def measured_cost(recipe: str, overrides: tuple[str, ...]) -> MeasuredCost:
    """Time training steps of the recipe's network, with random weights, on its device.

    Raises:
        InvalidInput: unknown recipe or field, or a recipe whose batches are not packed.

    """
    chosen = override(build_recipe(recipe), overrides)
    if not isinstance(chosen, Planned) or not hasattr(chosen, "packing"):
        raise InvalidInput(
            f"the batches of {recipe} are not packed; only generators have a cost to measure",
            field="recipe",
        )
    network, trainer = chosen.workload().network, chosen.trainer
    model = OmniTransformer(network).to(trainer.device)
    model.attend = choose_attention(trainer.device, trainer.compute)
    train = training_step(model, trainer.device)
    packs = probe_packs(network.latent_channels, network.patch)
    return fitted_cost(network, _in_precision(train, trainer), packs)


def fitted_cost(
    network: TransformerConfig, step: Step, packs: Iterable[Sequence[OmniSample]]
) -> MeasuredCost:
    """Coefficients from times of ``step``.

    One process exchanges nothing: what that costs keeps its counted relation to a token.
    """
    found = list(measure_costs(step, packs))
    cost = fit_cost(found)
    counted = relative_cost(network.width, network.depth, network.mlp_ratio)
    exchange_s = counted.exchange_s * cost.token_s / counted.token_s
    worst = float(np.abs(relative_errors(cost, found)).max())
    return MeasuredCost(replace(cost, exchange_s=exchange_s), worst)


def _in_precision(step: Step, trainer: TrainerConfig) -> Step:
    def within(samples: Sequence[OmniSample]) -> None:
        with trainer.precision():
            step(samples)

    return within
