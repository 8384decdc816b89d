"""HTTP to addresses that users name, without letting them reach what only we can reach.

The host is resolved once, every address it has is checked, and the connection goes to the very
address that was checked: a name that answers differently the second time gains nothing. The
standard library's client reads no proxy settings, so nothing else connects on our behalf.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urljoin

from omnireel.errors import InvalidInput, Unavailable
from services.common.http_target import HttpPolicy, Target, resolve_target

_CHUNK_BYTES = 64 << 10
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True)
class HttpResponse:
    """A whole answer; ``url`` is where it came from after redirects."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


class _PinnedConnection(http.client.HTTPConnection):
    """Connects to the checked address; TLS still proves the host's name."""

    def __init__(self, target: Target, timeout_s: float, tls: ssl.SSLContext) -> None:
        super().__init__(target.host, target.port, timeout=timeout_s)
        self._target = target
        self._tls = tls
        # The response takes `sock` over when it is the last one; the watchdog needs it still.
        self.pinned: socket.socket | None = None

    def connect(self) -> None:
        target = self._target
        self.sock = socket.create_connection((target.address, target.port), self.timeout)
        if target.scheme == "https":
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=target.host)
        self.pinned = self.sock


@dataclass(frozen=True)
class SafeHttp:
    """A client without state: each request is a connection of its own.

    ``tls`` verifies certificates; give another context to trust a private authority.
    """

    policy: HttpPolicy = field(default_factory=HttpPolicy)
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, field: str = "url"
    ) -> HttpResponse:
        """Send ``body``; a redirect is an answer like any other and is not followed.

        Raises:
            InvalidInput: the URL is not allowed, or the answer is longer than ``max_bytes``.
            Unavailable: no answer in time.
        """
        ends_at = time.monotonic() + self.policy.timeout_s
        target = resolve_target(url, self.policy, field=field)
        with self._exchange("POST", target, body, headers, ends_at, field) as (answer, chunks):
            return _whole(target, answer, chunks)

    def get(self, url: str, *, field: str = "url") -> HttpResponse:
        """Fetch a whole body into memory; see :meth:`stream`."""
        with self.stream(url, field=field) as (target, response, chunks):
            return _whole(target, response, chunks)

    @contextmanager
    def stream(
        self, url: str, *, field: str = "url"
    ) -> Iterator[tuple[Target, http.client.HTTPResponse, Iterator[bytes]]]:
        """Fetch in chunks, following redirects that the policy allows; each is checked anew.

        Raises:
            InvalidInput: a URL on the way is not allowed, there are too many of them, or the body
                is longer than ``max_bytes``.
            Unavailable: no answer in time.
        """
        ends_at = time.monotonic() + self.policy.timeout_s
        for _ in range(self.policy.max_redirects + 1):
            target = resolve_target(url, self.policy, field=field)
            with self._exchange("GET", target, None, {}, ends_at, field) as (response, chunks):
                location = response.getheader("Location")
                if response.status not in _REDIRECTS or not location:
                    yield target, response, chunks
                    return
                url = urljoin(target.url, location)
        raise InvalidInput(
            f"{field} redirects more than {self.policy.max_redirects} times; give the final URL",
            field=field,
        )

    @contextmanager
    def _exchange(
        self,
        method: str,
        target: Target,
        body: bytes | None,
        headers: Mapping[str, str],
        ends_at: float,
        field: str,
    ) -> Iterator[tuple[http.client.HTTPResponse, Iterator[bytes]]]:
        left = max(ends_at - time.monotonic(), 0.001)
        connection = _PinnedConnection(target, left, self.tls)
        # A peer that sends one byte now and then never trips a socket's own timeout.
        watchdog = threading.Timer(left, _cut, (connection,))
        watchdog.daemon = True
        watchdog.start()
        response: http.client.HTTPResponse | None = None
        try:
            with _network_errors(target, ends_at, field):
                connection.request(
                    method, target.path, body, {"Host": target.host_header, **headers}
                )
                response = connection.getresponse()
            yield response, self._body(response, target, ends_at, field)
        finally:
            watchdog.cancel()
            if response is not None:
                response.close()
            connection.close()

    def _body(
        self, response: http.client.HTTPResponse, target: Target, ends_at: float, field: str
    ) -> Iterator[bytes]:
        largest, received = self.policy.max_bytes, 0
        announced = response.getheader("Content-Length", "")
        if announced.isdigit() and int(announced) > largest:
            raise _too_long(largest, field)
        while True:
            with _network_errors(target, ends_at, field):
                chunk = response.read1(_CHUNK_BYTES)
                if time.monotonic() >= ends_at:  # an end that the watchdog made is none
                    raise TimeoutError
                if not chunk and announced.isdigit() and received < int(announced):
                    raise http.client.IncompleteRead(b"", int(announced) - received)
            if not chunk:
                return
            received += len(chunk)
            if received > largest:
                raise _too_long(largest, field)
            yield chunk


@contextmanager
def _network_errors(target: Target, ends_at: float, field: str) -> Iterator[None]:
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        late = " in time" if time.monotonic() >= ends_at else ""
        raise Unavailable(
            f"{field}: {target.host[:80]} did not answer{late} ({type(error).__name__})"
        ) from error


def _whole(
    target: Target, response: http.client.HTTPResponse, chunks: Iterator[bytes]
) -> HttpResponse:
    headers = {name.lower(): value for name, value in response.getheaders()}
    return HttpResponse(response.status, headers, b"".join(chunks), target.url)


def _too_long(largest: int, field: str) -> InvalidInput:
    return InvalidInput(f"{field} answers with more than {largest} bytes", field=field)


def _cut(connection: _PinnedConnection) -> None:
    sock = connection.pinned
    if sock is not None:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it ended meanwhile
