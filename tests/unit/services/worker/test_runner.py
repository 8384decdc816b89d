from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from omnireel.api.v1 import generator_pb2, prompt_enhancer_pb2, super_resolver_pb2
from services.common.jobs import JobState, Lease, Stage, StageOutput
from services.worker.clients import ModelClients
from services.worker.runner import JobRunner, RunnerConfig
from tests.support.job_runs import Bench, bench


@pytest.fixture(name="b")
def _b(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        yield made


def objects(b: Bench) -> list[str]:
    return [info.key for info in b.store.list("jobs/")]


def test_three_stages(b: Bench) -> None:
    job = b.submit()
    b.runner().run(job.id)
    done = b.jobs.get(job.id)
    assert (done.state, done.attempt, done.error) == (JobState.SUCCEEDED, 1, None)
    assert done.progress is not None and done.progress.fraction == 1.0
    outputs = b.jobs.stage_outputs([job.id])[job.id]
    assert set(outputs) == set(Stage)
    enhanced = prompt_enhancer_pb2.EnhanceResult.FromString(outputs[Stage.ENHANCE].data)
    assert enhanced.enhancement.text == "a red ball, finely detailed"
    base = generator_pb2.GenerateResult.FromString(outputs[Stage.GENERATE].data).video
    large = super_resolver_pb2.UpscaleResult.FromString(outputs[Stage.UPSCALE].data).video
    assert (base.width, base.num_frames, large.width, large.num_frames) == (64, 9, 128, 9)
    prefix = f"jobs/{job.id}/1"
    names = ("base.mp4", "latents.safetensors", "poster.png", "upscaled.mp4")
    assert objects(b) == [f"{prefix}/{name}" for name in names]
    for media in (base, large):
        assert b.jobs.find_media("me", media.uri) is not None


def test_every_step_is_an_event_and_fractions_grow(b: Bench) -> None:
    job = b.submit()
    b.runner(progress_interval_s=60.0).run(job.id)  # all of a stage in one transaction
    progress = [event.progress for event in b.jobs.events_after(job.id, 0) if event.progress]
    for stage in (Stage.GENERATE, Stage.UPSCALE):
        steps = [p.step for p in progress if p.stage is stage]
        assert set(steps) >= {1, 2, 3, 4}, stage
    fractions = [p.fraction for p in progress]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0


def test_stages_can_be_left_out(b: Bench) -> None:
    job = b.submit(enhance=False, upscale=False)
    b.runner().run(job.id)
    outputs = b.jobs.stage_outputs([job.id])[job.id]
    assert set(outputs) == {Stage.GENERATE, Stage.FINISH}
    assert b.jobs.get(job.id).state is JobState.SUCCEEDED


def test_goes_on_after_the_last_finished_stage(b: Bench) -> None:
    job = b.submit()
    claimed = b.jobs.claim(job.id, "w0", 10)
    assert claimed
    result = prompt_enhancer_pb2.EnhanceResult(model_version="kept")
    result.enhancement.prompt.parts.add(text="kept words")
    b.jobs.save_stage(claimed[0], StageOutput(Stage.ENHANCE, result.SerializeToString(), 1.0, 2.0))
    b.clock.tick(11)
    b.jobs.sweep()
    b.runner().run(job.id)
    events = b.jobs.events_after(job.id, 0)
    assert not any(e.progress and e.progress.stage is Stage.ENHANCE for e in events)
    done = b.jobs.get(job.id)
    assert (done.state, done.token) == (JobState.SUCCEEDED, 2)
    kept = b.jobs.stage_outputs([job.id])[job.id][Stage.ENHANCE]
    assert kept.data == result.SerializeToString()


def test_cancel_stops_within_one_step(b: Bench) -> None:
    job = b.submit()

    def hook(step: int) -> None:
        if step == 2:
            b.jobs.request_cancel(job.id)
            time.sleep(0.2)  # several heartbeats: by the end of this step it has been seen

    b.generator.hook = hook
    b.runner().run(job.id)
    assert b.jobs.get(job.id).state is JobState.CANCELLED
    assert b.generator.steps == [1]
    assert b.upscaler.steps == []
    assert objects(b) == []


def test_cancel_before_the_last_stage_ends(b: Bench) -> None:
    job = b.submit(upscale=False)
    b.generator.hook = lambda step: b.jobs.request_cancel(job.id) if step == 4 else None
    b.runner(heartbeat_s=4.0, lease_s=60.0).run(job.id)  # seen by the step's own write
    assert b.jobs.get(job.id).state is JobState.CANCELLED


def test_worker_that_lost_its_job_writes_nothing(b: Bench) -> None:
    job = b.submit()
    stolen = threading.Event()

    def steal(step: int) -> None:
        if step == 2:
            b.clock.tick(100)
            b.jobs.sweep()
            assert b.jobs.claim(job.id, "thief", 1000)
            stolen.set()

    b.generator.hook = steal
    b.runner().run(job.id)
    assert stolen.wait(20)  # a heartbeat may end the run between the sweep and the claim
    held = b.jobs.get(job.id)
    assert (held.state, held.lease_owner, held.token) == (JobState.RUNNING, "thief", 2)
    assert Stage.GENERATE not in b.jobs.stage_outputs([job.id])[job.id]
    assert b.upscaler.steps == []


def test_two_rings_make_one_run(b: Bench) -> None:
    job = b.submit()
    for _ in range(2):
        b.runner().run(job.id)
    assert b.generator.steps == [1, 2, 3, 4]
    assert b.jobs.get(job.id).token == 1
    b.runner().run("no such job")


def test_unavailable_is_tried_again_with_growing_delays(b: Bench) -> None:
    job = b.submit("fail-unavailable-generator", max_attempts=3)
    delays = []
    for attempt in (1, 2):
        b.runner().run(job.id)
        waiting = b.jobs.get(job.id)
        assert (waiting.state, waiting.attempt) == (JobState.QUEUED, attempt)
        before = b.clock.now
        while b.jobs.claim(job.id, "probe", 1) is None:
            b.clock.tick(0.25)
        delays.append(b.clock.now - before)
        claimed = b.jobs.get(job.id)
        b.jobs.release(Lease(job.id, "probe", claimed.token))
    assert delays == [0.5, 1.0]
    b.runner().run(job.id)
    failed = b.jobs.get(job.id)
    assert failed.state is JobState.FAILED
    assert failed.error is not None
    assert (failed.error.reason, failed.error.retryable) == ("UNAVAILABLE", True)


def test_service_that_is_not_there(b: Bench) -> None:
    addresses = {**b.addresses, "prompt_enhancer": "127.0.0.1:1"}
    clients = ModelClients(**addresses)
    job = b.submit()
    JobRunner(b.jobs, b.store, clients, RunnerConfig("w")).run(job.id)
    clients.close()
    assert b.jobs.get(job.id).state is JobState.QUEUED


@pytest.mark.parametrize(
    ("word", "code", "reason"),
    [
        ("fail-invalid-generator", 3, "INVALID_INPUT"),
        ("fail-integrity-super_resolver", 15, "INTEGRITY"),
        ("fail-internal-prompt_enhancer", 13, "INTERNAL"),
    ],
)
def test_what_no_retry_helps_fails_the_job(b: Bench, word: str, code: int, reason: str) -> None:
    job = b.submit(word)
    b.runner().run(job.id)
    failed = b.jobs.get(job.id)
    assert (failed.state, failed.attempt) == (JobState.FAILED, 1)
    error = failed.error
    assert error is not None
    assert (error.code, error.reason, error.retryable) == (code, reason, False)
    assert "secret internals" not in error.message
    assert ("error id" in error.message) == (reason == "INTERNAL")


def test_drain_hands_the_job_back(b: Bench) -> None:
    job = b.submit()
    runner = b.runner()
    b.generator.hook = lambda step: runner.drain() if step == 2 else None
    runner.run(job.id)
    waiting = b.jobs.get(job.id)
    assert (waiting.state, waiting.attempt) == (JobState.QUEUED, 0)
    runner.run(job.id)  # takes nothing any more
    assert b.jobs.get(job.id).state is JobState.QUEUED
    b.generator.hook = lambda _step: None
    b.runner().run(job.id)
    assert b.jobs.get(job.id).state is JobState.SUCCEEDED
    assert len(b.enhancer.steps) == len(set(b.enhancer.steps))  # enhanced once


def test_deadline_during_the_work(b: Bench) -> None:
    b.clock.now = time.time()
    job = b.submit(deadline=time.time() + 1.0)
    b.generator.hook = lambda step: time.sleep(1.2) if step == 2 else None
    b.runner().run(job.id)
    failed = b.jobs.get(job.id)
    assert failed.state is JobState.FAILED
    assert failed.error is not None
    assert (failed.error.reason, failed.error.retryable) == ("DEADLINE_EXCEEDED", True)


def test_a_job_without_enough_memory_fails_alone_and_at_once(b: Bench) -> None:
    large, next_one = b.submit("fail-memory-generator"), b.submit()
    runner = b.runner()
    for job in (large, next_one):
        runner.run(job.id)
    failed = b.jobs.get(large.id)
    assert (failed.state, failed.attempt) == (JobState.FAILED, 1)
    assert failed.error is not None
    assert (failed.error.reason, failed.error.retryable) == ("OUT_OF_MEMORY", False)
    assert "smaller" in failed.error.message
    assert b.jobs.get(next_one.id).state is JobState.SUCCEEDED
