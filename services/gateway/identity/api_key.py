"""An API key: ``omr_<id>_<secret>``. The id finds the row; of the secret only a hash is kept.

The secret is 256 bits from the system's random source, so one SHA-256 is enough: guessing is
hopeless at any speed, and a slow hash, which protects passwords that people choose, would only
slow every call down.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

PREFIX = "omr_"
_KEY = re.compile(r"omr_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True)
class ApiKey:
    """A key as its owner holds it. Its text form never appears in a ``repr``."""

    id: str
    secret: str

    def __repr__(self) -> str:
        return f"ApiKey({self.id})"

    @property
    def text(self) -> str:
        """What the owner sends."""
        return f"{PREFIX}{self.id}_{self.secret}"

    @property
    def secret_hash(self) -> str:
        """What the database keeps."""
        return hashlib.sha256(self.secret.encode()).hexdigest()

    def matches(self, secret_hash: str) -> bool:
        """Whether this is the key that ``secret_hash`` was kept of; takes the same time always."""
        return hmac.compare_digest(self.secret_hash, secret_hash)


def new_key() -> ApiKey:
    """A key that nobody has had before."""
    return ApiKey(secrets.token_hex(6), secrets.token_urlsafe(32))


def parse_key(text: str) -> ApiKey | None:
    """The key in ``text``; None when it is not one."""
    found = _KEY.fullmatch(text)
    return ApiKey(found[1], found[2]) if found else None
