"""Settings of a service, read from environment variables.

Each service has a prefix, ``OMNIREEL_<SERVICE>_`` (``OMNIREEL_GENERATOR_LISTEN``,
``OMNIREEL_GATEWAY_LOG_FORMAT``, ...), and a settings class below this one that documents its
own fields. A wrong value stops the process with one clear line.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from omnireel.addresses import is_loopback
from omnireel.errors import FieldViolation, InvalidInput
from omnireel.secret import is_reference, read_secret
from services.common.logs import LogFormat, LogLevel
from services.common.redact import redact
from services.common.tls import ClientTls, ServerTls


class ServiceSettings(BaseSettings):
    """Fields that every service has. Subclasses set ``model_config``'s ``env_prefix``."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    listen: str = Field(
        "127.0.0.1:0", description="Address to serve gRPC on, host:port; port 0 takes a free one."
    )
    allow_remote: bool = Field(
        False,
        description="Allow `listen` to be other than loopback without mTLS. There is no other "
        "authentication in the services behind the gateway: set it only where the network itself "
        "keeps strangers out.",
    )
    tls_cert: Path | None = Field(
        None, description="PEM file of the certificate chain; set: only TLS is spoken."
    )
    tls_key: Path | None = Field(None, description="PEM file of the certificate's key.")
    tls_client_ca: Path | None = Field(
        None, description="PEM file of a CA; set: callers must show a certificate of it (mTLS)."
    )
    health_listen: str = Field(
        "",
        description="A second address, for grpc.health.v1 alone and in plain text: probes of "
        "Kubernetes speak no TLS. Empty: none.",
    )
    health_address_file: Path | None = Field(
        None, description="Where to write host:port of `health_listen`."
    )
    address_file: Path | None = Field(
        None, description="Where to write host:port once the server listens (useful with port 0)."
    )
    log_format: LogFormat = Field("console", description="json or console.")
    log_level: LogLevel = Field("info", description="debug, info, warning or error.")
    metrics_listen: str = Field(
        "", description="Address for Prometheus to scrape, host:port; empty: no metrics are served."
    )
    otlp_endpoint: str = Field(
        "", description="OTLP collector for traces (gRPC), http://host:4317; empty: off."
    )
    reflection: bool = Field(False, description="Serve gRPC reflection (grpcurl and the like).")
    grace_s: float = Field(
        20.0, ge=0, description="Seconds that running calls get to finish after SIGTERM."
    )

    @field_validator("listen", "health_listen", "metrics_listen")
    @classmethod
    def _has_host_and_port(cls, value: str, info: ValidationInfo) -> str:
        if not value and info.field_name != "listen":
            return value
        return check_address(value)

    @model_validator(mode="after")
    def _metrics_stay_here(self) -> ServiceSettings:
        if self.metrics_listen and not self.allow_remote and not is_loopback(self.metrics_listen):
            raise ValueError(
                f"metrics_listen is {self.metrics_listen}, which other machines can reach without "
                "authentication; use 127.0.0.1, or set allow_remote=true inside a closed network"
            )
        return self

    @model_validator(mode="after")
    def _has_whole_tls(self) -> ServiceSettings:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key go together: set both or none")
        if self.tls_client_ca and not self.tls_cert:
            raise ValueError("tls_client_ca needs tls_cert and tls_key")
        return self

    @model_validator(mode="after")
    def _is_closed(self) -> ServiceSettings:
        why = self.open_to_strangers()
        if why and not is_loopback(self.listen):
            raise ValueError(f"listen is {self.listen}, which other machines can reach, {why}")
        return self

    def open_to_strangers(self) -> str:
        """Why this service must stay on loopback, and the remedy; empty: it need not."""
        if self.allow_remote or self.tls_client_ca:
            return ""
        return (
            "and there is no authentication; use 127.0.0.1, ask callers for certificates "
            "(tls_cert, tls_key, tls_client_ca), or set allow_remote=true inside a closed network"
        )

    @property
    def server_tls(self) -> ServerTls | None:
        """The TLS to listen with; None: plain text."""
        if self.tls_cert is None or self.tls_key is None:
            return None
        return ServerTls(self.tls_cert, self.tls_key, self.tls_client_ca)


class CallerSettings(ServiceSettings):
    """A service that calls the model services."""

    models_ca: Path | None = Field(
        None, description="PEM file of the model services' CA; set: they are called with TLS."
    )
    models_cert: Path | None = Field(
        None, description="PEM file of the certificate to show to the model services (mTLS)."
    )
    models_key: Path | None = Field(None, description="PEM file of that certificate's key.")

    @model_validator(mode="after")
    def _has_whole_client_tls(self) -> CallerSettings:
        if (self.models_cert is None) != (self.models_key is None):
            raise ValueError("models_cert and models_key go together: set both or none")
        if self.models_cert and not self.models_ca:
            raise ValueError("models_cert needs models_ca")
        return self

    @property
    def models_tls(self) -> ClientTls | None:
        """The TLS to call the model services with; None: plain text."""
        if self.models_ca is None:
            return None
        return ClientTls(self.models_ca, self.models_cert, self.models_key)


def _resolve_reference(value: str, info: ValidationInfo) -> str:
    if not is_reference(value):
        return value
    try:
        return read_secret(value, str(info.field_name))
    except InvalidInput as error:
        raise ValueError(error.message) from error


SecretUrl = Annotated[str, AfterValidator(_resolve_reference), Field(repr=False)]
"""An address that may have a password in it, or a reference to one: ``file:/path``, ``env:NAME``"""


def check_address(value: str) -> str:
    """``value``, when it reads ``host:port``; else ``ValueError`` with the remedy."""
    host, colon, port = value.rpartition(":")
    if not (colon and host and port.isdigit() and int(port) < 65536):
        raise ValueError("must be host:port, such as 127.0.0.1:50051")
    return value


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
    return FieldViolation(f"{prefix}{name}".upper(), redact(f"{message} (it is {item['input']!r})"))
