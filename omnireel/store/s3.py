"""Objects in any S3 service (MinIO, AWS, SeaweedFS, versitygw, ...), by the minio client."""

from __future__ import annotations

import io
import mimetypes
import re
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.error import S3Error

from omnireel.errors import IntegrityError, InvalidInput, NotFound
from omnireel.store.base import ObjectInfo, check_size, checked_range
from omnireel.store.chunks import CHUNK_BYTES, CheckedChunks, sha256_of
from omnireel.store.keys import (
    UriSpace,
    check_foreign_key,
    check_key,
    content_key,
    content_sha256,
)
from omnireel.store.s3_errors import s3_errors

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")
_PART_BYTES = 16 * 1024 * 1024
_MAX_SIGNED_S = 7 * 24 * 3600


@dataclass(frozen=True)
class S3Settings:
    """Where the objects are. Keys get ``prefix`` in front; endpoints are ``http(s)://host[:port]``.

    ``public_endpoint`` is the one that stands in signed addresses, where clients reach the service
    by another name than this process does. ``foreign_keys``: objects have the names that others
    gave them, with spaces and any letters; a URI is then good for this store alone, no address.
    """

    bucket: str
    prefix: str = ""
    endpoint: str = "https://s3.amazonaws.com"
    public_endpoint: str = "https://s3.amazonaws.com"
    region: str = "us-east-1"
    foreign_keys: bool = False

    def __post_init__(self) -> None:
        if not _BUCKET.match(self.bucket):
            raise InvalidInput(
                f"{self.bucket!r} is not a bucket name: 3 to 63 lower-case letters, digits, dots "
                "and dashes",
                field="store",
            )
        if self.prefix:
            self.check_key(self.prefix)
        for name in ("endpoint", "public_endpoint"):
            parts = urlsplit(getattr(self, name))
            if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/"):
                raise InvalidInput(
                    f"{name} {getattr(self, name)!r} is not http(s)://host[:port]", field="store"
                )

    def check_key(self, key: str) -> str:
        """Return a key that is legal here.

        Raises:
            InvalidInput: it is not.

        """
        return check_foreign_key(key) if self.foreign_keys else check_key(key)


class S3Store:
    """An `ObjectStore` in one bucket, which the first write makes if it is missing.

    Large and unsized objects go up in parts (by the SDK); S3 shows an object when it is complete.
    """

    def __init__(
        self,
        settings: S3Settings,
        *,
        access_key: str,
        secret_key: str,
        session_token: str | None = None,
    ) -> None:
        self._settings = settings
        self._bucket = settings.bucket
        root = f"s3://{settings.bucket}"
        prefix = f"{root}/{settings.prefix}" if settings.prefix else root
        self._uris = UriSpace(prefix, settings.check_key)
        credentials = {
            "access_key": access_key,
            "secret_key": secret_key,
            "session_token": session_token,
            "region": settings.region,
        }
        self._client = _client(settings.endpoint, credentials)
        self._signer = _client(settings.public_endpoint, credentials)
        self._bucket_is_there = False
        self._bucket_lock = threading.Lock()

    def uri(self, key: str) -> str:
        """The object's URI."""
        return self._uris.uri(key)

    def key(self, uri: str) -> str:
        """The URI's key."""
        return self._uris.key(uri)

    def ensure_bucket(self) -> None:
        """Make the bucket when it is not there (writes do so by themselves)."""
        with self._bucket_lock:
            if self._bucket_is_there:
                return
            with self._errors(self._uris.prefix):
                if not self._client.bucket_exists(self._bucket):
                    self._make_bucket()
            self._bucket_is_there = True

    def put(self, key: str, data: bytes | Path) -> str:
        """Store bytes or a file."""
        uri = self.uri(key)
        self.ensure_bucket()
        with self._errors(uri):
            if isinstance(data, bytes):
                self._upload(key, io.BytesIO(data), len(data))
            else:
                with data.open("rb") as file:
                    self._upload(key, file, data.stat().st_size)
        return uri

    def put_content(self, data: bytes | Path, suffix: str = "") -> str:
        """Store under the content's hash."""
        uri = self.uri(content_key(sha256_of(data), suffix))
        return uri if self.exists(uri) else self.put(self.key(uri), data)

    def put_stream(
        self,
        key: str,
        chunks: Iterable[bytes],
        *,
        max_bytes: int,
        expected_sha256: str = "",
        field: str = "upload",
    ) -> ObjectInfo:
        """Store chunks as they come; at most one part is held in memory."""
        uri = self.uri(key)
        self.ensure_bucket()
        checked = CheckedChunks(
            chunks, max_bytes=max_bytes, expected_sha256=expected_sha256, field=field
        )
        with self._errors(uri):
            self._upload(key, checked, -1)
        return self.stat(uri)

    def get(self, uri: str, *, max_bytes: int | None = None) -> bytes:
        """The whole object."""
        info = self.stat(uri)
        check_size(info, max_bytes)
        data = b"".join(self._chunks(info, 0, info.size, CHUNK_BYTES))
        promised = content_sha256(info.key)
        if promised and sha256_of(data) != promised:
            raise IntegrityError(f"{uri} does not match the hash in its name; store it again")
        return data

    def open_range(
        self, uri: str, start: int = 0, length: int | None = None, chunk_bytes: int = CHUNK_BYTES
    ) -> Iterator[bytes]:
        """Chunks of a part of the object."""
        info = self.stat(uri)
        return self._chunks(info, start, checked_range(info, start, length), chunk_bytes)

    def stat(self, uri: str) -> ObjectInfo:
        """Size and time."""
        key = self.key(uri)
        with self._errors(uri):
            found = self._client.stat_object(self._bucket, self._full(key))
        return ObjectInfo(uri, key, found.size, found.last_modified)

    def exists(self, uri: str) -> bool:
        """Whether it is there."""
        try:
            self.stat(uri)
        except NotFound:
            return False
        return True

    def delete(self, uri: str) -> None:
        """Remove it."""
        key = self.key(uri)
        try:
            with self._errors(uri):
                self._client.remove_object(self._bucket, self._full(key))
        except NotFound:
            return

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Objects by key prefix."""
        before = f"{self._settings.prefix}/" if self._settings.prefix else ""
        try:
            with self._errors(f"{self._uris.prefix}/{prefix}"):
                for found in self._client.list_objects(
                    self._bucket, prefix=before + prefix, recursive=True
                ):
                    key = found.object_name[len(before) :]
                    yield ObjectInfo(self.uri(key), key, found.size, found.last_modified)
        except NotFound:  # no bucket yet: nothing is in it
            return

    def signed_url(self, uri: str, expires_s: int = 3600) -> str:
        """An address that works until it expires, for at most seven days."""
        if not 1 <= expires_s <= _MAX_SIGNED_S:
            raise InvalidInput(
                f"expires_s {expires_s} is outside of 1..{_MAX_SIGNED_S}", field="expires_s"
            )
        info = self.stat(uri)
        with self._errors(uri):
            url: str = self._signer.presigned_get_object(
                self._bucket, self._full(info.key), expires=timedelta(seconds=expires_s)
            )
        return url

    def _full(self, key: str) -> str:
        return f"{self._settings.prefix}/{key}" if self._settings.prefix else key

    def _errors(self, uri: str) -> Any:
        return s3_errors(uri, self._settings.endpoint)

    def _upload(self, key: str, stream: Any, length: int) -> None:
        self._client.put_object(
            self._bucket,
            self._full(key),
            stream,
            length,
            content_type=mimetypes.guess_type(key)[0] or "application/octet-stream",
            part_size=_PART_BYTES,
        )

    def _chunks(self, info: ObjectInfo, start: int, rest: int, size: int) -> Iterator[bytes]:
        if not rest:
            return
        with self._errors(info.uri):
            response = self._client.get_object(
                self._bucket, self._full(info.key), offset=start, length=rest
            )
            try:
                yield from response.stream(size)
            finally:
                response.close()
                response.release_conn()

    def _make_bucket(self) -> None:
        try:
            self._client.make_bucket(self._bucket)
        except S3Error as error:
            # Another process made it between the question and now.
            if error.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                raise


def _client(endpoint: str, credentials: dict[str, Any]) -> Minio:
    parts = urlsplit(endpoint)
    pool = urllib3.PoolManager(
        maxsize=16,
        timeout=urllib3.Timeout(connect=5, read=60),
        retries=urllib3.Retry(total=3, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504]),
    )
    return Minio(
        endpoint=parts.netloc, secure=parts.scheme == "https", http_client=pool, **credentials
    )
