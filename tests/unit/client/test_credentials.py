from __future__ import annotations

import json
from pathlib import Path

import pytest

from omnireel.client import AsyncOmnireelClient, OmnireelClient
from omnireel.client.credentials import api_key_for, check_privacy
from omnireel.errors import InvalidInput
from tests.support.gateway import FakeGateway

GATEWAY = "127.0.0.1:7070"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "stack.json").write_text(json.dumps({"gateway": GATEWAY}))
    (tmp_path / "api_key").write_text("omr_local\n")
    monkeypatch.setenv("OMNIREEL_HOME", str(tmp_path))
    monkeypatch.delenv("OMNIREEL_API_KEY", raising=False)
    return tmp_path


def test_the_local_key_goes_to_the_local_stack_only(home: Path) -> None:
    assert api_key_for(GATEWAY) == "omr_local"
    assert api_key_for("127.0.0.1:7071") == ""
    assert api_key_for("example.org:7070") == ""
    (home / "stack.json").write_text("{")
    assert api_key_for(GATEWAY) == ""


def test_what_is_given_comes_first(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNIREEL_API_KEY", "omr_environment")
    assert api_key_for(GATEWAY) == "omr_environment"
    assert api_key_for(GATEWAY, "omr_given") == "omr_given"
    assert api_key_for(GATEWAY, f"file:{home / 'api_key'}") == "omr_local"
    assert api_key_for(GATEWAY, "env:OMNIREEL_API_KEY") == "omr_environment"


def test_a_key_that_cannot_be_sent_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert api_key_for(GATEWAY, "omr_given\r\n") == "omr_given"
    for wrong in ("omr_\nx", "omr_schlüssel", "omr\x00"):
        with pytest.raises(InvalidInput, match="one line of ASCII") as caught:
            api_key_for(GATEWAY, wrong)
        assert caught.value.violations[0].field == "api_key"
        assert wrong not in caught.value.message
    monkeypatch.setenv("OMNIREEL_API_KEY", "a\rb")
    with pytest.raises(InvalidInput) as caught:
        api_key_for(GATEWAY)
    assert caught.value.violations[0].field == "OMNIREEL_API_KEY"


def test_no_key_crosses_a_network_in_the_clear(home: Path) -> None:
    with pytest.raises(InvalidInput, match="in the clear"):
        OmnireelClient("example.org:7070", api_key="omr_x")
    check_privacy("example.org:7070", encrypted=True, plaintext=False)
    check_privacy("example.org:7070", encrypted=False, plaintext=True)
    check_privacy(GATEWAY, encrypted=False, plaintext=False)
    OmnireelClient("example.org:7070").close()  # without a key there is nothing to lose


def test_every_call_carries_the_key(home: Path) -> None:
    with FakeGateway() as gateway, OmnireelClient(gateway.address, api_key="omr_x") as client:
        client.generate("a red ball", images={}, out=home / "ball.mp4")
        assert set(gateway.seen.authorization) == {"Bearer omr_x"}


async def _generate(address: str, out: Path) -> None:
    async with AsyncOmnireelClient(address, api_key="omr_x") as client:
        await client.generate("a red ball", out=out)


def test_also_in_asyncio(home: Path) -> None:
    import asyncio

    with FakeGateway() as gateway:
        asyncio.run(_generate(gateway.address, home / "ball.mp4"))
        assert len(gateway.seen.authorization) >= 4
        assert set(gateway.seen.authorization) == {"Bearer omr_x"}
