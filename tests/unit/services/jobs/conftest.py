from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from services.common.jobs import JobStore, open_jobs
from services.common.jobs.database import Database
from services.common.jobs.migrate import upgrade
from tests.support.jobs import Clock
from tests.support.servers import Postgres, running_postgres


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def migrated(postgres: Postgres) -> str:
    """The name of a PostgreSQL database with the present schema, to be copied."""
    url = postgres.new_database()
    database = Database(url)
    upgrade(database)
    database.close()
    return str(make_url(url).database)


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'deep' / 'jobs.db'}"
    postgres: Postgres = request.getfixturevalue("postgres")
    return postgres.new_database()


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind that :func:`open_jobs` opens."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'jobs.db'}"
    postgres: Postgres = request.getfixturevalue("postgres")
    return postgres.new_database(request.getfixturevalue("migrated"))


@pytest.fixture
def store(url: str, clock: Clock) -> Iterator[JobStore]:
    opened = open_jobs(url, clock)
    yield opened
    opened.close()


@pytest.fixture
def another(url: str, clock: Clock) -> Iterator[Callable[[], JobStore]]:
    """Opens the same database once more, as another process does."""
    opened: list[JobStore] = []

    def make() -> JobStore:
        opened.append(open_jobs(url, clock))
        return opened[-1]

    yield make
    for one in opened:
        one.close()
