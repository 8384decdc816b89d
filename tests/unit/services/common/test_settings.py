from __future__ import annotations

import pytest
from pydantic_settings import SettingsConfigDict

from omnireel.addresses import is_loopback
from omnireel.errors import InvalidInput
from services.common.settings import ServiceSettings, load_settings
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


def test_a_secret_may_be_named(monkeypatch, tmp_path):
    (tmp_path / "url").write_text("file:///objects\n")
    reference = f"file:{tmp_path / 'url'}"
    assert load_settings(GeneratorSettings, store_url=reference).store_url == "file:///objects"
    monkeypatch.setenv("OMNIREEL_GENERATOR_STORE_URL", "env:NOT_THERE")
    with pytest.raises(InvalidInput, match=r"OMNIREEL_GENERATOR_STORE_URL.*NOT_THERE"):
        load_settings(GeneratorSettings)


def test_no_secret_in_a_complaint_or_a_dump():
    with pytest.raises(InvalidInput) as caught:
        load_settings(
            GeneratorSettings, store_url="s3://me:hunter2@host", grace_s="redis://a:hunter3@b"
        )
    assert "hunter" not in str(caught.value) + repr(caught.value.violations)
    assert "hunter" not in repr(GeneratorSettings(store_url="s3://me:hunter2@host"))


def test_half_of_a_certificate(tmp_path):
    for fields in ({"tls_cert": tmp_path}, {"tls_key": tmp_path}, {"tls_client_ca": tmp_path}):
        with pytest.raises(InvalidInput, match="tls_cert"):
            load_settings(Settings, **fields)


def test_mutual_tls_opens_a_service(tmp_path):
    mutual = dict.fromkeys(("tls_cert", "tls_key", "tls_client_ca"), tmp_path)
    assert load_settings(Settings, listen="0.0.0.0:1", **mutual).listen == "0.0.0.0:1"
    del mutual["tls_client_ca"]
    with pytest.raises(InvalidInput, match="allow_remote"):
        load_settings(Settings, listen="0.0.0.0:1", **mutual)


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
