"""Receives one file in chunks: bounded, verified, decoded once, then stored."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from omnireel.api.v1 import media_pb2
from omnireel.errors import FieldViolation, InvalidInput, ResourceExhausted
from omnireel.files import disk_errors
from omnireel.store import ObjectStore
from services.common.jobs import MediaRecord
from services.common.media_types import SUFFIXES
from services.common.sandbox import MediaSandbox
from services.common.storage.keys import upload_key
from services.common.storage.records import StorageRecords
from services.gateway.inspect_media import inspect_file

MAX_CHUNK_BYTES = 1 << 20
SHA256 = re.compile(r"[0-9a-f]{64}")


class Uploads:
    """Takes uploads; ``sandbox`` decodes them in processes of their own."""

    def __init__(self, records: StorageRecords, store: ObjectStore, sandbox: MediaSandbox) -> None:
        self._records = records
        self._store = store
        self._sandbox = sandbox

    def receive(
        self, caller: str, messages: Iterator[media_pb2.UploadMediaRequest]
    ) -> media_pb2.Media:
        """:meth:`store` of a stream of messages: the metadata, then chunks.

        Raises:
            InvalidInput: wrong order, or what :meth:`store` raises.
        """
        first = next(messages, None)
        if first is None or first.WhichOneof("message") != "metadata":
            raise InvalidInput("the first message must be the metadata", field="metadata")
        return self.store(caller, first.metadata, _chunks(messages))

    def store(
        self,
        caller: str,
        metadata: media_pb2.UploadMetadata,
        chunks: Iterator[bytes],
        *,
        field: str = "file",
    ) -> media_pb2.Media:
        """Store the file and describe it. Nothing is kept of one that is refused.

        ``field`` is what the caller knows the bytes by.

        Raises:
            InvalidInput: wrong size, hash, type, or a file that cannot be decoded.
            ResourceExhausted: the disk, or the caller's storage, is full.
        """
        self._check(metadata)
        known = self._find(caller, metadata.sha256) if metadata.sha256 else None
        if known is not None and known.size_bytes == metadata.size_bytes:
            _check_type(metadata.mime_type, known.mime_type)
            return known  # sent before; the bytes need not come again
        self._records.check_room(caller, metadata.size_bytes)
        folder = Path(tempfile.gettempdir())
        with disk_errors(folder), tempfile.NamedTemporaryFile(prefix="omnireel-upload-") as file:
            digest = _write(chunks, metadata, file)
            known = self._find(caller, digest)
            if known is not None:
                _check_type(metadata.mime_type, known.mime_type)
                return known
            media = inspect_file(Path(file.name), self._sandbox, field=field)
            _check_type(metadata.mime_type, media.mime_type)
            media.size_bytes, media.sha256 = metadata.size_bytes, digest
            self._keep(caller, media, Path(file.name))
        return media

    def remove(self, caller: str, uri: str) -> None:
        """Remove the caller's upload.

        Raises:
            NotFound: the caller has none at ``uri``.
            FailedPrecondition: a queued or running job reads it, or it is the output of a video.
        """
        self._records.remove_upload(caller, uri)
        self._store.delete(uri)

    def _find(self, caller: str, digest: str) -> media_pb2.Media | None:
        """The caller's own upload of the same bytes; what others sent is nobody's business."""
        record = self._records.find_upload(caller, digest)
        if record is None:
            return None
        if not self._store.exists(record.uri):  # somebody emptied the store
            self._records.drop_upload(caller, record.uri)
            return None
        return media_pb2.Media.FromString(record.data)

    def _keep(self, caller: str, media: media_pb2.Media, file: Path) -> None:
        key = upload_key(caller, media.sha256, SUFFIXES[media.mime_type])
        media.uri = self._store.put(key, file)
        record = MediaRecord(media.uri, media.SerializeToString(), media.size_bytes, media.sha256)
        try:
            self._records.put_upload(caller, record)
        except ResourceExhausted:
            self._store.delete(media.uri)
            raise

    def _check(self, metadata: media_pb2.UploadMetadata) -> None:
        wrong: list[FieldViolation] = []
        largest = self._sandbox.limits.max_bytes
        if metadata.size_bytes <= 0:
            wrong.append(FieldViolation("metadata.size_bytes", "say the exact size, above 0"))
        if metadata.size_bytes > largest:
            wrong.append(
                FieldViolation(
                    "metadata.size_bytes",
                    f"{metadata.size_bytes} bytes; at most {largest} can be sent, so compress or "
                    "shorten it",
                )
            )
        if metadata.sha256 and not SHA256.fullmatch(metadata.sha256):
            wrong.append(
                FieldViolation("metadata.sha256", "must be 64 lower-case hexadecimal digits")
            )
        if wrong:
            text = "; ".join(f"{v.field}: {v.description}" for v in wrong)
            raise InvalidInput(text, violations=tuple(wrong))


def _chunks(messages: Iterator[media_pb2.UploadMediaRequest]) -> Iterator[bytes]:
    for message in messages:
        if message.WhichOneof("message") != "chunk" or not message.chunk:
            raise InvalidInput("after the metadata, send chunks of at least 1 byte", field="chunk")
        if len(message.chunk) > MAX_CHUNK_BYTES:
            raise InvalidInput(f"a chunk has at most {MAX_CHUNK_BYTES} bytes", field="chunk")
        yield message.chunk


def _write(
    chunks: Iterator[bytes],
    metadata: media_pb2.UploadMetadata,
    file: tempfile._TemporaryFileWrapper[bytes],
) -> str:
    digest, received = hashlib.sha256(), 0
    for chunk in chunks:
        received += len(chunk)
        if received > metadata.size_bytes:
            break
        digest.update(chunk)
        file.write(chunk)
    if received != metadata.size_bytes:
        raise InvalidInput(
            f"received {'more than' if received > metadata.size_bytes else f'{received} of'} "
            f"{metadata.size_bytes} announced bytes; send the file again",
            field="metadata.size_bytes",
        )
    file.flush()
    if metadata.sha256 and digest.hexdigest() != metadata.sha256:
        raise InvalidInput(
            "the bytes that came do not have the announced SHA-256; send the file again",
            field="metadata.sha256",
        )
    return digest.hexdigest()


def _check_type(declared: str, found: str) -> None:
    # A container's several names (quicktime, webm) are one family to the decoder.
    if declared and declared.partition("/")[0] != found.partition("/")[0]:
        raise InvalidInput(
            f"the file is {found}, not {declared}; declare that type, or none",
            field="metadata.mime_type",
        )
