"""Keeps web pages of strangers from using this server through a visitor's browser.

A browser sends requests to any address that a page names, this machine's own included, and with
some types of body even without asking. It says in ``Origin`` where the page came from, and in
``Host`` under which name it found the server; a page that made its own name point here (DNS
rebinding) gives itself away by that name.
"""

from __future__ import annotations

from collections.abc import Collection
from http import HTTPStatus
from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from omnireel.errors import OmnireelError
from services.gateway.http.errors import HttpProblem, error_answer

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class OriginCheck:
    """ASGI middleware: 421 for an unknown ``Host``, 403 for a page of an unknown origin."""

    def __init__(
        self, app: ASGIApp, *, hosts: Collection[str] | None, origins: Collection[str]
    ) -> None:
        """``hosts`` None: any name will do, since a page that lies about its own has no key."""
        self._app = app
        self._hosts = None
        if hosts is not None:
            self._hosts = LOOPBACK_NAMES | {host.lower() for host in hosts}
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or answer it."""
        problem = self._problem(Headers(scope=scope)) if scope["type"] == "http" else None
        if problem is None:
            await self._app(scope, receive, send)
        else:
            await error_answer(Request(scope), problem)(scope, receive, send)

    def _problem(self, headers: Headers) -> OmnireelError | None:
        host = headers.get("host", "")
        if self._hosts is not None and _hostname(f"//{host}") not in self._hosts:
            return HttpProblem(
                HTTPStatus.MISDIRECTED_REQUEST,
                f"this server is not known as {host[:100]!r}; list that name in "
                "OMNIREEL_GATEWAY_HTTP_HOSTS if it should be",
            )
        origin = headers.get("origin")
        if origin is None or origin in self._origins:
            return None
        if origin.partition("://")[2] == host:
            return None
        return HttpProblem(
            HTTPStatus.FORBIDDEN,
            f"pages of {origin[:100]!r} may not call this server; list that origin in "
            "OMNIREEL_GATEWAY_HTTP_CORS_ORIGINS if they should",
        )


def _hostname(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""
