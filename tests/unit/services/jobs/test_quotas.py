from __future__ import annotations

from concurrent import futures

import pytest

from omnireel.errors import InvalidInput, ResourceExhausted
from services.common.jobs import JobStore, NewJob
from services.common.jobs.quotas import RATE_WINDOW_S, UNKNOWN_RATE_RETRY_S
from services.common.jobs.tenants import DAY_S, TenantPolicy
from tests.support.jobs import Clock, add_job


def refused(store: JobStore, tenant: str = "me", **fields: object) -> ResourceExhausted:
    with pytest.raises(ResourceExhausted) as caught:
        add_job(store, tenant, **fields)
    return caught.value


def used_today(store: JobStore, tenant: str = "me") -> float:
    return {t.name: t.seconds_today for t in store.list_tenants()}[tenant]


def test_one_tenant_s_queue_is_bounded_and_the_others_go_on(store: JobStore) -> None:
    store.set_policy("*", max_queued=2)
    add_job(store), add_job(store)
    assert refused(store).reason == "TENANT_QUEUE_FULL"
    add_job(store, "you")
    store.set_policy("me", max_queued=3)
    add_job(store)
    refused(store)


def test_the_delay_is_measured(store: JobStore, clock: Clock) -> None:
    store.set_policy("*", max_queued=0)
    assert refused(store).retry_after_s == UNKNOWN_RATE_RETRY_S
    store.set_policy("*", max_queued=None)
    for _ in range(6):
        claimed = store.claim(add_job(store).id, "w", 60)
        assert claimed
        store.succeed(claimed[0])
    store.set_policy("*", max_queued=0)
    assert refused(store).retry_after_s == RATE_WINDOW_S / 6
    clock.tick(RATE_WINDOW_S)
    assert refused(store).retry_after_s == UNKNOWN_RATE_RETRY_S


def test_seconds_per_day(store: JobStore, clock: Clock) -> None:
    clock.now = 1000 * DAY_S + 3600
    store.set_policy("*", max_seconds_per_day=10.0)
    add_job(store, video_seconds=6.0)
    error = refused(store, video_seconds=5.0)
    assert error.reason == "DAILY_QUOTA" and error.retry_after_s == DAY_S - 3600
    assert used_today(store) == 6.0  # what was refused was not charged
    add_job(store, video_seconds=4.0)
    add_job(store, "you", video_seconds=10.0)
    clock.tick(DAY_S)
    add_job(store, video_seconds=10.0)


def test_only_what_was_worked_on_is_charged(store: JobStore, clock: Clock) -> None:
    store.request_cancel(add_job(store, video_seconds=3.0).id)
    add_job(store, video_seconds=5.0, deadline=clock.now + 1)
    clock.tick(2)
    store.sweep()
    assert used_today(store) == 0.0
    job = add_job(store, video_seconds=7.0)
    claimed = store.claim(job.id, "w", 60)
    assert claimed
    store.release(claimed[0])
    store.request_cancel(job.id)
    assert used_today(store) == 7.0
    store.delete(job.id)
    assert used_today(store) == 7.0  # deleting a video gives no seconds back


def test_the_limit_holds_when_all_come_at_once(store: JobStore, clock: Clock) -> None:
    store.set_policy("*", max_seconds_per_day=5.0)

    def submit(_: int) -> bool:
        try:
            add_job(store)
        except ResourceExhausted:
            return False
        return True

    with futures.ThreadPoolExecutor(12) as pool:
        taken = list(pool.map(submit, range(12)))
    assert taken.count(True) == 5
    assert used_today(store) == 5.0


def test_one_request_of_twenty_threads_is_one_job_charged_once(
    store: JobStore, clock: Clock
) -> None:
    new = NewJob("me", b"x", request_id="r", request_digest="d", video_seconds=2.0)
    with futures.ThreadPoolExecutor(20) as pool:
        made = list(pool.map(lambda _: store.submit(new), range(20)))
    assert len({job.id for job, _ in made}) == 1
    assert [is_new for _, is_new in made].count(True) == 1
    assert used_today(store) == 2.0


def test_policies(store: JobStore, clock: Clock) -> None:
    store.set_policy("*", weight=2.0, max_queued=9)
    store.set_policy("me", max_running=1)
    store.set_policy("me", weight=4.0)
    add_job(store, "you")
    found = {tenant.name: tenant for tenant in store.list_tenants()}
    assert list(found) == ["*", "me", "you"]
    assert found["me"].policy == TenantPolicy(weight=4.0, max_running=1, max_queued=9)
    assert found["you"].policy == found["*"].policy == TenantPolicy(weight=2.0, max_queued=9)
    assert found["you"].is_default and not found["me"].is_default
    assert (found["you"].queued, found["you"].running) == (1, 0)
    for wrong in ({"weight": 0.0}, {"max_queued": -1}):
        with pytest.raises(InvalidInput):
            store.set_policy("me", **wrong)
