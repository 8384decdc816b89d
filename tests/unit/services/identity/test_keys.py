from __future__ import annotations

from concurrent import futures
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from omnireel.errors import FailedPrecondition, InvalidInput, NotFound, PermissionDenied
from services.gateway.identity import OWNER, Principal, Scope
from services.gateway.identity.api_key import new_key, parse_key
from services.gateway.identity.first_key import FIRST, provide_first_key
from services.gateway.identity.key_store import USED_RESOLUTION_S, KeyStore, NewKey
from services.gateway.identity.principal import check_tenant, read_scopes
from tests.support.jobs import Clock

READER = NewKey("studio", "ci", frozenset({Scope.READ}))


def test_a_key_and_its_text() -> None:
    key = new_key()
    assert parse_key(key.text) == key and new_key() != key
    assert key.matches(key.secret_hash) and not new_key().matches(key.secret_hash)
    assert key.secret not in repr(key)
    for wrong in ("", "omr_", key.text[:-1], key.text + "x", key.text.replace("omr_", "OMR_")):
        assert parse_key(wrong) is None


def test_the_database_has_no_secret(keys: KeyStore, tmp_path: Path) -> None:
    key = keys.create(READER)
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())  # with the log beside it
    assert key.id.encode() in stored and key.secret_hash.encode() in stored
    assert key.secret.encode() not in stored


def test_what_is_kept(keys: KeyStore, clock: Clock) -> None:
    first = keys.create(READER)
    clock.tick(1)
    second = keys.create(NewKey("other", "x", frozenset(Scope), expires_at=clock.now + 5))
    assert [record.id for record in keys.list()] == [second.id, first.id]
    assert [record.id for record in keys.list("studio")] == [first.id]
    record = keys.find(second.id)
    assert record is not None and record.state(clock.now) == "active"
    assert record.state(clock.now + 5) == "expired"
    assert record.principal == Principal("other", f"key:{second.id}", frozenset(Scope))
    assert keys.find("nobody") is None


def test_rotation_overlaps_and_ends(keys: KeyStore, clock: Clock) -> None:
    old = keys.create(NewKey("studio", "ci", frozenset({Scope.READ}), clock.now + 1000))
    new = keys.rotate(old.id, overlap_s=60, expires_at=None)
    was, now = keys.find(old.id), keys.find(new.id)
    assert was is not None and was.expires_at == clock.now + 60
    assert now is not None and (now.tenant, now.name, now.scopes) == ("studio", "ci", was.scopes)
    assert now.expires_at is None
    clock.tick(60)
    with pytest.raises(FailedPrecondition, match="expired"):
        keys.rotate(old.id, 60, None)
    with pytest.raises(NotFound):
        keys.rotate("nobody", 60, None)


def test_rotation_never_prolongs_the_old_key(keys: KeyStore, clock: Clock) -> None:
    old = keys.create(NewKey("studio", "ci", frozenset({Scope.READ}), clock.now + 10))
    keys.rotate(old.id, overlap_s=60, expires_at=None)
    record = keys.find(old.id)
    assert record is not None and record.expires_at == clock.now + 10


def test_revoked_stays_revoked(keys: KeyStore, clock: Clock) -> None:
    key = keys.create(READER)
    keys.revoke(key.id)
    at = clock.now
    clock.tick(5)
    keys.revoke(key.id)
    record = keys.find(key.id)
    assert record is not None and record.revoked_at == at
    assert record.state(clock.now) == "revoked"
    with pytest.raises(NotFound):
        keys.revoke("nobody")


def test_use_is_written_coarsely(keys: KeyStore, clock: Clock) -> None:
    key = keys.create(READER)
    begun = clock.now
    for seconds, expected in (
        (0, begun),
        (USED_RESOLUTION_S - 1, begun),
        (1, begun + USED_RESOLUTION_S),
    ):
        clock.tick(seconds)
        record = keys.find(key.id)
        assert record is not None
        keys.used(record)
        after = keys.find(key.id)
        assert after is not None and after.used_at == expected


def test_the_first_key_is_shown_once(keys: KeyStore, capsys: pytest.CaptureFixture[str]) -> None:
    provide_first_key(keys, None)
    provide_first_key(keys, None)
    shown = capsys.readouterr().err
    assert shown.count("omr_") == 1
    (record,) = keys.list()
    assert record.principal.admin and record.id in shown


def test_no_first_key_is_made_where_standard_error_is_a_log(
    keys: KeyStore, capsys: pytest.CaptureFixture[str]
) -> None:
    with capture_logs() as lines:
        provide_first_key(keys, None, "none")
        assert not keys.list()
        keys.create(FIRST)
        provide_first_key(keys, None, "none")
    (line,) = lines
    assert line["remedy"].startswith("omnireel keys create ")
    said = capsys.readouterr()
    assert "omr_" not in f"{said.out}{said.err}{lines}"


def test_the_first_key_of_one_machine_is_a_private_file(keys: KeyStore, tmp_path: Path) -> None:
    file = tmp_path / "home" / "api_key"
    provide_first_key(keys, file)
    assert file.stat().st_mode & 0o777 == 0o600
    written = file.read_text()
    provide_first_key(keys, file)
    assert file.read_text() == written and len(keys.list()) == 1
    file.unlink()
    provide_first_key(keys, file)
    assert file.read_text() != written and len(keys.list()) == 2


def test_gateways_that_start_at_once_make_one_first_key(keys: KeyStore) -> None:
    with futures.ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: keys.create_first(FIRST), range(4)))
    assert sum(key is not None for key in made) == 1


def test_scopes() -> None:
    reader = Principal("studio", "key:1", frozenset({Scope.READ}))
    reader.require(Scope.READ)
    with pytest.raises(PermissionDenied, match="videos:write"):
        reader.require(Scope.WRITE)
    for scope in Scope:
        OWNER.require(scope)
        Principal("studio", "key:1", frozenset({Scope.ADMIN})).require(scope)
    assert read_scopes(["admin", "videos:read"]) == {Scope.ADMIN, Scope.READ}
    for wrong in ([], ["everything"]):
        with pytest.raises(InvalidInput, match="videos:read"):
            read_scopes(wrong)


@pytest.mark.parametrize("name", ["", "-a", "A", "a/b", "a b", "x" * 64])
def test_tenant_names(name: str) -> None:
    assert check_tenant("studio-7.b_c") == "studio-7.b_c"
    with pytest.raises(InvalidInput):
        check_tenant(name)
