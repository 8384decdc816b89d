"""The first key: made once, when a gateway starts on a database that has none."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from omnireel.files import disk_errors
from services.common.logs import get_logger
from services.gateway.identity.key_store import KeyStore, NewKey
from services.gateway.identity.principal import LOCAL_TENANT, Scope

log = get_logger(__name__)

FIRST = NewKey(LOCAL_TENANT, "first", frozenset({Scope.ADMIN}))


def provide_first_key(keys: KeyStore, key_file: Path | None) -> None:
    """See that somebody can get in.

    With ``key_file`` (one machine, whose owner can read the database anyway) the key is written
    there, readable by the owner only; deleting the file gives a new key at the next start. Without
    it, the key of an empty database is shown once, on standard error, and never again.
    """
    if key_file is None:
        key = keys.create_first(FIRST)
        if key is not None:
            print(
                f"first admin key, shown this once: {key.text}\n"
                f"rotate it with: omnireel keys rotate {key.id}",
                file=sys.stderr,
                flush=True,
            )
        return
    if key_file.exists():
        return
    key_file.parent.mkdir(parents=True, exist_ok=True)
    with disk_errors(key_file.parent):
        # Made empty first, for the owner alone: the key is never in a file that others can open.
        handle = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(keys.create(FIRST).text + "\n")
    log.info("wrote an admin key", file=str(key_file))
