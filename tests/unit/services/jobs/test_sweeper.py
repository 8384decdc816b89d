from __future__ import annotations

from services.common.jobs import JobError, JobState, JobStore
from tests.support.jobs import Clock, add_job

LEASE_S = 10.0


def ring(store: JobStore) -> tuple[str, ...]:
    return store.take_for_publishing(worker_ttl_s=30, republish_s=5)


def test_job_of_a_lost_worker_is_queued_again(store: JobStore, clock: Clock) -> None:
    job = add_job(store)
    assert store.claim(job.id, "w1", LEASE_S)
    clock.tick(LEASE_S)
    assert store.sweep() == 0
    clock.tick(1)
    assert store.sweep() == 1
    again = store.get(job.id)
    assert (again.state, again.attempt, again.token) == (JobState.QUEUED, 1, 1)
    assert "'w1' was lost" in store.events_after(job.id, 2)[0].message
    assert store.sweep() == 0


def test_a_job_that_kills_its_workers_fails(store: JobStore, clock: Clock) -> None:
    job = add_job(store, max_attempts=2)
    for expected in (JobState.QUEUED, JobState.FAILED):
        assert store.claim(job.id, "w", LEASE_S)
        clock.tick(LEASE_S + 1)
        store.sweep()
        assert store.get(job.id).state is expected
    error = store.get(job.id).error
    assert error is not None and (error.reason, error.retryable) == ("WORKER_LOST", True)


def test_lost_job_that_was_being_cancelled(store: JobStore, clock: Clock) -> None:
    job = add_job(store)
    assert store.claim(job.id, "w", LEASE_S)
    store.request_cancel(job.id)
    clock.tick(LEASE_S + 1)
    store.sweep()
    assert store.get(job.id).state is JobState.CANCELLED


def test_queued_job_past_its_deadline_fails(store: JobStore, clock: Clock) -> None:
    job = add_job(store, deadline=clock.now + 5)
    clock.tick(5)
    assert store.claim(job.id, "w", LEASE_S) is None
    assert store.sweep() == 1
    failed = store.get(job.id)
    assert failed.state is JobState.FAILED
    assert failed.error is not None and failed.error.reason == "DEADLINE_EXCEEDED"


def test_rings_for_as_many_as_there_are_slots(store: JobStore) -> None:
    jobs = [add_job(store) for _ in range(4)]
    assert ring(store) == ()  # no worker
    store.seen("w1", 1)
    store.seen("w2", 2)
    first = ring(store)
    assert len(first) == 3
    assert ring(store) == ()  # three rings are out
    assert store.claim(first[0], "w1", LEASE_S)
    assert ring(store) == ()  # one runs, two rings are out
    store.seen("w3", 1)
    rest = {job.id for job in jobs} - set(first)
    assert set(ring(store)) == rest
    store.gone("w3")
    add_job(store)
    assert ring(store) == ()  # four jobs for the three slots that are left


def test_order_is_priority_then_age(store: JobStore, clock: Clock) -> None:
    old = add_job(store)
    clock.tick(1)
    young = add_job(store)
    clock.tick(1)
    urgent = add_job(store, priority=1)
    store.seen("w", 3)
    assert ring(store) == (urgent.id, old.id, young.id)


def test_lost_ring_is_repeated(store: JobStore, clock: Clock) -> None:
    job = add_job(store)
    store.seen("w", 1)
    assert ring(store) == (job.id,)
    clock.tick(4)
    assert ring(store) == ()
    clock.tick(2)
    assert ring(store) == (job.id,)


def test_released_job_is_rung_for_at_once(store: JobStore) -> None:
    job = add_job(store)
    store.seen("w", 1)
    assert ring(store) == (job.id,)
    claimed = store.claim(job.id, "w", LEASE_S)
    assert claimed
    store.release(claimed[0])
    assert ring(store) == (job.id,)


def test_backed_off_job_is_not_rung_for(store: JobStore, clock: Clock) -> None:
    job = add_job(store)
    store.seen("w", 1)
    claimed = store.claim(job.id, "w", LEASE_S)
    assert claimed
    store.retry(claimed[0], JobError(14, "down"), delay_s=20)
    assert ring(store) == ()
    clock.tick(20)
    assert ring(store) == (job.id,)


def test_silent_worker_has_no_slots(store: JobStore, clock: Clock) -> None:
    store.seen("w", 1)
    clock.tick(31)
    add_job(store)
    assert ring(store) == ()
    store.seen("w", 1)
    assert len(ring(store)) == 1
