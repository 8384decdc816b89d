"""TLS for servers and for those who call them; with a CA for callers it is mutual (mTLS)."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import grpc

from omnireel.errors import InvalidInput
from services.common.logs import get_logger

log = get_logger(__name__)

R = TypeVar("R")


@dataclass(frozen=True)
class ServerTls:
    """PEM files of a server: its certificate chain, its key, and the CA of callers, if they must
    show a certificate."""

    cert: Path
    key: Path
    client_ca: Path | None = None

    def credentials(self) -> grpc.ServerCredentials:
        """What gRPC listens with. Renewed files are taken up by the next connection.

        Raises:
            InvalidInput: a file is missing, or the key is not that of the certificate.
        """
        return grpc.dynamic_ssl_server_credentials(
            self._config(),
            self._renewing(self._config),  # type: ignore[arg-type]  # None means unchanged
            require_client_authentication=self.client_ca is not None,
        )

    def context(self) -> ssl.SSLContext:
        """What everything but gRPC listens with; as :meth:`credentials` in all else."""
        renewed = self._renewing(self._context)
        first = self._context()
        present = first

        def choose(connection: ssl.SSLObject, _name: str | None, _first: ssl.SSLContext) -> None:
            nonlocal present
            present = renewed() or present
            if present is not first:
                connection.context = present

        first.sni_callback = choose  # for every connection, also to a bare address
        return first

    def _renewing(self, read: Callable[[], R]) -> Callable[[], R | None]:
        """Asked at every connection: what ``read`` makes of renewed files; None: no news."""
        _check_pair(self.cert, self.key)
        seen = self._changed_at()

        def renewed() -> R | None:
            nonlocal seen
            try:
                now = self._changed_at()
                if now == seen:
                    return None
                _check_pair(self.cert, self.key)
                made = read()
            except (InvalidInput, OSError) as error:  # half written: the old pair goes on
                log.warning("renewed certificate not usable yet", error=str(error))
                return None
            seen = now
            log.info("took up a renewed certificate", file=str(self.cert))
            return made

        return renewed

    def _context(self) -> ssl.SSLContext:
        made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.client_ca)
        made.load_cert_chain(self.cert, self.key)
        if self.client_ca is not None:
            made.verify_mode = ssl.CERT_REQUIRED
        return made

    def _config(self) -> grpc.ServerCertificateConfiguration:
        pair = (_read(self.key, "tls_key"), _read(self.cert, "tls_cert"))
        ca = None if self.client_ca is None else _read(self.client_ca, "tls_client_ca")
        return grpc.ssl_server_certificate_configuration([pair], root_certificates=ca)

    def _changed_at(self) -> tuple[int, ...]:
        files = (self.cert, self.key, *((self.client_ca,) if self.client_ca else ()))
        return tuple(file.stat().st_mtime_ns for file in files)


@dataclass(frozen=True)
class ClientTls:
    """PEM files of a caller: the CA of the servers, and its own certificate and key for mTLS."""

    ca: Path
    cert: Path | None = None
    key: Path | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """What gRPC connects with; read once.

        Raises:
            InvalidInput: a file is missing, or the key is not that of the certificate.
        """
        if self.cert and self.key:
            _check_pair(self.cert, self.key)
        return grpc.ssl_channel_credentials(
            root_certificates=_read(self.ca, "models_ca"),
            private_key=_read(self.key, "models_key") if self.key else None,
            certificate_chain=_read(self.cert, "models_cert") if self.cert else None,
        )


def open_channel(
    address: str, tls: ClientTls | None, options: tuple[tuple[str, int | str], ...]
) -> grpc.Channel:
    """A channel to another service."""
    if tls is None:
        return grpc.insecure_channel(address, options=options)
    return grpc.secure_channel(address, tls.credentials(), options=options)


def _check_pair(cert: Path, key: Path) -> None:
    _read(cert, "tls_cert"), _read(key, "tls_key")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key)
    except (ssl.SSLError, OSError) as error:
        raise InvalidInput(
            f"{cert} and {key} are no certificate and its key, both in PEM ({error})",
            field="tls_cert",
        ) from error


def _read(path: Path, field: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read ({error.strerror})", field=field) from error
