from __future__ import annotations

from collections.abc import Iterator

import pytest

from omnireel.client import OmnireelClient, ReconnectPolicy
from tests.support.gateway import FakeGateway

QUICK = ReconnectPolicy(max_failures=3, first_delay_s=0.01, max_delay_s=0.02)


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    with FakeGateway() as running:
        yield running


@pytest.fixture
def client(gateway: FakeGateway) -> Iterator[OmnireelClient]:
    with OmnireelClient(gateway.address, reconnect=QUICK) as made:
        yield made
