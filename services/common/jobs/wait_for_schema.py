"""Waits until the job database has the schema that this version needs; it is made elsewhere.

``python -m services.common.jobs.wait_for_schema file:/run/secrets/database/url --seconds 300``
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

from omnireel.errors import FailedPrecondition, OmnireelError
from omnireel.secret import read_secret
from services.common.jobs.database import Database, DatabaseAway
from services.common.jobs.migrate import require_current

POLL_S = 1.0


def wait_for_schema(
    database: Database,
    seconds: float,
    say: Callable[[str], None],
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return when the schema is there; ``say`` hears each new reason to wait.

    Raises:
        FailedPrecondition: it is not, after ``seconds``.
        DatabaseAway: the database did not answer at the end of them.
    """
    ends_at, said = clock() + seconds, ""
    while True:
        try:
            require_current(database)
        except (FailedPrecondition, DatabaseAway) as error:
            if clock() + POLL_S > ends_at:
                raise
            if (line := str(error)) != said:
                say(f"waiting: {line}")
                said = line
            sleep(POLL_S)
        else:
            return


def main(argv: list[str]) -> int:
    """Wait; the exit status is 1 when it was in vain."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("database", help="file:/path or env:NAME of the database's URL")
    parser.add_argument("--seconds", type=float, default=300.0)
    given = parser.parse_args(argv)
    try:
        database = Database(read_secret(given.database, "database"))
        wait_for_schema(database, given.seconds, lambda line: print(line, flush=True))
    except OmnireelError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    database.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
