"""The doorbell over every broker, each a real server that is killed and loses its messages."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.common.jobs import JobState
from services.worker.dispatcher import Dispatcher, DispatcherConfig
from services.worker.doorbell import Doorbell, make_app
from tests.support.jobs import Clock, add_job, new_store
from tests.support.servers import Server, running_rabbitmq, running_redis

PATIENCE_S = 120.0
CONFIG = DispatcherConfig(
    worker_id="w1", slots=3, dispatch_s=0.05, sweep_s=1.0, republish_s=5.0, worker_ttl_s=1e6
)


class Broker:
    """A place for rings that can lose all of them."""

    def __init__(self, url: str, server: Server | None = None, folder: Path | None = None) -> None:
        self.url = url
        self._server = server
        self._folder = folder

    def lose_everything(self) -> None:
        """Kill the server without a trace of its messages; of a folder, delete them."""
        if self._server is not None:
            self._server.kill()
            for path in self._server.folder.glob("mnesia"):
                path.rename(path.with_name(f"lost-{time.monotonic_ns()}"))
            self._server.start()
        elif self._folder is not None:
            for path in (self._folder / "messages").iterdir():
                path.unlink(missing_ok=True)


@pytest.fixture(params=["files", "redis", "rabbitmq"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    if request.param == "files":
        yield Broker(f"files://{tmp_path}/bell", folder=tmp_path / "bell")
        return
    run = {"redis": running_redis, "rabbitmq": running_rabbitmq}[request.param]
    with run() as server:
        yield Broker(server.url, server)


@contextmanager
def listening(bell: Doorbell) -> Iterator[list[BaseException]]:
    """Answers rings inside the block."""
    broken: list[BaseException] = []
    bell.start(broken.append)
    try:
        yield broken
    finally:
        bell.stop(timeout_s=30)


def until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


# Celery announces that a later version will give up the running tasks of a lost connection.
@pytest.mark.filterwarnings("ignore::celery.exceptions.CPendingDeprecationWarning")
def test_a_broker_that_loses_everything_costs_only_time(broker: Broker, tmp_path: Path) -> None:
    clock = Clock()
    jobs = new_store(tmp_path, clock)

    def done(*ids: str) -> bool:
        return all(jobs.get(job_id).state is JobState.SUCCEEDED for job_id in ids)

    def answer(job_id: str) -> None:
        claimed = jobs.claim(job_id, "w1", 60)
        if claimed is not None:
            jobs.succeed(claimed[0])

    bell = Doorbell(make_app(broker.url), answer, slots=CONFIG.slots)
    dispatcher = Dispatcher(jobs, bell.ring, CONFIG)
    first = [add_job(jobs).id for _ in range(3)]
    dispatcher.turn()  # nobody listens: the broker keeps three rings
    broker.lose_everything()
    dispatcher.start()
    with listening(bell) as broken:
        assert not done(*first)
        clock.tick(6.0)  # unanswered for republish_s: the rings were lost
        until(lambda: done(*first))
        broker.lose_everything()  # under the consumer's feet
        second = [add_job(jobs).id for _ in range(3)]

        def wait() -> bool:
            clock.tick(1.0)  # whatever was rung into the gap is rung again
            return done(*second)

        until(wait)
        assert broken == []
    dispatcher.stop()
    assert all(jobs.get(job_id).token == 1 for job_id in (*first, *second))
    jobs.close()


@pytest.mark.filterwarnings("ignore::celery.exceptions.CPendingDeprecationWarning")
def test_redis_away_at_the_end_of_a_job(tmp_path: Path) -> None:
    """The answer cannot be told; later rings are heard all the same."""
    heard: list[str] = []
    ended, may_end = threading.Event(), threading.Event()

    def answer(job_id: str) -> None:
        heard.append(job_id)
        may_end.wait(PATIENCE_S)
        ended.set()

    with running_redis() as server:
        bell = Doorbell(make_app(server.url), answer, slots=1)
        with listening(bell) as broken:
            bell.ring("first")
            until(lambda: heard == ["first"])
            server.kill()
            may_end.set()
            assert ended.wait(PATIENCE_S)
            time.sleep(1.0)  # the consumer tries to tell a server that is not there
            server.start()
            bell.ring("second")
            until(lambda: "second" in heard)
            assert broken == []
