from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from omnireel.cli.main import app
from services.common.jobs.migrate import open_database
from services.gateway.identity import Authenticator, Scope
from services.gateway.identity.key_store import KeyStore


@pytest.fixture
def home(tmp_path: Path) -> Path:
    open_database(f"sqlite:///{tmp_path / 'jobs.db'}").close()
    return tmp_path


def run(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["keys", *arguments])
    assert result.exit_code == code, result.output
    return result


def test_from_create_to_revoke(home: Path) -> None:
    where = ("--home", str(home))
    text = run("create", "ci", "--tenant", "studio", *where).output.strip()
    database = open_database(f"sqlite:///{home / 'jobs.db'}")
    authenticator = Authenticator(KeyStore(database))
    principal = authenticator.authenticate({"authorization": f"Bearer {text}"})
    assert (principal.tenant, principal.scopes) == ("studio", {Scope.READ, Scope.WRITE})
    database.close()
    key_id = text.split("_")[1]
    successor = run("rotate", key_id, *where).output.strip()
    run("revoke", key_id, *where)
    listed = run("list", *where).output
    assert key_id in listed and "videos:read videos:write" in listed
    assert "revoked" in listed and "active" in listed and "studio" in listed
    assert text.split("_", 2)[2] not in listed and successor.split("_", 2)[2] not in listed
    assert "no keys" in run("list", "--tenant", "nobody", *where).output


def test_any_name_is_listed_as_it_is(home: Path) -> None:
    where = ("--home", str(home))
    names = ["ci [/prod]", "x[red]", "a :smile: [link]"]
    for name in names:
        run("create", name, *where)
    listed = run("list", *where).output
    assert len(listed.splitlines()) == 4 and all(name in listed for name in names)
    assert "one line" in run("create", "a\nb", *where, code=2).output


def test_mistakes_are_one_line(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = ("--home", str(home))
    assert "no scope" in run("create", "a", "--scope", "all", *where, code=2).output
    assert "tenant" in run("create", "a", "--tenant", "A B", *where, code=2).output
    assert "--days" in run("create", "a", "--days", "-1", *where, code=2).output
    assert "no key" in run("revoke", "nobody", *where, code=1).output
    assert "omnireel up" in run("list", "--home", str(home / "none"), code=1).output
    url = f"sqlite:///{home / 'jobs.db'}"
    refused = run("list", "--database", url, code=2).output
    assert "by reference" in refused and url not in refused
    monkeypatch.setenv("DB", url)
    assert "no keys" in run("list", "--database", "env:DB").output
    monkeypatch.setenv("OMNIREEL_GATEWAY_DATABASE_URL", "env:DB")
    assert "no keys" in run("list").output
