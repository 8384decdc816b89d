"""The stored objects that a caller may use: uploads, outputs and previews of their jobs."""

from __future__ import annotations

from collections.abc import Iterator

from omnireel.api.v1 import media_pb2, mvl_pb2
from omnireel.errors import FailedPrecondition, InvalidInput, NotFound
from omnireel.store import ObjectStore
from services.common.jobs import JobStore
from services.common.media_types import mime_type_of

DOWNLOAD_CHUNK_BYTES = 256 << 10


class Library:
    """Finds, signs and sends objects."""

    def __init__(self, jobs: JobStore, store: ObjectStore, signed_url_s: int) -> None:
        self._jobs = jobs
        self._store = store
        self._signed_url_s = signed_url_s

    def find(self, caller: str, uri: str) -> media_pb2.Media | None:
        """Describe the caller's object; None when there is none (any more)."""
        record = self._jobs.find_media(caller, uri)
        if record is not None:
            return media_pb2.Media.FromString(record.data) if self._store.exists(uri) else None
        return self._find_preview(caller, uri)

    def signed(self, media: media_pb2.Media) -> media_pb2.Media:
        """``media`` with a link, where the store can make one."""
        try:
            media.signed_url = self._store.signed_url(media.uri, self._signed_url_s)
        except FailedPrecondition:
            media.signed_url = ""  # a local folder has no HTTP side
        return media

    def send(
        self, caller: str, request: media_pb2.DownloadMediaRequest
    ) -> Iterator[media_pb2.DownloadMediaResponse]:
        """The description, then the bytes.

        Raises:
            NotFound: the caller has no such object.
            InvalidInput: the range lies outside of it.
        """
        media = self.find(caller, request.uri)
        if media is None:
            raise NotFound(f"there is no media {request.uri[:200]!r} (any more)")
        if not 0 <= request.offset <= media.size_bytes:
            raise InvalidInput(f"offset must be 0..{media.size_bytes}", field="offset")
        if request.length < 0:
            raise InvalidInput("length must not be negative; 0 means to the end", field="length")
        yield media_pb2.DownloadMediaResponse(media=self.signed(media))
        if request.offset == media.size_bytes:
            return
        chunks = self._store.open_range(
            request.uri, request.offset, request.length or None, DOWNLOAD_CHUNK_BYTES
        )
        for chunk in chunks:
            yield media_pb2.DownloadMediaResponse(chunk=chunk)

    def job_of(self, uri: str) -> str | None:
        """The id of the job that made the object; None for an upload."""
        try:
            folder, _, rest = self._store.key(uri).partition("/")
        except InvalidInput:
            return None
        return rest.partition("/")[0] if folder == "jobs" else None

    def _find_preview(self, caller: str, uri: str) -> media_pb2.Media | None:
        """Previews come and go with every few steps, so they have no record of their own."""
        job_id = self.job_of(uri)
        if job_id is None:
            return None
        try:
            self._jobs.get(job_id, caller)
            info = self._store.stat(uri)
        except (InvalidInput, NotFound):
            return None
        mime_type = mime_type_of(info.key)
        # Only previews: a result has a record from when it was released, and not before.
        if not mime_type or not info.key.rpartition("/")[2].startswith("preview-"):
            return None
        is_video = info.key.endswith((".mp4", ".webp"))
        kind = mvl_pb2.MEDIA_KIND_VIDEO if is_video else mvl_pb2.MEDIA_KIND_IMAGE
        return media_pb2.Media(uri=uri, kind=kind, mime_type=mime_type, size_bytes=info.size)
