"""A cancelled prompt stops the model itself, whatever the back-end; all of them are real here."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from torch import nn

from omnireel.errors import Cancelled, Unavailable
from omnireel.mvl import parse
from services.common.settings import load_settings
from services.prompt_enhancer.engine import EnhancerEngine
from services.prompt_enhancer.settings import PromptEnhancerSettings
from tests.support.certificates import Authority, Pair
from tests.support.vision_language import save_vision_language_model

PROMPT = parse("a red ball jumps over a blue cube")


def engine_of(**settings: object) -> EnhancerEngine:
    return EnhancerEngine.load(
        load_settings(PromptEnhancerSettings, store_url="file:///s", **settings)
    )


class Passes:
    """Counts the passes through a network."""

    def __init__(self, network: nn.Module) -> None:
        self.count = 0
        network.register_forward_hook(self._note)

    def _note(self, *_: object) -> None:
        self.count += 1


def assert_stops(engine: EnhancerEngine, passes: Passes, after: int = 3) -> None:
    with pytest.raises(Cancelled, match="while the prompt was being rewritten"):
        engine.enhance(PROMPT, {}, cancelled=lambda: passes.count >= after)
    assert passes.count == after


def test_the_tiny_model_stops_within_a_draft() -> None:
    engine = engine_of()
    assert_stops(engine, Passes(engine._enhancer.model.language_model))  # type: ignore[attr-defined]


def test_a_transformers_model_stops_at_the_next_token(tmp_path: Path) -> None:
    save_vision_language_model(tmp_path)
    engine = engine_of(backend="transformers", path=str(tmp_path))
    model = engine._enhancer._model  # type: ignore[attr-defined]
    model.generation_config.eos_token_id = None  # a random model could end by itself
    assert_stops(engine, Passes(model))
    assert engine.info.device == str(model.device)


@dataclass
class Endpoint:
    """A server whose model never comes to an end."""

    url: str = ""
    asked: threading.Event = field(default_factory=threading.Event)
    hung_up: threading.Event = field(default_factory=threading.Event)


@contextmanager
def endpoint(certificate: Pair | None = None) -> Iterator[Endpoint]:
    state = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            state.asked.set()
            with suppress(OSError):
                self.connection.recv(1)  # until the client closes the connection
            state.hung_up.set()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.cert, certificate.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    state.url = f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}/v1"
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("tls", [False, True])
def test_a_remote_model_is_hung_up_on(
    tls: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
    with endpoint(authority.issue("server") if tls else None) as remote:
        engine = engine_of(backend="openai", url=remote.url, model="m", timeout_s=300)
        with pytest.raises(Cancelled, match="while the prompt was being rewritten"):
            engine.enhance(PROMPT, {}, cancelled=remote.asked.is_set)
        assert remote.hung_up.wait(60)


def test_a_remote_model_that_is_too_slow_is_hung_up_on() -> None:
    with endpoint() as remote:
        engine = engine_of(backend="openai", url=remote.url, model="m", timeout_s=0.3)
        with pytest.raises(Unavailable, match=r"did not answer in 0\.3 s"):
            engine.enhance(PROMPT, {}, cancelled=lambda: False)
        assert remote.hung_up.wait(60)
