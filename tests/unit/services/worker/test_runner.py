from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from omnireel.api.v1 import generator_pb2, prompt_enhancer_pb2, super_resolver_pb2
from omnireel.types import VideoFormat
from services.common.artifacts import read_latents
from services.common.jobs import Job, JobState, Lease, Stage, StageOutput
from services.worker.clients import ModelClients
from services.worker.runner import JobRunner, RunnerConfig
from tests.support.engines.frames import base_latents
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
            for _ in range(100):  # a heartbeat may renew the lease before the sweep
                b.clock.tick(100)
                b.jobs.sweep()
                if b.jobs.claim(job.id, "thief", 1000):
                    stolen.set()
                    return

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
    for number in range(5):  # an outage may last: it costs no attempt
        JobRunner(b.jobs, b.store, clients, RunnerConfig("w")).run(job.id)
        waiting = b.jobs.get(job.id)
        assert (waiting.state, waiting.attempt) == (JobState.QUEUED, 0)
        assert waiting.token == number + 1
        b.clock.tick(60)
    clients.close()
    b.runner().run(job.id)
    assert b.jobs.get(job.id).state is JobState.SUCCEEDED


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


def drain_at_step_3(b: Bench, job: Job, runner: JobRunner) -> Callable[[int], None]:
    """A hook that drains once the worker has heard of the first step."""

    def heard() -> bool:
        at = b.jobs.get(job.id).progress
        return at is not None and at.stage is Stage.GENERATE and at.step >= 1

    def hook(step: int) -> None:
        if step == 3:
            while not heard():
                time.sleep(0.01)
            runner.drain()

    return hook


def test_drain_hands_the_job_over_with_its_state(b: Bench) -> None:
    job = b.submit()
    runner = b.runner()
    b.generator.hook = drain_at_step_3(b, job, runner)
    runner.run(job.id)
    waiting = b.jobs.get(job.id)
    assert (waiting.state, waiting.attempt) == (JobState.QUEUED, 0)
    assert objects(b) == [f"jobs/{job.id}/checkpoint/generate.safetensors"]
    runner.run(job.id)  # takes nothing any more
    assert b.jobs.get(job.id).state is JobState.QUEUED
    b.generator.hook = lambda _step: None
    b.runner().run(job.id)
    assert b.jobs.get(job.id).state is JobState.SUCCEEDED
    assert b.enhancer.steps == [1, 2]  # enhanced once
    assert b.generator.steps == [1, 2, 3, 4]  # no step was repeated
    measured = {key.stage for key in b.jobs.cost_table().per_unit}
    assert measured == {Stage.ENHANCE, Stage.UPSCALE, Stage.FINISH}  # no generation was whole
    assert not any("/checkpoint/" in key for key in objects(b))
    outputs = b.jobs.stage_outputs([job.id])[job.id]
    made = generator_pb2.GenerateResult.FromString(outputs[Stage.GENERATE].data)
    latents = read_latents(b.store, made.latents_uri)
    assert (latents == base_latents(VideoFormat(64, 64, 9, 8.0), 7)).all()


def test_drain_lets_a_job_finish_in_time(b: Bench) -> None:
    job = b.submit()
    runner = b.runner()
    draining = threading.Thread(target=runner.drain, kwargs={"finish_s": 60.0, "handover_s": 1.0})
    b.generator.hook = lambda step: draining.start() if step == 2 else None
    runner.run(job.id)
    draining.join()
    assert b.jobs.get(job.id).state is JobState.SUCCEEDED


def test_drain_cuts_off_what_does_not_hand_over(b: Bench) -> None:
    job = b.submit()
    runner = b.runner()
    stuck = threading.Event()
    b.upscaler.hook = lambda step: stuck.wait(60) and None if step == 2 else None
    run = threading.Thread(target=runner.run, args=(job.id,))
    run.start()
    while b.upscaler.steps != [1]:
        time.sleep(0.01)
    runner.drain(handover_s=0.2)
    run.join()
    waiting = b.jobs.get(job.id)
    assert (waiting.state, waiting.attempt) == (JobState.QUEUED, 0)
    stuck.set()


@pytest.mark.parametrize("end", ["cancel", "fail"])
def test_the_state_goes_away_with_the_job(b: Bench, end: str) -> None:
    job = b.submit("fail-integrity-super_resolver" if end == "fail" else "a red ball")
    runner = b.runner()
    b.generator.hook = drain_at_step_3(b, job, runner)
    runner.run(job.id)
    assert any("/checkpoint/" in key for key in objects(b))

    def hook(step: int) -> None:
        if end == "cancel" and step == 4:
            b.jobs.request_cancel(job.id)
            time.sleep(0.2)  # several heartbeats

    b.generator.hook = hook
    b.runner().run(job.id)
    assert b.jobs.get(job.id).state.terminal
    assert not any("/checkpoint/" in key for key in objects(b))


@pytest.mark.parametrize("stage", ["enhancer", "generator", "upscaler"])
def test_cancel_stops_every_stage_before_its_next_step(b: Bench, stage: str) -> None:
    job = b.submit()
    engine = getattr(b, stage)
    at_cancel: list[int] = []

    def hook(step: int) -> None:
        if step == 2:
            at_cancel.extend(engine.steps)
            b.jobs.request_cancel(job.id)
            time.sleep(0.3)  # several heartbeats

    engine.hook = hook
    b.runner().run(job.id)
    assert b.jobs.get(job.id).state is JobState.CANCELLED
    assert engine.steps == at_cancel == [1]  # not one step after it was heard of
    later = {"enhancer": b.generator, "generator": b.upscaler}.get(stage)
    assert later is None or later.steps == []


def test_a_job_never_runs_on_another_version(b: Bench) -> None:
    job = b.submit(versions={"generator": "of yesterday"}, max_attempts=2)
    for _ in range(2):
        b.runner().run(job.id)
        b.clock.tick(10)
    failed = b.jobs.get(job.id)
    assert failed.state is JobState.FAILED and failed.error is not None
    assert (failed.error.reason, failed.error.retryable) == ("MODEL_VERSION_MISMATCH", True)
    assert "resubmit it" in failed.error.message
    assert b.generator.steps == []


def test_deadline_during_the_work(b: Bench) -> None:
    b.clock.now = time.time()
    job = b.submit(deadline=time.time() + 1.0)
    b.generator.hook = lambda step: time.sleep(1.2) if step == 2 else None
    b.runner().run(job.id)
    failed = b.jobs.get(job.id)
    assert failed.state is JobState.FAILED
    assert failed.error is not None
    assert (failed.error.reason, failed.error.retryable) == ("DEADLINE_EXCEEDED", True)


def test_a_deadline_in_a_far_future(b: Bench) -> None:
    job = b.submit(deadline=253_402_300_799.0)  # the year 9999 ends
    b.runner().run(job.id)
    assert b.jobs.get(job.id).state is JobState.SUCCEEDED


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
