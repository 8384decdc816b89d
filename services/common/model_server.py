"""Wiring that the three model services share: settings -> engine -> server -> exit status."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from services.common.device_gate import DeviceGate
from services.common.logs import configure_logs
from services.common.model_host import Engine, ModelHost
from services.common.model_settings import ModelServiceSettings
from services.common.pulse import Patience
from services.common.server import Registration, RpcServer, serve
from services.common.telemetry import ModelMetrics, open_telemetry

E = TypeVar("E", bound=Engine)
S = TypeVar("S", bound=ModelServiceSettings)


def run_model_service(
    service: str,
    settings: S,
    load_engine: Callable[[S], E],
    register: Callable[[S, ModelHost[E], DeviceGate], Registration],
) -> int:
    """Serve one model until a signal; gives back the process' exit status.

    ``load_engine`` runs after the port is open; health says SERVING once the engine that it gives
    back has warmed up.
    """
    configure_logs(service, log_format=settings.log_format, level=settings.log_level)
    telemetry = open_telemetry(service, settings)
    host = ModelHost(lambda: load_engine(settings))
    gate = DeviceGate(
        max_waiting=settings.max_waiting,
        max_wait_s=settings.max_wait_s,
        patience=Patience(settings.max_silence_s),
    )
    ModelMetrics(
        telemetry.registry,
        occupied=lambda: gate.occupied,
        silent_s=lambda: gate.silent_s,
        denoised=lambda: host.denoised,
    )
    registration = register(settings, host, gate)
    server = RpcServer(
        settings,
        [registration],
        telemetry=telemetry,
        max_calls=settings.max_calls,
        handover_s=settings.handover_s,
    )
    gate.when_broken(lambda: server.health.set_serving(False))
    status = serve(
        server,
        lambda: host.prepare(server.health.set_started),
        alive=lambda: gate.alive,
    )
    telemetry.close()
    return status
