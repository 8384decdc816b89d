"""Curation as people run it: real processes, real kills, real S3; always the same bytes."""

from __future__ import annotations

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from omnireel.data.checks import load_policy
from omnireel.data.curate.engine import CurateRequest, curate
from omnireel.data.curate.ledger import LEDGER, read_rows
from omnireel.data.executors import LocalExecutor
from omnireel.data.shards import ShardReader
from omnireel.errors import InvalidInput, Unavailable
from omnireel.store.open import open_store
from tests.support.footage import POLICY, mixed_folder
from tests.support.s3_server import build, go_toolchain, running_s3_server

MIB_PER_SHARD = "0.04"


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


def bytes_of(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name != "times.parquet"
    }


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


@pytest.mark.skipif(go_toolchain() is None, reason="no Go to build the S3 server with")
def test_a_bucket_is_curated_and_its_loss_costs_nothing(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = go_toolchain()
    assert go is not None
    policy = load_policy(str(place / "policy.yaml"))
    with running_s3_server(build(go), tmp_path) as server:
        monkeypatch.setenv("TEST_ACCESS", server.access_key)
        monkeypatch.setenv("TEST_SECRET", server.secret_key)
        address = (
            f"s3://media/raw?endpoint={server.endpoint}"
            "&access_key_env=TEST_ACCESS&secret_key_env=TEST_SECRET"
        )
        store = open_store(address)
        for path in (place / "footage").glob("good*"):
            store.put(path.name, path)
        request = CurateRequest(address, tmp_path / "out", policy)
        done = curate(request, LocalExecutor(1))
        assert {s.key for _, s in ShardReader(tmp_path / "out").samples()} == {
            "good0.mp4",
            "good1.mp4",
            "good2.mp4",
        }
        assert done.uncaptioned == 0
        empty = address.replace("/raw?", "/nothing?")
        with pytest.raises(InvalidInput, match="or there is no such bucket"):
            curate(CurateRequest(empty, tmp_path / "empty", policy), LocalExecutor(1))
    lost = CurateRequest(address, tmp_path / "lost", policy)
    with pytest.raises(Unavailable, match="cannot be reached"):
        curate(lost, LocalExecutor(1))


def test_the_ledger_has_every_sample(place: Path) -> None:
    rows = list(read_rows(place / "whole" / LEDGER))
    assert len({row["sample"] for row in rows}) == 13
    assert {row["check"] for row in rows} == {"readable", "resolution", "exact_duplicate"}
