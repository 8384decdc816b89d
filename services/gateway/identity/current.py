"""The principal of the call that this thread serves, as the log context has its ids."""

from __future__ import annotations

from contextvars import ContextVar

from services.gateway.identity.principal import Principal

_principal: ContextVar[Principal] = ContextVar("principal")


def bind_principal(principal: Principal) -> None:
    """Say who makes the call that begins now; every call binds anew before it does anything."""
    _principal.set(principal)


def current_principal() -> Principal:
    """Who makes this call. LookupError when nobody was asked: a door without an interceptor."""
    return _principal.get()
