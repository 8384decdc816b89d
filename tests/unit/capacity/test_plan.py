"""What is planned, and what the simulation says to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from omnireel.capacity.measurements import Measurements, StageTime
from omnireel.capacity.plan import Demand, Installation, make_plan, predict, storage
from omnireel.capacity.report import PlanReport, Prices
from omnireel.capacity.simulation import SimulationConfig, simulate, simulate_arrivals
from omnireel.errors import InvalidInput

MEASURED = Measurements(
    device="card", model="m", source="by hand",
    stages={
        "prompt_enhancer": StageTime(0.1, cv=0.2),
        "generator": StageTime(0.5, cv=0.1, steps=10, step_s=0.15),
        "super_resolver": StageTime(1.0, cv=0.1),
        "finish": StageTime(0.1),
    },
    dispatch_s=0.05, video_bytes=1e6, artefact_bytes=5e6, creates_per_s=10,
)  # fmt: skip
ONE = Installation({"prompt_enhancer": 1, "generator": 1, "super_resolver": 1}, 1, 4)
GENERATOR_ONLY = Measurements("card", "m", "by hand", {"generator": StageTime(1.0, cv=1.0)})
ALONE = Demand(3600 * 0.7, enhanced=0, upscaled=0)


def test_a_job_alone_takes_what_its_stages_take() -> None:
    found = predict(MEASURED, Demand(0.01), ONE)
    assert found.work_s == pytest.approx(0.1 + 2.0 + 1.0 + 0.1)
    assert found.total_s == pytest.approx(found.work_s + 0.05, abs=1e-3)
    steady = {name: replace(time, cv=0.0) for name, time in MEASURED.stages.items()}
    played = simulate_arrivals(
        [0.0, 1000.0], replace(MEASURED, stages=steady), Demand(1), ONE, SimulationConfig(warm_up=0)
    )
    assert played.totals_s == pytest.approx([3.25, 3.25])
    assert played.waits_s == pytest.approx([0.05, 0.05])


def test_the_simulation_finds_the_exact_wait_of_one_server() -> None:
    """M/M/1 at 0.7: a job waits 0.7 / 0.3 of the service time, slots enough."""
    config = SimulationConfig(jobs=60_000, max_waiting=1000)
    installation = Installation({"generator": 1}, 1, 100)
    played = simulate(GENERATOR_ONLY, ALONE, installation, config)
    assert played.wait_s == pytest.approx(0.7 / 0.3, rel=0.1)
    assert predict(GENERATOR_ONLY, ALONE, installation).wait_s == pytest.approx(0.7 / 0.3)
    # The same with one slot: then all of that wait is the queue's.
    one = simulate(GENERATOR_ONLY, ALONE, Installation({"generator": 1}, 1, 1), config)
    assert one.wait_s == pytest.approx(0.7 / 0.3, rel=0.1)
    assert one.queued == pytest.approx(0.7 * 0.7 / 0.3, rel=0.1)  # Little


def test_one_slot_is_one_server_whatever_is_behind_it() -> None:
    """Pollaczek and Khinchin for the sum of the stages: before the devices nobody waits."""
    demand = Demand(3600 * 0.2)
    found = predict(MEASURED, demand, replace(ONE, slots=1))
    assert all(found.waits[name].mean_s == 0 for name in ONE.replicas)
    variance = (0.1 * 0.2) ** 2 + (2.0 * 0.1) ** 2 + (1.0 * 0.1) ** 2
    second_moment = variance + 3.2**2
    assert found.waits["queue"].mean_s == pytest.approx(0.2 * second_moment / 2 / (1 - 0.64))
    played = simulate(MEASURED, demand, replace(ONE, slots=1))
    assert played.wait_s == pytest.approx(found.wait_s, rel=0.1)


def test_replicas_are_served_in_turn_and_refuse_what_their_line_does_not_hold() -> None:
    regular = replace(GENERATOR_ONLY, stages={"generator": StageTime(1.0)})
    installation = Installation({"generator": 2}, 1, 8)
    config = SimulationConfig(warm_up=0, max_waiting=1)
    four = simulate_arrivals([0.0] * 4, regular, ALONE, installation, config)
    assert sorted(four.totals_s) == [1.0, 1.0, 2.0, 2.0] and four.handed_back == 0
    five = simulate_arrivals([0.0] * 5, regular, ALONE, installation, config)
    assert five.handed_back == 1
    assert max(five.totals_s) == 3.0  # came back after two jobs' time


@pytest.mark.parametrize("rate", [100, 1_000, 10_000, 100_000])
def test_a_plan_keeps_its_promise_in_the_simulation(rate: float) -> None:
    demand = Demand(rate, wait_s=5.0)
    found = make_plan(MEASURED, demand)
    assert found.wait_quantile_s(0.95) <= 5.0
    assert all(busy < 1 for busy in found.busy.values())
    played = simulate(MEASURED, demand, found.installation)
    assert played.wait_quantile_s(0.95) <= 5.0 * 1.1
    assert found.total_s >= played.total_s * 0.95  # the formula errs on the safe side


def test_a_shorter_wait_needs_more_and_a_skipped_stage_none() -> None:
    loose, tight = (make_plan(MEASURED, Demand(3000, wait_s=s)) for s in (60.0, 1.0))
    count = lambda plan: sum(plan.installation.replicas.values())  # noqa: E731
    assert count(tight) > count(loose)
    plain = make_plan(MEASURED, Demand(3000, enhanced=0, upscaled=0))
    assert set(plain.installation.replicas) == {"generator"}
    half = make_plan(MEASURED, Demand(3000, upscaled=0.5))
    assert half.busy["super_resolver"] < loose.busy["super_resolver"]


def test_storage_and_cost_are_multiplied() -> None:
    demand = Demand(100, hours_a_day=10, keep_days=30, artefact_hours=2)
    kept = storage(MEASURED, demand)
    assert (kept.videos, kept.artefacts) == (100 * 10 * 30 * 1e6, 100 * 2 * 5e6)
    plan = make_plan(MEASURED, demand)
    report = PlanReport(
        MEASURED, demand, plan, simulate(MEASURED, demand, plan.installation), Prices(2.0, 0.1)
    )
    replicas = sum(plan.installation.replicas.values())
    assert report.money == {
        "devices": replicas * 720 * 2.0, "storage": pytest.approx(31 * 0.1)
    }  # fmt: skip
    values = report.values()
    assert values["chart"]["generator"] == {"replicas": plan.installation.replicas["generator"]}
    assert values["chart"]["gateway"] == {"replicas": 2}


def test_many_jobs_need_many_gateways() -> None:
    demand = Demand(3600 * 40, enhanced=0, upscaled=0)
    plan = make_plan(MEASURED, demand)
    report = PlanReport(MEASURED, demand, plan, simulate(MEASURED, demand, plan.installation))
    assert report.gateways == 8  # 40 a second, each at half of its 10


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Demand(0), "jobs_per_hour must be more than 0"),
        (lambda: Demand(1, enhanced=2), "enhanced must be a share"),
        (lambda: Demand(1, share=1.0), "share must be at least"),
        (lambda: Demand(1, hours_a_day=25), "hours_a_day"),
        (lambda: make_plan(MEASURED, Demand(10, wait_s=0.01)), "allow a longer wait"),
        (lambda: make_plan(MEASURED, Demand(1e9)), "plan for at most"),
        (lambda: make_plan(GENERATOR_ONLY, Demand(10)), r"\[stages.prompt_enhancer\]"),
        (lambda: MEASURED.with_steps("super_resolver", 4), "no step time"),
    ],
)  # fmt: skip
def test_what_cannot_be_planned_is_said(call, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        call()


def test_fewer_steps_are_faster() -> None:
    assert MEASURED.with_steps("generator", 4).stages["generator"].mean_s == pytest.approx(1.1)
