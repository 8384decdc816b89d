from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from omnireel.errors import InvalidInput
from omnireel.store import open_store
from services.common.jobs import MediaRecord, open_jobs
from services.common.storage.cli import app
from services.common.storage.keys import upload_key
from services.common.storage.policy import StoragePolicy
from services.common.storage.records import StorageRecords


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A local stack's home with one upload of 2 MiB and one old orphan."""
    store = open_store((tmp_path / "objects").as_uri())
    uri = store.put(upload_key("me", "a" * 64, ".png"), bytes(2 << 20))
    orphan = store.put("jobs/gone/1/base.mp4", b"x")
    os.utime(orphan.removeprefix("file://"), (1, 1))
    jobs = open_jobs(f"sqlite:///{tmp_path / 'jobs.db'}")
    records = StorageRecords(jobs.database, StoragePolicy())
    records.put_upload("me", MediaRecord(uri, b"", 2 << 20, "a" * 64))
    jobs.close()
    yield tmp_path


def run(home: Path, *arguments: str) -> str:
    result = CliRunner().invoke(app, [*arguments, "--home", str(home)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_who_holds_what(home: Path) -> None:
    assert json.loads(run(home, "--json"))[0] == {
        "tenant": "me", "kind": "upload", "objects": 1, "size_bytes": 2 << 20
    }  # fmt: skip
    by_tenant = json.loads(run(home, "--by", "tenant", "--json"))
    assert by_tenant[0] == {"tenant": "me", "objects": 1, "size_bytes": 2 << 20}
    assert "2.0 MiB" in run(home, "--by", "kind")


def test_collecting(home: Path) -> None:
    (planned,) = json.loads(run(home, "collect", "--dry-run", "--json"))
    assert planned == {
        "reason": "belongs to nothing", "tenant": "-", "objects": 1, "size_bytes": 1
    }  # fmt: skip
    assert (home / "objects/jobs/gone/1/base.mp4").exists()
    assert "belongs to nothing" in run(home, "collect")
    assert not (home / "objects/jobs/gone/1/base.mp4").exists()
    assert "nothing to remove" in run(home, "collect")


def test_policies(home: Path) -> None:
    assert "result_ttl_s = 2592000" in run(home, "policy", "me")
    assert "result_ttl_s = 86400" in run(home, "policy", "me", "--result-days", "1")
    shown = run(home, "policy", "me", "--max-gib", "2")
    assert "result_ttl_s = 86400" in shown and f"max_bytes = {2 << 30}" in shown
    assert "result_ttl_s = 2592000" in run(home, "policy", "you")
    assert "result_ttl_s = 2592000" in run(home, "policy", "me", "--reset")
    with pytest.raises(InvalidInput, match="either"):
        run(home, "policy", "me", "--reset", "--max-gib", "2")
