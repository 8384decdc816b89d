"""A stream of bytes that is counted and hashed on its way into a store."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from omnireel.errors import IntegrityError, InvalidInput

CHUNK_BYTES = 1024 * 1024


class CheckedChunks:
    """Iterates over chunks, or reads like a file; fails at the end rather than deliver wrong bytes.

    The last read raises when the hash is wrong, before any store has committed the object.

    Raises:
        InvalidInput: more than ``max_bytes``, as soon as they came.
        IntegrityError: the SHA-256 is not ``expected_sha256`` (hexadecimal; empty: unchecked).
    """

    def __init__(
        self,
        chunks: Iterable[bytes],
        *,
        max_bytes: int | None = None,
        expected_sha256: str = "",
        field: str = "upload",
    ) -> None:
        self._chunks = iter(chunks)
        self._max_bytes = max_bytes
        self._expected = expected_sha256.lower()
        self._field = field
        self._hash = hashlib.sha256()
        self._reading: Iterator[bytes] | None = None
        self._rest = b""
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.size += len(chunk)
            if self._max_bytes is not None and self.size > self._max_bytes:
                raise InvalidInput(
                    f"{self._field} has more than {self._max_bytes} bytes; send a smaller file",
                    field=self._field,
                )
            self._hash.update(chunk)
            yield chunk
        if self._expected and self.sha256 != self._expected:
            raise IntegrityError(
                f"{self._field} arrived with SHA-256 {self.sha256}, but {self._expected} was "
                "announced; send it again"
            )

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes (all when negative); empty at the end."""
        wanted = [self._rest]
        have = len(self._rest)
        self._reading = self._reading or iter(self)
        while size < 0 or have < size:
            chunk = next(self._reading, None)
            if chunk is None:
                break
            wanted.append(chunk)
            have += len(chunk)
        data = b"".join(wanted)
        self._rest = data[size:] if size >= 0 else b""
        return data[:size] if size >= 0 else data

    @property
    def sha256(self) -> str:
        """Hexadecimal hash of what has passed so far."""
        return self._hash.hexdigest()


def chunks_of(data: bytes | Path, chunk_bytes: int = CHUNK_BYTES) -> Iterator[bytes]:
    """The bytes, or a file's bytes, piece by piece."""
    if isinstance(data, bytes):
        for start in range(0, len(data), chunk_bytes):
            yield data[start : start + chunk_bytes]
        return
    with data.open("rb") as file:
        while chunk := file.read(chunk_bytes):
            yield chunk


def sha256_of(data: bytes | Path) -> str:
    """Hexadecimal SHA-256 of bytes or a file, without reading the file as a whole."""
    digest = hashlib.sha256()
    for chunk in chunks_of(data):
        digest.update(chunk)
    return digest.hexdigest()
