"""Where the gateway is and how to talk to it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from omnireel.addresses import is_loopback
from omnireel.errors import FailedPrecondition, InvalidInput

DEFAULT_ADDRESS = "127.0.0.1:7070"
_MAX_MESSAGE_BYTES = 16 << 20
_KEEPALIVE_MS = 60_000

# Safe to repeat: reads, and CreateVideo, because every request carries an idempotency key.
_RETRIED = {
    "omnireel.api.v1.VideoService": ("CreateVideo", "GetVideo", "ListVideos", "GetCapabilities"),
    "google.longrunning.Operations": ("GetOperation", "ListOperations", "CancelOperation"),
}
_SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [
                {"service": service, "method": method}
                for service, methods in _RETRIED.items()
                for method in methods
            ],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}


def default_address() -> str:
    """``$OMNIREEL_ADDRESS``, else the gateway of the running local stack, else 127.0.0.1:7070.

    The local stack is found by the file that ``omnireel up`` writes: ``stack.json`` in
    ``$OMNIREEL_HOME`` (``~/.omnireel`` when unset).

    Raises:
        FailedPrecondition: that file is there but cannot be read.

    """
    if address := os.environ.get("OMNIREEL_ADDRESS"):
        return address
    return local_stack_address(local_home()) or DEFAULT_ADDRESS


def local_home() -> Path:
    """The folder of the local stack: ``$OMNIREEL_HOME``, else ``~/.omnireel``."""
    home = os.environ.get("OMNIREEL_HOME")
    return Path(home) if home else Path.home() / ".omnireel"


def local_stack_address(home: Path) -> str:
    """The gateway of the stack in ``home``; empty when none was started there.

    Raises:
        FailedPrecondition: the file that says so is there but cannot be read.

    """
    state_file = home / "stack.json"
    try:
        state = json.loads(state_file.read_text(encoding="utf-8"))
        return str(state["gateway"])
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FailedPrecondition(
            f"{state_file} names no gateway; restart the stack with `omnireel up`, or pass "
            "--address"
        ) from error


def check_address(address: str) -> str:
    """``address`` without spaces around it, when it reads ``host:port``."""
    address = address.strip()
    if "/" in address:
        raise InvalidInput(
            f"{address!r} is a URL; write host:port of the gRPC port, for example "
            f"{DEFAULT_ADDRESS} (not that of the HTTP API)",
            field="address",
        )
    host, _, port = address.rpartition(":")
    if (
        not host
        or any(letter.isspace() for letter in host)
        or not port.isdecimal()
        or not 0 < int(port) < 65536
    ):
        raise InvalidInput(
            f"{address!r} is not an address; write host:port, for example {DEFAULT_ADDRESS}",
            field="address",
        )
    return address


def channel_options(address: str) -> list[tuple[str, Any]]:
    """Options of a channel: message sizes, keep-alive, retries of what may be repeated."""
    options: list[tuple[str, Any]] = [
        ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
        ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
        ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", _KEEPALIVE_MS // 6),
        ("grpc.max_reconnect_backoff_ms", 5_000),
        ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
    ]
    if is_loopback(address):
        options.append(("grpc.enable_http_proxy", 0))  # a proxy could not reach this machine's own
    return options
