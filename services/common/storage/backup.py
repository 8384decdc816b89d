"""Every object to another store, and whether a store has what a database speaks of."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import select

from omnireel.errors import IntegrityError, NotFound
from omnireel.store import ObjectInfo, ObjectStore
from services.common.jobs.database import Database
from services.common.jobs.schema import media

MAX_OBJECT_BYTES = 1 << 40


@dataclass(frozen=True)
class Copied:
    """Objects and bytes that were copied, and objects that were there already or had gone."""

    objects: int = 0
    size: int = 0
    present: int = 0
    gone: int = 0


def copy_store(
    source: ObjectStore, target: ObjectStore, report: Callable[[Copied], None]
) -> Copied:
    """Copy what ``target`` has not; objects never change, so one of the same size is the same.

    An object that goes away meanwhile is no error: its row does too. Nothing is ever removed from
    ``target``, so a copy that was broken off goes on when it is repeated.
    """
    done = Copied()
    there = {info.key: info.size for info in target.list()}
    for info in source.list():
        if there.get(info.key) == info.size:
            done = Copied(done.objects, done.size, done.present + 1, done.gone)
        elif _copy(source, target, info):
            done = Copied(done.objects + 1, done.size + info.size, done.present, done.gone)
        else:
            done = Copied(done.objects, done.size, done.present, done.gone + 1)
        report(done)
    return done


def _copy(source: ObjectStore, target: ObjectStore, info: ObjectInfo) -> bool:
    try:
        chunks = source.open_range(info.uri)
        copied = target.put_stream(info.key, chunks, max_bytes=MAX_OBJECT_BYTES)
    except NotFound:
        return False
    if copied.size != info.size:
        raise IntegrityError(
            f"{info.uri} had {info.size} bytes and {copied.size} arrived; run the same again"
        )
    return True


@dataclass(frozen=True)
class Fault:
    """An object that a row names, and what is wrong with it: gone, size or hash."""

    uri: str
    tenant: str
    fault: str


def faults(database: Database, store: ObjectStore, *, hashes: bool) -> Iterator[Fault]:
    """Compare each row with its object; with ``hashes``, also read the objects whole."""
    rows = select(media.c.uri, media.c.caller, media.c.size_bytes, media.c.sha256)
    with database.read() as connection:
        known = connection.execute(rows.order_by(media.c.uri)).all()
    for row in known:
        fault = _fault(store, row.uri, row.size_bytes, row.sha256 if hashes else "")
        if fault:
            yield Fault(row.uri, row.caller, fault)


def _fault(store: ObjectStore, uri: str, size: int, sha256: str) -> str:
    try:
        if size and store.stat(uri).size != size:
            return "size"
        if sha256:
            digest = hashlib.sha256()
            for chunk in store.open_range(uri):
                digest.update(chunk)
            if digest.hexdigest() != sha256:
                return "hash"
    except NotFound:
        return "gone"
    return ""
