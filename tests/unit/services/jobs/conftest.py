from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.common.jobs import JobStore
from tests.support.jobs import Clock, new_store


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[JobStore]:
    opened = new_store(tmp_path, clock)
    yield opened
    opened.close()
