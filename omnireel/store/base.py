"""What every object store can do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from omnireel.errors import InvalidInput
from omnireel.store.chunks import CHUNK_BYTES


@dataclass(frozen=True)
class ObjectInfo:
    """One stored object; ``modified_at`` is in UTC."""

    uri: str
    key: str
    size: int
    modified_at: datetime


class ObjectStore(Protocol):
    """Whole objects by key. A writer's object is visible when it is complete, and never before.

    Every method that takes a URI refuses those of anything outside this store (InvalidInput).
    Raised besides: NotFound, ResourceExhausted (full), Unavailable (not reachable), and
    FailedPrecondition (not allowed, or not possible with this kind of store).
    """

    def uri(self, key: str) -> str:
        """The URI that the object ``key`` has, or would have."""

    def key(self, uri: str) -> str:
        """The inverse of `uri`."""

    def put(self, key: str, data: bytes | Path) -> str:
        """Store bytes or a file under ``key``, replacing what was there; returns the URI."""

    def put_content(self, data: bytes | Path, suffix: str = "") -> str:
        """Store under a key made of the content's SHA-256 (and ``suffix``); returns the URI.

        Equal content is stored once.
        """

    def put_stream(
        self,
        key: str,
        chunks: Iterable[bytes],
        *,
        max_bytes: int,
        expected_sha256: str = "",
        field: str = "upload",
    ) -> ObjectInfo:
        """Store chunks as they come. On any error, the iterator's own included, nothing is stored.

        Raises:
            InvalidInput: more than ``max_bytes`` (names ``field``).
            IntegrityError: the SHA-256 is not the announced one.
        """

    def get(self, uri: str, *, max_bytes: int | None = None) -> bytes:
        """The whole object. Content-addressed ones are checked against their hash.

        Raises:
            InvalidInput: the object has more than ``max_bytes``.
            IntegrityError: the content does not match the hash in its key.
        """

    def open_range(
        self, uri: str, start: int = 0, length: int | None = None, chunk_bytes: int = CHUNK_BYTES
    ) -> Iterator[bytes]:
        """Chunks of ``length`` bytes from offset ``start`` (None: to the end).

        A range that reaches beyond the end is cut. Errors come before the first chunk.

        Raises:
            InvalidInput: negative numbers, or ``start`` beyond the end.
        """

    def stat(self, uri: str) -> ObjectInfo:
        """Size and time of an object."""

    def exists(self, uri: str) -> bool:
        """Whether the object is there."""

    def delete(self, uri: str) -> None:
        """Remove an object; one that is not there is no error."""

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Objects whose key starts with ``prefix``, in the order of their keys."""

    def signed_url(self, uri: str, expires_s: int = 3600) -> str:
        """An HTTP address that anybody can read the object from until it expires.

        Raises:
            FailedPrecondition: a store without an HTTP side (a local folder).
        """


def checked_range(info: ObjectInfo, start: int, length: int | None) -> int:
    """The number of bytes that a range of an object really has."""
    if start < 0 or start > info.size:
        raise InvalidInput(f"offset {start} is outside of 0..{info.size}", field="start")
    if length is not None and length < 0:
        raise InvalidInput(f"length {length} is negative", field="length")
    rest = info.size - start
    return rest if length is None else min(length, rest)


def check_size(info: ObjectInfo, max_bytes: int | None) -> None:
    """Refuse an object that is larger than the reader can take."""
    if max_bytes is not None and info.size > max_bytes:
        raise InvalidInput(
            f"{info.uri} has {info.size} bytes; the limit is {max_bytes}", field="uri"
        )
