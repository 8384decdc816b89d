from __future__ import annotations

import pytest

from services.common.jobs import JobStore
from services.common.jobs.schema import PRIORITY_STEP_S
from tests.support.jobs import Clock, add_job
from tests.support.queueing import Simulation, shares


@pytest.fixture
def s(store: JobStore, clock: Clock) -> Simulation:
    return Simulation(store, clock)


@pytest.mark.parametrize("slots", [1, 3])
def test_a_thousand_jobs_delay_a_newcomer_by_one_job_per_worker(s: Simulation, slots: int) -> None:
    s.slots = slots
    s.submit("crowd", 1000)
    s.run(20)
    s.submit("newcomer")
    assert "newcomer" in s.run(slots)  # the jobs that run go on; the very next one is theirs


def test_also_when_the_crowd_asks_with_the_highest_priority(s: Simulation) -> None:
    s.submit("crowd", 50, priority=10)
    s.run(5)
    s.submit("newcomer", priority=-10)
    assert s.run(1) == ["newcomer"]


def test_shares_follow_the_weights(s: Simulation, store: JobStore) -> None:
    store.set_policy("gold", weight=3.0)
    for tenant in ("gold", "silver", "bronze"):
        s.submit(tenant, 60)
    assert shares(s.run(50)) == pytest.approx({"gold": 0.6, "silver": 0.2, "bronze": 0.2})


def test_long_videos_count_for_what_they_are(s: Simulation) -> None:
    s.submit("long", 60, video_seconds=8.0)
    s.submit("short", 60, video_seconds=2.0)
    assert shares(s.run(50)) == pytest.approx({"long": 0.2, "short": 0.8})


def test_nobody_saves_up_while_idle(s: Simulation) -> None:
    s.submit("busy", 60)
    s.run(40)
    s.submit("idle", 20)
    assert shares(s.run(20)) == pytest.approx({"busy": 0.5, "idle": 0.5})


def test_many_tenants_and_none_starves(s: Simulation, store: JobStore) -> None:
    store.set_policy("t0", weight=1000.0)
    store.set_policy("t9", weight=0.01)
    for n in range(10):
        s.submit(f"t{n}", 300)
    first_turn = s.run(12)
    assert set(first_turn) == {f"t{n}" for n in range(10)}


def test_priority_orders_the_own_jobs_and_old_ones_get_their_turn(
    store: JobStore, clock: Clock
) -> None:
    old = add_job(store, priority=-1)
    clock.tick(PRIORITY_STEP_S + 1)
    usual = add_job(store)
    store.seen("w", 1)
    expected = {usual.id: 1, old.id: 0}
    assert store.queue_positions(expected) == expected  # old enough to be before the usual one
    urgent = add_job(store, priority=3)
    assert store.queue_positions([urgent.id]) == {urgent.id: 0}
    assert store.take_for_publishing(worker_ttl_s=30, republish_s=5) == (urgent.id,)


def test_no_more_at_once_than_allowed(s: Simulation, store: JobStore) -> None:
    store.set_policy("small", max_running=1)
    store.set_policy("*", max_running=2)
    s.slots = 8
    for tenant in ("small", "usual"):
        s.submit(tenant, 5)
    s.start_what_can()
    assert sorted(tenant for _, tenant in s.started) == ["small", "usual", "usual"]
    s.start_what_can()
    assert len(s.running) == 3
    s.finish_next()
    s.start_what_can()
    assert len(s.running) == 3


def test_a_lost_ring_is_first_again_and_costs_nothing_more(store: JobStore, clock: Clock) -> None:
    lost = add_job(store, "a", video_seconds=100.0)
    store.seen("w", 1)
    assert store.take_for_publishing(worker_ttl_s=30, republish_s=5) == (lost.id,)
    other = add_job(store, "b")
    clock.tick(6)
    assert store.take_for_publishing(worker_ttl_s=30, republish_s=5) == (lost.id,)
    assert store.queue_positions([lost.id, other.id]) == {lost.id: 0, other.id: 1}
    assert store.claim(lost.id, "w", 60)
    store.seen("w", 3)
    for _ in range(150):
        add_job(store, "b")
    clock.tick(1)  # of two that are equal the older one is first
    second = add_job(store, "a", video_seconds=100.0)
    # 100 seconds behind, not 200: the second ring of the lost job was free.
    assert store.queue_positions([second.id])[second.id] == 101


def test_positions_tell_the_order_of_starting(s: Simulation, store: JobStore) -> None:
    store.set_policy("gold", weight=2.0)
    s.submit("gold", 7)
    s.submit("silver", 7, video_seconds=3.0)
    promised = store.queue_positions(list(s.tenant_of))
    store.seen("w", 14)
    taken = store.take_for_publishing(worker_ttl_s=30, republish_s=5)
    assert [promised[job_id] for job_id in taken] == list(range(14))
