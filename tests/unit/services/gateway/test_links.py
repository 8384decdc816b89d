from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from omnireel.errors import InvalidInput, NotFound
from services.gateway.links import Linked, Links
from services.gateway.signing_key import SigningKey, load_signing_key
from tests.support.jobs import Clock

KEY = SigningKey("s" * 32)
LINKED = Linked("tenant", "file:///objects/jobs/1/a.mp4")


def made(links: Links) -> str:
    return links.make(LINKED).removeprefix("http://gateway/links/")


def test_links_lead_back_until_they_expire() -> None:
    clock = Clock()
    links = Links(KEY, 100, clock)
    assert links.make(LINKED) == ""  # nobody serves it yet
    links.base_url = "http://gateway"
    token = made(links)
    clock.tick(100)
    assert links.read(token) == LINKED
    assert Links(KEY, 5, clock).read(token) == LINKED  # another replica
    clock.tick(61)
    with pytest.raises(NotFound):
        links.read(token)


def test_forged_links_lead_nowhere() -> None:
    links = Links(KEY, 100)
    links.base_url = "http://gateway"
    token = made(links)
    for place in range(len(token)):
        changed = "A" if token[place] != "A" else "B"
        forged = token[:place] + changed + token[place + 1 :]
        try:
            assert links.read(forged) == LINKED  # unused bits of the last character
            assert place == len(token) - 1
        except NotFound:
            pass
    for nonsense in ("", "x", "é", "=" * 9, "A" * 5000, token[:20]):
        with pytest.raises(NotFound):
            links.read(nonsense)
    with pytest.raises(NotFound):
        Links(SigningKey("t" * 32), 100).read(token)


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "signing_key"
    with ThreadPoolExecutor(8) as pool:
        keys = {key.derive("a") for key in pool.map(lambda _: load_signing_key(path), range(8))}
    assert len(keys) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["signing_key"]
    key = load_signing_key(path)
    assert key.derive("a") in keys and key.derive("a") != key.derive("b")
    assert key.derive("a", "b") != key.derive("ab")
    path.write_text("short")
    with pytest.raises(InvalidInput, match="openssl rand"):
        load_signing_key(path)
