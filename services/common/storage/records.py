"""Uploads, quotas and removals in SQL: each function is one transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from omnireel.errors import FailedPrecondition, NotFound, ResourceExhausted
from services.common.jobs import requests
from services.common.jobs.database import Database
from services.common.jobs.job import JobState, MediaRecord
from services.common.jobs.media import ACTIVE, put_media, readers_of
from services.common.jobs.schema import job_inputs, jobs, locks, media
from services.common.storage.policy import StoragePolicy, policy_of

_ENDED = tuple(state.value for state in JobState if state.terminal)


@dataclass(frozen=True)
class JobFact:
    """What the collector knows of a job: its tenant, when it ended, and what it made for good."""

    tenant: str
    ended_at: float | None
    kept: frozenset[str]


class StorageRecords:
    """What SQL knows of stored objects; ``default`` holds for tenants without their own policy."""

    def __init__(
        self,
        database: Database,
        default: StoragePolicy,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._default = default
        self._clock = clock

    def policy(self, tenant: str) -> StoragePolicy:
        """The tenant's policy."""
        with self._database.read() as connection:
            return policy_of(connection, tenant, self._default)

    def check_room(self, tenant: str, size: int = 0) -> None:
        """Raise :class:`ResourceExhausted` when ``size`` bytes more are too many."""
        with self._database.read() as connection:
            self._check_room(connection, tenant, size)

    def find_upload(self, tenant: str, sha256: str) -> MediaRecord | None:
        """The tenant's own upload of the same content, which counts as used now."""
        with self._database.write() as connection:
            row = connection.execute(
                select(media)
                .where(media.c.caller == tenant, media.c.sha256 == sha256, media.c.job_id.is_(None))
                .with_for_update()
                .limit(1)
            ).one_or_none()
            if row is None:
                return None
            _touch(connection, tenant, row.uri, self._clock())
            return MediaRecord(row.uri, row.data, row.size_bytes, row.sha256)

    def put_upload(self, tenant: str, record: MediaRecord) -> None:
        """Remember an upload, or raise :class:`ResourceExhausted` when there is no room for it."""
        with self._database.write() as connection:
            self._check_room(connection, tenant, record.size_bytes)
            put_media(connection, tenant, record, self._clock())

    def drop_upload(self, tenant: str, uri: str) -> None:
        """Forget an upload whose object is lost."""
        with self._database.write() as connection:
            connection.execute(delete(media).where(media.c.caller == tenant, media.c.uri == uri))

    def remove_upload(self, tenant: str, uri: str) -> None:
        """Forget an upload that nobody needs; its object can go then.

        Raises:
            NotFound: the tenant has none at ``uri``.
            FailedPrecondition: a job that is still to end reads it, or a video made it.
        """
        with self._database.write() as connection:
            # Locked, so that no new job comes to read it while we look.
            row = connection.execute(
                select(media).where(media.c.caller == tenant, media.c.uri == uri).with_for_update()
            ).one_or_none()
            if row is None:
                raise NotFound(f"media {uri[:200]!r} does not exist, or was deleted")
            if row.job_id is not None:
                raise FailedPrecondition(
                    f"it belongs to video {row.job_id!r}; delete that one", reason="NO_UPLOAD"
                )
            reader = connection.execute(readers_of([uri])).scalar_one_or_none()
            if reader is not None:
                raise FailedPrecondition(
                    f"video {reader!r}, which is not finished, reads it; wait for that one or "
                    "cancel it, then delete this",
                    reason="IN_USE",
                )
            connection.execute(delete(media).where(media.c.caller == tenant, media.c.uri == uri))

    def tenants(self) -> tuple[str, ...]:
        """Everybody who has anything."""
        with self._database.read() as connection:
            found = connection.execute(select(media.c.caller).union(select(jobs.c.caller)))
            return tuple(sorted(found.scalars()))

    def expired_uploads(self, tenant: str, before: float) -> tuple[str, ...]:
        """Uploads not used since ``before`` and named by no job that is still to end."""
        used = func.coalesce(media.c.used_at, media.c.created_at)
        read = (
            select(job_inputs.c.uri)
            .join(jobs, jobs.c.id == job_inputs.c.job_id)
            .where(jobs.c.state.in_(ACTIVE))
        )
        query = select(media.c.uri).where(
            media.c.caller == tenant,
            media.c.job_id.is_(None),
            used <= before,
            media.c.uri.not_in(read),
        )
        with self._database.read() as connection:
            return tuple(connection.execute(query).scalars())

    def forget_upload(self, tenant: str, uri: str, before: float) -> bool:
        """Remove the record; False when it was used meanwhile. Its object can go if True."""
        with self._database.write() as connection:
            row = connection.execute(
                select(media).where(media.c.caller == tenant, media.c.uri == uri).with_for_update()
            ).one_or_none()
            if row is None or (row.used_at or row.created_at) > before:
                return False
            if connection.execute(readers_of([uri])).scalar_one_or_none() is not None:
                return False
            connection.execute(delete(media).where(media.c.caller == tenant, media.c.uri == uri))
            others = select(media.c.uri).where(media.c.uri == uri).limit(1)
            return connection.execute(others).scalar_one_or_none() is None

    def expired_jobs(self, tenant: str, before: float) -> tuple[str, ...]:
        """Jobs that ended before ``before``."""
        query = select(jobs.c.id).where(
            jobs.c.caller == tenant, jobs.c.state.in_(_ENDED), jobs.c.finished_at <= before
        )
        with self._database.read() as connection:
            return tuple(connection.execute(query).scalars())

    def forget_job(self, job_id: str) -> bool:
        """Remove an ended job's row; False while another job reads what it made."""
        try:
            with self._database.write() as connection:
                requests.delete_job(connection, job_id)
        except FailedPrecondition:
            return False
        except NotFound:
            return True
        return True

    def job_facts(self, job_ids: Collection[str]) -> dict[str, JobFact]:
        """What is known of each of the jobs that exist."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(jobs.c.id, jobs.c.caller, jobs.c.state, jobs.c.finished_at).where(
                    jobs.c.id.in_(job_ids)
                )
            ).all()
            kept: dict[str, set[str]] = {row.id: set() for row in rows}
            made = select(media.c.job_id, media.c.uri).where(media.c.job_id.in_(list(kept)))
            for row in connection.execute(made):
                kept[row.job_id].add(row.uri)
        return {
            row.id: JobFact(
                row.caller,
                row.finished_at if row.state in _ENDED else None,
                frozenset(kept[row.id]),
            )
            for row in rows
        }

    def known(self, uris: Collection[str]) -> frozenset[str]:
        """Those of ``uris`` that somebody has a record of, or a job that is still to end names."""
        with self._database.read() as connection:
            recorded = select(media.c.uri).where(media.c.uri.in_(uris))
            named = (
                select(job_inputs.c.uri)
                .join(jobs, jobs.c.id == job_inputs.c.job_id)
                .where(job_inputs.c.uri.in_(uris), jobs.c.state.in_(ACTIVE))
            )
            return frozenset(connection.execute(recorded.union(named)).scalars())

    def take_lock(self, name: str, owner: str, ttl_s: float) -> bool:
        """Take or extend a lock; False while another owner has it."""
        try:
            return self._take_lock(name, owner, ttl_s)
        except IntegrityError:  # another process made the row between the question and now
            return False

    def _take_lock(self, name: str, owner: str, ttl_s: float) -> bool:
        now = self._clock()
        with self._database.write() as connection:
            taken = connection.execute(
                update(locks)
                .where(locks.c.name == name, or_(locks.c.owner == owner, locks.c.expires_at <= now))
                .values(owner=owner, expires_at=now + ttl_s)
                .returning(locks.c.name)
            ).one_or_none()
            if taken is not None:
                return True
            there = select(locks.c.name).where(locks.c.name == name)
            if connection.execute(there).one_or_none() is not None:
                return False
            connection.execute(insert(locks).values(name=name, owner=owner, expires_at=now + ttl_s))
            return True

    def release_lock(self, name: str, owner: str) -> None:
        """Give a lock back."""
        with self._database.write() as connection:
            connection.execute(
                delete(locks).where(and_(locks.c.name == name, locks.c.owner == owner))
            )

    def _check_room(self, connection: Connection, tenant: str, size: int) -> None:
        held = connection.execute(
            select(func.coalesce(func.sum(media.c.size_bytes), 0)).where(media.c.caller == tenant)
        ).scalar_one()
        largest = policy_of(connection, tenant, self._default).max_bytes
        if held + size > largest:
            full = ResourceExhausted(
                f"{held} of {largest} bytes of storage are in use and {size} more are wanted; "
                "delete videos that are not needed any more"
            )
            full.reason = "STORAGE_FULL"
            raise full


def _touch(connection: Connection, tenant: str, uri: str, now: float) -> None:
    connection.execute(
        update(media).where(media.c.caller == tenant, media.c.uri == uri).values(used_at=now)
    )
