"""Bytes on their way to and from the server: chunks up, whole files down."""

from __future__ import annotations

import errno
import hashlib
import mimetypes
import os
import stat
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from omnireel.api.v1 import media_pb2
from omnireel.errors import IntegrityError, InvalidInput, OmnireelError, ResourceExhausted

CHUNK_BYTES = 256 << 10


@dataclass(frozen=True)
class Upload:
    """One medium that is ready to be sent: read once for its size and hash, once to send it."""

    source: Path | bytes
    metadata: media_pb2.UploadMetadata

    def requests(self) -> Iterator[media_pb2.UploadMediaRequest]:
        """The messages of the upload, in order."""
        yield media_pb2.UploadMediaRequest(metadata=self.metadata)
        for chunk in _chunks(self.source):
            yield media_pb2.UploadMediaRequest(chunk=chunk)


def prepare_upload(
    source: str | Path | bytes, *, filename: str = "", field: str = "media"
) -> Upload:
    """Look at ``source`` so that what cannot be sent is known before a call begins.

    Raises:
        InvalidInput: there is no such file, it cannot be read, or it is empty.

    """
    if isinstance(source, str):
        source = Path(source)
    if not isinstance(source, Path | bytes):
        kind = type(source).__name__
        raise InvalidInput(f"{kind} cannot be sent; give a path, bytes or a Media", field=field)
    name = filename or (str(source) if isinstance(source, Path) else "the data")
    digest, size = hashlib.sha256(), 0
    try:
        if isinstance(source, Path) and not stat.S_ISREG(source.stat().st_mode):
            # A pipe gives its bytes once, and a device may give them for ever.
            raise InvalidInput(f"{name} is not a file; give an image or video file", field=field)
        for chunk in _chunks(source):
            digest.update(chunk)
            size += len(chunk)
    except OSError as error:
        raise InvalidInput(
            f"cannot read {name}: {error.strerror}; give the path of an image or video", field=field
        ) from error
    if not size:
        raise InvalidInput(f"{name} is empty; give an image or video", field=field)
    metadata = media_pb2.UploadMetadata(
        filename=filename or (source.name if isinstance(source, Path) else ""),
        mime_type=mimetypes.guess_type(name)[0] or "",
        size_bytes=size,
        sha256=digest.hexdigest(),
    )
    return Upload(source, metadata)


def check_output(path: Path) -> Path:
    """Where ``path`` leads, links followed, when a file can be put there; asked before a long job,
    not after it.

    Raises:
        InvalidInput: something else than a file is there, or no file can be.

    """
    target = Path(os.path.realpath(path))
    try:
        folder = target.parent if path.is_symlink() else path.parent
        if not folder.is_dir():
            raise InvalidInput(f"there is no folder {folder}; make it first", field="out")
        if path.is_dir():
            raise InvalidInput(f"{path} is a folder; name a file in it", field="out")
        if path.exists() and not path.is_file():
            raise InvalidInput(f"{path} is a device or a pipe; name a file", field="out")
    except OSError as error:
        raise InvalidInput(f"cannot write {path}: {error.strerror}", field="out") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InvalidInput(
            f"no file can be made in {folder}; name a folder that you may write to", field="out"
        )
    return target


class Download:
    """Collects a download beside its destination and puts it there only when it is whole.

    A context manager: leaving it without `commit` removes what has come so far.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._target = check_output(path)
        # Without the name in it, which may be as long as names can be.
        self._part = self._target.with_name(f".{uuid.uuid4().hex[:8]}.part")
        self._digest = hashlib.sha256()
        self._media: media_pb2.Media | None = None
        self.offset = 0
        """Bytes that have arrived: where an interrupted download goes on."""

    def __enter__(self) -> Download:
        try:
            self._file = self._part.open("xb")
        except OSError as error:
            raise self._unwritable(error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()
        self._part.unlink(missing_ok=True)

    def feed(self, response: media_pb2.DownloadMediaResponse) -> None:
        """Take one message of the stream."""
        if response.WhichOneof("message") == "media":
            self._media = response.media
            return
        try:
            self._file.write(response.chunk)
        except OSError as error:
            raise self._unwritable(error) from error
        self._digest.update(response.chunk)
        self.offset += len(response.chunk)

    def commit(self) -> Path:
        """Check size and hash, then move the file to its place.

        Raises:
            IntegrityError: what came is not what the server described.

        """
        if self._media is None:
            raise IntegrityError(f"the download of {self._path.name} came without a description")
        expected = self._media.size_bytes
        if self.offset != expected:
            raise IntegrityError(
                f"{self._path.name}: {self.offset} of {expected} bytes came; download it again"
            )
        if self._media.sha256 and self._digest.hexdigest() != self._media.sha256:
            raise IntegrityError(f"{self._path.name} was damaged on the way; download it again")
        try:
            self._file.close()
            self._part.replace(self._target)
        except OSError as error:
            raise self._unwritable(error) from error
        return self._path

    def _unwritable(self, error: OSError) -> OmnireelError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return ResourceExhausted(f"no space left for {self._path}; free some and try again")
        return InvalidInput(f"cannot write {self._path}: {error.strerror}", field="out")


def _chunks(source: Path | bytes) -> Iterator[bytes]:
    if isinstance(source, bytes):
        for start in range(0, len(source), CHUNK_BYTES):
            yield source[start : start + CHUNK_BYTES]
        return
    with source.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
