from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from services.common.jobs import (
    Job,
    JobError,
    JobState,
    JobStore,
    Lease,
    LeaseLost,
    MediaRecord,
    Progress,
    Stage,
    StageOutput,
)
from tests.support.jobs import Clock, add_job

LEASE_S = 10.0
ERROR = JobError(14, "the generator is down", "UNAVAILABLE", retryable=True)


def take(store: JobStore, job: Job, owner: str = "w1") -> Lease:
    claimed = store.claim(job.id, owner, LEASE_S)
    assert claimed is not None
    return claimed[0]


def lose(store: JobStore, clock: Clock, job: Job) -> None:
    clock.tick(LEASE_S + 1)
    assert store.sweep() == 1
    assert store.get(job.id).state is JobState.QUEUED


def test_claim(store: JobStore, clock: Clock) -> None:
    job = add_job(store)
    lease = take(store, job)
    running = store.get(job.id)
    assert (running.state, running.token, running.attempt) == (JobState.RUNNING, 1, 1)
    assert (running.lease_owner, running.lease_expires) == ("w1", clock.now + LEASE_S)
    assert lease == Lease(job.id, "w1", 1)
    assert store.claim(job.id, "w2", LEASE_S) is None


def test_only_one_of_many_claims_wins(another: Callable[[], JobStore]) -> None:
    stores = [another() for _ in range(4)]
    job = add_job(stores[0])
    won: list[str] = []
    barrier = threading.Barrier(len(stores))

    def claim(number: int) -> None:
        barrier.wait()
        if stores[number].claim(job.id, f"w{number}", LEASE_S):
            won.append(f"w{number}")

    threads = [threading.Thread(target=claim, args=(n,)) for n in range(len(stores))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert stores[0].get(job.id).lease_owner == won[0]
    for store in stores:
        store.close()


def test_heartbeat_keeps_the_job(store: JobStore, clock: Clock) -> None:
    job = add_job(store)
    lease = take(store, job)
    for _ in range(3):
        clock.tick(LEASE_S - 1)
        assert not store.renew(lease, LEASE_S).cancel_requested
        assert store.sweep() == 0
    store.request_cancel(job.id)
    assert store.renew(lease, LEASE_S).cancel_requested


def test_progress_is_one_event_per_step(store: JobStore) -> None:
    job = add_job(store)
    lease = take(store, job)
    steps = [Progress(Stage.GENERATE, n, 4, n / 4, f"p{n}") for n in range(1, 4)]
    store.record_progress(lease, steps[:2])
    store.record_progress(lease, steps[2:])
    events = store.events_after(job.id, 2)
    assert [event.progress for event in events] == steps
    assert [event.sequence for event in events] == [3, 4, 5]
    assert store.get(job.id).progress == steps[-1]
    assert [e.sequence for e in store.events_after(job.id, 3, limit=1)] == [4]


WRITES: dict[str, Callable[[JobStore, Lease], object]] = {
    "renew": lambda store, lease: store.renew(lease, LEASE_S),
    "progress": lambda store, lease: store.record_progress(
        lease, [Progress(Stage.GENERATE, 1, 4, 0.5)]
    ),
    "stage": lambda store, lease: store.save_stage(
        lease, StageOutput(Stage.GENERATE, b"late", 0.0, 1.0), (MediaRecord("file:///x", b""),)
    ),
    "succeed": lambda store, lease: store.succeed(lease),
    "fail": lambda store, lease: store.fail(lease, ERROR),
    "cancelled": lambda store, lease: store.cancelled(lease),
    "release": lambda store, lease: store.release(lease),
    "retry": lambda store, lease: store.retry(lease, ERROR, 1.0),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("now", ["queued again", "claimed by another", "finished"])
def test_stale_writer_is_refused(
    store: JobStore, clock: Clock, write: Callable[[JobStore, Lease], object], now: str
) -> None:
    job = add_job(store)
    stale = take(store, job, "w1")
    lose(store, clock, job)
    if now != "queued again":
        fresh = take(store, job, "w2")
        assert fresh.token == stale.token + 1
        if now == "finished":
            store.succeed(fresh)
    before = (store.get(job.id), store.events_after(job.id, 0), store.stage_outputs([job.id]))
    with pytest.raises(LeaseLost, match="w1"):
        write(store, stale)
    after = (store.get(job.id), store.events_after(job.id, 0), store.stage_outputs([job.id]))
    assert after == before
    assert store.find_media("me", "file:///x") is None


def test_late_writer_whose_job_nobody_took_goes_on(store: JobStore, clock: Clock) -> None:
    job = add_job(store)
    lease = take(store, job)
    clock.tick(LEASE_S + 1)  # expired, but nobody swept
    store.renew(lease, LEASE_S)
    assert store.sweep() == 0
    store.succeed(lease)
    assert store.get(job.id).state is JobState.SUCCEEDED


def test_picked_up_job_finds_its_finished_stages(store: JobStore, clock: Clock) -> None:
    job = add_job(store)
    first = take(store, job, "w1")
    output = StageOutput(Stage.ENHANCE, b"words", 1.0, 2.0)
    store.save_stage(first, output, (MediaRecord("file:///x", b"media"),))
    lose(store, clock, job)
    take(store, job, "w2")
    assert store.stage_outputs([job.id]) == {job.id: {Stage.ENHANCE: output}}
    assert store.find_media("me", "file:///x") is not None


def test_release_loses_no_attempt(store: JobStore) -> None:
    job = add_job(store, max_attempts=1)
    for token in (1, 2, 3):
        lease = take(store, job)
        assert lease.token == token
        store.release(lease)
    waiting = store.get(job.id)
    assert (waiting.state, waiting.attempt, waiting.lease_owner) == (JobState.QUEUED, 0, "")


def test_retry_waits_and_gives_up(store: JobStore, clock: Clock) -> None:
    job = add_job(store, max_attempts=2)
    assert store.retry(take(store, job), ERROR, 5.0) is JobState.QUEUED
    clock.tick(4.9)
    assert store.claim(job.id, "w1", LEASE_S) is None
    clock.tick(0.2)
    assert store.retry(take(store, job), ERROR, 5.0) is JobState.FAILED
    failed = store.get(job.id)
    assert (failed.state, failed.error) == (JobState.FAILED, ERROR)
    assert failed.finished_at == clock.now


def test_results_are_final(store: JobStore) -> None:
    job = add_job(store)
    lease = take(store, job)
    store.request_cancel(job.id)
    store.succeed(lease)  # the result was there before the cancel was seen
    assert store.get(job.id).state is JobState.SUCCEEDED
    for write in WRITES.values():
        with pytest.raises(LeaseLost):
            write(store, lease)
    assert store.request_cancel(job.id).state is JobState.SUCCEEDED


def test_started_at_is_the_first_time(store: JobStore, clock: Clock) -> None:
    job = add_job(store)
    begun = clock.now
    take(store, job)
    lose(store, clock, job)
    take(store, job)
    assert store.get(job.id).started_at == begun


def test_events_are_numbered_without_gaps(store: JobStore, clock: Clock) -> None:
    job = add_job(store)
    store.record_progress(take(store, job), [Progress(Stage.GENERATE, 1, 2, 0.5)])
    lose(store, clock, job)
    lease = take(store, job, "w2")
    store.record_progress(lease, [Progress(Stage.GENERATE, n, 2, 0.5) for n in (1, 2)])
    store.request_cancel(job.id)
    store.cancelled(lease)
    events = store.events_after(job.id, 0)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert events[-1].state is JobState.CANCELLED
    assert events[-1].sequence == store.get(job.id).event_sequence
