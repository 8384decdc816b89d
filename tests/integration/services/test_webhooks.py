"""Webhooks from a real gateway to a real receiver, verified by the real ``openai`` package."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import openai
import pytest

from services.common.jobs import JobState
from services.common.jobs.webhooks import any_due
from services.gateway.webhooks.settings import WebhookSettings
from tests.support.served import Served, served

Received = tuple[dict[str, str], bytes]


class Receiver:
    """Takes messages; answers with what ``answers`` holds, then with 200."""

    def __init__(self, port_of: ThreadingHTTPServer) -> None:
        self.url = f"http://127.0.0.1:{port_of.server_port}/hook?a=b"
        self.port = port_of.server_port
        self.received: queue.Queue[Received] = queue.Queue()
        self.answers: queue.Queue[int] = queue.Queue()


@contextmanager
def receiving() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.received.put((dict(self.headers), body))
            code = 200 if receiver.answers.empty() else receiver.answers.get()
            self.send_response(code)
            if code == 302:
                self.send_header("Location", receiver.url)
            self.end_headers()

        def log_message(self, *_args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver = Receiver(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield receiver
        server.shutdown()


def allowing(receiver: Receiver) -> WebhookSettings:
    return WebhookSettings(
        allow_http=True,
        ports=[receiver.port],
        allow_networks=["127.0.0.0/8"],
        first_delay_s=0.01,
        poll_s=0.01,
        max_attempts=3,
    )


def verified(s: Served, received: Received) -> Any:
    """The event, if its signature is right for the local tenant."""
    secret = s.http.get("/api/v1/webhook_secret").json()["secret"]
    headers, body = received
    with openai.OpenAI(api_key="x", webhook_secret=secret) as client:
        return client.webhooks.unwrap(body, headers)


def test_the_end_of_a_job_is_told_and_told_again_until_it_is_heard(tmp_path: Path) -> None:
    key = tmp_path / "signing_key"
    with (
        receiving() as receiver,
        served(tmp_path, None, allowing(receiver), signing_key_file=key) as s,
    ):
        for code in (500, 302):
            receiver.answers.put(code)
        job_id = s.create(webhook_url=receiver.url)
        assert receiver.received.empty()
        s.work(job_id)
        attempts = [receiver.received.get(timeout=60) for _ in range(3)]
        events = [verified(s, attempt) for attempt in attempts]
        assert [event.type for event in events] == ["video.completed"] * 3
        assert {event.id for event in events} == {attempts[0][0]["Webhook-Id"]}
        assert events[0].data.id == job_id
        cancelled = s.http.post(
            "/v1/videos", json={"prompt": "a", "webhook_url": receiver.url}
        ).json()["id"]
        s.http.post(f"/api/v1/videos/{cancelled}/cancel")
        headers, body = receiver.received.get(timeout=60)
        event = verified(s, (headers, body))
        assert (event.type, event.data.id) == ("video.failed", cancelled)
        assert event.data.state == "VIDEO_STATE_CANCELLED"
        with pytest.raises(openai.InvalidWebhookSignatureError):
            verified(s, (headers, body.replace(b"failed", b"faked!")))


def test_messages_outlive_the_gateway(tmp_path: Path) -> None:
    key = tmp_path / "signing_key"
    with receiving() as receiver:
        with served(tmp_path, None, allowing(receiver), signing_key_file=key) as s:
            job_id = s.create(webhook_url=receiver.url)
            s.server._application.webhooks.stop()  # as if it were killed now
            s.work(job_id)
            assert s.jobs.get(job_id).state is JobState.SUCCEEDED
            with s.jobs.database.read() as connection:
                assert any_due(connection, 9e9)
            assert receiver.received.empty()
        again = tmp_path / "again"
        again.mkdir()
        database = f"sqlite:///{tmp_path / 'gateway.db'}"
        with served(
            again, None, allowing(receiver), signing_key_file=key, database_url=database
        ) as s:
            event = verified(s, receiver.received.get(timeout=60))
            assert event.data.id == job_id


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://169.254.169.254/latest",
        "https://[::1]/",
        "https://example.com:8443/",
        "https://user:secret@example.com/",
        "ftp://example.com/",
        "nonsense",
    ],
)
def test_nobody_can_be_called_who_should_not_be(safe: Served, url: str) -> None:
    answer = safe.http.post("/api/v1/videos", json={"prompt": {"text": "a"}, "webhook_url": url})
    assert answer.status_code == 400
    assert "webhook_url" in answer.json()["message"] and "secret" not in answer.text


def test_without_a_key_there_are_none(tmp_path: Path) -> None:
    with served(tmp_path) as s:
        body = {"prompt": {"text": "a"}, "webhook_url": "https://example.com/"}
        assert "webhooks are disabled" in s.http.post("/api/v1/videos", json=body).text
        assert s.http.get("/api/v1/webhook_secret").status_code == 400


@pytest.fixture(scope="module")
def safe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("safe")
    with served(folder, signing_key_file=folder / "signing_key") as running:
        yield running
