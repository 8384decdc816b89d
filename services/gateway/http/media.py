"""Bytes in and out: ``/api/v1/media``."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Annotated

import anyio.from_thread
import anyio.to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from omnireel.api.v1 import media_pb2
from omnireel.errors import FieldViolation, InvalidInput, ResourceExhausted
from services.gateway.http import protojson
from services.gateway.http.bodies import announced_length, chunks, content_type
from services.gateway.http.caller import Reader, Writer
from services.gateway.http.content import content_answer
from services.gateway.http.door import Door
from services.gateway.http.errors import HttpProblem
from services.gateway.http.openapi import binary_body, message_answer

RETRY_FULL_S = 5.0
UNKNOWN_TYPES = ("", "application/octet-stream", "application/x-www-form-urlencoded")
"""Types that say nothing; the last is what curl sends of itself."""
METADATA = re.compile(r"metadata\.\w+")


def media_routes(door: Door) -> APIRouter:
    """Upload, describe, read, remove."""
    routes = APIRouter(tags=["media"])

    @routes.post("/api/v1/media", **message_answer(media_pb2.Media), openapi_extra=binary_body())
    async def upload_media(
        request: Request,
        caller: Writer,
        filename: Annotated[str, Query(max_length=255)] = "",
        sha256: Annotated[str, Query(pattern="^[0-9a-f]{64}$|^$")] = "",
    ) -> Response:
        """Store one image or video; the body is the file itself."""
        size = announced_length(request)
        if size is None:
            raise HttpProblem(
                HTTPStatus.LENGTH_REQUIRED,
                "say the size of the file in Content-Length",
                field="content-length",
            )
        declared = content_type(request)
        metadata = media_pb2.UploadMetadata(
            filename=filename,
            mime_type="" if declared in UNKNOWN_TYPES else declared,
            size_bytes=size,
            sha256=sha256,
        )
        largest, patience = door.application.settings.max_upload_bytes, door.settings.idle_timeout_s
        body = chunks(request, largest, patience)
        return protojson.answer(await store_upload(door, caller, metadata, body))

    @routes.get("/api/v1/media", **message_answer(media_pb2.Media))
    def get_media(caller: Reader, uri: Annotated[str, Query(max_length=1024)]) -> Response:
        """Describe one of your objects: an upload, a preview, an output."""
        return protojson.answer(door.media(caller, uri))

    @routes.delete("/api/v1/media", status_code=204)
    def delete_media(caller: Writer, uri: Annotated[str, Query(max_length=1024)]) -> Response:
        """Remove an upload; refused while a queued or running job reads it."""
        door.application.uploads.remove(caller, uri)
        return Response(status_code=204)

    @routes.head("/api/v1/media/content", include_in_schema=False)
    @routes.get("/api/v1/media/content", response_class=Response)
    def read_media(
        request: Request,
        caller: Reader,
        uri: Annotated[str, Query(max_length=1024)],
        redirect: bool = True,
    ) -> Response:
        """The bytes of one of your objects; understands Range and If-None-Match.

        With `redirect=false` never a way to the store, which a web page may not follow.
        """
        media = door.media(caller, uri)
        return send_media(door, request, media, redirect=redirect)

    @routes.head("/links/{token}", include_in_schema=False)
    @routes.get("/links/{token}", response_class=Response)
    def follow_link(token: str, request: Request) -> Response:
        """The bytes behind a `signed_url`: for whoever has it, until it expires."""
        return send_media(door, request, door.application.library.linked(token))

    return routes


async def store_upload(
    door: Door,
    caller: str,
    metadata: media_pb2.UploadMetadata,
    body: AsyncIterator[bytes],
    *,
    field: str = "body",
) -> media_pb2.Media:
    """Store ``body``, which the client knows by ``field``, as it comes. Decoding and hashing are a
    thread's work."""
    if door.uploads.available_tokens < 1:
        raise ResourceExhausted(
            "too many uploads are under way; try again in a moment", retry_after_s=RETRY_FULL_S
        )
    if not metadata.size_bytes:
        raise InvalidInput("the file is empty", field=field)

    def receive() -> media_pb2.Media:
        media = door.application.uploads.store(caller, metadata, _from_thread(body), field=field)
        return door.application.library.signed(caller, media)

    with _speaking_of(field):
        return await anyio.to_thread.run_sync(receive, limiter=door.uploads)


def send_media(
    door: Door, request: Request, media: media_pb2.Media, *, redirect: bool = True
) -> Response:
    """The bytes, or the way to them. A file of this name is what a browser saves."""
    library = door.application.library
    may_redirect = redirect and door.settings.redirect_downloads
    elsewhere = library.store_link(media.uri) if may_redirect else ""
    filename = media.uri.rpartition("/")[2]
    store = door.application.store
    return content_answer(request, media, store, filename=filename, redirect_to=elsewhere)


@contextmanager
def _speaking_of(field: str) -> Iterator[None]:
    """Name what is wrong with a file by ``field``: there is no metadata message in HTTP."""
    try:
        yield
    except InvalidInput as error:
        if not any(METADATA.match(violation.field) for violation in error.violations):
            raise
        violations = tuple(
            FieldViolation(METADATA.sub(field, violation.field), violation.description)
            for violation in error.violations
        )
        text = METADATA.sub(field, error.message)
        raise InvalidInput(text, violations=violations) from error


def _from_thread(body: AsyncIterator[bytes]) -> Iterator[bytes]:
    """The chunks of ``body`` for a thread that the event loop started."""

    async def following() -> bytes:
        return await anext(body, b"")

    while chunk := anyio.from_thread.run(following):
        yield chunk
