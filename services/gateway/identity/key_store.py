"""API keys in SQL: made, found, listed, rotated, revoked."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, text, update

from omnireel.errors import FailedPrecondition, NotFound
from services.common.jobs.database import Database
from services.common.jobs.schema import api_keys
from services.gateway.identity.api_key import ApiKey, new_key
from services.gateway.identity.principal import Principal, Scope

USED_RESOLUTION_S = 600.0
"""``used_at`` is written at most this often, so that reading calls stay reads."""

_FIRST_KEY_LOCK = 7_001_002  # any constant: it keeps two first starts apart


@dataclass(frozen=True)
class NewKey:
    """What a key is made with. Times are seconds since the epoch; None: never."""

    tenant: str
    name: str
    scopes: frozenset[Scope]
    expires_at: float | None = None


@dataclass(frozen=True)
class KeyRecord:
    """What is kept of a key: everything but its secret."""

    id: str
    tenant: str
    name: str
    scopes: frozenset[Scope]
    secret_hash: str
    created_at: float
    expires_at: float | None
    revoked_at: float | None
    used_at: float | None

    def state(self, now: float) -> str:
        """``active``, ``expired`` or ``revoked``."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"

    @property
    def principal(self) -> Principal:
        """Who calls with this key."""
        return Principal(self.tenant, f"key:{self.id}", self.scopes)


class KeyStore:
    """Each method is one transaction. ``clock`` gives seconds since the epoch."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self.clock = clock

    def create(self, new: NewKey) -> ApiKey:
        """Make a key. What is given back is the only copy of its secret."""
        with self._database.write() as connection:
            return self._insert(connection, new)

    def create_first(self, new: NewKey) -> ApiKey | None:
        """Make a key if there is none at all, also when several gateways start at once."""
        with self._database.write() as connection:
            if not self._database.sqlite:
                lock = {"lock": _FIRST_KEY_LOCK}
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), lock)
            if connection.execute(select(func.count()).select_from(api_keys)).scalar_one():
                return None
            return self._insert(connection, new)

    def is_empty(self) -> bool:
        """Whether there is no key at all, not even one that has ended."""
        with self._database.read() as connection:
            return connection.execute(select(api_keys.c.id).limit(1)).first() is None

    def find(self, key_id: str) -> KeyRecord | None:
        """The record of a key, or None."""
        with self._database.read() as connection:
            row = connection.execute(select(api_keys).where(api_keys.c.id == key_id)).one_or_none()
        return None if row is None else _record(row)

    def list(self, tenant: str | None = None) -> Sequence[KeyRecord]:
        """All keys, or those of one tenant; newest first."""
        query = select(api_keys).order_by(api_keys.c.created_at.desc(), api_keys.c.id)
        if tenant is not None:
            query = query.where(api_keys.c.tenant == tenant)
        with self._database.read() as connection:
            return [_record(row) for row in connection.execute(query)]

    def rotate(self, key_id: str, overlap_s: float, expires_at: float | None) -> ApiKey:
        """Make a successor with the same rights; the old key ends ``overlap_s`` seconds from now.

        Raises:
            NotFound: there is no such key.
            FailedPrecondition: it is expired or revoked, and so has nothing to hand on.
        """
        now = self.clock()
        with self._database.write() as connection:
            row = connection.execute(select(api_keys).where(api_keys.c.id == key_id)).one_or_none()
            if row is None:
                raise NotFound(f"there is no key {key_id[:40]!r}; see `omnireel keys list`")
            old = _record(row)
            if old.state(now) != "active":
                raise FailedPrecondition(
                    f"key {key_id} is {old.state(now)}; make a new one with `omnireel keys create`"
                )
            ends_at = min(now + overlap_s, old.expires_at or float("inf"))
            connection.execute(
                update(api_keys).where(api_keys.c.id == key_id).values(expires_at=ends_at)
            )
            return self._insert(connection, NewKey(old.tenant, old.name, old.scopes, expires_at))

    def revoke(self, key_id: str) -> None:
        """End a key now; again is no error.

        Raises:
            NotFound: there is no such key.
        """
        with self._database.write() as connection:
            known = connection.execute(
                update(api_keys)
                .where(api_keys.c.id == key_id)
                .values(revoked_at=func.coalesce(api_keys.c.revoked_at, self.clock()))
                .returning(api_keys.c.id)
            ).one_or_none()
        if known is None:
            raise NotFound(f"there is no key {key_id[:40]!r}; see `omnireel keys list`")

    def used(self, record: KeyRecord) -> None:
        """Remember that the key was used, coarsely."""
        now = self.clock()
        if record.used_at is not None and now - record.used_at < USED_RESOLUTION_S:
            return
        with self._database.write() as connection:
            connection.execute(
                update(api_keys).where(api_keys.c.id == record.id).values(used_at=now)
            )

    def _insert(self, connection: Connection, new: NewKey) -> ApiKey:
        key = new_key()
        connection.execute(
            insert(api_keys).values(
                id=key.id,
                tenant=new.tenant,
                name=new.name,
                scopes=" ".join(sorted(new.scopes)),
                secret_hash=key.secret_hash,
                created_at=self.clock(),
                expires_at=new.expires_at,
            )
        )
        return key


def _record(row: Row[Any]) -> KeyRecord:
    return KeyRecord(
        id=row.id,
        tenant=row.tenant,
        name=row.name,
        scopes=frozenset(Scope(word) for word in row.scopes.split()),
        secret_hash=row.secret_hash,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        used_at=row.used_at,
    )
