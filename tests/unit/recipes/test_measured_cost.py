"""Plans of packed batches by measured costs."""

from __future__ import annotations

import itertools

import pytest

from omnireel.errors import InvalidInput
from omnireel.recipes.batches import packed_batches
from omnireel.recipes.config import flatten, override
from omnireel.recipes.generator_tiny import debug_generator
from omnireel.recipes.planning.measured_cost import MeasuredCost, fitted_cost, measured_cost
from omnireel.recipes.planning.workload import relative_cost
from omnireel.train.balance import CostModel, SampleLength
from omnireel.train.balance.measure import probe_packs, training_step
from omnireel.train.same_run import check_same_config
from tests.support.tiny_models import small_transformer


class Lengths:
    """How long many short samples and some long ones are, and nothing else of them."""

    def lengths(self) -> list[SampleLength]:
        return [SampleLength(10, 10), SampleLength(10, 10), SampleLength(10, 30)] * 500

    def sample(self, index: int) -> None:
        raise NotImplementedError


MEASURED = MeasuredCost(CostModel(0.5, 1.25e-4, 2e-8, 1e-5), 0.1)


def test_the_printed_setting_is_what_training_plans_by() -> None:
    recipe = override(debug_generator(), [MEASURED.setting])
    assert recipe.packing.cost == MEASURED.cost
    network = small_transformer(depth=1).config
    for packing, measured in ((recipe.packing, True), (debug_generator().packing, False)):
        planned = packed_batches(Lengths(), network, packing, 1)  # type: ignore[arg-type]
        (group,) = planned.plan(0)[1].groups
        assert (group.seconds >= MEASURED.cost.fixed_s) == measured


def test_a_run_goes_on_with_the_costs_that_it_began_with() -> None:
    plain = flatten(debug_generator())
    measured = flatten(override(debug_generator(), [MEASURED.setting]))
    earlier = {n: v for n, v in plain.items() if not n.startswith("packing.cost")}
    check_same_config(earlier, plain)
    with pytest.raises(InvalidInput, match=r"packing\.cost"):
        check_same_config(earlier, measured)
    with pytest.raises(InvalidInput, match=r"packing\.cost"):
        check_same_config(measured, plain)


def test_exchanges_keep_their_counted_relation_to_a_token() -> None:
    model = small_transformer(depth=1)
    config = model.config
    packs = itertools.islice(probe_packs(config.latent_channels, config.patch), 5)
    found = fitted_cost(config, training_step(model, "cpu"), packs)
    counted = relative_cost(config.width, config.depth, config.mlp_ratio)
    assert found.cost.exchange_s / counted.exchange_s == pytest.approx(
        found.cost.token_s / counted.token_s
    )
    assert found.largest_error >= 0


def test_only_packed_recipes_have_a_cost() -> None:
    with pytest.raises(InvalidInput, match="batches of vae-tiny are not packed"):
        measured_cost("vae-tiny", ())
