"""The processes under test. Whatever ends is started again, as a cluster does."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from services.common.jobs.migrate import main as migrate
from services.common.stack.config import MODEL_SERVICES, StackConfig, key_file, service_of
from services.common.stack.probe import SERVING, health_of
from services.common.stack.process import ProcessId, is_alive, send, spawn
from tests.support.servers import (
    Postgres,
    Server,
    running_postgres,
    running_rabbitmq,
    running_redis,
)
from tests.support.servers.server import free_port
from tests.support.stack import QUICK, stack_config

WORKERS = 2
SLOTS = 2
START_S = 600.0
WATCH_S = 0.2
LOCK_S = 2.0


@dataclass(frozen=True)
class Choice:
    """What the stack stands on."""

    database: str = "sqlite"
    broker: str = "files"


class SoakStack:
    """A context: everything runs inside, and nothing is left after it."""

    def __init__(self, home: Path, choice: Choice, environment: dict[str, str]) -> None:
        self.home = home
        self._choice = choice
        self._environment = environment
        self._exit = ExitStack()
        self._processes: dict[str, ProcessId] = {}
        self._over = threading.Event()
        self._lock = threading.Lock()
        self.restarts: dict[str, int] = {}
        self.ports = {name: free_port() for name in (*MODEL_SERVICES, "gateway")}
        self.cuts: dict[str, Callable[[], None]] = {}

    def __enter__(self) -> SoakStack:
        try:
            self.database_url = self._database()
            self.broker_url = self._broker()
            self._config = self._configure()
            for folder in ("run", "logs", "objects"):
                (self.home / folder).mkdir(parents=True, exist_ok=True)
            for name in self.names:
                self._start(name)
            self._exit.callback(self._stop)
            watch = threading.Thread(target=self._watch, name="watch", daemon=True)
            watch.start()
            self._exit.callback(watch.join)
            self._exit.callback(self._over.set)
            self.wait_until_serving()
        except BaseException:
            self._exit.close()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        self._exit.close()

    @property
    def names(self) -> tuple[str, ...]:
        """Every process of ours."""
        return (*MODEL_SERVICES, "gateway", *(f"worker-{n}" for n in range(1, WORKERS + 1)))

    @property
    def gateway(self) -> str:
        """The public address."""
        return f"127.0.0.1:{self.ports['gateway']}"

    @property
    def key(self) -> str:
        """The owner's API key."""
        return key_file(self.home).read_text().strip()

    def kill(self, name: str) -> None:
        """SIGKILL, to a process or to what the stack stands on."""
        if name in self.cuts:
            self.cuts[name]()
            return
        with self._lock:
            send(self._processes[name], signal.SIGKILL)

    def serving(self, name: str) -> bool:
        """Whether its health says so now."""
        address = self._config.address_file(name)
        if not is_alive(self._processes[name]) or not address.exists():
            return False
        return health_of(address.read_text().strip()) == SERVING

    def wait_until_serving(self, *names: str) -> None:
        """Block until all of ``names`` (none: every process) serve."""
        until = time.monotonic() + START_S
        for name in names or self.names:
            while not self.serving(name):
                if time.monotonic() > until:
                    raise RuntimeError(f"{name} does not serve; see {self._config.log_file(name)}")
                time.sleep(0.1)

    def _configure(self) -> StackConfig:
        chosen = {f"OMNIREEL_{n}_LISTEN".upper(): f"127.0.0.1:{p}" for n, p in self.ports.items()}
        chosen |= {
            f"OMNIREEL_{service}_DATABASE_URL".upper(): self.database_url
            for service in ("gateway", "worker")
        }
        chosen |= {
            "OMNIREEL_WORKER_BROKER_URL": self.broker_url,
            "OMNIREEL_WORKER_SLOTS": str(SLOTS),
            "OMNIREEL_WORKER_LEASE_S": "5",
            "OMNIREEL_WORKER_HEARTBEAT_S": "1",
        }
        environment = {**os.environ, **QUICK, **chosen, **self._environment}
        return stack_config(self.home, port=self.ports["gateway"], environment=environment)

    def _start(self, name: str) -> None:
        addresses = {service: f"127.0.0.1:{self.ports[service]}" for service in MODEL_SERVICES}
        config = self._config
        config.address_file(name).unlink(missing_ok=True)
        command = config.commands[service_of(name)]
        process = spawn(command, config.environment_of(name, addresses), config.log_file(name))
        self._processes[name] = process

    def _watch(self) -> None:
        while not self._over.wait(WATCH_S):
            for name in self.names:
                with self._lock:
                    if not is_alive(self._processes[name]) and not self._over.is_set():
                        self.restarts[name] = self.restarts.get(name, 0) + 1
                        self._start(name)

    def _stop(self) -> None:
        for process in self._processes.values():
            send(process, signal.SIGKILL)

    def _database(self) -> str:
        if self._choice.database == "postgres":
            server = self._exit.enter_context(running_postgres())
            url = server.new_database()
            if migrate(["migrate", url]) != 0:
                raise RuntimeError("the database cannot be migrated")
            self.cuts["database-connections"] = lambda: _cut(server)
            self.cuts["database-server"] = lambda: _restart(server.server)
            return url
        path = self.home / "jobs.db"
        self.cuts["database-lock"] = lambda: _lock_out(path)
        return f"sqlite:///{path}"

    def _broker(self) -> str:
        if self._choice.broker == "files":
            folder = self.home / "doorbell"
            self.cuts["broker"] = lambda: _empty(folder / "messages")
            return f"files://{folder}"
        run = {"redis": running_redis, "rabbitmq": running_rabbitmq}[self._choice.broker]
        broker = self._exit.enter_context(run())
        self.cuts["broker"] = lambda: _restart(broker)
        return broker.url


def _restart(server: Server) -> None:
    server.kill()
    for path in server.folder.glob("mnesia"):  # RabbitMQ would find its messages again
        path.rename(path.with_name(f"lost-{time.monotonic_ns()}"))
    server.start()


def _cut(postgres: Postgres) -> None:
    postgres.cut_connections()


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink(missing_ok=True)


def _lock_out(path: Path) -> None:
    """A writer that is stuck in the middle of its transaction for a while."""
    connection = sqlite3.connect(path, timeout=60, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        time.sleep(LOCK_S)
        connection.execute("ROLLBACK")
    finally:
        connection.close()
