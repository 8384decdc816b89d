"""The gRPC door: no rpc runs before its caller is known and has the scope that it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc

from omnireel.errors import OmnireelError, PermissionDenied
from services.common.audit import AuditLog
from services.common.interceptors import wrap_handler
from services.gateway.identity.access import AUDITED, OPEN_PREFIX, REQUIRED_SCOPES
from services.gateway.identity.authenticator import Authenticator
from services.gateway.identity.current import bind_principal
from services.gateway.identity.trail import Trail, address_of, resource_of

Behavior = Callable[[Any, Any], Any]


class AccessInterceptor(grpc.ServerInterceptor):
    """Must stand inside of the interceptor that turns exceptions into status codes."""

    def __init__(self, authenticator: Authenticator, audit: AuditLog) -> None:
        self._authenticator = authenticator
        self._audit = audit

    def intercept_service(
        self, continuation: Callable[[Any], Any], handler_call_details: Any
    ) -> Any:
        """Give back the method's handler behind the check."""
        handler = continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or method.startswith(OPEN_PREFIX):
            return handler

        follow = _follow_stream if handler.response_streaming else _follow

        def guard(behavior: Behavior) -> Behavior:
            def call(request: Any, context: Any) -> Any:
                trail = Trail(self._audit, _short(method), address_of(context.peer()))
                self._admit(method, context, trail)
                if method in AUDITED:
                    return follow(behavior, request, context, trail)
                return behavior(request, context)

            return call

        return wrap_handler(handler, guard)

    def _admit(self, method: str, context: Any, trail: Trail) -> None:
        try:
            trail.principal = self._authenticator.authenticate(_headers(context))
            scope = REQUIRED_SCOPES.get(method)
            if scope is None:
                raise PermissionDenied(f"{method} has no access rule; nobody may call it")
            trail.principal.require(scope)
        except OmnireelError as error:
            trail.end(error)
            raise
        bind_principal(trail.principal)


def _follow(behavior: Behavior, request: Any, context: Any, trail: Trail) -> Any:
    trail.resource = resource_of(request)
    try:
        response = behavior(request, context)
    except Exception as error:
        trail.end(error)
        raise
    trail.resource = trail.resource or resource_of(response)
    trail.end()
    return response


def _follow_stream(behavior: Behavior, request: Any, context: Any, trail: Trail) -> Iterator[Any]:
    trail.resource = resource_of(request)
    try:
        yield from behavior(request, context)
    except (Exception, GeneratorExit) as error:
        trail.end(error)
        raise
    trail.end()


def _short(method: str) -> str:
    """``/omnireel.api.v1.VideoService/CreateVideo`` -> ``VideoService/CreateVideo``."""
    return method.rpartition(".")[2]


def _headers(context: Any) -> dict[str, str]:
    pairs = context.invocation_metadata() or ()
    return {key: value for key, value in pairs if isinstance(value, str)}
