from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs
from typer.testing import CliRunner

from omnireel.cli.main import app
from services.common.audit import NOBODY, AuditEntry, AuditLog
from services.common.audit import log as audit_module
from services.common.jobs.database import Database
from services.common.jobs.migrate import open_database
from services.gateway.identity.trail import Trail
from tests.support.jobs import Clock

DAY_S = 86_400.0


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path / 'jobs.db'}")
    yield opened
    opened.close()


def entry(n: int, **more: object) -> AuditEntry:
    fields: dict[str, object] = {
        "time": 1000.0 + n,
        "tenant": "studio",
        "subject": "key:1",
        "action": "VideoService/CreateVideo",
        "resource": f"videos/{n}",
    }
    return AuditEntry(**{**fields, **more})  # type: ignore[arg-type]


def test_what_is_added_is_read(database: Database) -> None:
    log = AuditLog(database)
    log.start()
    with capture_logs() as stream:
        for n in range(5):
            log.add(entry(n))
    log.stop()
    assert log.read() == [entry(n) for n in range(5)]
    assert [line["resource"] for line in stream] == [f"videos/{n}" for n in range(5)]
    assert log.read(limit=2) == [entry(3), entry(4)]
    assert log.read(since=1004.0) == [entry(4)]


def test_filters(database: Database) -> None:
    log = AuditLog(database)
    lines = [entry(0), entry(1, tenant="other"), entry(2, subject="oidc:a"), entry(3, action="x_y")]
    log.write(*lines)
    assert log.read(tenant="other") == [lines[1]]
    assert log.read(subject="oidc:a") == [lines[2]]
    assert log.read(action="CreateVideo") == lines[:3]
    assert log.read(action="x_") == [lines[3]] and log.read(action="V_deo") == []


def test_long_words_are_cut_not_refused(database: Database) -> None:
    log = AuditLog(database)
    log.write(entry(0, resource="r" * 5000, subject="s" * 500, request_id="i" * 500))
    (line,) = log.read()
    assert (len(line.resource), len(line.subject), len(line.request_id)) == (512, 128, 128)


def test_a_flood_is_counted(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_module, "MAX_WAITING", 3)
    log = AuditLog(database)
    for n in range(10):
        log.add(entry(n, tenant=NOBODY, subject=NOBODY))
    log.stop()
    lacking, *kept = log.read()
    assert lacking.action == "audit.left_out" and lacking.resource.startswith("7 lines")
    assert [line.resource for line in kept] == ["videos/0", "videos/1", "videos/2"]


def test_lines_wait_for_a_database_that_is_away(database: Database) -> None:
    log = AuditLog(database)
    with database.write() as connection:
        connection.execute(text("ALTER TABLE audit_log RENAME TO elsewhere"))
    log.add(entry(0))
    with pytest.raises(Exception, match="audit_log"):
        log.stop()
    with database.write() as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO audit_log"))
    log.stop()
    assert log.read() == [entry(0)]


def test_old_lines_go(database: Database) -> None:
    clock = Clock(now=1000.0 + 30 * DAY_S)
    log = AuditLog(database, keep_days=30, clock=clock)
    log.write(entry(-1), entry(1))
    assert log.prune() == 1
    assert log.read() == [entry(1)]


def test_command(tmp_path: Path, database: Database) -> None:
    def run(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, [*arguments, "--home", str(tmp_path)])
        assert result.exit_code == code, result.output
        return result.output

    assert "nothing was done" in run("audit")
    key_id = run("keys", "create", "ci", "--tenant", "studio").split("_")[1]
    run("keys", "rotate", key_id)
    run("keys", "revoke", key_id)
    run("tenants", "set", "studio", "--weight", "2")
    lines = [json.loads(line) for line in run("audit", "--json").splitlines()]
    assert [line["action"] for line in lines] == [
        "keys.create",
        "keys.rotate",
        "keys.revoke",
        "tenants.set",
    ]
    assert all(line["tenant"] == "studio" for line in lines)
    assert lines[0]["resource"] == key_id and lines[3]["resource"] == "weight=2.0"
    assert all(line["subject"].startswith("cli:") for line in lines)
    shown = run("audit", "--action", "tenants")
    assert "studio" in shown and "weight=2.0  OK" in shown
    assert "tenants.set" in shown and "keys" not in shown
    assert "30m" in run("audit", "--since", "soon", code=2)


def test_a_name_cannot_forge_a_line(tmp_path: Path, database: Database) -> None:
    forged = "videos/\x1b[31mred\n2026-01-01 00:00:00  studio  key:1  VideoService/CreateVideo"
    log = AuditLog(database)
    log.write(entry(0, time=time.time(), resource=forged))
    trail = Trail(log, "VideoService/CancelVideo", "127.0.0.1:1")
    trail.resource = "videos/\r\u202e\u0085é\udc80"
    with capture_logs() as stream:
        trail.close("NOT_FOUND")
    log.stop()
    assert stream[0]["resource"] == r"videos/\r\u202e\x85é\udc80"
    shown = CliRunner().invoke(app, ["audit", "--home", str(tmp_path)]).output
    assert len(shown.splitlines()) == 2 and r"videos/\x1b[31mred\n2026" in shown
    assert stream[0]["resource"] in shown


def test_a_command_of_a_user_without_a_name(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container, whose user id is in no file."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda number: {}[number])
    home = ["--home", str(tmp_path)]
    assert CliRunner().invoke(app, ["keys", "create", "ci", *home]).exit_code == 0
    shown = CliRunner().invoke(app, ["audit", "--json", *home]).output
    assert json.loads(shown)["subject"] == f"cli:{os.getuid()}"
