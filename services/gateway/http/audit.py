"""What the HTTP door writes into the audit log; the same calls as the gRPC door."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.common.audit import AuditLog
from services.gateway.identity.trail import Trail

_CHANGES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_REFUSED = frozenset({401, 403})


class AuditTrail:
    """An ASGI layer: one line for each request that changes something, sends a file, or is
    refused, when its answer is over."""

    def __init__(self, app: ASGIApp, log: AuditLog) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and see how it ends."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0

        async def listen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, listen)
        finally:
            if _counts(scope, status):
                self._write(scope, status)

    def _write(self, scope: Scope, status: int) -> None:
        host, port = scope.get("client") or ("", 0)
        route = getattr(scope.get("route"), "path", "")
        trail = Trail(self._log, f"{scope['method']} {route or '?'}", f"{host}:{port}")
        trail.principal = scope.get("state", {}).get("principal")
        trail.resource = scope["path"]
        trail.close("OK" if 200 <= status < 400 else f"HTTP_{status}" if status else "CANCELLED")


def _counts(scope: Scope, status: int) -> bool:
    path = scope["path"]
    sends_file = scope["method"] == "GET" and (path.endswith("/content") or "/outputs/" in path)
    return scope["method"] in _CHANGES or sends_file or status in _REFUSED
