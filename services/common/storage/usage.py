"""Who holds how much."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from omnireel.store import ObjectStore
from services.common.storage.keys import Kind, owner_of
from services.common.storage.records import StorageRecords

_BATCH = 500
NOBODY = "-"
"""Stands for objects of jobs that are gone, and of other programs."""


@dataclass(frozen=True)
class Usage:
    """Objects of one kind of one tenant."""

    tenant: str
    kind: Kind
    objects: int
    size_bytes: int


def measure_usage(records: StorageRecords, store: ObjectStore) -> list[Usage]:
    """Look at every object of the store; the largest share first."""
    tenants = _TenantsOfJobs(records)
    counts: dict[tuple[str, Kind], list[int]] = defaultdict(lambda: [0, 0])
    for info in store.list():
        owner = owner_of(info.key)
        if owner is None:
            tenant, kind = NOBODY, Kind.OTHER
        elif owner.kind is Kind.UPLOAD:
            tenant, kind = owner.owner, owner.kind
        else:
            tenant, kind = tenants.of(owner.owner), owner.kind
        count = counts[tenant, kind]
        count[0] += 1
        count[1] += info.size
    found = [Usage(tenant, kind, *count) for (tenant, kind), count in counts.items()]
    return sorted(found, key=lambda usage: usage.size_bytes, reverse=True)


def grouped(usages: list[Usage], by: str) -> list[tuple[str, int, int]]:
    """``(tenant or kind, objects, bytes)``, the largest share first."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for usage in usages:
        each = sums[usage.tenant if by == "tenant" else usage.kind.value]
        each[0] += usage.objects
        each[1] += usage.size_bytes
    rows = [(name, objects, size) for name, (objects, size) in sums.items()]
    return sorted(rows, key=lambda row: row[2], reverse=True)


class _TenantsOfJobs:
    """Jobs come in the order of their keys, so the last one asked for is the likely one."""

    def __init__(self, records: StorageRecords) -> None:
        self._records = records
        self._last: tuple[str, str] = ("", NOBODY)

    def of(self, job_id: str) -> str:
        if self._last[0] != job_id:
            fact = self._records.job_facts([job_id]).get(job_id)
            self._last = (job_id, fact.tenant if fact else NOBODY)
        return self._last[1]
