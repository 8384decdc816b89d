"""One HTTP request that its caller can hang up on, so that the server stops working for it.

It runs on a thread of its own, since a blocking read cannot look at anything else. Who waits for it
looks every ``POLL_S`` seconds whether the answer is still wanted.
"""

from __future__ import annotations

import http.client
import socket
import threading
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from functools import partial
from typing import Any

from omnireel.enhancer.base import stopped

POLL_S = 0.1
_CHUNK_BYTES = 1 << 16


class HttpCall:
    """One request; ``timeout_s`` bounds all of it, ``max_bytes`` what is read of the answer."""

    def __init__(
        self, request: urllib.request.Request, *, timeout_s: float, max_bytes: int
    ) -> None:
        self._request = request
        self._timeout_s, self._max_bytes = timeout_s, max_bytes
        self._connections: list[http.client.HTTPConnection] = []
        self._hung_up = threading.Event()

    def answer(self, cancelled: Callable[[], bool]) -> bytes:
        """The body; longer than ``max_bytes`` when the server sent more than that.

        Raises:
            Cancelled: ``cancelled()`` was true; the connection is closed.
            TimeoutError: the whole answer was not there in time.
            OSError, http.client.HTTPException: as ``urllib.request`` raises them.
        """
        future: Future[bytes] = Future()
        threading.Thread(target=self._run, args=(future,), daemon=True).start()
        until = time.monotonic() + self._timeout_s
        while not wait([future], min(POLL_S, max(0.0, until - time.monotonic()))).done:
            if cancelled():
                self._hang_up()
                raise stopped()
            if time.monotonic() >= until:
                self._hang_up()
                raise TimeoutError
        return future.result()

    def _run(self, future: Future[bytes]) -> None:
        try:
            opener = urllib.request.build_opener(_NoRedirect, _Remembering(self._connections))
            with opener.open(self._request, timeout=self._timeout_s) as response:
                future.set_result(self._read(response))
        except Exception as error:  # noqa: BLE001 - raised again in answer()
            future.set_exception(error)

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        """Piece by piece: some servers send blanks while their model still writes."""
        data = bytearray()
        while len(data) <= self._max_bytes and not self._hung_up.is_set():
            chunk = response.read1(_CHUNK_BYTES)
            if not chunk:
                break
            data += chunk
        return bytes(data)

    def _hang_up(self) -> None:
        self._hung_up.set()
        for connection in self._connections:
            sock = connection.sock  # None before it is connected, and once the body is read
            if sock is not None:
                with suppress(OSError):  # the other side may have closed it just now
                    sock.shutdown(socket.SHUT_RDWR)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect could carry the key to another host, so it is reported instead of followed."""

    def redirect_request(self, *_: Any) -> None:
        return None


class _Remembering(urllib.request.HTTPSHandler, urllib.request.HTTPHandler):
    """Remembers its connections, so that another thread can close them."""

    def __init__(self, connections: list[http.client.HTTPConnection]) -> None:
        super().__init__()
        self._connections = connections

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """As the base does."""
        return self.do_open(partial(self._connect, http.client.HTTPConnection), req)

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """As the base does."""
        return self.do_open(partial(self._connect, http.client.HTTPSConnection), req)

    def _connect(
        self, kind: type[http.client.HTTPConnection], host: str, **options: Any
    ) -> http.client.HTTPConnection:
        self._connections.append(kind(host, **options))
        return self._connections[-1]
