"""Files that are either whole or not there."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from omnireel.errors import FailedPrecondition, NotFound, ResourceExhausted

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_MAX_ATTEMPTS = 20
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn a full disk into ResourceExhausted, a forbidden one into FailedPrecondition."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise ResourceExhausted(
                f"no space left to write in {folder}; free some space and try again"
            ) from error
        if error.errno in _REFUSED:
            raise FailedPrecondition(
                f"cannot write in {folder}: {os.strerror(error.errno)}; check its permissions"
            ) from error
        raise


@contextmanager
def atomic_path(target: Path, *, partial_folder: Path | None = None) -> Iterator[Path]:
    """A temporary path; renamed onto ``target`` on success, removed on any failure.

    It lies beside ``target``, or in ``partial_folder`` (of the same file system); then the folders
    above ``target`` are made at the end, even if somebody removes them while they are empty.

    The content is flushed to the disk before the rename, so a crash leaves the old file, the new
    file, or none, and never half of one.

    Raises:
        ResourceExhausted: the disk is full.
        FailedPrecondition: the folder may not be written.
        NotFound: there is no such folder.
    """
    if partial_folder is None and not target.parent.is_dir():
        raise NotFound(f"there is no folder {target.parent}; make it first")
    with disk_errors(target.parent):
        handle, name = tempfile.mkstemp(
            dir=partial_folder or target.parent, prefix=".partial-", suffix=target.suffix
        )
        os.close(handle)
        partial = Path(name)
        try:
            yield partial
            _flush(partial)
            partial.chmod(0o666 & ~_umask())
            if partial_folder is None:
                partial.replace(target)
            else:
                _replace_in_new_folder(partial, target)
            _flush(target.parent)
        finally:
            partial.unlink(missing_ok=True)


def atomic_write(target: Path, data: bytes) -> None:
    """Write ``data`` to ``target`` as `atomic_path` does."""
    with atomic_path(target) as partial:
        partial.write_bytes(data)


def _replace_in_new_folder(partial: Path, target: Path) -> None:
    for attempts_left in reversed(range(_MAX_ATTEMPTS)):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            partial.replace(target)
            return
        except (FileNotFoundError, FileExistsError):
            # The folder was empty for a moment, and pruned: before the rename, or while mkdir
            # looked at what was in its way. A file that is in the way stays there.
            if not attempts_left:
                raise


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    """The process' umask, read without changing it (os.umask would, for all threads)."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except FileNotFoundError:  # not Linux
        return 0o022
    return next((int(line.split()[1], 8) for line in lines if line.startswith("Umask:")), 0o022)
