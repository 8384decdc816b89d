"""One tenant's stalled transfers leave room for others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import grpc
import pytest

from omnireel.errors import Cancelled, DeadlineExceeded, ResourceExhausted
from services.gateway.transfers import Transfers, while_taken, without_pauses


def test_a_tenant_gets_half_of_the_places() -> None:
    transfers = Transfers(4)
    with ExitStack() as mine, ExitStack() as theirs:
        for _ in range(2):
            mine.enter_context(transfers.place("me"))
        with pytest.raises(ResourceExhausted) as caught, transfers.place("me"):
            pass
        assert caught.value.retry_after_s
        for _ in range(2):
            theirs.enter_context(transfers.place("you"))
        with pytest.raises(ResourceExhausted), transfers.place("another"):
            pass
        mine.close()
        with transfers.place("another"):
            pass
    with transfers.place("you"), transfers.place("you"):
        pass


def test_messages_come_as_they_are_until_the_client_leaves() -> None:
    assert list(without_pauses(iter([1, 2, 3]), 10)) == [1, 2, 3]

    def broken() -> Iterator[int]:
        yield 1
        raise grpc.RpcError

    messages = without_pauses(broken(), 10)
    assert next(messages) == 1
    with pytest.raises(Cancelled, match="the client left"):
        next(messages)


def test_a_message_that_is_not_taken_ends_the_call() -> None:
    assert list(while_taken(iter([1, 2, 3]), pytest.fail, 10)) == [1, 2, 3]
    ended = threading.Event()
    messages = while_taken(iter([1, 2]), ended.set, 0.05)
    assert next(messages) == 1
    assert ended.wait(30)


def test_a_pause_ends_it() -> None:
    go_on = threading.Event()

    def stalled() -> Iterator[int]:
        yield 1
        go_on.wait(30)

    messages = without_pauses(stalled(), 0.05)
    assert next(messages) == 1
    with pytest.raises(DeadlineExceeded, match="send it again"):
        next(messages)
    go_on.set()
