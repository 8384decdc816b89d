"""The one secret that links and webhooks are signed with; replicas share it."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import tempfile
from pathlib import Path

from omnireel.errors import InvalidInput
from omnireel.files import disk_errors
from omnireel.secret import read_secret

MIN_CHARACTERS = 32
KEY_BYTES = 32


class SigningKey:
    """Keys for one purpose each, derived from a secret that itself signs nothing (RFC 5869)."""

    def __init__(self, secret: str, field: str = "signing_key_file") -> None:
        if len(secret) < MIN_CHARACTERS:
            raise InvalidInput(
                f"the signing key has {len(secret)} characters; {MIN_CHARACTERS} at least, as of "
                "`openssl rand -hex 32`",
                field=field,
            )
        self._root = hmac.digest(b"omnireel", secret.encode(), hashlib.sha256)

    def derive(self, *purpose: str) -> bytes:
        """32 bytes for ``purpose``, such as ``("webhook", tenant)``."""
        label = "\0".join(purpose).encode() + b"\x01"
        return hmac.digest(self._root, label, hashlib.sha256)


def load_signing_key(path: Path) -> SigningKey:
    """The key in ``path``; a missing file is made, readable by its owner only.

    Raises:
        InvalidInput: the file cannot be read, or its secret is too short.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with disk_errors(path.parent):
            _make(path)
    return SigningKey(read_secret(f"file:{path}", "signing_key_file"))


def _make(path: Path) -> None:
    """Written beside and then linked to its name, so that nobody reads half of it; of several
    that begin at once, one wins and the others read what it made. They may be threads, or replicas
    that all are process 1 of their containers, so the name beside is random."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    partial = Path(name)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(KEY_BYTES) + "\n")
    try:
        path.hardlink_to(partial)
    except FileExistsError:
        pass
    finally:
        partial.unlink()
