"""A caller: the tenant that jobs and media belong to, and what the caller may do."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from omnireel.errors import InvalidInput, PermissionDenied

LOCAL_TENANT = "local"
"""The tenant of the first key, and of the machine's owner where authentication is off."""

_TENANT = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


class Scope(StrEnum):
    """What a caller may do. ``ADMIN`` includes the others."""

    READ = "videos:read"
    WRITE = "videos:write"
    ADMIN = "admin"


@dataclass(frozen=True)
class Principal:
    """Who calls. ``subject`` is a key (``key:3f2a...``) or a person (``oidc:...``)."""

    tenant: str
    subject: str
    scopes: frozenset[Scope]

    @property
    def admin(self) -> bool:
        """Whether the caller may do everything."""
        return Scope.ADMIN in self.scopes

    def require(self, scope: Scope) -> None:
        """Raise :class:`PermissionDenied` unless the caller has ``scope``."""
        if scope not in self.scopes and not self.admin:
            raise PermissionDenied(
                f"this needs the scope {scope.value!r}, which {self.subject} does not have; use a "
                "key that has it"
            )


OWNER = Principal(LOCAL_TENANT, "owner", frozenset(Scope))
"""Everybody, where authentication is off."""


def check_tenant(name: str, field: str = "tenant") -> str:
    """``name``, when it can be that of a tenant."""
    if not _TENANT.fullmatch(name):
        raise InvalidInput(
            f"{name[:80]!r} is no tenant name: 1 to 63 of a-z, 0-9, '.', '_', '-', beginning with "
            "a letter or digit",
            field=field,
        )
    return name


def read_scopes(words: Iterable[str], field: str = "scopes") -> frozenset[Scope]:
    """The scopes that ``words`` name.

    Raises:
        InvalidInput: there is no such scope, or none at all is named.
    """
    known = {scope.value: scope for scope in Scope}
    found = set()
    for word in words:
        if word not in known:
            raise InvalidInput(
                f"{word[:80]!r} is no scope; choose from {', '.join(known)}", field=field
            )
        found.add(known[word])
    if not found:
        raise InvalidInput(f"name at least one of {', '.join(known)}", field=field)
    return frozenset(found)
