from __future__ import annotations

import threading

import pytest
import structlog

from omnireel.errors import Cancelled, DeadlineExceeded
from services.common.cancellation import Cancellation
from services.common.logs import bind_call
from services.common.streaming import Finished, stream_work


class Context:
    """What :class:`Cancellation` needs of a ``grpc.ServicerContext``."""

    def __init__(self, remaining: float | None = None, active: bool = True) -> None:
        self.remaining = remaining
        self.active = active
        self.callbacks: list = []

    def time_remaining(self) -> float | None:
        return self.remaining

    def add_callback(self, callback) -> bool:
        self.callbacks.append(callback)
        return self.active


def test_events_then_the_result():
    def work(report):
        report(1)
        report(2)
        return "done"

    assert list(stream_work(work, Cancellation())) == [1, 2, Finished("done")]


def test_an_error_comes_after_the_events():
    def work(report):
        report(1)
        raise ValueError("no")

    items = stream_work(work, Cancellation())
    assert next(items) == 1
    with pytest.raises(ValueError, match="no"):
        next(items)


def test_giving_up_stops_the_work_and_waits_for_it():
    ended = threading.Event()
    cancellation = Cancellation()

    def work(report):
        report(1)
        while not cancellation():
            threading.Event().wait(0.001)
        ended.set()
        raise Cancelled("stopped")

    items = stream_work(work, cancellation)
    next(items)
    items.close()
    assert ended.is_set()


def test_the_log_context_reaches_the_work():
    bind_call(job_id="j7")
    seen = []

    def work(_report):
        seen.append(structlog.contextvars.get_contextvars())

    list(stream_work(work, Cancellation()))
    assert seen == [{"job_id": "j7"}]
    bind_call()


@pytest.mark.parametrize(
    ("remaining", "kind"), [(None, Cancelled), (60.0, Cancelled), (-1.0, DeadlineExceeded)]
)
def test_a_passed_deadline_is_not_a_cancellation(remaining, kind):
    context = Context(remaining)
    cancellation = Cancellation.of_call(context)
    if remaining != -1.0:
        assert not cancellation()
        context.callbacks[0]()
    assert cancellation()

    def work(_report):
        raise Cancelled("stopped")

    with pytest.raises(kind) as caught:
        list(stream_work(work, cancellation))
    assert type(caught.value) is kind


def test_the_jobs_own_deadline_counts_too():
    assert Cancellation.of_call(Context(60.0), deadline_unix_s=1.0)()
    assert not Cancellation.of_call(Context(60.0), deadline_unix_s=4e9)()
    assert Cancellation.of_call(Context(-1.0), deadline_unix_s=4e9)()


def test_a_call_that_is_already_over_is_cancelled():
    assert Cancellation.of_call(Context(active=False))()


def test_a_cancel_of_the_engines_own_passes():
    with pytest.raises(Cancelled, match="own"), Cancellation().explained():
        raise Cancelled("own")
