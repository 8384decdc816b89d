"""Looks, before an install or upgrade, whether what the services stand on is as it must be.

``python -m services.worker.preflight`` reads the worker's settings from the
environment, writes one line for each check and ends with status 1 when one says no.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from kombu.exceptions import OperationalError
from sqlalchemy import text

from omnireel.errors import FailedPrecondition, IntegrityError, InvalidInput, OmnireelError
from omnireel.store import open_store
from services.common.jobs.database import Database
from services.common.safety import open_policy
from services.common.settings import load_settings
from services.worker.doorbell import make_app
from services.worker.settings import WorkerSettings

PROBE_PREFIX = "preflight"


@dataclass(frozen=True)
class Check:
    """One question: what is looked at, how, and which value of the chart to look at after a no."""

    name: str
    ask: Callable[[], object]
    remedy: str


def checks(settings: WorkerSettings) -> tuple[Check, ...]:
    """What the services need before they start."""
    return (
        Check("database", lambda: check_database(settings.database_url), "database.existingSecret"),
        Check("broker", lambda: check_broker(settings.broker_url), "broker.existingSecret"),
        Check("store", lambda: check_store(settings.store_url), "store.url, store.existingSecret"),
        Check(
            "safety",
            lambda: open_policy(settings.safety, settings.safety_timeout_s),
            "worker.safety",
        ),
    )


def check_database(url: str) -> None:
    """A PostgreSQL that answers, in which this user may make tables."""
    database = Database(url)
    if database.sqlite:
        raise InvalidInput("pods cannot share an SQLite file; use postgresql+psycopg://...")
    with database.read() as connection:
        may = connection.execute(
            text("SELECT has_schema_privilege(current_user, current_schema(), 'CREATE')")
        ).scalar_one()
    database.close()
    if not may:
        raise FailedPrecondition("its user may not create tables; grant CREATE on the schema")


def check_broker(url: str) -> None:
    """A broker that takes connections."""
    with make_app(url).connection_for_write() as connection:
        try:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=10)
        except (OperationalError, OSError) as error:
            raise FailedPrecondition(f"no connection ({error})") from error


def check_store(url: str) -> None:
    """A bucket that an object can be written to, read from and removed from."""
    store, data = open_store(url), uuid.uuid4().bytes
    uri = store.put(f"{PROBE_PREFIX}/{data.hex()}", data)
    try:
        if store.get(uri) != data:
            raise IntegrityError("an object came back with other bytes")
    finally:
        store.delete(uri)


def run(checks: Iterable[Check], say: Callable[[str], None]) -> bool:
    """Ask all of them, so that one run names every mistake; gives back whether all said yes."""
    well = True
    for check in checks:
        try:
            check.ask()
        except OmnireelError as error:
            say(f"{check.name}: {error} [look at {check.remedy}]")
            well = False
        else:
            say(f"{check.name}: ok")
    return well


def main() -> int:
    """Ask; the exit status is 1 when something said no."""
    try:
        settings = load_settings(WorkerSettings)
    except OmnireelError as error:
        print(f"settings: {error}", flush=True)
        return 1
    return 0 if run(checks(settings), lambda line: print(line, flush=True)) else 1


if __name__ == "__main__":
    sys.exit(main())
