"""Whether readers get bytes or the way to the store."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import Request

from omnireel.api.v1 import media_pb2
from omnireel.store import open_store
from services.gateway.http.media import send_media
from services.gateway.http.settings import HttpSettings

ELSEWHERE = "https://store.example.com/signed"
REQUEST = Request({"type": "http", "method": "GET", "headers": []})


@pytest.mark.parametrize(
    ("redirect", "redirect_downloads", "code"),
    [(True, True, 307), (False, True, 200), (True, False, 200)],
)
def test_a_reader_is_sent_to_the_store_only_when_both_sides_agree(
    tmp_path: Path, redirect: bool, redirect_downloads: bool, code: int
) -> None:
    store = open_store(tmp_path.as_uri())
    uri = store.put("a.mp4", b"bytes")
    library = SimpleNamespace(store_link=lambda _uri: ELSEWHERE)
    door: Any = SimpleNamespace(
        application=SimpleNamespace(library=library, store=store),
        settings=HttpSettings(redirect_downloads=redirect_downloads),
    )
    media = media_pb2.Media(uri=uri, mime_type="video/mp4", size_bytes=5)
    answer = send_media(door, REQUEST, media, redirect=redirect)
    assert answer.status_code == code
    assert answer.headers.get("location") == (ELSEWHERE if code == 307 else None)
