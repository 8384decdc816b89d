"""What happened to many jobs since somebody looked last: one read for all who watch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Connection, select

from services.common.jobs.job import Event
from services.common.jobs.requests import events_after
from services.common.jobs.schema import jobs

MAX_PARAMETERS = 500


@dataclass(frozen=True)
class News:
    """New events of one job, oldest first; ``gone``: there is no such job any more."""

    events: tuple[Event, ...] = ()
    cancel_requested: bool = False
    gone: bool = False


def news_of(connection: Connection, seen: Mapping[str, int]) -> dict[str, News]:
    """News of the jobs in ``seen`` (id -> last sequence seen); jobs without news are left out."""
    found: dict[str, News] = {}
    for ids in _batches(list(seen)):
        columns = (jobs.c.id, jobs.c.event_sequence, jobs.c.cancel_requested)
        rows = {
            row.id: row for row in connection.execute(select(*columns).where(jobs.c.id.in_(ids)))
        }
        for job_id in ids:
            row = rows.get(job_id)
            if row is None:
                found[job_id] = News(gone=True)
            elif row.event_sequence > seen[job_id]:
                events = events_after(connection, job_id, seen[job_id])
                found[job_id] = News(events, row.cancel_requested)
    return found


def _batches(ids: Sequence[str]) -> Iterator[list[str]]:
    rest = iter(ids)
    while batch := list(islice(rest, MAX_PARAMETERS)):
        yield batch
