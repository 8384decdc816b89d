"""Backup and restore as docs/production.md says, with a real PostgreSQL and a real S3 store."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from omnireel.api.v1 import video_pb2
from omnireel.media import write_png
from omnireel.store import open_store
from services.common.jobs.database import Database
from services.common.jobs.migrate import upgrade
from tests.support.programs import program
from tests.support.s3_server import S3Server, build, go_toolchain, running_s3_server
from tests.support.served import served
from tests.support.servers import Postgres, running_postgres
from tests.support.servers.postgres import PROGRAMS

pytestmark = [
    pytest.mark.timeout(1200),  # the first run builds the server
]
PAGE = (Path(__file__).parents[3] / "docs" / "production.md").read_text()
PNG = write_png(np.full((40, 70, 3), 7, np.uint8))


def commands_under(heading: str) -> str:
    """The first block of shell commands below a heading of the page."""
    _, _, below = PAGE.partition(f"\n### {heading}\n")
    found = re.search(r"```bash\n(.*?)```", below, re.DOTALL)
    assert found is not None, heading
    return found[1]


def shell(commands: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    folders = [
        str(Path(sys.executable).parent),
        str(Path(program("pg_dump", folders=PROGRAMS)).parent),
    ]
    path = os.pathsep.join([*folders, os.environ["PATH"]])
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        env={**os.environ, **environment, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    with running_postgres() as running:
        yield running


def new_schema(postgres: Postgres) -> str:
    url = postgres.new_database()
    database = Database(url)
    upgrade(database)
    database.close()
    return url


def store_url(server: S3Server) -> str:
    return f"s3://videos/main?endpoint={server.endpoint}&access_key_env=ACCESS_KEY&secret_key_env=SECRET_KEY"


def test_all_is_lost_and_comes_back(
    tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = go_toolchain()
    backup = tmp_path / "backup"
    for name in ("first", "second", "s3-first", "s3-second"):
        (tmp_path / name).mkdir()
    with running_s3_server(build(go), tmp_path / "s3-first") as store:
        monkeypatch.setenv("ACCESS_KEY", store.access_key)
        monkeypatch.setenv("SECRET_KEY", store.secret_key)
        url = new_schema(postgres)
        environment = {"DATABASE_URL": url, "STORE_URL": store_url(store), "BACKUP": str(backup)}
        with served(
            tmp_path / "first", database_url=url, store_url=environment["STORE_URL"]
        ) as running:
            key, upload = running.key, running.api.upload(PNG)
            made, waiting = running.made(requestId="one"), running.create(requestId="two")
            uri = running.api.get(made).outputs.video.uri
            video = running.api.download(uri)
            done = shell(commands_under("Backup"), environment)
            assert done.returncode == 0, done.stderr
            assert re.search(r"copied \d+ objects", done.stdout)
            again = shell(commands_under("Backup"), environment)  # while all goes on
            assert "copied 0 objects" in again.stdout
        objects = len(list(open_store(environment["STORE_URL"]).list()))

    # Another database, another store; nothing is left of the first ones.
    with running_s3_server(build(go), tmp_path / "s3-second") as store:
        url = postgres.new_database()
        environment |= {"DATABASE_URL": url, "STORE_URL": store_url(store)}
        done = shell(commands_under("Restore"), environment)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"copied {objects} objects" in done.stdout
        assert "every upload and video is there" in done.stdout
        (tmp_path / "second/api_key").write_text(key)
        with served(
            tmp_path / "second", database_url=url, store_url=environment["STORE_URL"]
        ) as running:
            assert running.key == key  # keys are in the database
            assert running.api.download(uri) == video
            assert running.api.download(upload.uri) == PNG
            assert running.create(requestId="one") == made  # the same job, not another one
            running.work(waiting)
            assert running.api.get(waiting).state == video_pb2.VIDEO_STATE_SUCCEEDED

        # What is missing or spoilt would be found.
        objects_now = open_store(environment["STORE_URL"])
        objects_now.put(objects_now.key(upload.uri), bytes(len(PNG)))
        objects_now.delete(uri)
        check = commands_under("Restore").splitlines()[-1]
        found = shell(check, environment)
        assert found.returncode == 1
        assert f"gone: {uri} of" in found.stdout
        assert f"hash: {upload.uri} of" in found.stdout
