"""Where raw media come from: a folder, or a bucket behind the store interface. Never written to.

An input is named by its address alone, so that a worker in another process opens it for itself.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from omnireel.errors import InvalidInput, NotFound
from omnireel.files import disk_errors
from omnireel.store.base import ObjectStore
from omnireel.store.open import open_store

_MAX_TEXT_BYTES = 64 << 20


@dataclass(frozen=True, order=True)
class Entry:
    """One file: its name below the input, and what changes when its content does."""

    name: str
    size: int
    stamp: str
    """Time of the last change."""


class Inputs(Protocol):
    """Files by name."""

    def entries(self) -> Iterator[Entry]:
        """All files, in no particular order; hidden ones are left alone."""

    def local(self, name: str) -> AbstractContextManager[Path]:
        """A local file with the content of ``name`` for the length of the block.

        Raises:
            NotFound: it is gone; that is no fault of one file, the input changed.
            Unavailable: the store cannot be reached.

        """

    def text(self, name: str) -> str:
        """A small text file.

        Raises:
            InvalidInput: it is no UTF-8 text.

        """


class FolderInputs:
    """The files below a local folder."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise NotFound(f"there is no folder {folder}")
        self._folder = folder

    def entries(self) -> Iterator[Entry]:
        """All files; links to folders are not followed."""
        for where, folders, files in os.walk(self._folder):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in files:
                path = Path(where, name)
                if name.startswith(".") or not path.is_file():
                    continue
                found = path.stat()
                yield Entry(
                    path.relative_to(self._folder).as_posix(), found.st_size, str(found.st_mtime_ns)
                )

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """The file itself."""
        path = self._folder / name
        if not path.is_file():
            raise NotFound(f"{name} was deleted after the folder was listed; run the command again")
        yield path

    def text(self, name: str) -> str:
        """A text file."""
        return _decoded((self._folder / name).read_bytes(), name)


class BucketInputs:
    """The objects of a store; each is copied to a temporary file while it is worked on."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def entries(self) -> Iterator[Entry]:
        """All objects."""
        for info in self._store.list():
            # A key that ends with a slash is what browsers of buckets show an empty folder by.
            hidden = any(part.startswith(".") for part in info.key.split("/"))
            if not hidden and not info.key.endswith("/"):
                yield Entry(info.key, info.size, info.modified_at.isoformat())

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """A copy of the object, removed after the block."""
        with tempfile.TemporaryDirectory(prefix="omnireel-input-") as folder:
            path = Path(folder, "file" + Path(name).suffix)
            with disk_errors(path.parent), path.open("wb") as file:
                for chunk in self._store.open_range(self._store.uri(name)):
                    file.write(chunk)
            yield path

    def text(self, name: str) -> str:
        """A text object."""
        return _decoded(self._store.get(self._store.uri(name), max_bytes=_MAX_TEXT_BYTES), name)


def open_inputs(address: str) -> Inputs:
    """The input at ``address``: a folder, or ``s3://bucket/prefix?endpoint=..``.

    Raises:
        NotFound: no such folder.
        InvalidInput: no such kind of address.
        FailedPrecondition: the store's credentials are missing.

    """
    if "://" not in address:
        return FolderInputs(Path(address))
    if not address.startswith("s3://"):
        raise InvalidInput(
            f"{address!r} is not an input; give a folder or s3://bucket/prefix?endpoint=http://host",
            field="input",
        )
    return BucketInputs(open_store(address, foreign_keys=True))


def _decoded(data: bytes, name: str) -> str:
    if len(data) > _MAX_TEXT_BYTES:
        raise InvalidInput(f"{name} has more than {_MAX_TEXT_BYTES >> 20} MiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{name} is not UTF-8 text; save it as UTF-8") from error
