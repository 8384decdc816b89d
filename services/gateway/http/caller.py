"""Who calls over HTTP, and what they may do: the dependency of every route that is not open.

A route's parameter of type :data:`Reader` or :data:`Writer` is the tenant of a caller who has
that scope. A route without one is open to everybody.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

import anyio.to_thread
from fastapi import Depends, Request

from services.gateway.identity import Authenticator, Principal, Scope
from services.gateway.identity.current import bind_principal


async def principal_of(request: Request) -> Principal:
    """Who sent ``request``; raises ``Unauthenticated``. Bound for the rest of the request."""
    authenticator: Authenticator = request.app.state.authenticator
    headers = dict(request.headers)
    principal = await anyio.to_thread.run_sync(authenticator.authenticate, headers)
    bind_principal(principal)
    request.state.principal = principal  # for the audit log
    return principal


def _tenant_with(scope: Scope) -> Callable[[Principal], Awaitable[str]]:
    async def tenant(principal: Annotated[Principal, Depends(principal_of)]) -> str:
        principal.require(scope)
        return principal.tenant

    return tenant


Reader = Annotated[str, Depends(_tenant_with(Scope.READ))]
Writer = Annotated[str, Depends(_tenant_with(Scope.WRITE))]
