"""Settings of a service, read from environment variables.

Each service has a prefix, ``OMNIREEL_<SERVICE>_`` (``OMNIREEL_GENERATOR_LISTEN``,
``OMNIREEL_GATEWAY_LOG_FORMAT``, ...), and a settings class below this one that documents its
own fields. A wrong value stops the process with one clear line.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import TypeVar

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from omnireel.errors import FieldViolation, InvalidInput
from services.common.logs import LogFormat, LogLevel


class ServiceSettings(BaseSettings):
    """Fields that every service has. Subclasses set ``model_config``'s ``env_prefix``."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    listen: str = Field(
        "127.0.0.1:0", description="Address to serve gRPC on, host:port; port 0 takes a free one."
    )
    allow_remote: bool = Field(
        False,
        description="Allow `listen` to be other than loopback. There is no authentication in the "
        "services: set it only where the network itself keeps strangers out.",
    )
    address_file: Path | None = Field(
        None, description="Where to write host:port once the server listens (useful with port 0)."
    )
    log_format: LogFormat = Field("console", description="json or console.")
    log_level: LogLevel = Field("info", description="debug, info, warning or error.")
    reflection: bool = Field(False, description="Serve gRPC reflection (grpcurl and the like).")
    grace_s: float = Field(
        20.0, ge=0, description="Seconds that running calls get to finish after SIGTERM."
    )

    @field_validator("listen")
    @classmethod
    def _has_host_and_port(cls, value: str) -> str:
        return check_address(value)

    @model_validator(mode="after")
    def _stays_on_loopback(self) -> ServiceSettings:
        if not self.allow_remote and not is_loopback(self.listen):
            raise ValueError(
                f"listen is {self.listen}, which other machines can reach, and there is no "
                "authentication; use 127.0.0.1, or set allow_remote=true inside a closed network"
            )
        return self


def check_address(value: str) -> str:
    """``value``, when it reads ``host:port``; else ``ValueError`` with the remedy."""
    host, colon, port = value.rpartition(":")
    if not (colon and host and port.isdigit() and int(port) < 65536):
        raise ValueError("must be host:port, such as 127.0.0.1:50051")
    return value


def is_loopback(address: str) -> bool:
    """Whether ``host:port`` can only be reached from this machine."""
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


S = TypeVar("S", bound=BaseSettings)


def load_settings(kind: type[S], **overrides: object) -> S:
    """Read ``kind`` from the environment; ``overrides`` win.

    Raises:
        InvalidInput: with one line that names each wrong variable and its remedy.
    """
    prefix = str(kind.model_config.get("env_prefix", ""))
    try:
        return kind(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        violations = tuple(_violation(prefix, item) for item in error.errors())
    line = "; ".join(
        f"{v.field}: {v.description}" if v.field else v.description for v in violations
    )
    raise InvalidInput(line, violations=violations)


def _violation(prefix: str, item: object) -> FieldViolation:
    assert isinstance(item, dict)
    name = "_".join(str(part) for part in item["loc"])
    message = str(item["msg"]).removeprefix("Value error, ")
    if not name:
        return FieldViolation(prefix.rstrip("_"), message)
    return FieldViolation(f"{prefix}{name}".upper(), f"{message} (it is {item['input']!r})")
