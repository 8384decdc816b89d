"""The OpenAI-compatible back-end against a small server on a real port."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from PIL import Image

from omnireel.enhancer import Enhancer, EnhancerSpec, StructuredPrompt, open_enhancer
from omnireel.errors import FailedPrecondition, OmnireelError, ResourceExhausted, Unavailable
from omnireel.mvl import Input, parse
from omnireel.types import Clip, MediaKind, Role

ANSWER = StructuredPrompt(("red cat",), "A cat.", "", "The red cat of @Clip jumps.")
PROMPT = parse("make @Clip jump", [Input("Clip", MediaKind.VIDEO, Role.SOURCE)])


@dataclass
class Endpoint:
    """What the server answers, and what it was asked."""

    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content: str = ANSWER.to_json()
    delay_s: float = 0.0
    blanks: bool = False
    """Send nothing but blanks, for as long as somebody listens."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    authorization: str = ""
    path: str = ""


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    state = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.asked.append(json.loads(body))
            state.authorization, state.path = self.headers.get("Authorization", ""), self.path
            time.sleep(state.delay_s)
            answer = {"choices": [{"message": {"role": "assistant", "content": state.content}}]}
            data = json.dumps(answer).encode()
            try:
                self.send_response(state.status)
                for name, value in state.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                while state.blanks:
                    self.wfile.write(b" ")
                    time.sleep(0.02)
                self.wfile.write(data)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the client gave up, as one test wants

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


def _open(endpoint: Endpoint, **more: Any) -> Enhancer:
    return open_enhancer(EnhancerSpec(kind="openai", url=endpoint.url, model="vlm-1", **more))


def test_pictures_and_key_are_sent_and_the_answer_used(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMNIREEL_TEST_KEY", "sesame")
    frames = np.zeros((5, 8, 8, 3), np.uint8)
    frames[4] = (255, 0, 0)
    enhancer = _open(endpoint, api_key_env="OMNIREEL_TEST_KEY")
    result = enhancer.enhance(PROMPT, {"Clip": (Clip(frames),)})
    assert result.prompt.text == ANSWER.description
    assert result.structured == ANSWER
    assert result.fallback_reason == ""
    assert (endpoint.path, endpoint.authorization) == ("/v1/chat/completions", "Bearer sesame")
    [body] = endpoint.asked
    assert body["model"] == "vlm-1"
    parts = body["messages"][1]["content"]
    urls = [p["image_url"]["url"] for p in parts if p["type"] == "image_url"]
    assert len(urls) == 3  # first, middle and last frame
    last = Image.open(io.BytesIO(base64.b64decode(urls[-1].removeprefix("data:image/png;base64,"))))
    assert last.getpixel((0, 0)) == (255, 0, 0)
    assert parts[0]["text"] == "@Clip is the video to edit:"
    assert parts[-1]["text"] == "Request: make @Clip jump"


def test_an_answer_without_json_falls_back(endpoint: Endpoint) -> None:
    endpoint.content = "I would rather not."
    result = _open(endpoint).enhance(PROMPT, {})
    assert result.prompt == PROMPT
    assert "no JSON object" in result.fallback_reason
    assert endpoint.authorization == ""


@pytest.mark.parametrize(
    ("status", "headers", "error"),
    [
        (503, {}, Unavailable),
        (429, {"Retry-After": "7"}, ResourceExhausted),
        (401, {}, FailedPrecondition),
        (404, {}, FailedPrecondition),
        (302, {"Location": "http://127.0.0.1:9/other"}, FailedPrecondition),
    ],
)
def test_refusals_become_errors(
    endpoint: Endpoint, status: int, headers: dict[str, str], error: type[OmnireelError]
) -> None:
    endpoint.status, endpoint.headers = status, headers
    with pytest.raises(error, match=str(status)) as caught:
        _open(endpoint).enhance(PROMPT, {})
    if isinstance(caught.value, ResourceExhausted):
        assert caught.value.retry_after_s == 7.0


def test_a_slow_endpoint_is_unavailable(endpoint: Endpoint) -> None:
    endpoint.delay_s = 0.5
    with pytest.raises(Unavailable, match=r"did not answer in 0\.1 s"):
        _open(endpoint, timeout_s=0.1).enhance(PROMPT, {})


def test_blanks_sent_while_a_model_writes_are_no_answer(endpoint: Endpoint) -> None:
    endpoint.blanks = True
    with pytest.raises(Unavailable, match=r"did not answer in 0\.3 s"):
        _open(endpoint, timeout_s=0.3).enhance(PROMPT, {})


def test_nobody_listening_is_unavailable(endpoint: Endpoint) -> None:
    endpoint.url = "http://127.0.0.1:9/v1"
    with pytest.raises(Unavailable, match="cannot be reached"):
        _open(endpoint).enhance(PROMPT, {})
