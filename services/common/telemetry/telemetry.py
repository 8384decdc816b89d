"""Traces and metrics of one process together, as its settings ask for them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, start_http_server

from omnireel.errors import FailedPrecondition
from services.common.logs import get_logger
from services.common.settings import ServiceSettings
from services.common.telemetry.metrics import RpcMetrics
from services.common.telemetry.tracing import Exporter, Tracing

log = get_logger(__name__)


@dataclass
class Telemetry:
    """Where spans and counts go; by itself nowhere."""

    tracing: Tracing = field(default_factory=Tracing)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    metrics_address: str = ""
    close: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.rpc = RpcMetrics(self.registry)


def open_telemetry(service: str, settings: ServiceSettings) -> Telemetry:
    """Serve metrics on ``metrics_listen`` and send spans to ``otlp_endpoint``, where they are set.

    Raises:
        FailedPrecondition: the port is taken, or the exporter is not installed.
    """
    with ExitStack() as stack:
        telemetry = Telemetry()
        if settings.otlp_endpoint:
            exporter = Exporter(service, settings.otlp_endpoint)
            stack.callback(exporter.close)
            telemetry.tracing = exporter.tracing
        if settings.metrics_listen:
            telemetry.metrics_address = _serve_metrics(settings, telemetry.registry, stack)
        telemetry.close = stack.pop_all().close
    return telemetry


def _serve_metrics(settings: ServiceSettings, registry: CollectorRegistry, stack: ExitStack) -> str:
    host, _, port = settings.metrics_listen.rpartition(":")
    try:
        server, thread = start_http_server(int(port), host.strip("[]"), registry)
    except OSError as error:
        prefix = str(settings.model_config.get("env_prefix", ""))
        raise FailedPrecondition(
            f"cannot serve metrics on {settings.metrics_listen} ({error.strerror}); stop what uses "
            f"it or set {prefix}METRICS_LISTEN",
            reason="ADDRESS_IN_USE",
        ) from error

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    stack.callback(stop)
    address = f"{host}:{server.server_port}"
    log.info("metrics", address=address)
    return address
