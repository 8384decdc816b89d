from __future__ import annotations

from pathlib import Path

import pytest

from omnireel.errors import FailedPrecondition
from services.common.jobs.database import Database, DatabaseAway
from services.common.jobs.migrate import upgrade
from services.common.jobs.wait_for_schema import main, wait_for_schema


class Time:
    """A clock that sleeping moves; ``wakes`` are called by number of sleeps."""

    def __init__(self, wakes: dict[int, object] | None = None) -> None:
        self.now, self.sleeps, self._wakes = 0.0, 0, wakes or {}

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.sleeps += 1
        if self.sleeps in self._wakes:
            self._wakes[self.sleeps]()  # type: ignore[operator]


def test_it_returns_when_somebody_has_migrated(empty_url: str) -> None:
    database, said = Database(empty_url), list[str]()
    time = Time({3: lambda: upgrade(database)})
    wait_for_schema(database, 60, said.append, clock=lambda: time.now, sleep=time.sleep)
    assert time.sleeps == 3
    (line,) = said  # the same reason is said once
    assert line.startswith("waiting: ") and "schema none" in line
    database.close()


def test_it_gives_up(empty_url: str) -> None:
    database, time = Database(empty_url), Time()
    with pytest.raises(FailedPrecondition, match="schema none"):
        wait_for_schema(database, 5, lambda _: None, clock=lambda: time.now, sleep=time.sleep)
    assert time.now <= 5
    database.close()


def test_a_database_that_is_away_is_waited_for() -> None:
    database, said, time = (
        Database("postgresql+psycopg://user@127.0.0.1:1/jobs"),
        list[str](),
        Time(),
    )
    with pytest.raises(DatabaseAway):
        wait_for_schema(database, 2, said.append, clock=lambda: time.now, sleep=time.sleep)
    assert said
    database.close()


def test_as_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JOBS", f"sqlite:///{tmp_path / 'jobs.db'}")
    assert main(["env:JOBS", "--seconds", "0"]) == 1
    assert "schema none" in capsys.readouterr().err
    database = Database(f"sqlite:///{tmp_path / 'jobs.db'}")
    upgrade(database)
    database.close()
    assert main(["env:JOBS"]) == 0
    assert main(["env:NOT_SET"]) == 1
    assert "NOT_SET" in capsys.readouterr().err
