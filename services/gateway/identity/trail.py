"""What the doors of the gateway write into the audit log.

Every call that changes something, every file that is sent out, and every refusal for want of a key
or a scope. Plain reads (get, list, watch) are not written down: clients poll.
"""

from __future__ import annotations

import time
from typing import Any

from structlog.contextvars import get_contextvars

from omnireel.errors import OmnireelError
from services.common.audit import NOBODY, AuditEntry, AuditLog, printable
from services.gateway.identity.principal import Principal


class Trail:
    """The line of one call, written when it is known how the call ends."""

    def __init__(self, log: AuditLog, action: str, address: str) -> None:
        self._log = log
        self._action = action
        self._address = address
        self.principal: Principal | None = None
        self.resource = ""

    def end(self, error: BaseException | None = None) -> None:
        """Write it; ``error`` is why the call failed."""
        self.close(outcome_of(error))

    def close(self, outcome: str) -> None:
        """Write it with this outcome."""
        who = self.principal
        self._log.add(
            AuditEntry(
                time=time.time(),
                tenant=who.tenant if who else NOBODY,
                subject=who.subject if who else NOBODY,
                action=self._action,
                resource=printable(self.resource),
                outcome=outcome,
                request_id=str(get_contextvars().get("request_id", "")),
                address=self._address,
            )
        )


def outcome_of(error: BaseException | None) -> str:
    """``OK``, or the stable reason of an error."""
    if error is None:
        return "OK"
    if isinstance(error, GeneratorExit):
        return "CANCELLED"  # the caller went away in the middle of a stream
    return error.reason if isinstance(error, OmnireelError) else "INTERNAL"


def resource_of(*messages: Any) -> str:
    """The first name or address in a request or its answer."""
    for message in messages:
        for field in ("name", "uri"):
            value = getattr(message, field, "")
            if isinstance(value, str) and value:
                return value
        media = getattr(message, "media", None)
        if media is not None and media.uri:
            return str(media.uri)
    return ""


def address_of(peer: str) -> str:
    """``ipv4:127.0.0.1:50412`` -> ``127.0.0.1:50412``."""
    kind, _, rest = peer.partition(":")
    return rest if kind in ("ipv4", "ipv6") else peer
