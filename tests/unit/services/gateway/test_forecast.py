from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from omnireel.api.v1.video_pb2 import CreateVideoRequest
from services.common.jobs import Job, JobStore, Lease, NewJob, Progress, Stage, StageOutput
from services.common.jobs.costs import KEPT, CostKey, CostTable, StageCost, StageTime
from services.gateway.forecast import Expected, Forecast, expected_waits, remaining_s
from tests.support.jobs import Clock, new_store

MEASURED = {Stage.ENHANCE: 2.0, Stage.GENERATE: 0.5, Stage.UPSCALE: 1.0, Stage.FINISH: 3.0}
"""Seconds per unit."""
WHOLE_S = 2.0 + 10 * 0.5 + 4 * 1.0 + 3.0


def request(width: int = 64, version: str = "") -> CreateVideoRequest:
    made = CreateVideoRequest(enhance=True, upscale=True)
    made.settings.format.width, made.settings.format.height = width, 64
    made.settings.format.num_frames = 17
    made.settings.num_inference_steps, made.settings.num_upscale_steps = 10, 4
    for scale in ("text", "image", "video"):
        setattr(made.settings.guidance, scale, 1.0)
    made.model_versions.generator = version
    return made


class Setup:
    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.jobs: JobStore = new_store(folder, self.clock)

    def submit(self, **more: int) -> Job:
        return self.jobs.submit(NewJob("me", request(**more).SerializeToString()))[0]

    def start(self, job: Job) -> Lease:
        claimed = self.jobs.claim(job.id, "w", 10_000)
        assert claimed
        return claimed[0]

    def measure(self, factor: float = 1.0, version: str = "v1") -> None:
        lease = self.start(self.submit())
        for stage, seconds in MEASURED.items():
            fmt = "64x64x17" if stage in (Stage.GENERATE, Stage.UPSCALE) else ""
            key = CostKey(stage, "" if stage is Stage.FINISH else version, fmt)
            output = StageOutput(stage, b"", 0.0, 1.0)
            self.jobs.save_stage(lease, output, (), StageCost(key, 2.0, seconds * 2 * factor))
        self.jobs.succeed(lease)

    def waits(self) -> list[Expected]:
        return list(expected_waits(self.jobs.line(), self.jobs.cost_table()).values())


@pytest.fixture
def s(tmp_path: Path) -> Iterator[Setup]:
    made = Setup(tmp_path)
    yield made
    made.jobs.close()


def test_nothing_measured_nothing_said(s: Setup) -> None:
    s.jobs.seen("w", 1)
    s.submit()
    assert s.waits() == [Expected(0, None)]
    assert remaining_s(request(), None, 0.0, s.jobs.cost_table()) is None


def test_the_median_of_what_was_measured(s: Setup) -> None:
    for factor in (1.0, 1.0, 50.0):
        s.measure(factor)
    costs = s.jobs.cost_table()
    assert remaining_s(request(), None, 0.0, costs) == pytest.approx(WHOLE_S)
    assert remaining_s(request(width=128), None, 0.0, costs) is None  # another format
    assert remaining_s(request(version="v1"), None, 0.0, costs) == pytest.approx(WHOLE_S)
    assert remaining_s(request(version="v2"), None, 0.0, costs) is None


def test_old_measurements_give_way(s: Setup) -> None:
    s.measure(100.0)
    for _ in range(KEPT):
        s.measure(1.0)
    s.measure(1.0, version="v2")
    costs = s.jobs.cost_table()
    assert len(costs.per_unit) == 7  # three stages of two versions, and the end
    assert costs.newest_version[Stage.GENERATE] == "v2"
    assert costs.time(Stage.FINISH, "", "", 1.0) == StageTime(3.0)


def test_steps_that_are_done_are_no_longer_expected(s: Setup) -> None:
    s.measure()
    costs = s.jobs.cost_table()

    def left(stage: Stage, step: int, since_s: float = 0.0) -> float | None:
        at = Progress(stage, step, {Stage.GENERATE: 10, Stage.UPSCALE: 4}.get(stage, 0), 0.0)
        return remaining_s(request(), at, since_s, costs)

    assert left(Stage.ENHANCE, 0) == pytest.approx(WHOLE_S)
    assert left(Stage.GENERATE, 4) == pytest.approx(6 * 0.5 + 4 * 1.0 + 3.0)
    assert left(Stage.GENERATE, 4, since_s=0.2) == pytest.approx(6 * 0.5 - 0.2 + 4 * 1.0 + 3.0)
    assert left(Stage.GENERATE, 4, since_s=99.0) == pytest.approx(5 * 0.5 + 4 * 1.0 + 3.0)
    assert left(Stage.FINISH, 0, since_s=99.0) == 0.0


def test_guidance_makes_steps_dearer_and_what_surrounds_them_stays() -> None:
    key = CostKey(Stage.GENERATE, "g", "64x64x17")
    one = {key: StageTime(0.5, fixed_s=2.0), CostKey(Stage.FINISH, "", ""): StageTime(3.0)}
    costs = CostTable(one, {Stage.GENERATE: "g"})
    asked = request()
    asked.enhance = asked.upscale = False
    assert remaining_s(asked, None, 0.0, costs) == pytest.approx(10 * 0.5 + 2.0 + 3.0)
    asked.settings.guidance.text = 4.0
    assert remaining_s(asked, None, 0.0, costs) == pytest.approx(20 * 0.5 + 2.0 + 3.0)
    asked.settings.num_inference_steps = 4
    assert remaining_s(asked, None, 0.0, costs) == pytest.approx(8 * 0.5 + 2.0 + 3.0)

    def left(step: int, since_s: float) -> float | None:
        return remaining_s(asked, Progress(Stage.GENERATE, step, 4, 0.0), since_s, costs)

    assert left(3, 9.0) == pytest.approx(2.0 + 3.0)
    assert left(4, 1.5) == pytest.approx(0.5 + 3.0)  # decoding goes on
    assert left(4, 9.0) == pytest.approx(3.0)


def test_the_queue_is_played_forward_over_all_slots(s: Setup) -> None:
    s.measure()
    s.jobs.seen("w", 2)
    lease = s.start(s.submit())
    s.jobs.record_progress(lease, [Progress(Stage.UPSCALE, 4, 4, 0.9)])  # 3 s left
    for _ in range(3):
        s.submit()
    assert s.waits() == [
        Expected(0, pytest.approx(WHOLE_S)),  # in the free slot
        Expected(1, pytest.approx(3.0 + WHOLE_S)),  # after the one that runs
        Expected(2, pytest.approx(2 * WHOLE_S)),
    ]


def test_without_workers_nobody_knows(s: Setup) -> None:
    s.measure()
    s.submit()
    assert s.waits() == [Expected(0, None)]


def test_time_passes(s: Setup) -> None:
    s.measure()
    s.jobs.seen("w", 1)
    job = s.submit()
    forecast = Forecast(s.jobs, s.clock)
    assert forecast.waiting([job.id, "x"]) == {job.id: Expected(0, pytest.approx(WHOLE_S))}
    s.clock.tick(1.0)
    soon = forecast.waiting([job.id])[job.id].eta_s
    assert soon is not None and soon <= WHOLE_S
    started = Progress(Stage.GENERATE, 0, 10, 0.0)
    assert forecast.running_s(request(), started, s.clock.now) == pytest.approx(WHOLE_S - 2.0)
