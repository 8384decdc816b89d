"""Folders and files that appear whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from omnireel.errors import ResourceExhausted


@contextmanager
def atomic_folder(destination: Path) -> Iterator[Path]:
    """Yield an empty folder that replaces ``destination`` when the block ends without an error.

    The work is done in a hidden sibling, so it shares the file system. On any error the sibling
    is removed and the old destination stays whole.

    Raises:
        ResourceExhausted: the disk (or a quota) is full.

    """
    destination = Path(destination)
    destination.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{destination.name}.", dir=destination.parent))
    try:
        yield work
        work.chmod(0o755)  # mkdtemp makes 0700; a served component is read by other users
        for path in work.iterdir():
            _sync(path)
        _swap(work, destination)
    except BaseException as error:
        shutil.rmtree(work, ignore_errors=True)
        if is_disk_full(error):
            raise ResourceExhausted(
                f"no space left while writing {destination}; free some space and run again "
                "(what was there before is untouched)"
            ) from error
        raise


def write_text_atomic(path: Path, text: str) -> None:
    """Replace ``path`` by ``text`` in one step; a reader sees the old or the new, never half."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def sha256_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_disk_full(error: BaseException) -> bool:
    """Whether ``error`` says that a disk or quota is full.

    safetensors reports it as its own exception type, with the operating system's words inside.
    """
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    return type(error).__name__ == "SafetensorError" and "No space left" in str(error)


def _swap(work: Path, destination: Path) -> None:
    """Put ``work`` in the place of ``destination``, keeping the old one until the new is there."""
    if not destination.exists():
        work.rename(destination)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{destination.name}.old.", dir=destination.parent))
    destination.rename(old / "previous")
    try:
        work.rename(destination)
    except BaseException:
        (old / "previous").rename(destination)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _sync(path: Path) -> None:
    if path.is_file():
        with path.open("rb") as file:
            os.fsync(file.fileno())
