"""What the embedded stack consists of."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import omnireel
from omnireel.errors import FailedPrecondition, InvalidInput
from omnireel.files import atomic_write
from services.common.stack.weights import join_parts, parts_of

MODEL_SERVICES = ("prompt_enhancer", "generator", "super_resolver")
DEFAULT_PORT = 7070
DEFAULT_HTTP_PORT = 7080
MAX_WORKERS = 16
_PATHS = ("home", "weights_root", "own_weights", "adapter")
SHIPPED_WEIGHTS = Path(omnireel.__file__).resolve().parent / "weights"


def default_home() -> Path:
    """``$OMNIREEL_HOME``, else ``~/.omnireel``."""
    home = os.environ.get("OMNIREEL_HOME")
    return Path(home) if home else Path.home() / ".omnireel"


def key_file(home: Path) -> Path:
    """Where the owner's key is: the command line and the Python client find it there."""
    return home / "api_key"


def database_url(home: Path) -> str:
    """The job database of the stack in ``home``."""
    return f"sqlite:///{home / 'jobs.db'}"


def _commands() -> dict[str, tuple[str, ...]]:
    return {
        service: (sys.executable, "-m", f"services.{service}.main")
        for service in (*MODEL_SERVICES, "gateway", "worker")
    }


@dataclass(frozen=True)
class StackConfig:
    """One stack. ``home`` holds its state, database, objects and logs.

    ``weights_root`` holds a folder for each size; ``own_weights`` is a folder whose components are
    served instead of those. ``adapter`` is the component folder of an adapter for the generator.
    ``commands`` are the processes by service, and ``environment`` is added to that of every one
    of them.
    """

    home: Path
    port: int = DEFAULT_PORT
    http_port: int = DEFAULT_HTTP_PORT
    size: str = "tiny"
    workers: int = 1
    weights_root: Path = SHIPPED_WEIGHTS
    own_weights: Path | None = None
    adapter: Path | None = None
    start_timeout_s: float = 300.0
    grace_s: float = 15.0
    commands: Mapping[str, tuple[str, ...]] = field(default_factory=_commands)
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("port", "http_port"):
            if not 0 <= getattr(self, name) < 65536:
                problem = f"{name} {getattr(self, name)} must be 1..65535"
                raise InvalidInput(problem, field=name)
        if not 1 <= self.workers <= MAX_WORKERS:
            raise InvalidInput(f"workers must be 1..{MAX_WORKERS}", field="workers")
        if not self.shipped.is_dir():
            known = ", ".join(sorted(p.name for p in self.weights_root.glob("*") if p.is_dir()))
            raise InvalidInput(
                f"there are no weights of size {self.size!r}; choose one of: {known or 'none'}",
                field="size",
            )
        if self.own_weights is not None:
            parts_of(self.own_weights)
        if self.adapter is not None and not (self.adapter / "card.json").is_file():
            raise InvalidInput(
                f"there is no adapter in {self.adapter} (card.json is missing); make one with "
                "'omnireel train lora --data FOLDER'",
                field="adapter",
            )

    @property
    def shipped(self) -> Path:
        """The weights of this size."""
        return self.weights_root / self.size

    @property
    def weights(self) -> Path:
        """What is served: the weights of this size, or a folder of links to own and shipped
        components."""
        return self.shipped if self.own_weights is None else self.home / "joined-weights"

    @property
    def parts(self) -> dict[str, Path]:
        """What that folder of links holds; empty without own weights."""
        return {} if self.own_weights is None else join_parts(self.own_weights, self.shipped)

    @property
    def database_url(self) -> str:
        """The job database."""
        return database_url(self.home)

    @property
    def store_url(self) -> str:
        """The object store."""
        return (self.home / "objects").as_uri()

    @property
    def broker_url(self) -> str:
        """The folder that rings the doorbell."""
        return f"files://{(self.home / 'doorbell').as_uri().removeprefix('file://')}"

    @property
    def names(self) -> tuple[str, ...]:
        """Every process, in the order of starting."""
        workers = ["worker", *(f"worker-{n}" for n in range(2, self.workers + 1))]
        return (*MODEL_SERVICES, "gateway", *workers)

    def environment_of(self, name: str, addresses: Mapping[str, str]) -> dict[str, str]:
        """The environment of one process; ``addresses`` are those of the model services.

        The owner of the machine answers for what it makes, so nobody is asked about it unless a
        safety policy is set.
        """
        defaults = {"OMNIREEL_WORKER_SAFETY": "off"}
        own = self._settings_of(name, addresses)
        return {**defaults, **os.environ, **own, **self.environment}

    def require_no_override(self) -> None:
        """Settings that the stack decides cannot come from the environment as well.

        Raises:
            FailedPrecondition: some do; names them.
        """
        addresses = dict.fromkeys(MODEL_SERVICES, "")
        own = {
            key: v for name in self.names for key, v in self._settings_of(name, addresses).items()
        }
        named = sorted(key for key, value in own.items() if os.environ.get(key, value) != value)
        if named:
            raise FailedPrecondition(
                f"`omnireel up` decides {', '.join(named)} itself: unset it and use the options of "
                "`omnireel up` (--home, --port, --http-port, --weights, --adapter), or start the "
                "services one by one with `python -m services.<name>.main`",
                reason="SETTING_OVERRIDDEN",
            )

    def _settings_of(self, name: str, addresses: Mapping[str, str]) -> dict[str, str]:
        service = service_of(name)
        settings = {
            "listen": f"127.0.0.1:{self.port}" if service == "gateway" else "127.0.0.1:0",
            "address_file": str(self.address_file(name)),
            "store_url": self.store_url,
        }
        if service in MODEL_SERVICES:
            settings["weights"] = str(self.weights)
        else:
            settings |= {"database_url": self.database_url, **addresses}
        if service == "gateway":
            settings["key_file"] = str(key_file(self.home))
        if service == "generator" and self.adapter is not None:
            settings["adapter"] = str(self.adapter.resolve())
        if service == "gateway":
            settings |= {
                "http_listen": f"127.0.0.1:{self.http_port}",
                "http_address_file": str(self.http_address_file),
                "signing_key_file": str(self.home / "signing_key"),
            }
        if service == "worker":
            settings |= {"broker_url": self.broker_url, "grace_s": f"{self.grace_s / 4:g}"}
            settings |= {"handover_s": f"{self.grace_s / 4:g}"}
        prefix = f"OMNIREEL_{service}_".upper()
        return {prefix + key.upper(): value for key, value in settings.items()}

    def address_file(self, name: str) -> Path:
        """Where a process writes its address."""
        return self.home / "run" / f"{name}.address"

    @property
    def http_address_file(self) -> Path:
        """Where the gateway writes the address of its HTTP door."""
        return self.address_file("gateway-http")

    def log_file(self, name: str) -> Path:
        """Where a process writes its log."""
        return self.home / "logs" / f"{name}.log"


def save_config(config: StackConfig, path: Path) -> None:
    """Write ``config`` for another process."""
    data = {f.name: getattr(config, f.name) for f in fields(config)}
    atomic_write(path, json.dumps({**data, **_plain_paths(data)}, default=dict).encode())


def load_config(path: Path) -> StackConfig:
    """What :func:`save_config` wrote."""
    data = json.loads(path.read_text(encoding="utf-8"))
    for name in _PATHS:
        data[name] = Path(data[name]) if data[name] is not None else None
    data["commands"] = {name: tuple(command) for name, command in data["commands"].items()}
    return StackConfig(**data)


def _plain_paths(data: Mapping[str, Any]) -> dict[str, str | None]:
    return {name: str(data[name].resolve()) if data[name] else None for name in _PATHS}


def service_of(name: str) -> str:
    """The service that the process ``name`` runs: ``worker-2`` runs the worker."""
    return name.partition("-")[0]
