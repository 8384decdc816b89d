"""Wiring that the three model services share: settings -> engine -> server -> exit status."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from services.common.logs import configure_logs
from services.common.model_host import Engine, ModelHost
from services.common.model_settings import ModelServiceSettings
from services.common.server import Registration, RpcServer, serve

E = TypeVar("E", bound=Engine)
S = TypeVar("S", bound=ModelServiceSettings)


def run_model_service(
    service: str,
    settings: S,
    load_engine: Callable[[S], E],
    register: Callable[[S, ModelHost[E]], Registration],
) -> int:
    """Serve one model until a signal; gives back the process' exit status.

    ``load_engine`` runs after the port is open; health says SERVING once the engine that it gives
    back has warmed up.
    """
    configure_logs(service, log_format=settings.log_format, level=settings.log_level)
    host = ModelHost(lambda: load_engine(settings))
    server = RpcServer(settings, [register(settings, host)], max_calls=settings.max_calls)
    return serve(server, host.prepare)
