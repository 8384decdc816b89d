"""Calls that the server asks to repeat are repeated, by both clients."""

from __future__ import annotations

import asyncio

import pytest

from omnireel.client import NO_ANSWER, AsyncOmnireelClient, OmnireelClient, RetryPolicy
from omnireel.errors import Unavailable
from tests.support.gateway import FakeGateway, Script

REFUSED = 6
"""More than the channel tries by itself."""


def test_the_blocking_client_comes_back() -> None:
    with FakeGateway(Script(refuse_creates=REFUSED)) as gateway:
        with OmnireelClient(gateway.address) as client:
            assert client.create("a ball").name == "videos/v1"
        assert len(gateway.seen.creates) == 1


def test_the_async_client_comes_back() -> None:
    async def create(address: str) -> str:
        async with AsyncOmnireelClient(address) as client:
            return (await client.create("a ball")).name

    with FakeGateway(Script(refuse_creates=REFUSED)) as gateway:
        assert asyncio.run(create(gateway.address)) == "videos/v1"


def test_it_does_not_come_back_for_ever() -> None:
    with FakeGateway(Script(refuse_creates=100)) as gateway:
        client = OmnireelClient(gateway.address, retry=RetryPolicy(max_attempts=1))
        with client, pytest.raises(Unavailable, match="not yet"):
            client.create("a ball")


def test_the_policy() -> None:
    policy = RetryPolicy(max_attempts=3, max_wait_s=10.0)
    assert policy.wait_s(2, Unavailable("x", retry_after_s=4.0)) == 4.0
    silent = Unavailable("x")
    silent.reason = NO_ANSWER
    for attempt, error in (
        (3, Unavailable("x")),
        (1, Unavailable("x", retry_after_s=11)),
        (1, silent),
    ):
        with pytest.raises(Unavailable) as caught:
            policy.wait_s(attempt, error)
        assert caught.value is error
