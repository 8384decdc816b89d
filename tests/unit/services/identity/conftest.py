from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.common.jobs.database import Database
from services.common.jobs.migrate import open_database
from services.gateway.identity.key_store import KeyStore
from tests.support.jobs import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path / 'jobs.db'}")
    yield opened
    opened.close()


@pytest.fixture
def keys(database: Database, clock: Clock) -> KeyStore:
    return KeyStore(database, clock)
