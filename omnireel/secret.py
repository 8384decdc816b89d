"""Secrets by reference: ``file:/path`` or ``env:NAME`` stands where the secret itself would.

So a secret is in no command line (``ps`` shows those to everybody), settings dump or log.
"""

from __future__ import annotations

import os
from pathlib import Path

from omnireel.errors import InvalidInput

_FILE, _ENV = "file:", "env:"


def is_reference(text: str) -> bool:
    """Whether ``text`` names a secret rather than being one."""
    # file:// is the URL of a folder, as in the address of an object store.
    return text.startswith(_ENV) or (text.startswith(_FILE) and not text.startswith("file://"))


def read_secret(reference: str, field: str) -> str:
    """The secret that ``file:/path`` or ``env:NAME`` stands for, without the final line break.

    Raises:
        InvalidInput: it is no reference, or nothing is there; names ``field``, never the secret.
    """
    if not is_reference(reference):
        raise InvalidInput(
            "give the secret by reference, as file:/path or env:NAME, never itself", field=field
        )
    if reference.startswith(_ENV):
        name = reference.removeprefix(_ENV)
        secret = os.environ.get(name, "")
        where = f"the environment variable {name!r}"
    else:
        path = Path(reference.removeprefix(_FILE)).expanduser()
        where = f"the file {path}"
        try:
            secret = path.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"{where} cannot be read ({error})", field=field) from error
    if not secret:
        raise InvalidInput(f"{where} is empty or not set", field=field)
    return secret
