"""The options that name a gateway and prove who calls, and the client that they make."""

from __future__ import annotations

from typing import Annotated

import typer

from omnireel.client import OmnireelClient, tls_from_environment
from omnireel.errors import InvalidInput
from omnireel.secret import is_reference

AddressOption = Annotated[
    str | None,
    typer.Option(
        "--address",
        envvar="OMNIREEL_ADDRESS",
        help="Gateway as host:port; default: that of the local stack, else 127.0.0.1:7070.",
    ),
]
ApiKeyOption = Annotated[
    str | None,
    typer.Option(
        "--api-key",
        help="Location of the API key: file:PATH or env:NAME; default: $OMNIREEL_API_KEY, else "
        "that of the local stack.",
    ),
]


def open_client(address: str | None, api_key: str | None) -> OmnireelClient:
    """A client for the two options, with TLS as ``$OMNIREEL_TLS`` says."""
    credentials = tls_from_environment()
    return OmnireelClient(address, credentials=credentials, api_key=checked_api_key(api_key))


def checked_api_key(api_key: str | None) -> str | None:
    """The reference to a key; a key itself is refused, since command lines are public."""
    if api_key is not None and not is_reference(api_key):
        raise InvalidInput(
            "command lines are visible to other users; give the key as file:PATH or env:NAME, or "
            "set $OMNIREEL_API_KEY",
            field="--api-key",
        )
    return api_key
