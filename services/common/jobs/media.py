"""What is known of stored objects, so that a request can be checked without decoding again."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update

from services.common.jobs.job import MediaRecord
from services.common.jobs.schema import media


def put_media(
    connection: Connection, caller: str, record: MediaRecord, now: float, job_id: str | None = None
) -> None:
    """Remember ``record`` for ``caller``; the same object again only refreshes its description."""
    known = connection.execute(
        update(media)
        .where(media.c.caller == caller, media.c.uri == record.uri)
        .values(data=record.data)
        .returning(media.c.uri)
    ).one_or_none()
    if known is None:
        connection.execute(
            insert(media).values(
                caller=caller, uri=record.uri, job_id=job_id, data=record.data, created_at=now
            )
        )


def find_media(connection: Connection, caller: str, uri: str) -> MediaRecord | None:
    """The caller's object at ``uri``, or None."""
    row = connection.execute(
        select(media).where(media.c.caller == caller, media.c.uri == uri)
    ).one_or_none()
    return None if row is None else MediaRecord(row.uri, row.data)
