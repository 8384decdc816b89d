"""Names of objects: keys inside a store, and URIs that are good for one store only."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from omnireel.errors import InvalidInput

MAX_KEY_CHARACTERS = 512
MAX_FOREIGN_KEY_BYTES = 1024
_SEGMENT = re.compile(r"[A-Za-z0-9_=+@-][A-Za-z0-9._=+@-]*\Z")
_SUFFIX = re.compile(r"(\.[A-Za-z0-9]{1,16})?\Z")
_CONTENT_KEY = re.compile(r"(?:.*/)?sha256/[0-9a-f]{2}/([0-9a-f]{64})(?:\.[A-Za-z0-9]+)?\Z")


def check_key(key: str) -> str:
    """Return ``key`` if it is legal: segments of ASCII letters, digits and ``._=+@-`` by slashes.

    No segment is empty or starts with a dot, so no key leads out of the store.

    Raises:
        InvalidInput: any other key.
    """
    legal = len(key) <= MAX_KEY_CHARACTERS and all(_SEGMENT.match(s) for s in key.split("/"))
    if not legal:
        raise InvalidInput(
            f"{key[:80]!r} is not an object key: use letters, digits and ._=+@- in segments "
            f"between slashes, none starting with a dot, {MAX_KEY_CHARACTERS} characters at most",
            field="key",
        )
    return key


def check_foreign_key(key: str) -> str:
    """Return ``key`` if S3 takes it: text of 1 to 1024 bytes, as others put it there.

    Raises:
        InvalidInput: any other key.
    """
    if not 1 <= len(key.encode()) <= MAX_FOREIGN_KEY_BYTES:
        raise InvalidInput(
            f"{key[:80]!r} is not an object key: it has 1 to {MAX_FOREIGN_KEY_BYTES} bytes",
            field="key",
        )
    return key


def content_key(sha256: str, suffix: str = "") -> str:
    """The key of content-addressed bytes; ``suffix`` such as ``.mp4`` or empty."""
    if not _SUFFIX.match(suffix):
        raise InvalidInput(f"{suffix!r} is not a file suffix such as '.mp4'", field="suffix")
    return f"sha256/{sha256[:2]}/{sha256}{suffix}"


def content_sha256(key: str) -> str:
    """The hash that a content-addressed key promises; empty for any other key."""
    match = _CONTENT_KEY.match(key)
    return match.group(1) if match else ""


@dataclass(frozen=True)
class UriSpace:
    """Maps keys to URIs ``<prefix>/<key>`` and refuses the URIs of anything else."""

    prefix: str
    check: Callable[[str], str] = check_key
    """Returns a legal key, and raises InvalidInput for any other."""

    def uri(self, key: str) -> str:
        """The URI of a key."""
        return f"{self.prefix}/{self.check(key)}"

    def key(self, uri: str) -> str:
        """The key of a URI.

        Raises:
            InvalidInput: the URI lies outside this store. So nobody can make a service read its
                own files or another bucket by sending their address.
        """
        if not uri.startswith(self.prefix + "/"):
            raise InvalidInput(
                f"{uri[:200]!r} is not an object of this store; upload it first", field="uri"
            )
        return self.check(uri[len(self.prefix) + 1 :])
