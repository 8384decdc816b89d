"""The stored objects that a caller may use: uploads, outputs and previews of their jobs."""

from __future__ import annotations

from collections.abc import Iterator

from omnireel.api.v1 import media_pb2, mvl_pb2
from omnireel.errors import FailedPrecondition, InvalidInput, NotFound
from omnireel.store import ObjectStore
from services.common.jobs import JobStore
from services.common.media_types import mime_type_of
from services.gateway.links import Linked, Links

DOWNLOAD_CHUNK_BYTES = 256 << 10


class Library:
    """Finds, signs and sends objects."""

    def __init__(
        self, jobs: JobStore, store: ObjectStore, signed_url_s: int, links: Links | None = None
    ) -> None:
        """``links`` are for stores that cannot sign themselves."""
        self._jobs = jobs
        self._store = store
        self._signed_url_s = signed_url_s
        self._links = links

    def find(self, caller: str, uri: str) -> media_pb2.Media | None:
        """Describe the caller's object; None when there is none (any more)."""
        record = self._jobs.find_media(caller, uri)
        if record is not None:
            return media_pb2.Media.FromString(record.data) if self._store.exists(uri) else None
        return self._find_preview(caller, uri)

    def signed(self, caller: str, media: media_pb2.Media) -> media_pb2.Media:
        """The caller's ``media`` with a link, where the store or the HTTP door can make one."""
        link = self.store_link(media.uri)
        if not link and self._links is not None:
            link = self._links.make(Linked(caller, media.uri))
        media.signed_url = link
        return media

    def store_link(self, uri: str) -> str:
        """A link to the store itself; empty for a local folder, which has no HTTP side, and for an
        object that somebody removed from the store: its video is listed all the same."""
        try:
            return self._store.signed_url(uri, self._signed_url_s)
        except (FailedPrecondition, NotFound):
            return ""

    def linked(self, token: str) -> media_pb2.Media:
        """What a link of the HTTP door leads to; raises NotFound."""
        if self._links is None:
            raise NotFound("no links are made here")
        linked = self._links.read(token)
        media = self.find(linked.tenant, linked.uri)
        if media is None:
            raise NotFound("the linked file no longer exists")
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
            raise NotFound(f"media {request.uri[:200]!r} does not exist, or was deleted")
        if not 0 <= request.offset <= media.size_bytes:
            raise InvalidInput(f"offset must be 0..{media.size_bytes}", field="offset")
        if request.length < 0:
            raise InvalidInput("length must not be negative; 0 means to the end", field="length")
        yield media_pb2.DownloadMediaResponse(media=self.signed(caller, media))
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
