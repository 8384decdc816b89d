"""Connections that do not wait for ever: uvicorn's HTTP/1.1 protocol with time limits added.

uvicorn times idle connections between requests only. A client that sends its headers one byte a
minute, or reads its answer that slowly, would hold a connection for as long as it likes.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


class BoundedH11Protocol(H11Protocol):
    """Closes a connection whose headers take longer than ``header_timeout_s``.

    The kernel closes one whose peer takes no byte for ``idle_timeout_s``.
    """

    header_timeout_s = 10.0
    idle_timeout_s = 30.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._headers_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        milliseconds = round(self.idle_timeout_s * 1000)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._forget_headers()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Wait for headers from the first byte of a request to the last one."""
        super().handle_events()
        begun = self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0])
        if not begun:
            self._forget_headers()
        elif self._headers_due is None:
            self._expect_headers()

    def _expect_headers(self) -> None:
        self._headers_due = self.loop.call_later(self.header_timeout_s, self._too_slow)

    def _forget_headers(self) -> None:
        if self._headers_due is not None:
            self._headers_due.cancel()
            self._headers_due = None

    def _too_slow(self) -> None:
        self.logger.info("closed a connection whose headers did not come in time")
        self.transport.abort()


def bounded_protocol(header_timeout_s: float, idle_timeout_s: float) -> type[BoundedH11Protocol]:
    """The protocol with these limits; uvicorn wants a class."""
    limits = {"header_timeout_s": header_timeout_s, "idle_timeout_s": idle_timeout_s}
    return type("BoundedH11Protocol", (BoundedH11Protocol,), limits)
