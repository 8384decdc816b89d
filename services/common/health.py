"""Health that tells the truth: NOT_SERVING until told otherwise, by ``grpc.health.v1``."""

from __future__ import annotations

from collections.abc import Iterable

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc


class Health:
    """The health of one server: overall (service name ``""``) and of each of its services.

    A process is reachable, and says NOT_SERVING, while it loads its weights.
    """

    def __init__(self, services: Iterable[str]) -> None:
        self._names = ("", *services)
        self._servicer = health.HealthServicer()
        self._stopping = False
        self.set_serving(False)

    @property
    def serving(self) -> bool:
        """Whether SERVING is what is said now."""
        return self._serving and not self._stopping

    def attach(self, server: grpc.Server) -> None:
        """Serve ``grpc.health.v1.Health`` on ``server``."""
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)

    def set_serving(self, serving: bool) -> None:
        """Say SERVING or NOT_SERVING for all names; watchers are told at once."""
        self._serving = serving
        kinds = health_pb2.HealthCheckResponse
        for name in self._names:
            self._servicer.set(name, kinds.SERVING if serving else kinds.NOT_SERVING)

    def shut_down(self) -> None:
        """Say NOT_SERVING from now on, whatever is set later."""
        self._stopping = True
        self._servicer.enter_graceful_shutdown()
