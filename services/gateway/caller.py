"""Who calls. The one place where authentication will say so."""

from __future__ import annotations

import grpc

LOCAL_CALLER = "local"


def caller_of(_context: grpc.ServicerContext) -> str:
    """The identity that jobs and media belong to.

    The gateway listens on loopback only, so everybody who reaches it is the machine's owner.
    """
    return LOCAL_CALLER
