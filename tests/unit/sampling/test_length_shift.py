"""Shifts that grow with a sample's length, as they were published; training, phases and sampling
agree on them.
"""

from __future__ import annotations

import math
from dataclasses import asdict, replace

import pytest
import torch

from omnireel.errors import InvalidInput
from omnireel.generate.settings import SamplingDefaults
from omnireel.model.sequence import pack
from omnireel.sampling import shifted_sigmas
from omnireel.sampling.length_shift import CONSTANT, LengthShift
from omnireel.sampling.schedule import shift_time
from omnireel.train.objectives.flow_batch import FlowPreparation
from omnireel.train.objectives.flow_matching import FlowMatchingConfig
from omnireel.train.objectives.phase_grid import PhaseGrid, TrajectoryMatchingConfig
from omnireel.train.same_run import check_same_config
from tests.support.tiny_records import TOKENIZER, record

TOKENS, MEAN = LengthShift("tokens"), LengthShift("mean")


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1, 32, 32), 1.0),
        ((1, 128, 128), 3.0),
        ((4, 32, 32), 2.0),
        ((9, 64, 64), 3 * (1 + 768 / 1920)),
    ],
)
def test_tokens_and_frames_as_in_open_sora(shape: tuple[int, int, int], expected: float) -> None:
    assert TOKENS.of(1.0, shape, 2) == pytest.approx(expected)


def test_the_mean_depends_on_the_length_as_in_ltx_2() -> None:
    for shape, mean in (((1, 32, 32), 0.95), ((4, 32, 32), 2.05), ((9, 32, 32), 2.05)):
        assert MEAN.of(1.0, shape, 1) == pytest.approx(math.exp(mean))
    normal = torch.randn(100, generator=torch.Generator().manual_seed(0))
    shifted = shift_time(torch.sigmoid(normal), MEAN.of(1.0, (1, 32, 32), 1))
    torch.testing.assert_close(shifted, torch.sigmoid(normal + 0.95))


def test_a_token_can_count_as_several() -> None:
    assert LengthShift("tokens", 4.0).of(1.0, (1, 16, 16), 1) == TOKENS.of(1.0, (1, 32, 32), 1)


def test_the_configured_shift_is_a_factor_and_by_default_all_there_is() -> None:
    assert CONSTANT.of(2.3, (9, 64, 64), 2) == 2.3
    assert MEAN.of(2.0, (1, 32, 32), 1) == pytest.approx(2 * MEAN.of(1.0, (1, 32, 32), 1))


@pytest.mark.parametrize("wrong", [{"kind": "frames"}, {"token_scale": 0.0}])
def test_what_does_not_exist_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(wrong))):
        LengthShift(**wrong)  # type: ignore[arg-type]


def test_training_draws_each_sample_at_its_own_shift() -> None:
    config = FlowMatchingConfig(shift=1.3, uniform_share=0.0)
    records = [record(0, 1), record(1, 5), record(2, 1)]

    def times(shift_by: LengthShift) -> torch.Tensor:
        made = FlowPreparation(TOKENIZER, replace(config, shift_by=shift_by), pack)
        return made.draw_times(records, torch.Generator().manual_seed(3))

    plain = torch.sigmoid(torch.randn(3, generator=torch.Generator().manual_seed(3)))
    assert torch.equal(times(CONSTANT), shift_time(plain, 1.3))
    for n, one in enumerate(records):
        _, t, h, w = one.target_CTHW.shape
        expected = shift_time(plain[n], TOKENS.of(1.3, (t, h, w), 2))
        torch.testing.assert_close(times(TOKENS)[n], expected)


@pytest.mark.parametrize("shift_by", [CONSTANT, TOKENS, MEAN])
def test_a_student_is_sampled_on_the_phases_that_it_learned(shift_by: LengthShift) -> None:
    config = TrajectoryMatchingConfig(20, 5, shift=1.5, last=0.2, shift_by=shift_by)
    sampling = SamplingDefaults(5, 1.5, last=0.2, shift_by=shift_by)
    for shape in ((1, 8, 8), (5, 8, 8)):
        grid = PhaseGrid(config).for_shape(shape, 2)
        sigmas = sampling.sigmas(5, shape, 2)
        assert torch.equal(grid.edges, sigmas)
        assert torch.equal(grid.sigmas[: grid.num_steps : grid.per_phase], sigmas[:-1])
    if shift_by is CONSTANT:
        assert torch.equal(sigmas, shifted_sigmas(5, 1.5, last=0.2))


def test_runs_of_earlier_releases_go_on_with_a_constant_shift() -> None:
    now = {"sampling.shift": 3.0} | {
        f"sampling.shift_by.{name}": value for name, value in asdict(CONSTANT).items()
    }
    check_same_config({"sampling.shift": 3.0}, now)
    with pytest.raises(InvalidInput, match=r"sampling\.shift_by\.kind"):
        check_same_config({"sampling.shift": 3.0}, {**now, "sampling.shift_by.kind": "mean"})
