"""The services accept what the chart tells them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic_settings import BaseSettings

from services.common.settings import load_settings
from services.common.storage.policy import StorageSettings
from services.gateway.http.settings import HttpSettings
from services.gateway.settings import GatewaySettings
from services.gateway.webhooks.settings import WebhookSettings
from services.generator.settings import GeneratorSettings
from services.prompt_enhancer.settings import PromptEnhancerSettings
from services.super_resolver.settings import SuperResolverSettings
from services.worker.settings import WorkerSettings
from tests.support.charts import PRODUCTION, Object, render

MUTUAL = {"tls": {"services": {"mode": "secret", "secret": "mtls"}}}
SETTINGS: dict[str, tuple[type[BaseSettings], ...]] = {
    "gateway": (GatewaySettings, HttpSettings, WebhookSettings, StorageSettings),
    "worker": (WorkerSettings, StorageSettings),
    "prompt-enhancer": (PromptEnhancerSettings,),
    "generator": (GeneratorSettings,),
    "super-resolver": (SuperResolverSettings,),
}


class Loader:
    """Reads a rendered ConfigMap as the service would, with its secret files in ``folder``."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._patch = monkeypatch
        (folder / "url").write_text("postgresql+psycopg://user@host/jobs\n")

    def load(self, component: str, *values: Object) -> list[Any]:
        config = render(PRODUCTION, *values).one("ConfigMap", f"r-omnireel-{component}")["data"]
        for name, value in config.items():
            if name.endswith(("_DATABASE_URL", "_BROKER_URL")):
                assert value.startswith("file:/run/secrets/omnireel/")
                value = f"file:{self._folder / 'url'}"
            self._patch.setenv(name, value)
        found = [load_settings(kind) for kind in SETTINGS[component]]
        known = {
            str(kind.model_config["env_prefix"]) + field.upper()
            for kind in SETTINGS[component]
            for field in kind.model_fields
        }
        assert config.keys() <= known  # what a service does not know, it ignores
        return found


@pytest.fixture
def loader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loader:
    return Loader(tmp_path, monkeypatch)


@pytest.mark.parametrize("component", sorted(SETTINGS))
@pytest.mark.parametrize("values", [{}, MUTUAL], ids=["plain", "mutual-tls"])
def test_each_service_takes_its_settings(loader: Loader, component: str, values: Object) -> None:
    loader.load(component, values)


def test_the_gateway_hears_what_the_values_say(loader: Loader) -> None:
    gateway, http, webhooks, storage = loader.load(
        "gateway",
        {
            "gateway": {
                "settings": {"max_queued_jobs": 500, "max_upload_bytes": 268435456},
                "http": {"cors_origins": ["https://app.example.com"], "redirect_downloads": False},
                "webhooks": {"first_delay_s": 2.5},
                "signingKey": {"existingSecret": "signing"},
                "graceSeconds": 7,
            },
            "storage": {"result_ttl_s": 86400},
        },
    )
    assert (gateway.max_queued_jobs, gateway.max_upload_bytes) == (500, 268435456)
    assert (gateway.listen, gateway.auth, gateway.grace_s) == ("0.0.0.0:7070", "on", 7)
    assert gateway.first_key == "none"  # a pod's standard error is kept by whoever keeps its log
    assert gateway.signing_key_file == Path("/run/secrets/omnireel/signing/key")
    assert gateway.generator == "r-omnireel-generator.ns.svc:7070"
    assert http.cors_origins == ["https://app.example.com"]
    assert http.redirect_downloads is False
    assert (webhooks.enabled, webhooks.first_delay_s) == (True, 2.5)
    assert storage.result_ttl_s == 86400


def test_webhooks_are_off_where_nothing_signs_them(loader: Loader) -> None:
    assert loader.load("gateway")[2].enabled is False


def test_the_public_name_is_that_of_the_route(loader: Loader) -> None:
    routes = {"enabled": True, "host": "video.example.com", "grpcHost": "grpc.example.com"}
    http = loader.load("gateway", {"routes": {"ingress": routes}})[1]
    assert http.public_url == "https://video.example.com"
    assert http.hosts == ["video.example.com"]


def test_the_worker_hears_what_the_values_say(loader: Loader) -> None:
    worker, _ = loader.load(
        "worker",
        {
            "worker": {
                "slots": 3,
                "graceSeconds": 900,
                "handoverSeconds": 20,
                "settings": {"lease_s": 30},
                "c2pa": {"existingSecret": "c2pa"},
            }
        },
    )
    assert (worker.slots, worker.grace_s, worker.handover_s, worker.lease_s) == (3, 900, 20, 30)
    assert worker.safety == "https://safety.example.com/check"
    assert worker.c2pa_key == "file:/run/secrets/omnireel/c2pa/key.pem"


def test_models_ask_their_callers_for_certificates(loader: Loader) -> None:
    (generator,) = loader.load("generator", MUTUAL, {"generator": {"settings": {"device": "cuda"}}})
    assert generator.device == "cuda"
    assert generator.tls_client_ca == Path("/run/tls/services/ca.crt")
    worker, _ = loader.load("worker", MUTUAL)
    assert worker.models_ca == generator.tls_client_ca


def test_a_gateway_with_a_certificate_speaks_tls(loader: Loader) -> None:
    gateway = loader.load("gateway", {"tls": {"gateway": {"mode": "secret", "secret": "public"}}})[
        0
    ]
    assert gateway.tls_cert == Path("/run/tls/gateway/tls.crt")
    assert loader.load("worker")[0].log_format == "json"
