from __future__ import annotations

import pytest

from omnireel.errors import InvalidInput
from services.common.settings import load_settings
from services.worker.settings import WorkerSettings

NEEDED = {
    "database_url": "sqlite:///x",
    "store_url": "file:///x",
    "broker_url": "files:///x",
    "prompt_enhancer": "127.0.0.1:1",
    "generator": "127.0.0.1:2",
    "super_resolver": "127.0.0.1:3",
    "safety": "off",
}


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNIREEL_WORKER_GENERATOR", "127.0.0.1:2")
    with pytest.raises(InvalidInput) as caught:
        load_settings(WorkerSettings)
    assert "OMNIREEL_WORKER_DATABASE_URL" in caught.value.message
    assert "OMNIREEL_WORKER_GENERATOR" not in caught.value.message


def test_the_safety_policy_has_no_default() -> None:
    with pytest.raises(InvalidInput, match="OMNIREEL_WORKER_SAFETY"):
        load_settings(WorkerSettings, **{k: v for k, v in NEEDED.items() if k != "safety"})


def test_a_signing_key_needs_its_chain() -> None:
    with pytest.raises(InvalidInput, match="belong together"):
        load_settings(WorkerSettings, **NEEDED, c2pa_key="file:/key.pem")


def test_lease_must_outlive_missed_heartbeats() -> None:
    with pytest.raises(InvalidInput, match="at least 3 times"):
        load_settings(WorkerSettings, **NEEDED, lease_s=2.0, heartbeat_s=1.0)
    assert load_settings(WorkerSettings, **NEEDED, lease_s=3.0, heartbeat_s=1.0).slots == 1
