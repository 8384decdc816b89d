"""A gRPC server with a real port, true health, and a graceful stop.

1. :class:`RpcServer` binds its port and answers at once; health says NOT_SERVING.
2. ``prepare`` (loading weights, opening the database) runs beside it.
3. Health says SERVING until SIGTERM; then NOT_SERVING, no new calls, and running calls get
   ``grace_s`` seconds to finish before they are cancelled.
"""

from __future__ import annotations

import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import grpc
from grpc_reflection.v1alpha import reflection

from omnireel.errors import FailedPrecondition, OmnireelError
from services.common.health import Health, LivenessCheck
from services.common.interceptors import CallInterceptor
from services.common.logs import get_logger
from services.common.settings import ServiceSettings
from services.common.telemetry import Telemetry

log = get_logger(__name__)


@dataclass(frozen=True)
class Registration:
    """One service on a server: its full proto name, how to add it, and how to make its calls hand
    their work over."""

    full_name: str
    add_to: Callable[[grpc.Server], None]
    preempt_all: Callable[[], None] = lambda: None


class RpcServer:
    """One listening server. Use it as a context manager in tests, or through :func:`serve`."""

    def __init__(
        self,
        settings: ServiceSettings,
        registrations: Sequence[Registration],
        *,
        telemetry: Telemetry | None = None,
        interceptors: Sequence[grpc.ServerInterceptor] = (),
        max_calls: int = 16,
        max_message_bytes: int = 4 << 20,
        handover_s: float = 0.0,
    ) -> None:
        """Build, without binding.

        ``max_calls`` is the number of calls served at once; ``handover_s`` the time beyond the
        grace in which calls hand their work over.
        """
        self._settings = settings
        self._registrations = registrations
        self._handover_s = handover_s
        self._pool = futures.ThreadPoolExecutor(max_calls, thread_name_prefix="rpc")
        self._server = grpc.server(
            self._pool,
            interceptors=[CallInterceptor(telemetry or Telemetry()), *interceptors],
            options=(
                # Without this, a second server on the same port would silently share its calls.
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", max_message_bytes),
                ("grpc.max_send_message_length", max_message_bytes),
            ),
        )
        names = [registration.full_name for registration in registrations]
        for registration in registrations:
            registration.add_to(self._server)
        self.health = Health(names)
        self.health.attach(self._server)
        if settings.reflection:
            names += [reflection.SERVICE_NAME, "grpc.health.v1.Health"]
            reflection.enable_server_reflection(names, self._server)
        self.address = ""
        self.health_address = ""
        self._probes: grpc.Server | None = None

    def start(self) -> str:
        """Bind and listen; gives back ``host:port``.

        Raises:
            FailedPrecondition: the port is taken or the address is not this machine's.
        """
        listen = self._settings.listen
        try:
            _try_to_bind(listen)
            tls = self._settings.server_tls
            port = (
                self._server.add_secure_port(listen, tls.credentials())
                if tls
                else self._server.add_insecure_port(listen)
            )
        except (OSError, RuntimeError) as error:
            prefix = str(self._settings.model_config.get("env_prefix", ""))
            raise FailedPrecondition(
                f"cannot listen on {listen}: the port is taken or the address is not this "
                f"machine's; stop what uses it or set {prefix}LISTEN",
                reason="ADDRESS_IN_USE",
            ) from error
        self._server.start()
        self.address = f"{listen.rpartition(':')[0]}:{port}"
        if self._settings.address_file is not None:
            _write_atomically(self._settings.address_file, self.address + "\n")
        log.info("listening", address=self.address, tls=tls is not None)
        self._start_probes()
        return self.address

    def _start_probes(self) -> None:
        """Serve health alone in plain text, for probes that speak no TLS."""
        listen = self._settings.health_listen
        if not listen:
            return
        self._probes = grpc.server(
            futures.ThreadPoolExecutor(2, thread_name_prefix="probe"),
            options=(("grpc.so_reuseport", 0),),
        )
        self.health.attach(self._probes)
        port = self._probes.add_insecure_port(listen)
        self._probes.start()
        self.health_address = f"{listen.rpartition(':')[0]}:{port}"
        if self._settings.health_address_file is not None:
            _write_atomically(self._settings.health_address_file, self.health_address + "\n")
        log.info("answering probes", address=self.health_address)

    def stop(self, grace_s: float | None = None) -> None:
        """Say NOT_SERVING and refuse new calls; wait for running ones, let those that last longer
        hand their work over, and cancel what is left."""
        self.health.shut_down()
        grace = self._settings.grace_s if grace_s is None else grace_s
        handover = self._handover_s if grace else 0.0
        stopped = self._server.stop(grace + handover)
        if handover and not stopped.wait(grace):
            for registration in self._registrations:
                registration.preempt_all()
        stopped.wait()
        # A cancelled call's thread still has to reach its next cancellation point.
        self._pool.shutdown(wait=True)
        if self._probes is not None:
            self._probes.stop(0).wait()

    def __enter__(self) -> RpcServer:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop(0)


def serve(
    server: RpcServer,
    prepare: Callable[[], None] | None = None,
    alive: Callable[[], bool] = lambda: True,
) -> int:
    """Run ``server`` until SIGTERM or SIGINT; gives back the process' exit status.

    ``prepare`` runs in a thread after the port is open; health turns SERVING when it returns.
    If it raises, the process says why in one line and ends with status 1. ``alive`` is what the
    liveness probe asks.
    """
    stop = threading.Event()
    failed = threading.Event()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        log.info("stopping", signal=signal.Signals(number).name)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    server.start()

    def run_prepare() -> None:
        try:
            if prepare is not None:
                prepare()
        except Exception as error:  # noqa: BLE001 - a thread must hand its failure on
            report_fatal(error)
            failed.set()
            stop.set()
        else:
            if not stop.is_set():
                server.health.set_serving(True)
                log.info("serving", address=server.address)

    threading.Thread(target=run_prepare, name="prepare", daemon=True).start()
    with LivenessCheck(server.health, alive):
        stop.wait()
        server.stop(0 if failed.is_set() else None)
    log.info("stopped")
    return 1 if failed.is_set() else 0


def report_fatal(error: Exception) -> None:
    """Write why the process cannot go on: one line for a known cause, a traceback for a bug."""
    if isinstance(error, OmnireelError):
        log.error(str(error), reason=error.reason)
    else:
        log.error("cannot start", exc_info=error)


def run_main(main: Callable[[], int]) -> Any:
    """Entry point of every ``main.py``: ends the process with one line for a known cause."""
    try:
        sys.exit(main())
    except OmnireelError as error:
        sys.exit(f"error: {error}")


def _try_to_bind(listen: str) -> None:
    """Raise ``OSError`` if ``host:port`` cannot be had; gRPC's own attempt writes many lines."""
    host, _, port = listen.rpartition(":")
    family, kind, protocol, _, address = socket.getaddrinfo(
        host.strip("[]"), int(port), type=socket.SOCK_STREAM
    )[0]
    with socket.socket(family, kind, protocol) as probe:
        # As gRPC does: connections that linger from a former process are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)


def _write_atomically(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.replace(path)
