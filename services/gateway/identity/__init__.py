"""Who calls, and what they may do. Every door of the gateway asks the same :class:`Authenticator`.

1. ``principal.py``: a caller, who belongs to a tenant and has scopes.
2. ``api_key.py``: what an API key looks like and what is kept of it.
3. ``key_store.py``: keys in SQL; ``first_key.py`` makes the first one; ``cli.py`` is
   ``omnireel keys``.
4. ``oidc.py``: bearer tokens of an OpenID Connect issuer.
5. ``authenticator.py``: from the headers of a call to a principal.
6. ``access.py`` and ``interceptor.py``: which scope each rpc needs, and the gRPC door.
7. ``trail.py``: what the doors write into the audit log.
"""

from __future__ import annotations

from services.gateway.identity.authenticator import Authenticator
from services.gateway.identity.principal import OWNER, Principal, Scope

__all__ = ["OWNER", "Authenticator", "Principal", "Scope"]
