from __future__ import annotations

import queue
import threading
from pathlib import Path

import pytest

from omnireel.errors import InvalidInput
from services.common.jobs import JobState, Lease
from services.worker.dispatcher import Dispatcher, DispatcherConfig
from services.worker.doorbell import Doorbell, make_app
from tests.support.jobs import Clock, add_job, new_store

CONFIG = DispatcherConfig(
    worker_id="w1", slots=1, dispatch_s=0.01, sweep_s=0.01, republish_s=5.0, worker_ttl_s=30.0
)


def test_rings_are_answered_on_as_many_threads_as_there_are_slots(tmp_path: Path) -> None:
    answered: queue.Queue[tuple[str, str]] = queue.Queue()
    together = threading.Barrier(2)

    def answer(job_id: str) -> None:
        together.wait(timeout=30)  # passes only if two rings are answered at once
        answered.put((job_id, threading.current_thread().name))

    broken: list[BaseException] = []
    bell = Doorbell(make_app(f"files://{tmp_path}"), answer, slots=2)
    for job_id in ("a", "b"):
        bell.ring(job_id)  # before anybody listens: the folder keeps it
    bell.start(broken.append)
    try:
        got = [answered.get(timeout=30) for _ in range(2)]
    finally:
        bell.stop(timeout_s=20)
    assert {job_id for job_id, _ in got} == {"a", "b"}
    assert len({thread for _, thread in got}) == 2
    assert broken == []
    assert list((tmp_path / "messages").iterdir()) == []


@pytest.mark.parametrize("url", ["files://relative/folder", "files:folder"])
def test_broker_folder_must_be_absolute(url: str) -> None:
    with pytest.raises(InvalidInput, match="files:///absolute"):
        make_app(url)


def test_dispatcher_signs_in_sweeps_and_rings(tmp_path: Path) -> None:
    clock = Clock()
    jobs = new_store(tmp_path, clock)
    lost = add_job(jobs)
    clock.tick(1)
    waiting = add_job(jobs)
    assert jobs.claim(lost.id, "dead", 5)
    clock.tick(6)
    rung: list[str] = []
    dispatcher = Dispatcher(jobs, rung.append, CONFIG)
    dispatcher.turn()
    assert jobs.get(lost.id).state is JobState.QUEUED
    assert rung == [lost.id]  # the older one, for the one slot
    assert jobs.claim(lost.id, "w1", 60)
    dispatcher.turn()
    assert rung == [lost.id]
    jobs.succeed(Lease(lost.id, "w1", 2))
    dispatcher.turn()
    assert rung == [lost.id, waiting.id]
    jobs.close()


def test_dispatcher_survives_a_broken_broker(tmp_path: Path) -> None:
    clock = Clock()
    jobs = new_store(tmp_path, clock)
    add_job(jobs)
    tried = threading.Event()

    def ring(_job_id: str) -> None:
        tried.set()
        raise ConnectionError("the broker is away")

    dispatcher = Dispatcher(jobs, ring, CONFIG)
    dispatcher.start()
    assert tried.wait(timeout=30)
    dispatcher.stop()
    clock.tick(6)
    jobs.seen("w2", 1)
    assert len(jobs.take_for_publishing(worker_ttl_s=30, republish_s=5)) == 1  # not lost
    jobs.close()
