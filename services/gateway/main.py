"""``python -m services.gateway.main``: wiring of the gateway."""

from __future__ import annotations

from google.longrunning import operations_pb2_grpc

from omnireel.api.v1 import video_pb2_grpc
from services.common.logs import configure_logs
from services.common.server import Registration, RpcServer, run_main, serve
from services.common.settings import load_settings
from services.common.telemetry import Telemetry, open_telemetry
from services.gateway.application import Application
from services.gateway.http.server import HttpServer
from services.gateway.http.settings import HttpSettings
from services.gateway.identity.interceptor import AccessInterceptor
from services.gateway.metrics import GatewayMetrics
from services.gateway.operations_servicer import OperationsServicer
from services.gateway.settings import GatewaySettings
from services.gateway.transfers import Transfers
from services.gateway.video_servicer import VideoServicer
from services.gateway.webhooks.settings import WebhookSettings

MAX_SILENCE_S = 120.0


class GatewayServer(RpcServer):
    """The gateway's server: one application behind a gRPC door and, with ``http``, an HTTP door.

    Watchers, whose calls would last for hours, end when it stops.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        http: HttpSettings | None = None,
        telemetry: Telemetry | None = None,
        webhooks: WebhookSettings | None = None,
    ) -> None:
        self._application = application = Application.open(settings, webhooks)
        video_servicer = VideoServicer(
            application.videos,
            application.watcher,
            application.uploads,
            application.library,
            Transfers(settings.max_calls),
        )
        operations_servicer = OperationsServicer(application.videos, application.watcher)
        telemetry = telemetry or Telemetry()
        GatewayMetrics(application.jobs, lambda: application.hub.count, telemetry.registry)
        super().__init__(
            settings,
            [
                Registration(
                    "omnireel.api.v1.VideoService",
                    lambda server: video_pb2_grpc.add_VideoServiceServicer_to_server(
                        video_servicer, server
                    ),
                ),
                Registration(
                    "google.longrunning.Operations",
                    lambda server: operations_pb2_grpc.add_OperationsServicer_to_server(
                        operations_servicer, server
                    ),
                ),
            ],
            telemetry=telemetry,
            interceptors=[AccessInterceptor(application.authenticator, application.audit)],
            # Calls that last for long have bounds of their own, and leave ``max_calls`` free.
            max_calls=2 * settings.max_calls + settings.max_watchers,
        )
        self.http = (
            HttpServer(application, http, self.health, telemetry) if http and http.listen else None
        )

    def alive(self) -> bool:
        """Whether the reader for those who watch still turns."""
        return self._application.hub.silent_s < MAX_SILENCE_S

    def start(self) -> str:
        """Open both doors, HTTP first: who finds the gRPC address finds everything open."""
        if self.http is not None:
            self.http.start()
        address = super().start()
        self._application.start()
        return address

    def stop(self, grace_s: float | None = None) -> None:
        """End the watchers, then stop as every server does."""
        self._application.hub.stop()
        self.health.shut_down()
        if self.http is not None:
            self.http.stop()
        super().stop(grace_s)
        self._application.close()


def main() -> int:
    """Serve until SIGTERM or SIGINT."""
    settings, http = load_settings(GatewaySettings), load_settings(HttpSettings)
    configure_logs("gateway", log_format=settings.log_format, level=settings.log_level)
    telemetry = open_telemetry("gateway", settings)
    server = GatewayServer(settings, http, telemetry)
    status = serve(server, alive=server.alive)
    telemetry.close()
    return status


if __name__ == "__main__":
    run_main(main)
