"""The database for verbs of the command line that administer it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from omnireel.errors import FailedPrecondition, InvalidInput
from omnireel.secret import is_reference, read_secret
from services.common.jobs.database import Database
from services.common.jobs.migrate import open_database
from services.common.stack.config import database_url, default_home

HomeOption = Annotated[
    Path | None,
    typer.Option(help="Home of a local stack. Default: $OMNIREEL_HOME, or ~/.omnireel."),
]
DatabaseOption = Annotated[
    str | None,
    typer.Option(
        help="Location of the database URL: file:PATH or env:NAME. Default: "
        "$OMNIREEL_GATEWAY_DATABASE_URL, else that of the local stack."
    ),
]


@contextmanager
def admin_database(home: Path | None, reference: str | None) -> Iterator[Database]:
    """The database that the two options mean.

    Raises:
        FailedPrecondition: there is none.
        InvalidInput: both are given, or a URL instead of a reference to one.
    """
    database = open_database(_url(home, reference))
    try:
        yield database
    finally:
        database.close()


def url_of_the_environment() -> str | None:
    """The database of ``$OMNIREEL_GATEWAY_DATABASE_URL``, as the gateway reads it."""
    configured = os.environ.get("OMNIREEL_GATEWAY_DATABASE_URL")
    if configured and is_reference(configured):
        return read_secret(configured, "database_url")
    return configured or None


def _url(home: Path | None, reference: str | None) -> str:
    if home is not None and reference is not None:
        raise InvalidInput("give either --home or --database", field="--database")
    if reference is not None:
        return read_secret(reference, "--database")
    if home is None and (configured := url_of_the_environment()):
        return configured
    folder = (home or default_home()).expanduser().resolve()
    url = database_url(folder)
    if not Path(url.removeprefix("sqlite:///")).exists():
        raise FailedPrecondition(
            f"there is no database in {folder}; start the stack with `omnireel up`, or name "
            "another with --home or --database",
            reason="NO_DATABASE",
        )
    return url
