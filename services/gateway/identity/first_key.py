"""The first key: made once, when a gateway starts on a database that has none."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Literal

from omnireel.files import disk_errors
from services.common.logs import get_logger
from services.gateway.identity.api_key import ApiKey
from services.gateway.identity.key_store import KeyStore, NewKey
from services.gateway.identity.principal import LOCAL_TENANT, Scope

log = get_logger(__name__)

FIRST = NewKey(LOCAL_TENANT, "first", frozenset({Scope.ADMIN}))


def provide_first_key(
    keys: KeyStore, key_file: Path | None, without_file: Literal["print", "none"] = "print"
) -> None:
    """See that somebody can get in.

    With ``key_file`` (one machine, whose owner can read the database anyway) the key is written
    there, readable by the owner only; deleting the file gives a new key at the next start. Without
    it, ``without_file`` says what happens on a database without keys: ``print`` shows an admin key
    once, on standard error, and never again; ``none`` makes none and says how to make one, because
    standard error is kept where others read it.
    """
    if key_file is None:
        if without_file == "print":
            _show(keys.create_first(FIRST))
        elif keys.is_empty():
            log.info("there is no API key yet", remedy="omnireel keys create NAME --tenant TENANT")
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


def _show(key: ApiKey | None) -> None:
    if key is not None:
        print(
            f"first admin key, shown this once: {key.text}\n"
            f"rotate it with: omnireel keys rotate {key.id}",
            file=sys.stderr,
            flush=True,
        )
