"""Runs the HTTP door in this process: uvicorn in a thread, on a socket that was bound first."""

from __future__ import annotations

import socket
import threading
import time

import uvicorn

from omnireel.addresses import is_loopback
from omnireel.errors import FailedPrecondition, InvalidInput
from omnireel.files import atomic_write
from services.common.health import Health
from services.common.logs import get_logger
from services.common.telemetry import Telemetry
from services.gateway.application import Application
from services.gateway.http.app import build_app
from services.gateway.http.connections import bounded_protocol
from services.gateway.http.settings import HttpSettings

log = get_logger(__name__)

START_TIMEOUT_S = 30.0
BACKLOG = 512


class HttpServer:
    """One listening HTTP server over ``application``."""

    def __init__(
        self,
        application: Application,
        settings: HttpSettings,
        health: Health,
        telemetry: Telemetry,
    ) -> None:
        why = application.settings.open_to_strangers()
        if why and not is_loopback(settings.listen):
            raise InvalidInput(
                f"OMNIREEL_GATEWAY_HTTP_LISTEN is {settings.listen}, which other machines can "
                f"reach, {why}",
                field="OMNIREEL_GATEWAY_HTTP_LISTEN",
            )
        self._settings = settings
        self._links = application.links
        tls = application.settings.server_tls
        self._scheme = "https" if tls else "http"
        self.app = build_app(application, settings, health, telemetry)
        self._server = uvicorn.Server(
            uvicorn.Config(
                self.app,
                http=bounded_protocol(settings.header_timeout_s, settings.idle_timeout_s),
                ws="none",
                ssl_context_factory=(lambda _config, _usual: tls.context()) if tls else None,
                loop="asyncio",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=settings.max_connections,
                h11_max_incomplete_event_size=settings.max_header_bytes,
                timeout_keep_alive=settings.keep_alive_s,
                timeout_graceful_shutdown=settings.grace_s,
            )
        )
        self._thread: threading.Thread | None = None
        self.address = ""

    @property
    def url(self) -> str:
        """How the world reaches this door."""
        return self._settings.public_url or f"{self._scheme}://{self.address}"

    def start(self) -> str:
        """Bind and listen; gives back ``host:port``.

        Raises:
            FailedPrecondition: the port is taken or the address is not this machine's.
        """
        listener = _bind(self._settings.listen)
        host = self._settings.listen.rpartition(":")[0]
        self.address = f"{host}:{listener.getsockname()[1]}"
        if self._links is not None:
            self._links.base_url = self.url
        self._thread = threading.Thread(
            target=self._server.run, args=([listener],), name="http", daemon=True
        )
        self._thread.start()
        ends_at = time.monotonic() + START_TIMEOUT_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > ends_at:
                raise FailedPrecondition("the HTTP server did not start; its log says why")
            time.sleep(0.005)
        if self._settings.address_file is not None:
            self._settings.address_file.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(self._settings.address_file, (self.address + "\n").encode())
        log.info("listening for HTTP", address=self.address)
        return self.address

    def stop(self) -> None:
        """Take no new requests, give running ones their time, then close."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()


def _bind(listen: str) -> socket.socket:
    host, _, port = listen.rpartition(":")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), int(port), type=socket.SOCK_STREAM
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise FailedPrecondition(
            f"cannot listen for HTTP on {listen}: {error.strerror or error}; stop what uses it, "
            "set OMNIREEL_GATEWAY_HTTP_LISTEN, or set it to nothing to serve no HTTP",
            reason="ADDRESS_IN_USE",
        ) from error
    return listener
