"""Health that tells the truth, by ``grpc.health.v1``: what a probe asks for, it asks by name.

``startup``    SERVING once the weights are in (a service without weights: once it is ready).
``readiness``  SERVING once it is warmed up, until it drains; so do ``""`` and each service's name.
``liveness``   SERVING while something moves: when idle the process' own loop, when busy the steps
               of the running job. A device that only a restart brings back is NOT_SERVING, and
               not ready. A service that is away, such as the database, changes none of
               these: the calls that need it say UNAVAILABLE.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from services.common.logs import get_logger

log = get_logger(__name__)

STARTUP, READINESS, LIVENESS = "startup", "readiness", "liveness"
LOOK_S = 0.5


class Health:
    """The health of one server. A process is reachable, and not ready, while it loads weights."""

    def __init__(self, services: Iterable[str]) -> None:
        self._names = ("", READINESS, *services)
        self._servicer = health.HealthServicer()
        self._lock = threading.Lock()
        self._shut_down = False
        self._serving = False
        self._say((STARTUP, *self._names), False)
        self._say((LIVENESS,), True)

    @property
    def serving(self) -> bool:
        """Whether it says that it is ready."""
        return self._serving

    def attach(self, server: grpc.Server) -> None:
        """Serve ``grpc.health.v1.Health`` on ``server``."""
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)

    def set_started(self) -> None:
        """The weights are in."""
        self._say((STARTUP,), True)

    def set_serving(self, serving: bool) -> None:
        """Ready, or not; watchers are told at once."""
        with self._lock:
            if self._shut_down:
                return
            if serving:
                self.set_started()
            self._serving = serving
            self._say(self._names, serving)

    def set_alive(self, alive: bool) -> None:
        """Whether something moves."""
        self._say((LIVENESS,), alive)

    def shut_down(self) -> None:
        """Not ready from now on, whatever is set later; what still runs is alive."""
        with self._lock:
            self._shut_down = True
            self._serving = False
            self._say(self._names, False)

    def _say(self, names: Iterable[str], serving: bool) -> None:
        kinds = health_pb2.HealthCheckResponse
        for name in names:
            self._servicer.set(name, kinds.SERVING if serving else kinds.NOT_SERVING)


class LivenessCheck:
    """Looks at ``alive`` again and again, and says what it sees."""

    def __init__(self, health: Health, alive: Callable[[], bool]) -> None:
        self._health = health
        self._alive = alive
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="liveness", daemon=True)

    def __enter__(self) -> LivenessCheck:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stop.set()
        self._thread.join()

    def _loop(self) -> None:
        before = True
        while not self._stop.wait(LOOK_S):
            alive = self._alive()
            self._health.set_alive(alive)
            if before and not alive:
                log.error("a hang or a broken device; liveness says NOT_SERVING")
            before = alive
