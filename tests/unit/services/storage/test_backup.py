"""Copying a store, and comparing one with a database."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from omnireel.errors import NotFound
from omnireel.store import LocalStore, ObjectInfo, open_store
from services.common.jobs import MediaRecord, open_jobs
from services.common.storage.backup import Copied, copy_store, faults
from services.common.storage.cli import app
from services.common.storage.policy import StoragePolicy
from services.common.storage.records import StorageRecords


@pytest.fixture
def stores(tmp_path: Path) -> tuple[LocalStore, LocalStore]:
    source, target = (open_store((tmp_path / name).as_uri()) for name in ("a", "b"))
    assert isinstance(source, LocalStore) and isinstance(target, LocalStore)
    source.put("jobs/1/video.mp4", b"video")
    source.put_content(b"a picture", ".png")
    return source, target


def test_what_is_there_is_not_copied_again(stores: tuple[LocalStore, LocalStore]) -> None:
    source, target = stores
    seen: list[Copied] = []
    assert copy_store(source, target, seen.append) == Copied(objects=2, size=14)
    assert [done.objects for done in seen] == [1, 2]
    assert {i.key: i.size for i in target.list()} == {i.key: i.size for i in source.list()}
    target.put("jobs/1/video.mp4", b"vid")  # broken off
    target.put("old", b"x")
    assert copy_store(source, target, seen.append) == Copied(objects=1, size=5, present=1)
    assert target.get(target.uri("jobs/1/video.mp4")) == b"video"
    assert target.exists(target.uri("old"))  # nothing is ever removed


def test_what_goes_away_meanwhile_is_no_error(
    stores: tuple[LocalStore, LocalStore], tmp_path: Path
) -> None:
    class Vanishing(LocalStore):
        def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
            for info in super().list(prefix):
                self.delete(info.uri)
                yield info

    done = copy_store(Vanishing(tmp_path / "a"), stores[1], lambda _: None)
    assert done == Copied(gone=2)
    with pytest.raises(NotFound):
        stores[0].stat(stores[0].uri("jobs/1/video.mp4"))


def test_rows_are_compared_with_objects(tmp_path: Path) -> None:
    store = open_store((tmp_path / "objects").as_uri())
    jobs = open_jobs(f"sqlite:///{tmp_path / 'jobs.db'}")
    records = StorageRecords(jobs.database, StoragePolicy())
    uris = {}
    for name in ("good", "gone", "short", "spoilt"):
        uris[name] = store.put(name, name.encode())
        digest = hashlib.sha256(name.encode()).hexdigest()
        records.put_upload("me", MediaRecord(uris[name], b"", len(name), digest))
    store.delete(uris["gone"])
    store.put("short", b"s")
    store.put("spoilt", b"SPOILT")

    def found(*, hashes: bool) -> dict[str, str]:
        return {f.uri: f.fault for f in faults(jobs.database, store, hashes=hashes)}

    plain = {uris["gone"]: "gone", uris["short"]: "size"}
    assert found(hashes=False) == plain
    assert found(hashes=True) == {**plain, uris["spoilt"]: "hash"}
    jobs.close()

    arguments = ["check", "--home", str(tmp_path)]
    said = CliRunner().invoke(app, arguments)
    assert said.exit_code == 1 and f"gone: {uris['gone']} of me" in said.output
    said = CliRunner().invoke(app, [*arguments, "--hashes", "--json"])
    assert len(json.loads(said.output)) == 3
