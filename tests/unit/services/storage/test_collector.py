"""What goes, what stays, and what happens when somebody needs it at the same moment."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from omnireel.errors import FailedPrecondition, InvalidInput
from omnireel.store import ObjectStore, open_store
from services.common.jobs import JobStore, Lease, MediaRecord, NewJob, Stage, StageOutput
from services.common.storage.collector import Collector, Removal
from services.common.storage.keys import Kind, Owner, owner_of, upload_key
from services.common.storage.policy import StoragePolicy, StorageSettings, policy_of, set_policy
from services.common.storage.records import StorageRecords
from services.common.storage.usage import grouped, measure_usage
from services.worker.collecting import LOCK, Collecting
from tests.support.jobs import Clock, new_store

SETTINGS = StorageSettings(
    upload_ttl_s=100.0, result_ttl_s=1000.0, artefact_ttl_s=10.0, orphan_grace_s=60.0
)  # type: ignore[call-arg]


@dataclass
class World:
    """A job store, an object store, a clock, and short words for what happens in them."""

    folder: Path
    clock: Clock
    jobs: JobStore
    store: ObjectStore

    @property
    def records(self) -> StorageRecords:
        return StorageRecords(self.jobs.database, SETTINGS.policy, self.clock)

    def upload(self, tenant: str = "me", data: bytes = b"x" * 10, digest: str = "a" * 64) -> str:
        uri = self.write(upload_key(tenant, digest, ".png"), data)
        self.records.put_upload(tenant, MediaRecord(uri, b"", len(data), digest))
        return uri

    def write(self, key: str, data: bytes = b"x" * 10) -> str:
        """An object whose age is by the clock of the test."""
        uri = self.store.put(key, data)
        path = Path(uri.removeprefix("file://"))
        os.utime(path, (self.clock.now, self.clock.now))
        return uri

    def submit(self, *inputs: str, tenant: str = "me") -> str:
        return self.jobs.submit(NewJob(tenant, b"x", inputs=inputs))[0].id

    def start(self, job_id: str) -> Lease:
        claimed = self.jobs.claim(job_id, "w", 1e6)
        assert claimed is not None
        return claimed[0]

    def finished(self, tenant: str = "me") -> tuple[str, str, list[str]]:
        """A finished job, the URI of its result and those of what else it left."""
        job_id = self.submit(tenant=tenant)
        lease = self.start(job_id)
        prefix = f"jobs/{job_id}/{lease.token}"
        left = [
            self.write(f"{prefix}/{name}")
            for name in ("latents.safetensors", "preview-001.webp", "checkpoint/step.bin")
        ]
        left.append(self.write(f"jobs/{job_id}/0/base.mp4"))  # of an attempt that was lost
        result = self.write(f"{prefix}/base.mp4", b"y" * 100)
        output = StageOutput(Stage.GENERATE, b"", 0.0, 1.0)
        self.jobs.save_stage(lease, output, (MediaRecord(result, b"", 100, "b" * 64),))
        self.jobs.succeed(lease)
        return job_id, result, left

    def collect(self, *, dry_run: bool = False, **settings: float) -> list[Removal]:
        changed = SETTINGS.model_copy(update=settings)
        return Collector(self.records, self.store, changed, self.clock).run(dry_run=dry_run)

    def uris(self) -> set[str]:
        return {info.uri for info in self.store.list()}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    clock = Clock()
    jobs = new_store(tmp_path, clock)
    yield World(tmp_path, clock, jobs, open_store((tmp_path / "objects").as_uri()))
    jobs.close()


def test_an_upload_goes_when_it_was_not_used_for_long(world: World) -> None:
    old, used = world.upload(digest="a" * 64), world.upload(digest="b" * 64)
    world.clock.tick(60)
    assert world.collect() == []
    job_id = world.submit(used)
    world.jobs.request_cancel(job_id)
    world.clock.tick(60)
    assert [r.uri for r in world.collect()] == [old]
    assert world.uris() == {used}
    assert world.jobs.find_media("me", old) is None
    world.clock.tick(60)
    world.collect()
    assert world.uris() == set()


def test_sending_it_again_is_a_use(world: World) -> None:
    uri = world.upload(digest="a" * 64)
    world.clock.tick(90)
    found = world.records.find_upload("me", "a" * 64)
    assert found is not None and found.uri == uri
    assert world.records.find_upload("you", "a" * 64) is None
    world.clock.tick(90)
    assert world.collect() == []


@pytest.mark.parametrize("running", [False, True])
def test_what_a_job_names_stays_until_the_job_has_ended(world: World, running: bool) -> None:
    uri = world.upload()
    job_id = world.submit(uri)
    lease = world.start(job_id) if running else None
    world.clock.tick(10_000)
    assert world.collect() == []
    if lease is None:
        world.jobs.request_cancel(job_id)
    else:
        world.jobs.succeed(lease)
    assert [removal.reason for removal in world.collect()] == ["upload expired"]


def test_an_ended_job_keeps_its_results_and_loses_the_rest(world: World) -> None:
    job_id, result, left = world.finished()
    assert world.collect() == []
    world.clock.tick(11)
    assert {r.uri for r in world.collect()} == set(left)
    assert world.uris() == {result}
    world.clock.tick(1000)
    assert [(r.uri, r.reason) for r in world.collect()] == [(result, "video expired")]
    with pytest.raises(Exception, match="no video"):
        world.jobs.get(job_id)
    assert world.jobs.find_media("me", result) is None


def test_a_running_job_loses_nothing(world: World) -> None:
    job_id = world.submit()
    lease = world.start(job_id)
    uri = world.write(f"jobs/{job_id}/{lease.token}/checkpoint-3.safetensors")
    world.clock.tick(10_000)
    assert world.collect() == []
    assert world.uris() == {uri}


def test_a_video_that_another_job_reads_stays(world: World) -> None:
    source, result, _ = world.finished()
    reader = world.submit(result)
    with pytest.raises(FailedPrecondition, match="is read by") as caught:
        world.jobs.delete(source)
    assert caught.value.reason == "IN_USE"
    world.clock.tick(5000)
    world.collect()
    assert result in world.uris() and world.jobs.get(source)
    world.jobs.request_cancel(reader)
    world.collect()
    assert world.uris() == set()


def test_what_belongs_to_nothing_goes_when_it_is_old_enough(world: World) -> None:
    orphan = world.write("jobs/gone/1/base.mp4")
    upload = world.write(upload_key("me", "c" * 64, ".png"))
    foreign = world.write("models/x.bin")
    world.clock.tick(59)
    assert world.collect() == []
    young = world.write(upload_key("me", "d" * 64, ".png"))
    world.clock.tick(2)
    assert {r.uri for r in world.collect()} == {orphan, upload}
    assert world.uris() == {foreign, young}


def test_artefacts_beyond_the_quota_go_oldest_first(world: World) -> None:
    _, first, left_first = world.finished()
    world.clock.tick(1)
    _, second, left_second = world.finished()
    with world.jobs.database.write() as connection:
        set_policy(connection, "me", {"max_artefact_bytes": 40})
    removed = world.collect()
    assert {(r.uri, r.reason) for r in removed} == {
        (uri, "artefacts beyond the quota") for uri in left_first
    }
    assert world.uris() == {first, second, *left_second}


def test_a_dry_run_says_the_same_and_removes_nothing(world: World) -> None:
    world.upload()
    world.finished()
    world.write("jobs/gone/1/base.mp4")
    world.clock.tick(5000)
    before = world.uris()
    planned = world.collect(dry_run=True)
    assert world.uris() == before
    assert {r.uri for r in planned} == before == {r.uri for r in world.collect()}
    assert world.uris() == set() and world.collect() == []


def test_for_ever(world: World) -> None:
    upload = world.upload()
    _, result, _ = world.finished()
    with world.jobs.database.write() as connection:
        set_policy(connection, "me", {"upload_ttl_s": 0, "result_ttl_s": 0})
    world.clock.tick(1e9)
    world.collect()
    assert world.uris() == {upload, result}


def test_a_policy_is_the_tenants_own(world: World) -> None:
    default = StoragePolicy()
    with world.jobs.database.write() as connection:
        set_policy(connection, "me", {"max_bytes": 7})
        assert policy_of(connection, "me", default) == replace(default, max_bytes=7)
        assert policy_of(connection, "you", default) == default
        set_policy(connection, "me", {})
        assert policy_of(connection, "me", default) == default
        with pytest.raises(InvalidInput, match="max_bytes"):
            set_policy(connection, "me", {"max_bytes": -1})


def test_an_object_of_two_tenants_stays_until_both_are_done(world: World) -> None:
    """Objects of earlier versions were shared by all who sent the same bytes."""
    uri = world.write("sha256/aa/" + "a" * 64 + ".png")
    for tenant in ("me", "you"):
        world.records.put_upload(tenant, MediaRecord(uri, b"", 10, "a" * 64))
    world.clock.tick(60)
    world.records.find_upload("you", "a" * 64)
    world.clock.tick(60)
    assert world.collect() == []
    assert world.uris() == {uri} and world.jobs.find_media("me", uri) is None


def test_a_removed_input_is_said_at_submission(world: World) -> None:
    uri = world.upload()
    world.clock.tick(1000)
    world.collect()
    with pytest.raises(InvalidInput, match="send it with UploadMedia again"):
        world.submit(uri)


def test_collecting_beside_submitting(world: World) -> None:
    """Either the job is taken and its input stays, or the submission says that it is gone."""
    uris = [world.upload(digest=f"{i:064x}") for i in range(40)]
    world.clock.tick(1000)
    taken: list[str] = []
    begin = threading.Barrier(3)

    def submit(mine: list[str]) -> None:
        begin.wait()
        for uri in mine:
            try:
                world.submit(uri)
            except InvalidInput:
                continue
            taken.append(uri)

    threads = [threading.Thread(target=submit, args=(uris[i::2],)) for i in range(2)]
    for thread in threads:
        thread.start()
    begin.wait()
    removed = {removal.uri for removal in world.collect()}
    for thread in threads:
        thread.join()
    assert world.uris() == set(taken) == set(uris) - removed


def test_one_collects_at_a_time(world: World) -> None:
    records = world.records
    collector = Collector(records, world.store, SETTINGS, world.clock)
    one, two = (Collecting(collector, records, name, 1.0) for name in ("w1", "w2"))
    assert records.take_lock(LOCK, "w1", 50.0)
    assert one.turn() is True  # it is its own lock
    assert records.take_lock(LOCK, "w1", 50.0)
    assert two.turn() is False
    world.clock.tick(51)  # the first one died
    assert two.turn() is True
    assert one.turn() is True


def test_who_holds_what(world: World) -> None:
    world.upload(data=b"x" * 1000)
    world.finished("you")
    world.write("jobs/gone/1/base.mp4")
    usages = measure_usage(world.records, world.store)
    assert (usages[0].tenant, usages[0].kind, usages[0].size_bytes) == ("me", Kind.UPLOAD, 1000)
    assert grouped(usages, "tenant") == [("me", 1, 1000), ("you", 5, 140), ("-", 1, 10)]
    kinds = {name: objects for name, objects, _ in grouped(usages, "kind")}
    assert kinds == {"upload": 1, "result": 3, "latents": 1, "preview": 1, "checkpoint": 1}


def test_keys() -> None:
    assert owner_of("uploads/me/1/sha256/aa/x.png") == Owner(Kind.UPLOAD, "me")
    assert owner_of("jobs/7/1/upscaled.mp4") == Owner(Kind.RESULT, "7")
    assert owner_of("jobs/7/1/strange") == Owner(Kind.OTHER, "7")
    assert owner_of("jobs/7") is None and owner_of("models/a/b") is None
    assert upload_key("me", "a" * 64, ".png") != upload_key("me", "a" * 64, ".png")
