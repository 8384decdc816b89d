"""The tenant that the jobs and media of a call belong to."""

from __future__ import annotations

import grpc

from services.gateway.identity.current import current_principal


def caller_of(_context: grpc.ServicerContext) -> str:
    """The tenant of whoever makes the call; the interceptor has made sure that there is one."""
    return current_principal().tenant
