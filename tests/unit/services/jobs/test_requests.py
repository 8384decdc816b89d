from __future__ import annotations

import base64
import threading
from collections.abc import Callable

import pytest

from omnireel.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidInput,
    NotFound,
    ResourceExhausted,
)
from services.common.jobs import JobFilter, JobState, JobStore, Lease, MediaRecord, NewJob
from tests.support.jobs import Clock, add_job


def test_submit_and_get(store: JobStore, clock: Clock) -> None:
    job = add_job(store, priority=3, deadline=clock.now + 9, labels={"project": "a"})
    assert store.get(job.id) == job
    assert (job.state, job.attempt, job.token, job.created_at) == (
        JobState.QUEUED,
        0,
        0,
        clock.now,
    )
    with pytest.raises(NotFound):
        store.get(job.id, caller="somebody else")
    assert [event.state for event in store.events_after(job.id, 0)] == [JobState.QUEUED]


def test_same_request_makes_one_job(store: JobStore) -> None:
    new = NewJob("me", b"body", request_id="r1", request_digest="d1")
    first, is_new = store.submit(new)
    again, is_new_again = store.submit(new)
    assert (is_new, is_new_again) == (True, False)
    assert again == first
    other, _ = store.submit(NewJob("you", b"body", request_id="r1", request_digest="d1"))
    assert other.id != first.id
    with pytest.raises(AlreadyExists, match="fresh"):
        store.submit(NewJob("me", b"other", request_id="r1", request_digest="d2"))


def test_without_request_id_every_request_is_new(store: JobStore) -> None:
    assert add_job(store).id != add_job(store).id


def test_same_request_at_the_same_moment(another: Callable[[], JobStore]) -> None:
    stores = [another() for _ in range(4)]
    ids: list[str] = []
    barrier = threading.Barrier(len(stores))

    def submit(store: JobStore) -> None:
        barrier.wait()
        job, _ = store.submit(NewJob("me", b"x", request_id="r", request_digest="d"))
        ids.append(job.id)

    threads = [threading.Thread(target=submit, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 4 and len(set(ids)) == 1
    for store in stores:
        store.close()


def test_full_queue(store: JobStore) -> None:
    add_job(store)
    with pytest.raises(ResourceExhausted) as caught:
        store.submit(NewJob("me", b"x"), max_queued=1)
    assert caught.value.reason == "QUEUE_FULL" and caught.value.retry_after_s


def test_pages_are_stable_while_jobs_arrive(store: JobStore, clock: Clock) -> None:
    ids = []
    for number in range(7):
        ids.append(add_job(store).id)
        if number % 2:
            clock.tick(1)  # pairs of jobs share a creation time
    first = store.list_jobs("me", page_size=3)
    newcomer = add_job(store)
    second = store.list_jobs("me", page_size=3, page_token=first.next_page_token)
    third = store.list_jobs("me", page_size=3, page_token=second.next_page_token)
    seen = [job.id for page in (first, second, third) for job in page.jobs]
    assert sorted(seen) == sorted(ids) and newcomer.id not in seen
    assert third.next_page_token == ""
    times = [job.created_at for page in (first, second, third) for job in page.jobs]
    assert times == sorted(times, reverse=True)


def test_page_token_of_nobody(store: JobStore) -> None:
    strange = [
        base64.urlsafe_b64encode(text.encode()).decode()
        for text in ("nan/x", "inf/x", "-inf/x", "1.0/", "1.0/a\0")
    ]
    for token in ("nonsense", "AAAA", "!", *strange):
        with pytest.raises(InvalidInput, match="page_token"):
            store.list_jobs("me", page_size=3, page_token=token)


def test_filters(store: JobStore) -> None:
    queued = add_job(store, labels={"a": "1"})
    running = add_job(store, labels={"a": "1", "b": "2"})
    cancelling = add_job(store)
    done = add_job(store)
    for job in (running, cancelling, done):
        assert store.claim(job.id, "w", 60)
    store.request_cancel(cancelling.id)
    claimed = store.get(done.id)
    store.succeed(Lease(claimed.id, "w", claimed.token))

    def listed(job_filter: JobFilter) -> set[str]:
        page = store.list_jobs("me", page_size=10, job_filter=job_filter)
        return {job.id for job in page.jobs}

    assert listed(JobFilter((JobState.QUEUED,))) == {queued.id}
    assert listed(JobFilter((JobState.RUNNING,))) == {running.id}
    assert listed(JobFilter(cancelling=True)) == {cancelling.id}
    assert listed(JobFilter((JobState.SUCCEEDED,), cancelling=True)) == {cancelling.id, done.id}
    assert listed(JobFilter(labels={"a": "1"})) == {queued.id, running.id}
    assert listed(JobFilter(labels={"a": "1", "b": "2"})) == {running.id}
    assert listed(JobFilter(labels={"a": "2"})) == set()


def test_cancel(store: JobStore) -> None:
    queued = add_job(store)
    assert store.request_cancel(queued.id).state is JobState.CANCELLED
    assert store.claim(queued.id, "w", 60) is None
    running = add_job(store)
    assert store.claim(running.id, "w", 60)
    asked = store.request_cancel(running.id)
    assert (asked.state, asked.cancel_requested) == (JobState.RUNNING, True)
    events = store.events_after(running.id, 2)
    assert [event.message for event in events] == ["cancel was asked for"]
    store.request_cancel(running.id)
    assert len(store.events_after(running.id, 2)) == 1
    with pytest.raises(NotFound):
        store.request_cancel("nothing")


def test_delete_only_what_is_finished(store: JobStore) -> None:
    job = add_job(store, labels={"a": "1"})
    with pytest.raises(FailedPrecondition, match="cancel it"):
        store.delete(job.id)
    claimed = store.claim(job.id, "w", 60)
    assert claimed
    with pytest.raises(FailedPrecondition):
        store.delete(job.id)
    store.cancelled(claimed[0])
    store.delete(job.id)
    assert store.events_after(job.id, 0) == ()
    with pytest.raises(NotFound):
        store.delete(job.id)


def test_deleted_operation_leaves_the_video(store: JobStore) -> None:
    job = add_job(store)
    store.delete_operation(job.id)
    assert store.get(job.id).id == job.id
    with pytest.raises(NotFound):
        store.get(job.id, operation=True)
    shown = store.list_jobs("me", page_size=5, job_filter=JobFilter(with_deleted_operations=False))
    assert shown.jobs == ()


def test_queue_position(store: JobStore, clock: Clock) -> None:
    first = add_job(store)
    clock.tick(1)
    second = add_job(store)
    clock.tick(1)
    urgent = add_job(store, priority=5)
    expected = {urgent.id: 0, first.id: 1, second.id: 2}
    assert store.queue_positions(expected) == expected


def test_media_belongs_to_its_caller(store: JobStore) -> None:
    store.put_media("me", MediaRecord("file:///a", b"1"))
    store.put_media("me", MediaRecord("file:///a", b"2"))
    found = store.find_media("me", "file:///a")
    assert found is not None and found.data == b"2"
    assert store.find_media("you", "file:///a") is None
