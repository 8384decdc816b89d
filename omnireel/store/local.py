"""Objects as files below one folder: the embedded default."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from omnireel.errors import FailedPrecondition, IntegrityError, InvalidInput, NotFound
from omnireel.files import atomic_path, disk_errors
from omnireel.store.base import ObjectInfo, check_size, checked_range
from omnireel.store.chunks import CHUNK_BYTES, CheckedChunks, chunks_of, sha256_of
from omnireel.store.keys import UriSpace, check_key, content_key, content_sha256

_PARTIAL = ".partial"
_STALE_S = 24 * 3600


class LocalStore:
    """An `ObjectStore` over ``root``, which is made if it is missing.

    Objects are written to ``root/.partial``, flushed, and renamed. What a killed process left
    there is removed after a day.
    """

    def __init__(self, root: Path) -> None:
        if root.exists() and not root.is_dir():
            raise FailedPrecondition(f"the store {root} is a file; give a folder")
        with disk_errors(root):
            (root / _PARTIAL).mkdir(parents=True, exist_ok=True)
        self._root = root.resolve()
        self._partial = self._root / _PARTIAL
        self._uris = UriSpace(self._root.as_uri().rstrip("/"))
        self._sweep()

    def uri(self, key: str) -> str:
        """The object's URI."""
        return self._uris.uri(key)

    def key(self, uri: str) -> str:
        """The URI's key."""
        return self._uris.key(uri)

    def put(self, key: str, data: bytes | Path) -> str:
        """Store bytes or a file."""
        return self._write(key, CheckedChunks(chunks_of(data))).uri

    def put_content(self, data: bytes | Path, suffix: str = "") -> str:
        """Store under the content's hash."""
        digest = sha256_of(data)
        uri = self.uri(content_key(digest, suffix))
        if self.exists(uri):
            return uri
        return self._write(
            self.key(uri), CheckedChunks(chunks_of(data), expected_sha256=digest)
        ).uri

    def put_stream(
        self,
        key: str,
        chunks: Iterable[bytes],
        *,
        max_bytes: int,
        expected_sha256: str = "",
        field: str = "upload",
    ) -> ObjectInfo:
        """Store chunks as they come."""
        return self._write(
            key,
            CheckedChunks(
                chunks, max_bytes=max_bytes, expected_sha256=expected_sha256, field=field
            ),
        )

    def get(self, uri: str, *, max_bytes: int | None = None) -> bytes:
        """The whole object."""
        info = self.stat(uri)
        check_size(info, max_bytes)
        data = self._path(info.key).read_bytes()
        promised = content_sha256(info.key)
        if promised and sha256_of(data) != promised:
            raise IntegrityError(f"{uri} does not match the hash in its name; store it again")
        return data

    def open_range(
        self, uri: str, start: int = 0, length: int | None = None, chunk_bytes: int = CHUNK_BYTES
    ) -> Iterator[bytes]:
        """Chunks of a part of the object."""
        info = self.stat(uri)
        rest = checked_range(info, start, length)
        return self._chunks(self._path(info.key), start, rest, chunk_bytes)

    def stat(self, uri: str) -> ObjectInfo:
        """Size and time."""
        key = self.key(uri)
        path = self._path(key)
        if not path.is_file():
            raise NotFound(f"{uri} is not in the store, or was deleted")
        return self._info(key, path)

    def exists(self, uri: str) -> bool:
        """Whether it is there."""
        return self._path(self.key(uri)).is_file()

    def delete(self, uri: str) -> None:
        """Remove it, and the folders that it leaves empty."""
        path = self._path(self.key(uri))
        with disk_errors(path.parent):
            path.unlink(missing_ok=True)
            for folder in path.parents:
                if folder == self._root or not _removed_if_empty(folder):
                    break

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Objects by key prefix."""
        folder = self._root
        if "/" in prefix:
            folder = self._path(check_key(prefix.rpartition("/")[0]))
        keys = sorted(
            path.relative_to(self._root).as_posix()
            for path in folder.rglob("*")
            if path.is_file() and self._partial not in path.parents
        )
        for key in keys:
            if key.startswith(prefix):
                try:
                    yield self._info(key, self._root / key)
                except FileNotFoundError:  # deleted since the walk
                    continue

    def signed_url(self, uri: str, expires_s: int = 3600) -> str:
        """Not possible: a folder has no HTTP side."""
        self.stat(uri)
        raise FailedPrecondition(
            "a local store has no signed addresses; download through the API, or use an s3:// store"
        )

    def _path(self, key: str) -> Path:
        path = self._root / check_key(key)
        if not path.resolve().is_relative_to(self._root):
            raise InvalidInput(f"{key!r} points outside the store through a link", field="key")
        return path

    def _write(self, key: str, chunks: CheckedChunks) -> ObjectInfo:
        target = self._path(key)
        try:
            with (
                disk_errors(self._root),
                atomic_path(target, partial_folder=self._partial) as partial,
                partial.open("wb") as file,
            ):
                for chunk in chunks:
                    file.write(chunk)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise InvalidInput(
                f"{key!r} needs a folder where an object is, or the reverse; use another key",
                field="key",
            ) from error
        return self._info(key, target)

    def _chunks(self, path: Path, start: int, rest: int, chunk_bytes: int) -> Iterator[bytes]:
        with path.open("rb") as file:
            file.seek(start)
            while rest and (chunk := file.read(min(chunk_bytes, rest))):
                rest -= len(chunk)
                yield chunk

    def _info(self, key: str, path: Path) -> ObjectInfo:
        found = path.stat()
        return ObjectInfo(
            self.uri(key), key, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC)
        )

    def _sweep(self) -> None:
        for path in self._partial.iterdir():
            try:
                if time.time() - path.stat().st_mtime > _STALE_S:
                    path.unlink()
            except FileNotFoundError:  # finished, or swept by another process
                continue


def _removed_if_empty(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:  # by somebody else, just now
        return True
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise
    return True
