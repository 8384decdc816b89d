from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner, Result

from omnireel.cli.main import app
from services.common.jobs import open_jobs
from tests.support.jobs import add_job


def run(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["tenants", *arguments])
    assert result.exit_code == code, result.output
    return result


def test_shares_and_limits(tmp_path: Path) -> None:
    where = ("--home", str(tmp_path))
    assert "omnireel up" in run("list", *where, code=1).output
    store = open_jobs(f"sqlite:///{tmp_path / 'jobs.db'}")
    add_job(store, "studio", video_seconds=2.5)
    run("set", "*", "--max-queued", "9", *where)
    shown = run("set", "studio", "--weight", "2", "--max-seconds", "60", *where).output
    lines = [line.split() for line in shown.splitlines()]
    assert lines[2][:6] == ["studio", "2", "0", "1", "of", "9"]
    assert lines[1][:6] == ["*", "1", "0", "0", "of", "9"]
    run("set", "studio", "--max-queued", "none", *where)
    policy = {tenant.name: tenant.policy for tenant in store.list_tenants()}["studio"]
    assert (policy.weight, policy.max_queued, policy.max_seconds_per_day) == (2.0, None, 60.0)
    store.close()


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    open_jobs(f"sqlite:///{tmp_path / 'jobs.db'}").close()
    where = ("--home", str(tmp_path))
    assert "name something" in run("set", "a", *where, code=2).output
    assert "--max-queued" in run("set", "a", "--max-queued", "few", *where, code=2).output
    assert "weight" in run("set", "a", "--weight", "0", *where, code=2).output
    assert "TENANT" in run("set", "", "--weight", "1", *where, code=2).output
