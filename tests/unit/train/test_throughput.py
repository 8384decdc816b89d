"""Speed and shares of time, by a clock that the test moves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from omnireel.model.sequence import pack
from omnireel.parallel.timed import Stopwatch, TimedBackend
from omnireel.recipes.planning.hardware import peak_flops
from omnireel.train import TrainerConfig
from omnireel.train.flops import PackShape, forward_flops, pack_shape, packed_shape
from omnireel.train.throughput import Meter, Throughput, peak_memory
from omnireel.train.work import Work, training_work
from tests.support.tiny_models import mixed_samples, small_config, small_transformer
from tests.support.toy_training import toy_trainer


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def step(meter: Meter, clock: Clock, passes: float = 4.0) -> None:
    for name, seconds in (("data", 1.0), ("passes", passes), ("optimizer", 2.0)):
        with meter.phase(name):  # type: ignore[arg-type]
            clock.now += seconds


def test_time_is_split_by_phase_and_passes_by_operations() -> None:
    clock = Clock()
    meter = Meter(peak_flops=100.0, clock=clock)
    for _ in range(2):
        step(meter, clock)
        meter.count(Work(30, flops=200.0, padding_flops=100.0, repeated_flops=100.0), samples=5)
    clock.now += 6.0
    found = meter.take()
    assert found.samples_per_s == pytest.approx(10 / 20)
    assert found.target_tokens_per_s == pytest.approx(60 / 20)
    assert found.flops_per_s == pytest.approx(400 / 20)
    assert found.mfu == pytest.approx(0.2)
    assert found.imbalance is None
    assert found.shares == pytest.approx(
        {
            "useful": 0.2, "data": 0.1, "communication": 0.0, "optimizer": 0.2, "validation": 0.0,
            "checkpoint": 0.0, "padding": 0.1, "recomputation": 0.1, "other": 0.3,
        }
    )  # fmt: skip
    assert str(found) == "0.5 samples/s  3 tokens/s  0.0 GFLOP/s  MFU 20%  other 30%"
    again = meter.take().metrics()
    assert again["samples_per_s"] == 0 and "mfu" not in again and "flops_per_s" not in again


def test_communication_inside_a_phase_is_not_that_phases_time() -> None:
    clock = Clock()
    spoken = [0.0]
    meter = Meter(lambda: spoken[0], clock=clock)
    with meter.phase("passes"):
        clock.now += 3.0
        spoken[0] += 2.0
    with meter.phase("communication"):
        clock.now += 1.0
    shares = meter.take().shares
    assert shares["communication"] == pytest.approx(0.75)
    assert shares["useful"] == pytest.approx(0.25)


def test_memory_is_that_of_the_rank_that_held_most() -> None:
    meter = Meter(memory=lambda: 2e9)
    assert meter.take(gather=lambda own: [own, 1.5 * own]).metrics()["peak_memory_gb"] == 3.0
    assert "peak_memory_gb" not in Meter().take().metrics()
    before = peak_memory("cpu")
    block = bytearray(64 << 20)
    assert before > 1e7 and peak_memory("cpu") >= before
    del block


def test_several_ranks_add_up_and_tell_who_waits() -> None:
    """The other rank (a group of its own) does the same in a half of the time."""
    clock = Clock()
    meter = Meter(peak_flops=10.0, clock=clock)
    step(meter, clock)
    meter.count(Work(7, flops=70.0), samples=1)
    meter.expect(3.0)
    found = meter.take(
        lambda own: [2 * x for x in own], lambda own: [own, [s / 2 for s in own]], groups=2, world=2
    )
    assert found.samples_per_s == pytest.approx(2 / 7)
    assert found.flops_per_s == pytest.approx(20)
    assert found.mfu == pytest.approx(1.0)
    assert found.shares["data"] == pytest.approx(1 / 7)
    assert found.imbalance == pytest.approx(0.25)
    assert found.metrics()["imbalance"] == found.imbalance
    assert found.planned_imbalance == pytest.approx(0.25)
    step(meter, clock)
    meter.expect(0.0)  # no plan
    assert meter.take(gather=lambda own: [own, own], groups=2, world=2).planned_imbalance is None


def test_work_counts_useful_padded_and_repeated_operations() -> None:
    samples = mixed_samples()
    packed, model = pack(samples), small_transformer()
    shape, config = packed_shape(packed), small_config()
    assert shape == pack_shape(samples)
    work = training_work(model, packed)
    assert work.target_tokens == sum(packed.target_lengths)
    assert work.flops == forward_flops(config, shape).training
    assert work.repeated_flops == 0
    vain = 0
    for layout in (packed.condition_layouts[0], packed.target_layouts[0]):
        pairs = list(zip(layout.q_lengths, layout.k_lengths, strict=True))
        rows = len(pairs) * max(layout.q_lengths) * max(layout.k_lengths)
        vain += rows - sum(q * k for q, k in pairs)
    assert vain > 0
    assert work.padding_flops == 3 * config.depth * 4 * config.width * vain
    model.blocks[1].recompute = frozenset({"mlp"})  # type: ignore[union-attr]
    tokens = packed.num_conditions + work.target_tokens
    assert training_work(model, packed).repeated_flops == 4 * tokens * 4 * config.width**2


def test_shapes_without_padding_have_the_rows_that_there_are() -> None:
    samples = mixed_samples()
    packed = pack(samples)
    layouts = packed.condition_layouts[0], packed.target_layouts[0]
    shape = pack_shape(samples, padded=False)
    attention = shape.condition_attention[0], shape.target_attention[0]
    for layout, found in zip(layouts, attention, strict=True):
        assert (found.queries, found.keys) == (sum(layout.q_lengths), sum(layout.k_lengths))
        assert not found.gathered
    assert forward_flops(small_config(), shape) == forward_flops(
        small_config(), pack_shape(samples)
    )


def test_an_operator_without_padding_is_charged_for_none() -> None:
    packed = pack(mixed_samples())
    model = small_transformer(attend=lambda q, k, v, layout: q)
    assert training_work(model, packed).padding_flops == 0
    assert isinstance(packed_shape(packed), PackShape)


def test_every_logged_step_has_the_shares(tmp_path: Path) -> None:
    toy_trainer(tmp_path).fit()
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    rows = [row for row in map(json.loads, lines) if row["event"] == "train"]
    for row in rows:
        shares = {n: v for n, v in row.items() if n.startswith("time_")}
        assert len(shares) == 9 and sum(shares.values()) == pytest.approx(1, abs=1e-5)
        assert shares["time_useful"] > 0 and shares["time_optimizer"] > 0
        # A toy's operations are not known, so neither are those per second.
        assert "flops_per_s" not in row and "imbalance" not in row
    # Both at step 6 and 8: after the row of step 6, before that of step 9.
    assert rows[2]["time_validation"] > 0 and rows[2]["time_checkpoint"] > 0
    assert rows[3]["time_validation"] == rows[3]["time_checkpoint"] == 0


def test_a_peak_is_what_the_recipe_states() -> None:
    assert peak_flops(TrainerConfig(num_steps=1)) is None
    assert peak_flops(TrainerConfig(num_steps=1, peak_tflops=0.5)) == 5e11
    assert str(Throughput(2.0, 1e4, 3e14, 0.4, {"useful": 0.6, "data": 0.4})) == (
        "2.0 samples/s  10,000 tokens/s  300.0 TFLOP/s  MFU 40%  data 40%"
    )


def test_a_backend_under_a_stopwatch_times_operations_and_waits_once() -> None:
    clock = Clock()
    watch = Stopwatch(clock)

    class Handle:
        def wait(self) -> str:
            clock.now += 5.0
            return "done"

    class Backend:
        using_mpi = False

        def all_reduce(self, tensor: torch.Tensor, async_op: bool = False) -> Handle | None:
            clock.now += 2.0
            with watch:
                clock.now += 1.0
            return Handle() if async_op else None

        def get_rank(self) -> int:
            clock.now += 50.0
            return 3

    backend = TimedBackend(TimedBackend(Backend(), Stopwatch(clock)), watch)
    assert backend.all_reduce(torch.ones(1)) is None and watch.seconds == 3.0
    assert backend.all_reduce(torch.ones(1), async_op=True).wait() == "done"
    assert backend.get_rank() == 3 and backend.using_mpi is False
    assert watch.seconds == 11.0
