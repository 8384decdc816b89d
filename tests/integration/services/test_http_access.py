"""Every HTTP route as a stranger, as a neighbour and with too narrow a key.

The routes are taken from the application itself, so a new one cannot be forgotten: it fails here
until it is protected, or listed as open.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from fastapi.routing import iter_route_contexts

from omnireel.media import write_png
from services.common.jobs.database import Database
from services.gateway.identity.key_store import KeyStore, NewKey
from services.gateway.identity.principal import Scope
from tests.support.served import Served, served

OPEN = {"/docs", "/docs/page.js", "/docs/page.css", "/openapi.json", "/healthz", "/readyz"}
OPEN |= {"/studio", "/studio/studio.js", "/studio/studio.css", "/studio/icon.svg"}
WRITERS = {"/api/v1/webhook_secret"}
"""Routes that read what a reader has no use for."""
PATIENCE_S = 120.0
LINK = "/links/{token}"
"""Open to whoever has a link; what it leads to is in the link itself."""
OWN = {("GET", "/v1/videos"), ("GET", "/api/v1/videos"), ("GET", "/v1/models")}
OWN |= {("GET", "/api/v1/capabilities"), ("POST", "/api/v1/media")}
OWN |= {("GET", "/api/v1/webhook_secret")}
"""Routes that name nothing of anybody's: everybody who is known has them for themselves."""
PICTURE, ANOTHER = (write_png(np.full((64, 64, 3), grey, np.uint8)) for grey in (90, 91))


class Town:
    """A video and an upload of one tenant, and keys of others."""

    def __init__(self, running: Served, folder: Path) -> None:
        self.served = running
        self.video_id = running.made()
        self.uri = running.http.post("/api/v1/media", content=PICTURE).json()["uri"]
        database = Database(f"sqlite:///{folder / 'gateway.db'}")
        keys = KeyStore(database)
        both = frozenset({Scope.READ, Scope.WRITE})
        self.neighbour = keys.create(NewKey("neighbour", "n", both)).text
        self.reader = keys.create(NewKey("local", "r", frozenset({Scope.READ}))).text
        self.writer = keys.create(NewKey("local", "w", frozenset({Scope.WRITE}))).text
        database.close()

    def routes(self) -> Iterator[tuple[str, str]]:
        """Method and path of every route that is not open."""
        for route in iter_route_contexts(self.served.door.app.routes):
            assert route.path and route.methods, "a route of a kind that is not walked"
            if route.path not in (*OPEN, LINK):
                for method in route.methods:
                    yield method, route.path

    def ask(self, method: str, path: str, key: str) -> httpx2.Response:
        """Call a route on the first tenant's things."""
        url = path.format(video_id=self.video_id, output="video")
        more: dict[str, Any] = {}
        if path.startswith("/api/v1/media"):
            more = {"params": {"uri": self.uri}}
        if method == "POST" and path == "/api/v1/media":
            more = {"content": ANOTHER}
        elif method == "POST" and path.endswith("/videos"):
            reference = {"name": "A", "kind": "MEDIA_KIND_IMAGE", "uri": self.uri}
            ours = {"prompt": {"text": "@A", "inputs": [reference]}}
            theirs = {"prompt": "a", "input_reference": {"file_id": self.uri}}
            more = {"json": ours if path.startswith("/api/") else theirs}
        elif method == "POST":
            more = {"json": {"prompt": "make it green"}}
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx2.request(
            method, self.served.url + url, headers=headers, timeout=PATIENCE_S, **more
        )


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("access")
    with served(folder, signing_key_file=folder / "signing_key") as running:
        yield Town(running, folder)


def test_a_stranger_gets_nothing(town: Town) -> None:
    for method, path in town.routes():
        for key in ("", "nonsense", town.neighbour[:-1] + "?"):
            answer = town.ask(method, path, key)
            assert answer.status_code == 401, (method, path)
            assert answer.headers["www-authenticate"] == "Bearer"
            assert town.video_id not in answer.text


def test_a_neighbour_finds_nothing_of_ours(town: Town) -> None:
    for method, path in town.routes():
        answer = town.ask(method, path, town.neighbour)
        if (method, path) in OWN:
            assert answer.status_code == 200, (method, path, answer.text)
        else:
            assert answer.status_code in (400, 404), (method, path, answer.text)
            assert answer.status_code == 404 or "does not exist" in answer.text
        assert town.video_id not in answer.text or answer.status_code == 404
    assert town.served.http.get(f"/api/v1/videos/{town.video_id}").status_code == 200


def test_a_key_does_what_its_scopes_say(town: Town) -> None:
    for method, path in town.routes():
        writes = method in ("POST", "DELETE") or path in WRITERS
        refused = town.reader if writes else town.writer
        assert town.ask(method, path, refused).status_code == 403, (method, path)
    assert town.ask("GET", "/api/v1/videos/{video_id}", town.reader).status_code == 200


def test_links_are_not_to_be_guessed(town: Town) -> None:
    assert httpx2.get(f"{town.served.url}/links/x", timeout=PATIENCE_S).status_code == 404


def test_what_is_open_says_nothing_of_anybody(town: Town) -> None:
    for path in OPEN:
        answer = httpx2.get(town.served.url + path, timeout=PATIENCE_S)
        assert answer.status_code == 200 and town.video_id not in answer.text
