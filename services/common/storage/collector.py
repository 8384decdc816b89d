"""Removes what has expired, what exceeds a quota and what belongs to nothing.

It may run beside everything else. A row goes first, in a transaction that sees whether a job
still needs it; then its objects, whose keys are never used again. Whatever a crash leaves between
the two belongs to nothing and is found at the next run, when it is old enough that no upload or
attempt can be writing it.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from typing import TypeVar

from omnireel.store import ObjectInfo, ObjectStore
from services.common.logs import get_logger
from services.common.storage.keys import JOBS, UPLOADS, owner_of
from services.common.storage.policy import StoragePolicy, StorageSettings
from services.common.storage.records import JobFact, StorageRecords

log = get_logger(__name__)

BATCH = 200

T = TypeVar("T")


@dataclass(frozen=True)
class Removal:
    """One object that goes away, and why."""

    uri: str
    size: int
    tenant: str
    reason: str


@dataclass(frozen=True)
class Artefacts:
    """What an ended job left beside its results."""

    tenant: str
    ended_at: float
    objects: tuple[ObjectInfo, ...]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(info.size for info in self.objects)


class Collector:
    """One run is :meth:`run`; who may run when is the caller's business."""

    def __init__(
        self,
        records: StorageRecords,
        store: ObjectStore,
        settings: StorageSettings,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._records = records
        self._store = store
        self._settings = settings
        self._clock = clock
        self._policies: dict[str, StoragePolicy] = {}

    def run(self, *, dry_run: bool = False) -> list[Removal]:
        """Remove what can go; with ``dry_run`` only say what would."""
        self._policies = {}
        removed: list[Removal] = []
        for removal in self._all(dry_run):
            if not dry_run:
                self._store.delete(removal.uri)
            removed.append(removal)
        if removed and not dry_run:
            size = sum(removal.size for removal in removed)
            log.info("collected storage", objects=len(removed), bytes=size)
        return removed

    def _all(self, dry_run: bool) -> Iterator[Removal]:
        seen: set[str] = set()
        for tenant in self._records.tenants():
            for removal in (
                *self._expired_uploads(tenant, dry_run),
                *self._expired_videos(tenant, dry_run),
            ):
                seen.add(removal.uri)
                yield removal
        for removal in (*self._job_objects(), *self._orphaned_uploads()):
            if removal.uri not in seen:
                yield removal

    def _expired_uploads(self, tenant: str, dry_run: bool) -> Iterator[Removal]:
        ttl_s = self._policy(tenant).upload_ttl_s
        if not ttl_s:
            return
        before = self._clock() - ttl_s
        for uri in self._records.expired_uploads(tenant, before):
            size = self._store.stat(uri).size if self._store.exists(uri) else 0
            if dry_run or self._records.forget_upload(tenant, uri, before):
                yield Removal(uri, size, tenant, "upload expired")

    def _expired_videos(self, tenant: str, dry_run: bool) -> Iterator[Removal]:
        ttl_s = self._policy(tenant).result_ttl_s
        if not ttl_s:
            return
        for job_id in self._records.expired_jobs(tenant, self._clock() - ttl_s):
            if dry_run or self._records.forget_job(job_id):
                for info in list(self._store.list(f"{JOBS}{job_id}/")):
                    yield Removal(info.uri, info.size, tenant, "video expired")

    def _job_objects(self) -> Iterator[Removal]:
        """Objects of jobs that are gone, and what ended jobs left beside their results."""
        left: dict[str, list[Artefacts]] = defaultdict(list)
        grouped = groupby(self._store.list(JOBS), key=lambda info: _owner(info))
        for batch in _batches((owner, tuple(infos)) for owner, infos in grouped):
            facts = self._records.job_facts([owner for owner, _ in batch])
            named = self._records.known([info.uri for _, infos in batch for info in infos])
            for owner, infos in batch:
                fact = facts.get(owner)
                if fact is None:
                    yield from self._orphans(infos)
                elif fact.ended_at is not None:
                    left[fact.tenant].append(_artefacts(fact, infos, named))
        for tenant, artefacts in left.items():
            yield from self._superfluous(tenant, artefacts)

    def _superfluous(self, tenant: str, artefacts: list[Artefacts]) -> Iterator[Removal]:
        """Newest first: what is too old, and what is beyond the tenant's bytes."""
        policy, held = self._policy(tenant), 0
        for each in sorted(artefacts, key=lambda a: a.ended_at, reverse=True):
            held += each.size
            old = each.ended_at + policy.artefact_ttl_s <= self._clock()
            if old or held > policy.max_artefact_bytes:
                reason = "artefact of an ended job" if old else "artefacts beyond the quota"
                for info in each.objects:
                    yield Removal(info.uri, info.size, tenant, reason)

    def _orphaned_uploads(self) -> Iterator[Removal]:
        for batch in _batches(self._store.list(UPLOADS)):
            known = self._records.known([info.uri for info in batch])
            yield from self._orphans(info for info in batch if info.uri not in known)

    def _orphans(self, infos: Iterable[ObjectInfo]) -> Iterator[Removal]:
        young = self._clock() - self._settings.orphan_grace_s
        for info in infos:
            if info.modified_at.timestamp() <= young:
                owner = owner_of(info.key)
                tenant = owner.owner if owner and info.key.startswith(UPLOADS) else ""
                yield Removal(info.uri, info.size, tenant, "belongs to nothing")

    def _policy(self, tenant: str) -> StoragePolicy:
        if tenant not in self._policies:
            self._policies[tenant] = self._records.policy(tenant)
        return self._policies[tenant]


def _owner(info: ObjectInfo) -> str:
    return info.key.removeprefix(JOBS).partition("/")[0]


def _artefacts(fact: JobFact, infos: tuple[ObjectInfo, ...], named: frozenset[str]) -> Artefacts:
    assert fact.ended_at is not None
    spare = tuple(i for i in infos if i.uri not in fact.kept and i.uri not in named)
    return Artefacts(fact.tenant, fact.ended_at, spare)


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    source = iter(items)
    while batch := list(islice(source, BATCH)):
        yield batch
