"""Request bodies, within a size and with patience that ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus

from fastapi import Request
from starlette.types import Message

from omnireel.errors import Cancelled
from services.gateway.http.errors import HttpProblem


def announced_length(request: Request) -> int | None:
    """``Content-Length``; None when the client does not know it."""
    text = request.headers.get("content-length")
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def content_type(request: Request) -> str:
    """The media type in lower case, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def bounded(request: Request, max_bytes: int, idle_timeout_s: float) -> Request:
    """``request`` with a body that cannot be larger, and that cannot stall.

    Reading it raises :class:`HttpProblem` 413 or 408, and :class:`Cancelled` when the client left.
    """
    length = announced_length(request)
    if length is not None and length > max_bytes:
        raise _too_large(max_bytes)
    received = 0

    async def receive() -> Message:
        nonlocal received
        try:
            message = await asyncio.wait_for(request.receive(), idle_timeout_s)
        except TimeoutError as error:
            raise HttpProblem(
                HTTPStatus.REQUEST_TIMEOUT,
                f"no byte of the body came for {idle_timeout_s:g} s; send it again",
                field="body",
            ) from error
        if message["type"] == "http.disconnect":
            raise Cancelled("the client left before its request was complete")
        received += len(message.get("body", b""))
        if received > max_bytes:
            raise _too_large(max_bytes)
        return message

    return Request(request.scope, receive)


async def read_json(request: Request, max_bytes: int, idle_timeout_s: float) -> bytes:
    """The whole body of a request that must be JSON.

    A web page can send other types to any server without being asked for leave; not this one.
    """
    if content_type(request) != "application/json":
        raise HttpProblem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "send JSON with the header Content-Type: application/json",
            field="content-type",
        )
    return await bounded(request, max_bytes, idle_timeout_s).body()


async def chunks(request: Request, max_bytes: int, idle_timeout_s: float) -> AsyncIterator[bytes]:
    """The body as it comes, without empty pieces."""
    async for chunk in bounded(request, max_bytes, idle_timeout_s).stream():
        if chunk:
            yield chunk


def _too_large(max_bytes: int) -> HttpProblem:
    return HttpProblem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the body has more than {max_bytes} bytes, which is the limit here",
        field="body",
    )
