"""``python -m services.gateway.main``: wiring of the gateway."""

from __future__ import annotations

import time

from google.longrunning import operations_pb2_grpc

from omnireel.api.v1 import video_pb2_grpc
from omnireel.store import open_store
from services.common.jobs import JobStore
from services.common.jobs.database import Database
from services.common.jobs.migrate import open_database
from services.common.logs import configure_logs
from services.common.sandbox import MediaSandbox, SandboxConfig
from services.common.server import Registration, RpcServer, run_main, serve
from services.common.settings import load_settings
from services.gateway.capabilities import CapabilityBook
from services.gateway.identity import Authenticator
from services.gateway.identity.first_key import provide_first_key
from services.gateway.identity.interceptor import AccessInterceptor
from services.gateway.identity.key_store import KeyStore
from services.gateway.library import Library
from services.gateway.operations_servicer import OperationsServicer
from services.gateway.settings import GatewaySettings
from services.gateway.upload import Uploads
from services.gateway.video_servicer import VideoServicer
from services.gateway.videos import Videos
from services.gateway.watch import Watcher
from services.gateway.watch_hub import WatchHub


class GatewayServer(RpcServer):
    """The gateway's server: watchers, whose calls would last for hours, end when it stops."""

    def __init__(self, settings: GatewaySettings) -> None:
        database = open_database(settings.database_url)
        self._jobs = JobStore(database, time.time)
        self.authenticator = _authenticator(database, settings)
        self._book = CapabilityBook(settings)
        store = open_store(settings.store_url)
        library = Library(self._jobs, store, settings.signed_url_s)
        videos = Videos(self._jobs, store, library, self._book, settings)
        self._hub = WatchHub(
            self._jobs, poll_s=settings.watch_poll_s, max_watchers=settings.max_watchers
        )
        watcher = Watcher(self._jobs, videos, self._hub)
        self._sandbox = MediaSandbox(
            settings.decode_limits,
            SandboxConfig(processes=settings.max_decodes, wall_s=settings.max_decode_s),
        )
        uploads = Uploads(self._jobs, store, self._sandbox)
        video_servicer = VideoServicer(videos, watcher, uploads, library)
        operations_servicer = OperationsServicer(videos)
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
            interceptors=[AccessInterceptor(self.authenticator)],
            max_calls=settings.max_calls + settings.max_watchers,
        )

    def start(self) -> str:
        """Listen, and read for those who watch."""
        address = super().start()
        self._hub.start()
        return address

    def stop(self, grace_s: float | None = None) -> None:
        """End the watchers, then stop as every server does."""
        self._hub.stop()
        super().stop(grace_s)
        self._book.close()
        self._sandbox.close()
        self._jobs.close()


def _authenticator(database: Database, settings: GatewaySettings) -> Authenticator:
    if settings.auth == "off":
        return Authenticator(None)
    keys = KeyStore(database)
    provide_first_key(keys, settings.key_file)
    return Authenticator(keys)


def main() -> int:
    """Serve until SIGTERM or SIGINT."""
    settings = load_settings(GatewaySettings)
    configure_logs("gateway", log_format=settings.log_format, level=settings.log_level)
    return serve(GatewayServer(settings))


if __name__ == "__main__":
    run_main(main)
