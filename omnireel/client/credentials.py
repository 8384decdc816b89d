"""Which API key goes to which gateway."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import grpc

from omnireel.addresses import is_loopback
from omnireel.client.channel import local_home, local_stack_address
from omnireel.errors import FailedPrecondition, InvalidInput
from omnireel.secret import is_reference, read_secret

KEY_FILE = "api_key"
"""The file in the home of a local stack that ``omnireel up`` leaves its owner's key in."""


def api_key_for(address: str, given: str | None = None) -> str:
    """The key to send to ``address``; empty when there is none.

    ``given`` (a key, or a reference to one), else ``$OMNIREEL_API_KEY`` (likewise), else the key of
    the local stack, which is sent to that stack's own gateway and to nobody else.
    """
    if given is not None:
        return _resolve(given, "api_key")
    if from_environment := os.environ.get("OMNIREEL_API_KEY"):
        return _resolve(from_environment, "OMNIREEL_API_KEY")
    home = local_home()
    with suppress(FailedPrecondition):  # a damaged stack file says nothing about another address
        if local_stack_address(home) == address:
            return stack_key(home)
    return ""


def stack_key(home: Path) -> str:
    """The owner's key of the stack in ``home``; empty when there is none."""
    path = home / KEY_FILE
    return read_secret(f"file:{path}", "api_key") if path.exists() else ""


def check_privacy(address: str, *, encrypted: bool, plaintext: bool) -> None:
    """Refuse to send a key where others can read it on the way.

    Raises:
        InvalidInput: ``address`` is another machine, and the connection is not encrypted.
    """
    if not (encrypted or plaintext or is_loopback(address)):
        raise InvalidInput(
            f"the API key would cross the network to {address} in the clear; use TLS "
            "(credentials=...), or set plaintext=True where the network itself is private",
            field="plaintext",
        )


def tls_credentials(
    ca: Path | None = None, cert: Path | None = None, key: Path | None = None
) -> grpc.ChannelCredentials:
    """TLS to a gateway: ``ca`` None trusts the public authorities; ``cert`` and ``key`` are for a
    gateway that asks for a certificate. All are PEM files.

    Raises:
        InvalidInput: a file cannot be read.
    """

    def read(path: Path | None, field: str) -> bytes | None:
        if path is None:
            return None
        try:
            return path.expanduser().read_bytes()
        except OSError as error:
            raise InvalidInput(f"{path} cannot be read ({error.strerror})", field=field) from error

    return grpc.ssl_channel_credentials(read(ca, "ca"), read(key, "key"), read(cert, "cert"))


def tls_from_environment() -> grpc.ChannelCredentials | None:
    """What ``$OMNIREEL_TLS`` says: unset: plain text; ``system``: TLS, trusting the public
    authorities; else TLS, trusting the CA in that file. ``$OMNIREEL_TLS_CERT`` and
    ``$OMNIREEL_TLS_KEY`` add a certificate of one's own.
    """
    trusted = os.environ.get("OMNIREEL_TLS", "")
    if not trusted:
        return None
    cert, key = os.environ.get("OMNIREEL_TLS_CERT"), os.environ.get("OMNIREEL_TLS_KEY")
    return tls_credentials(
        None if trusted == "system" else Path(trusted),
        Path(cert) if cert else None,
        Path(key) if key else None,
    )


def key_metadata(key: str) -> tuple[tuple[str, str], ...]:
    """What each call carries."""
    return (("authorization", f"Bearer {key}"),) if key else ()


def _resolve(text: str, field: str) -> str:
    key = (read_secret(text, field) if is_reference(text) else text).strip("\r\n")
    if not (key.isascii() and key.isprintable()):
        raise InvalidInput(
            "the key has characters that cannot be sent; it is one line of ASCII", field=field
        )
    return key
