"""How long things stay and how much a tenant may hold."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import Connection, delete, insert, select

from omnireel.errors import InvalidInput
from services.common.jobs.schema import storage_policies

DAY_S = 86_400.0
GIB = 1 << 30


class StorageSettings(BaseSettings):
    """``OMNIREEL_STORAGE_<FIELD>``: the defaults of every tenant; the same for all services."""

    model_config = SettingsConfigDict(env_prefix="OMNIREEL_STORAGE_", extra="ignore", frozen=True)

    upload_ttl_s: float = Field(
        default=7 * DAY_S,
        ge=0,
        description="Seconds that an upload is kept after its last use; 0: forever.",
    )
    result_ttl_s: float = Field(
        default=30 * DAY_S, ge=0, description="Seconds that a finished video is kept; 0: forever."
    )
    artefact_ttl_s: float = Field(
        default=3600.0,
        ge=0,
        description="Seconds that latents, previews and checkpoints stay after their job ended.",
    )
    max_bytes: int = Field(
        default=100 * GIB, ge=1, description="Bytes of uploads and videos that a tenant may hold."
    )
    max_artefact_bytes: int = Field(
        default=20 * GIB,
        ge=1,
        description="Bytes of latents, previews and checkpoints of ended jobs that a tenant may "
        "hold; beyond them the oldest go first.",
    )
    orphan_grace_s: float = Field(
        default=DAY_S,
        ge=60,
        description="Age in seconds at which an unreferenced object is removed.",
    )
    collect_s: float = Field(default=300.0, gt=0, description="Seconds between two collections.")

    @property
    def policy(self) -> StoragePolicy:
        """The default of every tenant."""
        return StoragePolicy(
            **{each.name: getattr(self, each.name) for each in fields(StoragePolicy)}
        )


@dataclass(frozen=True)
class StoragePolicy:
    """What holds for one tenant; see :class:`StorageSettings`."""

    upload_ttl_s: float = 7 * DAY_S
    result_ttl_s: float = 30 * DAY_S
    artefact_ttl_s: float = 3600.0
    max_bytes: int = 100 * GIB
    max_artefact_bytes: int = 20 * GIB

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not 0 <= value < 1e18:
                raise InvalidInput(f"{name} {value} must not be negative", field=name)


def policy_of(connection: Connection, tenant: str, default: StoragePolicy) -> StoragePolicy:
    """The tenant's policy: the default, but for what was set."""
    text = connection.execute(
        select(storage_policies.c.policy).where(storage_policies.c.tenant == tenant)
    ).scalar_one_or_none()
    return default if text is None else replace(default, **json.loads(text))


def set_policy(connection: Connection, tenant: str, changes: dict[str, float]) -> None:
    """Let ``changes`` hold for the tenant; an empty dict gives the defaults back."""
    replace(StoragePolicy(), **changes)  # type: ignore[arg-type]
    connection.execute(delete(storage_policies).where(storage_policies.c.tenant == tenant))
    if changes:
        connection.execute(
            insert(storage_policies).values(tenant=tenant, policy=json.dumps(changes))
        )


def changes_of(connection: Connection, tenant: str) -> dict[str, float]:
    """What was set for the tenant."""
    text = connection.execute(
        select(storage_policies.c.policy).where(storage_policies.c.tenant == tenant)
    ).scalar_one_or_none()
    found: dict[str, float] = {} if text is None else json.loads(text)
    return found
