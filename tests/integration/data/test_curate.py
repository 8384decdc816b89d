"""Curation as people run it: real processes, real kills, real S3; always the same bytes."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from omnireel.data.checks import load_policy
from omnireel.data.curate.engine import CurateRequest, curate
from omnireel.data.curate.ledger import LEDGER, read_rows
from omnireel.data.executors import Done, LocalExecutor, Lost, Stage, Task
from omnireel.data.forget import forget_at
from omnireel.data.shards import ShardReader
from omnireel.data.shards.bucket import ShardBucket
from omnireel.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidInput,
    NotFound,
    Unavailable,
)
from omnireel.store.open import open_store
from tests.support.curated import bytes_of
from tests.support.footage import POLICY, mixed_folder
from tests.support.s3_server import S3Server, build, go_toolchain, running_s3_server

MIB_PER_SHARD = "0.04"
GOOD = {"good0.mp4", "good1.mp4", "good2.mp4"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``footage``, ``policy.yaml``, and ``whole``: what an uninterrupted run gave."""
    root = tmp_path_factory.mktemp("curate")
    mixed_folder(root / "footage")
    (root / "policy.yaml").write_text(POLICY + "  exact_duplicate: on\n")
    assert start(root, "whole").wait() == 0
    return root


def start(root: Path, out: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "omnireel.cli.main", "data", "curate", "footage", out]
    command += ["--policy", "policy.yaml", "--workers", "2", "--shard-mib", MIB_PER_SHARD]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    return subprocess.Popen(command, cwd=root, env=environment, stderr=subprocess.DEVNULL)


def results(out: Path) -> int:
    """How many results an unfinished run has kept so far."""
    try:
        uri = f"file:{out / '.work/state.sqlite'}?mode=ro"
        with sqlite3.connect(uri, uri=True) as connection:
            return int(connection.execute("SELECT count(*) FROM results").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def rowids(out: Path) -> dict[tuple[str, str], float]:
    """Times of all results: one that was made anew has another."""
    with sqlite3.connect(out / ".work/state.sqlite") as connection:
        rows = connection.execute("SELECT stage, key, seconds FROM results").fetchall()
    return {(stage, key): seconds for stage, key, seconds in rows}


def test_a_killed_run_goes_on_to_the_same_bytes(place: Path) -> None:
    out = place / "killed"
    kept: dict[tuple[str, str], float] = {}
    for least in (3, 9):
        run = start(place, "killed")
        while results(out) < least and run.poll() is None:
            time.sleep(0.01)
        run.send_signal(signal.SIGKILL)
        assert run.wait() == -signal.SIGKILL
        assert not (out / "manifest.json").exists()
        now = rowids(out)
        assert kept.items() <= now.items(), "what was done is not done again"
        kept = now
    assert start(place, "killed").wait() == 0
    assert kept.items() <= rowids(out).items()
    assert bytes_of(out) == bytes_of(place / "whole")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    with running_s3_server(build(go_toolchain()), tmp_path) as server:
        monkeypatch.setenv("TEST_ACCESS", server.access_key)
        monkeypatch.setenv("TEST_SECRET", server.secret_key)
        yield server


def address_of(server: S3Server, where: str) -> str:
    keys = "&access_key_env=TEST_ACCESS&secret_key_env=TEST_SECRET"
    return f"s3://{where}?endpoint={server.endpoint}{keys}"


@pytest.fixture
def media(server: S3Server, place: Path) -> str:
    """A bucket with the good clips and their captions."""
    address = address_of(server, "media/raw")
    store = open_store(address)
    for path in (place / "footage").glob("good*"):
        store.put(path.name, path)
    return address


def test_a_bucket_is_curated_and_its_loss_costs_nothing(
    place: Path, tmp_path: Path, server: S3Server, media: str
) -> None:
    policy = load_policy(str(place / "policy.yaml"))
    done = curate(CurateRequest(media, tmp_path / "out", policy), LocalExecutor(1))
    assert {s.key for _, s in ShardReader(tmp_path / "out").samples()} == GOOD
    assert done.uncaptioned == 0
    empty = media.replace("/raw?", "/nothing?")
    with pytest.raises(InvalidInput, match="or there is no such bucket"):
        curate(CurateRequest(empty, tmp_path / "empty", policy), LocalExecutor(1))
    server.process.kill()
    server.process.wait()
    with pytest.raises(Unavailable, match="cannot be reached"):
        curate(CurateRequest(media, tmp_path / "lost", policy), LocalExecutor(1))


class Stopping(LocalExecutor):
    """Is stopped after a few results, as by Ctrl-C."""

    def run(self, stage: Stage, tasks: Iterable[Task]) -> Iterator[Done | Lost]:
        for number, news in enumerate(super().run(stage, tasks)):
            if number == 2:
                raise KeyboardInterrupt
            yield news


def test_a_bucket_is_filled_and_another_machine_goes_on(
    place: Path, tmp_path: Path, server: S3Server, media: str
) -> None:
    policy, out = load_policy(str(place / "policy.yaml")), address_of(server, "results/one")
    first, second = (
        CurateRequest(media, tmp_path / name, policy, send_to=out) for name in ("first", "second")
    )
    with pytest.raises(KeyboardInterrupt):
        curate(first, Stopping(1))
    with pytest.raises(NotFound, match="holds no finished shards"):
        ShardBucket(out).fetch(tmp_path / "early")

    curate(second, LocalExecutor(1))
    kept, now = rowids(first.out), rowids(second.out)
    assert len(kept) == 2
    assert kept.items() <= now.items(), "what the other machine did is not done again"
    ShardBucket(out).fetch(tmp_path / "fetched")
    alone = CurateRequest(media, tmp_path / "alone", policy)
    curate(alone, LocalExecutor(1))
    assert bytes_of(tmp_path / "fetched") == bytes_of(alone.out)

    other = replace(policy, name="other")
    with pytest.raises(AlreadyExists, match="holds work with policy 'policy', not 'other'"):
        curate(CurateRequest(media, tmp_path / "other", other, send_to=out), LocalExecutor(1))
    with pytest.raises(InvalidInput, match="lie inside of each other"):
        curate(replace(second, send_to=media), LocalExecutor(1))
    beside = address_of(server, "media")
    open_store(beside).put("notes.txt", b"mine")
    with pytest.raises(AlreadyExists, match="holds other objects"):
        curate(CurateRequest(str(place / "footage"), tmp_path / "x", policy, send_to=beside))
    server.process.kill()
    server.process.wait()
    with pytest.raises(Unavailable, match="cannot be reached"):
        curate(second, LocalExecutor(1))


def test_captions_that_come_later_are_written_when_the_manifest_is_deleted(
    place: Path, tmp_path: Path, server: S3Server, media: str
) -> None:
    policy, out = load_policy(str(place / "policy.yaml")), address_of(server, "results/later")
    request = CurateRequest(media, tmp_path / "work", policy, send_to=out)
    curate(request, LocalExecutor(1))
    open_store(media).put("good1.txt", b"other words")
    with pytest.raises(AlreadyExists, match="finished shards of other") as caught:
        curate(request, LocalExecutor(1))
    assert "delete s3://results/later/manifest.json?endpoint=" in caught.value.message

    store = open_store(out)
    store.delete(store.uri("manifest.json"))
    curate(request, LocalExecutor(1))
    ShardBucket(out).fetch(tmp_path / "fetched")
    samples = {s.key: s for _, s in ShardReader(tmp_path / "fetched").samples()}
    assert samples["good1.mp4"].text == "other words"


def test_objects_have_the_names_that_others_gave_them(
    place: Path, tmp_path: Path, server: S3Server
) -> None:
    address = address_of(server, "media/my raw clips")
    store = open_store(address, foreign_keys=True)
    for number, path in enumerate(sorted((place / "footage").glob("good*"))):
        stem = ("Käse & Brot", "東京 50%+", "a#b?c=d")[number // 2]
        store.put(f"día 1/{stem}{path.suffix}", path)
    store.put("día 1/", b"")
    policy = load_policy(str(place / "policy.yaml"))
    curate(CurateRequest(address, tmp_path / "out", policy), LocalExecutor(1))
    names = {s.key: s.text for _, s in ShardReader(tmp_path / "out").samples()}
    assert set(names) == {"día 1/Käse & Brot.mp4", "día 1/東京 50%+.mp4", "día 1/a#b?c=d.mp4"}
    assert all(names.values())


def test_a_bucket_that_another_machine_fills_is_refused(
    place: Path, tmp_path: Path, server: S3Server, media: str
) -> None:
    policy, out = load_policy(str(place / "policy.yaml")), address_of(server, "results/three")
    request = CurateRequest(media, tmp_path / "first", policy, send_to=out)
    with pytest.raises(KeyboardInterrupt):
        curate(request, Stopping(1))
    store = open_store(out)
    assert not list(store.list("work/lease/")), "what was stopped is given back"
    theirs = store.put("work/lease/theirs", b'{"host": "another-machine", "pid": 7}')
    with pytest.raises(FailedPrecondition, match="process 7 of another-machine works on s3://"):
        curate(request, LocalExecutor(1))
    store.delete(theirs)
    curate(request, LocalExecutor(1))
    assert {info.key for info in store.list("work/")} == {"work/plan.json", "work/state.sqlite"}


def test_a_sample_in_a_bucket_is_forgotten(
    place: Path, tmp_path: Path, server: S3Server, media: str
) -> None:
    policy, out = load_policy(str(place / "policy.yaml")), address_of(server, "results/two")
    curate(CurateRequest(media, tmp_path / "work", policy, send_to=out), LocalExecutor(1))
    assert forget_at(out, "good1.mp4").samples == ("good1.mp4",)
    ShardBucket(out).fetch(tmp_path / "fetched")
    reader = ShardReader(tmp_path / "fetched")
    reader.verify()
    assert {sample.key for _, sample in reader.samples()} == GOOD - {"good1.mp4"}
    names = {info.key for info in open_store(out).list()}
    assert names == {path.name for path in (tmp_path / "fetched").iterdir()} - {".same.json"}
    assert "report.html" not in names


def test_the_ledger_has_every_sample(place: Path) -> None:
    rows = list(read_rows(place / "whole" / LEDGER))
    assert len({row["sample"] for row in rows}) == 13
    assert {row["check"] for row in rows} == {"readable", "resolution", "exact_duplicate"}
