"""What is known of stored objects, so that a request can be checked without decoding again."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, Select, insert, select, update

from omnireel.errors import InvalidInput
from services.common.jobs.job import JobState, MediaRecord
from services.common.jobs.schema import job_inputs, jobs, media

ACTIVE = (JobState.QUEUED.value, JobState.RUNNING.value)


def put_media(
    connection: Connection, caller: str, record: MediaRecord, now: float, job_id: str | None = None
) -> None:
    """Remember ``record`` for ``caller``; the same object again only refreshes its description."""
    values = {
        "data": record.data,
        "size_bytes": record.size_bytes,
        "sha256": record.sha256,
        "used_at": now,
    }
    known = connection.execute(
        update(media)
        .where(media.c.caller == caller, media.c.uri == record.uri)
        .values(**values)
        .returning(media.c.uri)
    ).one_or_none()
    if known is None:
        connection.execute(
            insert(media).values(
                caller=caller, uri=record.uri, job_id=job_id, created_at=now, **values
            )
        )


def find_media(connection: Connection, caller: str, uri: str) -> MediaRecord | None:
    """The caller's object at ``uri``, or None."""
    row = connection.execute(
        select(media).where(media.c.caller == caller, media.c.uri == uri)
    ).one_or_none()
    return None if row is None else MediaRecord(row.uri, row.data, row.size_bytes, row.sha256)


def use_media(
    connection: Connection, job_id: str, caller: str, uris: Collection[str], now: float
) -> None:
    """Note that a new job reads ``uris``: from now on they stay until it has ended.

    Raises:
        InvalidInput: one of them was removed since the request was checked.
    """
    for uri in sorted(set(uris)):
        # The row is locked until the job is there, and so the collector sees the one or the other.
        found = connection.execute(
            update(media)
            .where(media.c.caller == caller, media.c.uri == uri)
            .values(used_at=now)
            .returning(media.c.uri)
        ).one_or_none()
        if found is None:
            raise InvalidInput(
                f"{uri[:200]!r} was removed just now; send it with UploadMedia again",
                field="prompt.inputs",
            )
        connection.execute(insert(job_inputs).values(job_id=job_id, uri=uri))


def readers_of(uris: Collection[str]) -> Select[tuple[str]]:
    """The queued and running jobs that name one of ``uris``."""
    return (
        select(job_inputs.c.job_id)
        .join(jobs, jobs.c.id == job_inputs.c.job_id)
        .where(job_inputs.c.uri.in_(uris), jobs.c.state.in_(ACTIVE))
        .limit(1)
    )
