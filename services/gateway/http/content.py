"""Stored bytes as an HTTP answer: whole or a range, fresh or known already, here or elsewhere.

RFC 9110: entity tags (8.8.3), conditional requests (13), range requests (14).
"""

from __future__ import annotations

import hashlib
import re
from http import HTTPStatus

from fastapi import Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse

from omnireel.api.v1 import media_pb2
from omnireel.store import ObjectStore
from services.gateway.http.errors import HttpProblem

CHUNK_BYTES = 256 << 10
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")

# What a stranger uploaded must never act as a page of this server.
SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def content_answer(
    request: Request,
    media: media_pb2.Media,
    store: ObjectStore,
    *,
    filename: str,
    redirect_to: str = "",
) -> Response:
    """The bytes of ``media``, or ``redirect_to`` where they are.

    Raises:
        HttpProblem: 416, a range that lies outside of it.
        NotFound: the object is gone.
    """
    etag = f'"{media.sha256 or hashlib.sha256(media.uri.encode()).hexdigest()}"'
    headers = {
        **SAFE,
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, max-age=3600",
        "Content-Disposition": f'inline; filename="{filename}"',
    }
    if _matches(request.headers.get("if-none-match"), etag):
        return Response(None, HTTPStatus.NOT_MODIFIED, headers)
    if redirect_to:
        headers = {"Cache-Control": "no-store"}
        return RedirectResponse(redirect_to, HTTPStatus.TEMPORARY_REDIRECT, headers)
    size, status = media.size_bytes, HTTPStatus.OK
    start, end = 0, size
    wanted = request.headers.get("range", "")
    if wanted and request.headers.get("if-range", etag) == etag:
        found = _range(wanted, size)
        if found is not None:
            (start, end), status = found, HTTPStatus.PARTIAL_CONTENT
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - start)
    if request.method == "HEAD":
        return Response(None, status, headers, media_type=media.mime_type)
    pieces = store.open_range(media.uri, start, end - start, CHUNK_BYTES)
    return StreamingResponse(pieces, status, headers, media_type=media.mime_type)


def _matches(header: str | None, etag: str) -> bool:
    if header is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return etag in tags or "*" in tags


def _range(header: str, size: int) -> tuple[int, int] | None:
    """First byte and end of what ``Range`` asks for; None: several ranges, no such unit, or numbers
    beyond any file, which may be ignored."""
    match = RANGE.fullmatch(header.strip())
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:  # the last so many bytes
        start, end = max(size - int(last), 0), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < int(first):
            return None
    if start >= size:
        raise HttpProblem(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            f"the range lies outside of the {size} bytes that there are",
            field="range",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return start, end
