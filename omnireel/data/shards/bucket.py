"""A folder of shards as objects of a bucket; the manifest goes last: without it, it is not done.

What was sent or fetched is on record beside the files, so that the same command goes on.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from omnireel.data.shards.manifest import MANIFEST, read_manifest
from omnireel.errors import AlreadyExists, IntegrityError, NotFound
from omnireel.files import atomic_path, atomic_write, disk_errors
from omnireel.store.base import ObjectInfo, ObjectStore
from omnireel.store.chunks import sha256_of
from omnireel.store.open import open_store

Report = Callable[[int, int], None]
SAME = ".same.json"
"""Hashes of the files that are the same here and in the bucket."""


class ShardBucket:
    """The objects at ``address``, as in ``s3://bucket/prefix?endpoint=..``."""

    def __init__(self, address: str) -> None:
        """Raises InvalidInput or FailedPrecondition for an address that is none."""
        self.address = address
        self.store: ObjectStore = open_store(address)

    def files(self) -> dict[str, ObjectInfo]:
        """Objects by name, without those in folders."""
        return {info.key: info for info in self.store.list() if "/" not in info.key}

    def send(self, folder: Path, report: Report = lambda done, total: None) -> None:
        """Make the bucket hold what ``folder`` does, shards first, the manifest last.

        Shards and reports that the folder no longer has are removed from the bucket then.

        Raises:
            Unavailable, ResourceExhausted, FailedPrecondition: the store; the same call goes on.

        """
        same, there = _same(folder), self.files()
        files = sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
        for number, path in enumerate(sorted(files, key=lambda p: p.name == MANIFEST)):
            report(number, len(files))
            digest = sha256_of(path)
            known = path.name in there and there[path.name].size == path.stat().st_size
            if not (known and same.get(path.name) == digest):
                self.store.put(path.name, path)
                same[path.name] = digest
                atomic_write(folder / SAME, json.dumps(same).encode())
        report(len(files), len(files))
        for name in there.keys() - {path.name for path in files}:
            self.store.delete(self.store.uri(name))

    def fetch(self, folder: Path, report: Report = lambda done, total: None) -> None:
        """Make ``folder`` hold what the bucket does, compared with the manifest's hashes.

        Raises:
            NotFound: the bucket holds no finished shards.
            AlreadyExists: the folder holds others.
            IntegrityError: a shard is not what the manifest says.

        """
        there = self.files()
        if MANIFEST not in there:
            raise NotFound(f"{self.address} holds no finished shards ({MANIFEST} is missing)")
        manifest = self.store.get(there[MANIFEST].uri)
        if (folder / MANIFEST).is_file() and (folder / MANIFEST).read_bytes() != manifest:
            raise AlreadyExists(f"{folder} holds other shards; choose another folder")
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        same = _same(folder)
        for number, name in enumerate(sorted(there, key=lambda name: name == MANIFEST)):
            report(number, len(there))
            path = folder / name
            if not (path.is_file() and path.stat().st_size == there[name].size and name in same):
                with atomic_path(path) as partial, partial.open("wb") as file:
                    for chunk in self.store.open_range(there[name].uri):
                        file.write(chunk)
                same[name] = sha256_of(path)
                atomic_write(folder / SAME, json.dumps(same).encode())
        report(len(there), len(there))
        for shard in read_manifest(folder).files:
            if same.get(shard.name) != shard.sha256:
                raise IntegrityError(
                    f"{shard.name} in {self.address} differs from its manifest; upload it again"
                )


def is_same(path: Path) -> bool:
    """Whether a file, as it is, was sent or fetched before."""
    return path.is_file() and _same(path.parent).get(path.name) == sha256_of(path)


def _same(folder: Path) -> dict[str, str]:
    path = folder / SAME
    return dict(json.loads(path.read_bytes())) if path.is_file() else {}
