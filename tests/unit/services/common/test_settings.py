from __future__ import annotations

import pytest
from pydantic_settings import SettingsConfigDict

from omnireel.errors import InvalidInput
from services.common.settings import ServiceSettings, is_loopback, load_settings
from services.generator.settings import GeneratorSettings


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="OMNIREEL_TRIAL_", extra="ignore", frozen=True)


def test_values_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("OMNIREEL_TRIAL_GRACE_S", "3")
    monkeypatch.setenv("OMNIREEL_TRIAL_LISTEN", "[::1]:7")
    settings = load_settings(Settings)
    assert (settings.grace_s, settings.listen) == (3.0, "[::1]:7")
    assert load_settings(Settings, listen="127.0.0.1:8").listen == "127.0.0.1:8"


def test_wrong_values_are_one_line_that_names_the_variables(monkeypatch):
    monkeypatch.setenv("OMNIREEL_TRIAL_GRACE_S", "soon")
    monkeypatch.setenv("OMNIREEL_TRIAL_LISTEN", "50051")
    with pytest.raises(InvalidInput) as caught:
        load_settings(Settings)
    message = caught.value.message
    assert "\n" not in message
    assert "OMNIREEL_TRIAL_GRACE_S" in message
    assert "OMNIREEL_TRIAL_LISTEN: must be host:port" in message
    assert "'50051'" in message


def test_a_missing_value_is_named():
    with pytest.raises(InvalidInput, match="OMNIREEL_GENERATOR_STORE_URL"):
        load_settings(GeneratorSettings)


def test_only_loopback_unless_said_otherwise(monkeypatch):
    monkeypatch.setenv("OMNIREEL_TRIAL_LISTEN", "0.0.0.0:50051")
    with pytest.raises(InvalidInput, match=r"^OMNIREEL_TRIAL: listen is 0\.0\.0\.0.*allow_remote"):
        load_settings(Settings)
    monkeypatch.setenv("OMNIREEL_TRIAL_ALLOW_REMOTE", "true")
    assert load_settings(Settings).listen == "0.0.0.0:50051"


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1:1", True),
        ("127.9.9.9:1", True),
        ("[::1]:1", True),
        ("localhost:1", True),
        ("[::]:1", False),
        ("10.0.0.1:1", False),
        ("example.org:1", False),
    ],
)
def test_loopback(address, loopback):
    assert is_loopback(address) is loopback
