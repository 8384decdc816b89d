"""The gRPC door: no rpc runs before its caller is known and has the scope that it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import grpc

from omnireel.errors import PermissionDenied
from services.common.interceptors import wrap_handler
from services.gateway.identity.access import OPEN_PREFIX, REQUIRED_SCOPES
from services.gateway.identity.authenticator import Authenticator
from services.gateway.identity.current import bind_principal
from services.gateway.identity.principal import Principal


class AccessInterceptor(grpc.ServerInterceptor):
    """Must stand inside of the interceptor that turns exceptions into status codes."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    def intercept_service(
        self, continuation: Callable[[Any], Any], handler_call_details: Any
    ) -> Any:
        """Give back the method's handler behind the check."""
        handler = continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or method.startswith(OPEN_PREFIX):
            return handler

        def guard(behavior: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
            def call(request: Any, context: Any) -> Any:
                bind_principal(self._admit(method, _headers(context)))
                return behavior(request, context)

            return call

        return wrap_handler(handler, guard)

    def _admit(self, method: str, headers: Mapping[str, str]) -> Principal:
        principal = self._authenticator.authenticate(headers)
        scope = REQUIRED_SCOPES.get(method)
        if scope is None:
            raise PermissionDenied(f"{method} is not open to anybody")
        principal.require(scope)
        return principal


def _headers(context: Any) -> dict[str, str]:
    pairs = context.invocation_metadata() or ()
    return {key: value for key, value in pairs if isinstance(value, str)}
