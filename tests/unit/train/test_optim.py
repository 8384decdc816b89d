from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from omnireel.errors import IntegrityError, InvalidInput
from omnireel.train.ema import Ema, EmaConfig
from omnireel.train.optim import Muon, OptimizerConfig, Optimizers, orthogonalise, split_parameters
from omnireel.train.schedule import ScheduleConfig, multiplier


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("shape", [(8, 8), (4, 16), (16, 4)])
def test_orthogonalise_gives_near_unit_singular_values(shape: tuple[int, int], half: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    matrices = torch.randn(3, *shape, generator=generator)
    directions = orthogonalise(matrices, 5, half=half)
    assert directions.dtype is torch.float32
    values = torch.linalg.svdvals(directions)
    assert values.min() > 0.3 and values.max() < 1.35
    one = orthogonalise(matrices[1:2], 5, half=half)
    assert torch.allclose(directions[1:2], one, atol=2e-2 if half else 1e-5)


def test_muon_step_has_the_direction_of_the_gradient_and_the_known_size() -> None:
    generator = torch.Generator().manual_seed(0)
    weight = nn.Parameter(torch.zeros(32, 8))
    weight.grad = torch.randn(32, 8, generator=generator)
    Muon([weight], lr=0.1).step()
    update = -weight.detach()
    assert float((update * weight.grad).sum()) > 0
    # sqrt(rows / columns) = 2, so singular values lie near 0.1 * 2.
    assert torch.linalg.svdvals(update).mean() == pytest.approx(0.2, rel=0.3)


def test_muon_handles_convolution_kernels_as_matrices() -> None:
    generator = torch.Generator().manual_seed(0)
    kernel = nn.Parameter(torch.zeros(8, 3, 2, 2))
    kernel.grad = torch.randn(8, 3, 2, 2, generator=generator)
    flat = nn.Parameter(torch.zeros(8, 12))
    flat.grad = kernel.grad.flatten(1).clone()
    Muon([kernel], lr=0.1).step()
    Muon([flat], lr=0.1).step()
    assert torch.allclose(kernel.flatten(1), flat)


def test_muon_refuses_vectors() -> None:
    with pytest.raises(ValueError, match="matrices"):
        Muon([nn.Parameter(torch.zeros(3))], lr=0.1)


def test_parameters_are_split_by_shape_and_name() -> None:
    named = {
        "m.blocks.0.weight": nn.Parameter(torch.zeros(4, 4)),
        "m.blocks.0.bias": nn.Parameter(torch.zeros(4)),
        "m.text_embedding.weight": nn.Parameter(torch.zeros(9, 4)),
        "m.conv.weight": nn.Parameter(torch.zeros(4, 4, 3, 3)),
        "m.out.weight": nn.Parameter(torch.zeros(4, 4)),
    }
    assert split_parameters(OptimizerConfig(), named)[0] == ["m.blocks.0.weight"]
    with_kernels = split_parameters(OptimizerConfig(muon_kernels=True), named)[0]
    assert with_kernels == ["m.blocks.0.weight", "m.conv.weight"]
    assert split_parameters(OptimizerConfig(muon_lr=0.0), named)[0] == []


def test_frozen_parameters_are_left_out_and_none_at_all_is_an_error() -> None:
    frozen = nn.Parameter(torch.zeros(2, 2), requires_grad=False)
    with pytest.raises(InvalidInput, match="no trainable"):
        Optimizers(OptimizerConfig(), {"a": frozen})


def test_a_bad_pattern_is_named() -> None:
    with pytest.raises(InvalidInput, match="regular expression"):
        OptimizerConfig(adamw_patterns=("(",))
    with pytest.raises(InvalidInput, match="regular expression"):
        OptimizerConfig(lr_multipliers={"(": 1.0})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in ("muon_lr", "adamw_lr") for value in (-1.0, math.inf)),
        ("muon_weight_decay", math.nan),
        ("adamw_weight_decay", math.inf),
        *(("muon_momentum", value) for value in (-0.1, 1.0, math.nan)),
        *(("adamw_betas", value) for value in ((0.9, 1.5), (-0.1, 0.9), (math.nan, 0.9))),
        *(("lr_multipliers", {"fake": value}) for value in (-1.0, math.inf, math.nan)),
    ],
)
def test_what_no_optimiser_can_work_with_is_named(name: str, value: object) -> None:
    with pytest.raises(InvalidInput, match="must be 0 or more and") as caught:
        OptimizerConfig(**{name: value})  # type: ignore[arg-type]
    assert caught.value.violations[0].field == f"optimizer.{name}"


@pytest.mark.parametrize("muon_lr", [0.0, 0.02])
def test_a_module_may_learn_at_a_multiple_of_the_rate(muon_lr: float) -> None:
    generator = torch.Generator().manual_seed(0)
    gradient = torch.randn(4, 4, generator=generator)
    named = {n: nn.Parameter(torch.zeros(4, 4)) for n in ("student.w", "fake.w")}
    for parameter in named.values():
        parameter.grad = gradient.clone()
    config = OptimizerConfig(muon_lr=muon_lr, lr_multipliers={r"^fake\.": 5.0})
    optimizers = Optimizers(config, named)
    optimizers.step(0.5)
    assert torch.allclose(named["fake.w"], 5 * named["student.w"])
    assert len(optimizers.state_tensors()) > 0
    again = Optimizers(config, named)
    again.load_state_tensors(optimizers.state_tensors())
    assert again.state_tensors().keys() == optimizers.state_tensors().keys()


def test_restored_state_is_what_was_saved_and_no_more() -> None:
    named = {n: nn.Parameter(torch.zeros(4, 4)) for n in ("m.first", "m.later", "m.table")}
    optimizers = Optimizers(OptimizerConfig(), named)
    for names in (("m.first", "m.table"), named):
        for name in names:
            named[name].grad = torch.ones(4, 4)
        optimizers.step(1.0)
        if names is not named:
            saved = {n: t.clone() for n, t in optimizers.state_tensors().items()}
    optimizers.load_state_tensors(saved)
    found = optimizers.state_tensors()
    assert found.keys() == saved.keys() and not any("later" in name for name in found)
    assert all(torch.equal(found[n], saved[n]) for n in saved)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("muon/momentum_buffer/m.first", (4,)),
        ("adamw/exp_avg/m.table", (1, 16)),
        ("adamw/step/m.table", (1,)),
        ("adamw/exp_avg/m.first", (4, 4)),
        ("adamw/exp_avg/m.gone", (4, 4)),
    ],
)
def test_state_of_another_parameter_is_refused(name: str, shape: tuple[int, ...]) -> None:
    named = {n: nn.Parameter(torch.zeros(4, 4)) for n in ("m.first", "m.table")}
    with pytest.raises(IntegrityError, match=f"{name} .* fits no parameter"):
        Optimizers(OptimizerConfig(), named).load_state_tensors({name: torch.zeros(shape)})


@pytest.mark.parametrize(
    ("kind", "step", "progress", "expected"),
    [
        ("constant", 0, 0.0, 0.1),
        ("constant", 50, 0.9, 1.0),
        ("linear", 50, 0.25, 0.75),
        ("cosine", 50, 0.5, 0.5),
        ("wsd", 50, 0.79, 1.0),
        ("wsd", 50, 0.9, 0.5),
        ("wsd", 50, 1.0, 0.0),
    ],
)
def test_schedules(kind: str, step: int, progress: float, expected: float) -> None:
    config = ScheduleConfig(kind=kind, warmup_steps=10, decay_fraction=0.2)  # type: ignore[arg-type]
    assert multiplier(config, step, progress) == pytest.approx(expected)


def test_final_rate_and_unknown_schedule() -> None:
    config = ScheduleConfig(kind="linear", warmup_steps=0, final=0.1)
    assert multiplier(config, 0, 1.0) == pytest.approx(0.1)
    with pytest.raises(InvalidInput, match="unknown schedule"):
        ScheduleConfig(kind="zigzag")  # type: ignore[arg-type]


def test_averages_follow_with_warm_up_and_in_float32() -> None:
    weight = nn.Parameter(torch.zeros(1, dtype=torch.bfloat16))
    ema = Ema(EmaConfig(decays=(0.9,)), {"w": weight})
    with torch.no_grad():
        weight.fill_(1.0)
    ema.update()  # effective decay min(0.9, 2 / 11)
    assert float(ema.shadows[0.9]["w"]) == pytest.approx(9 / 11)
    assert ema.shadows[0.9]["w"].dtype == torch.float32
    with ema.swapped_in():
        assert weight.item() != 1.0
    assert weight.item() == 1.0


def test_weights_come_back_after_an_error_in_the_block() -> None:
    weight = nn.Parameter(torch.zeros(1))
    ema = Ema(EmaConfig(), {"w": weight})
    with torch.no_grad():
        weight.fill_(1.0)
    with pytest.raises(KeyError), ema.swapped_in():
        raise KeyError
    assert weight.item() == 1.0
