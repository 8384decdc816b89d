"""The ids of a request: its log lines, its trace and its job's trace have them, and its answer."""

from __future__ import annotations

import re
import time
import uuid

from opentelemetry.trace import SpanKind
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.common.interceptors import REQUEST_ID_KEY
from services.common.logs import bind_call
from services.common.telemetry import Telemetry
from services.common.telemetry.tracing import TRACEPARENT, failed, trace_id_of, traceparent_of

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
NO_ROUTE = "(no route)"
"""What stands for every unknown path: strangers must not make up names of metrics."""


class CallContext:
    """ASGI middleware, the outermost: a span, a measured time and a request id for each request."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve under the ids that came with the request, or new ones."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get(REQUEST_ID_KEY, "")
        request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex[:12]
        begun, status = time.perf_counter(), 0

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_KEY] = request_id
            await send(message)

        tracing, method = self._telemetry.tracing, scope["method"]
        parent = headers.get(TRACEPARENT, "")
        with tracing.span(f"HTTP {method}", parent=parent, kind=SpanKind.SERVER) as span:
            bind_call(request_id=request_id, trace_id=trace_id_of(traceparent_of(span)))
            try:
                await self._app(scope, receive, named)
            finally:
                name = f"{method} {getattr(scope.get('route'), 'path', NO_ROUTE)}"
                span.update_name(name)
                code = f"HTTP_{status}" if status else "CANCELLED"
                if status >= 500:
                    failed(span, code)
                seconds = time.perf_counter() - begun
                self._telemetry.rpc.seconds.labels(name, code).observe(seconds)
