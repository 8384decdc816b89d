"""Each thing that is not as it must be gives one line with the value to look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnireel.errors import FailedPrecondition, InvalidInput, Unavailable
from services.worker.preflight import (
    Check,
    check_broker,
    check_database,
    check_store,
    main,
    run,
)


def fails() -> None:
    raise Unavailable("it does not answer")


def test_one_run_names_every_mistake() -> None:
    said: list[str] = []
    checks = (Check("a", fails, "a.url"), Check("b", lambda: None, "b.url"), Check("c", fails, "c"))
    assert not run(checks, said.append)
    assert said == [
        "a: it does not answer [look at a.url]",
        "b: ok",
        "c: it does not answer [look at c]",
    ]
    assert run(checks[1:2], said.append)


def test_a_database_that_pods_cannot_share(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot share"):
        check_database(f"sqlite:///{tmp_path / 'jobs.db'}")


def test_a_database_that_does_not_answer() -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        check_database("postgresql+psycopg://user@127.0.0.1:1/jobs")


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_does_not_answer(scheme: str) -> None:
    with pytest.raises(FailedPrecondition, match="no connection"):
        check_broker(f"{scheme}://127.0.0.1:1/")


def test_a_store_is_left_as_it_was(tmp_path: Path) -> None:
    check_store(tmp_path.as_uri())
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_the_settings_come_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OMNIREEL_WORKER_SLOTS", "0")
    assert main() == 1
    assert "OMNIREEL_WORKER_SLOTS" in capsys.readouterr().out
