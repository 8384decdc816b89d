"""Our own schema over HTTP on a real port."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from structlog.testing import capture_logs

from omnireel.media import write_mp4, write_png
from omnireel.types import Clip
from services.gateway.http.settings import HttpSettings
from tests.support.served import Served, events, served

PICTURE = write_png(np.full((40, 70, 3), 90, np.uint8))
SETTINGS = HttpSettings(
    listen="127.0.0.1:0",
    heartbeat_s=0.05,
    max_watches=2,
    max_json_bytes=4096,
    hosts=["video.example.com"],
    cors_origins=["https://app.example.com"],
)


@pytest.fixture(scope="module")
def s(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("http"), SETTINGS) as running:
        yield running


def problem(answer: httpx2.Response) -> tuple[int, str, list[str]]:
    """HTTP code, reason and wrong fields of a google.rpc.Status."""
    body = answer.json()
    assert body["message"]
    details = {detail["@type"].rpartition(".")[2]: detail for detail in body["details"]}
    fields = [v["field"] for v in details.get("BadRequest", {}).get("field_violations", [])]
    return answer.status_code, details["ErrorInfo"]["reason"], fields


def test_a_whole_prompt_with_media(s: Served) -> None:
    clip = write_mp4(Clip(np.full((9, 64, 112, 3), 60, np.uint8), fps=8.0))
    digest = hashlib.sha256(PICTURE).hexdigest()
    image = s.http.post("/api/v1/media", content=PICTURE, params={"sha256": digest}).json()
    assert image["kind"] == "MEDIA_KIND_IMAGE" and image["sha256"] == digest
    headers = {"Content-Type": "video/mp4"}
    source = s.http.post("/api/v1/media", content=clip, headers=headers).json()
    prompt = {
        "text": "put @Hero from @Style into it",
        "inputs": [
            {"name": "Style", "kind": "MEDIA_KIND_IMAGE", "uri": image["uri"]},
            {
                "name": "Clip",
                "kind": "MEDIA_KIND_VIDEO",
                "role": "ROLE_SOURCE",
                "uri": source["uri"],
            },
        ],
        "elements": [{"name": "Hero", "uris": [image["uri"]] * 2}],
    }
    job_id = s.create(prompt=prompt, labels={"album": "a"}, requestId="r1")
    assert s.create(prompt=prompt, labels={"album": "a"}, request_id="r1") == job_id
    s.work(job_id)
    video = s.http.get(f"/api/v1/videos/{job_id}").json()
    assert video["state"] == "VIDEO_STATE_SUCCEEDED", video
    assert video["settings"]["format"]["width"] == 112 and video["labels"] == {"album": "a"}
    assert "finely detailed" in video["outputs"]["enhancement"]["text"]
    described = s.http.get("/api/v1/media", params={"uri": image["uri"]}).json()
    assert described == image


def test_the_bytes_and_their_ranges(s: Served) -> None:
    job_id = s.made()
    outputs = s.http.get(f"/api/v1/videos/{job_id}").json()["outputs"]
    path = f"/api/v1/videos/{job_id}/outputs/video"
    whole = s.http.get(path)
    data = whole.content
    assert hashlib.sha256(data).hexdigest() == outputs["video"]["sha256"]
    assert whole.headers["content-type"] == "video/mp4"
    assert "sandbox" in whole.headers["content-security-policy"]
    head = s.http.head(path)
    assert (head.content, head.headers["content-length"]) == (b"", str(len(data)))
    etag = whole.headers["etag"]
    assert s.http.get(path, headers={"If-None-Match": f'"x", W/{etag}'}).status_code == 304
    for wanted, expected in {
        "bytes=0-9": data[:10],
        "bytes=100-": data[100:],
        "bytes=-7": data[-7:],
        "bytes=5-99999999": data[5:],
        f"bytes=-{len(data) + 5}": data,
    }.items():
        part = s.http.get(path, headers={"Range": wanted, "If-Range": etag})
        assert (part.status_code, part.content) == (206, expected)
        first = data.index(expected)
        last = first + len(expected) - 1
        assert part.headers["content-range"] == f"bytes {first}-{last}/{len(data)}"
    long = "9" * 5000
    endless = (f"bytes={long}-", f"bytes=-{long}", f"bytes=0-{long}")
    for whole_again in ("bytes=0-1,5-6", "lines=1-2", "bytes=9-5", "bytes=-", *endless):
        assert s.http.get(path, headers={"Range": whole_again}).content == data
    changed = s.http.get(path, headers={"Range": "bytes=0-9", "If-Range": '"other"'})
    assert (changed.status_code, changed.content) == (200, data)
    beyond = s.http.get(path, headers={"Range": f"bytes={len(data)}-"})
    assert beyond.status_code == 416 and beyond.headers["content-range"] == f"bytes */{len(data)}"
    same = s.http.get("/api/v1/media/content", params={"uri": outputs["video"]["uri"]})
    assert same.content == data
    assert s.http.get(f"/api/v1/videos/{job_id}/outputs/poster").content.startswith(b"\x89PNG")


def _timeless(seen: list[tuple[str, str, Any]]) -> list[tuple[str, str, Any]]:
    """Events without the time to go, which belongs to the moment when it is said."""
    for _, _, event in seen:
        event.get("progress", {}).pop("eta", None)
    return seen


def test_events_until_the_end_and_after_a_break(s: Served) -> None:
    job_id = s.create(enhance=False)
    path = f"/api/v1/videos/{job_id}/events"
    with s.http.stream("GET", path) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        assert next(line for line in lines if line.startswith("data"))
        assert next(line for line in lines if line) == ": still here"  # nobody works yet
        worker = threading.Thread(target=s.work, args=(job_id,))
        worker.start()
        seen = list(events(lines))
        worker.join()
    assert [kind for _, kind, _ in seen[:-1]] == ["progress"] * (len(seen) - 1)
    last_id, kind, last = seen[-1]
    assert kind == "final" and last["video"]["state"] == "VIDEO_STATE_SUCCEEDED"
    steps = [
        e["progress"]["step"] for _, _, e in seen if e["progress"]["stage"] == "STAGE_GENERATING"
    ]
    assert list(dict.fromkeys(steps)) == [0, 1, 2, 3, 4]
    middle = seen[len(seen) // 2][0]
    for resumed in ({"headers": {"Last-Event-ID": middle}}, {"params": {"last_event_id": middle}}):
        with s.http.stream("GET", path, **resumed) as stream:
            rest = list(events(stream.iter_lines()))
        assert _timeless(rest) == _timeless(seen[len(seen) // 2 + 1 :])
    assert s.http.get(path, headers={"Last-Event-ID": last_id}).status_code == 204


def test_readers_that_leave_give_their_place_back(s: Served) -> None:
    job_id = s.create()
    path = f"/api/v1/videos/{job_id}/events"
    with s.http.stream("GET", path) as a, s.http.stream("GET", path) as b:
        readers = [events(stream.iter_lines()) for stream in (a, b)]
        for reader in readers:
            next(reader)
        refused = s.http.get(path)
        assert problem(refused)[:2] == (429, "RESOURCE_EXHAUSTED")
        assert refused.headers["retry-after"] == "5"
    codes = []
    while 200 not in codes:  # until the threads have noticed
        with s.http.stream("GET", path) as stream:
            codes.append(stream.status_code)


def test_lists_cancels_deletes(s: Served) -> None:
    ids = [s.create(labels={"list": "one", "n": str(n % 2)}) for n in range(4)]
    mine: dict[str, Any] = {"label": ["list:one"], "page_size": 3}
    first = s.http.get("/api/v1/videos", params=mine).json()
    token = first["next_page_token"]
    second = s.http.get("/api/v1/videos", params={**mine, "page_token": token}).json()
    names = [video["name"] for page in (first, second) for video in page["videos"]]
    assert names == [f"videos/{job_id}" for job_id in reversed(ids)]
    cancelled = s.http.post(f"/api/v1/videos/{ids[0]}/cancel").json()
    assert cancelled["state"] == "VIDEO_STATE_CANCELLED"
    chosen = {"label": ["list:one", "n:0"], "state": ["CANCELLED", "VIDEO_STATE_FAILED"]}
    found = s.http.get("/api/v1/videos", params=chosen).json()["videos"]
    assert [video["name"] for video in found] == [f"videos/{ids[0]}"]
    assert s.http.delete(f"/api/v1/videos/{ids[1]}").status_code == 204
    assert problem(s.http.get(f"/api/v1/videos/{ids[1]}"))[:2] == (404, "NOT_FOUND")


VIDEOS, MEDIA, WATCH = "/api/v1/videos", "/api/v1/media", "/api/v1/videos/x/events"
MISTAKES: list[tuple[str, str, Any, int, list[str]]] = [
    ("POST", VIDEOS, {"json": {"prompt": {"text": "@Nobody"}}}, 400, ["prompt.text"]),
    ("POST", VIDEOS, {"json": {"prompt": {"txt": "a"}}}, 400, ["body"]),
    ("POST", VIDEOS, {"json": [1]}, 400, ["body"]),
    ("POST", VIDEOS, {"json": {"labels": {"a": "x" * 5000}}}, 413, ["body"]),
    ("POST", VIDEOS, {"content": b"{}"}, 415, ["content-type"]),
    ("POST", MEDIA, {"content": b"not media"}, 400, ["body"]),
    ("POST", MEDIA, {"content": iter([b"x"])}, 411, ["content-length"]),
    ("GET", VIDEOS, {"params": {"page_size": 5000}}, 400, ["page_size"]),
    ("GET", VIDEOS, {"params": {"state": "LOST"}}, 400, ["state"]),
    ("GET", VIDEOS, {"params": {"label": "x"}}, 400, ["label"]),
    ("GET", f"{MEDIA}/content", {"params": {"uri": "file:///etc/passwd"}}, 404, []),
    ("GET", WATCH, {"params": {"last_event_id": "x"}}, 400, ["resume_token"]),
    ("GET", WATCH, {}, 404, []),
    ("GET", f"{VIDEOS}/../../etc", {}, 404, []),
    ("PUT", VIDEOS, {}, 405, []),
    ("GET", "/nothing", {}, 404, []),
]


@pytest.mark.parametrize(("method", "path", "more", "code", "fields"), MISTAKES)
def test_mistakes_are_named(
    s: Served, method: str, path: str, more: Any, code: int, fields: list[str]
) -> None:
    found_code, _, found_fields = problem(s.http.request(method, path, **more))
    assert (found_code, found_fields) == (code, fields)


def test_deep_json_is_refused(s: Served) -> None:
    nested = '{"prompt":' + '{"parts":[' * 200 + "]}" * 200 + "}"
    headers = {"Content-Type": "application/json"}
    answer = s.http.post("/api/v1/videos", content=nested, headers=headers)
    assert problem(answer) == (400, "INVALID_INPUT", ["body"])


def test_pages_of_strangers_are_kept_out(s: Served) -> None:
    for headers, code in (
        ({"Host": "evil.example.com"}, 421),
        ({"Host": "[broken"}, 421),
        ({"Origin": "https://evil.example.com"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": s.url}, 200),
        ({"Origin": "https://app.example.com"}, 200),
        ({"Host": "localhost:1234"}, 200),
        ({"Host": "Video.example.com"}, 200),
    ):
        assert s.http.get("/api/v1/capabilities", headers=headers).status_code == code, headers
    asked = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "POST"}
    allowed = s.http.options("/api/v1/videos", headers=asked)
    assert allowed.headers["access-control-allow-origin"] == "https://app.example.com"
    refused = s.http.options("/api/v1/videos", headers={**asked, "Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in refused.headers


def test_probes_and_the_page(s: Served) -> None:
    assert s.http.get("/healthz").json() == {"status": "alive"}
    assert s.http.get("/readyz").status_code == 200
    s.server.health.set_serving(False)
    assert s.http.get("/readyz").status_code == 503
    s.server.health.set_serving(True)
    page = s.http.get("/docs")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "//" not in page.text.replace("<!doctype", "")  # nothing from elsewhere
    for path in ("/docs/page.js", "/docs/page.css"):
        assert path in page.text and s.http.get(path).status_code == 200


def test_the_description_names_what_is_there(s: Served) -> None:
    described = s.http.get("/openapi.json").json()
    schemas = described["components"]["schemas"]
    video = s.http.get(f"/api/v1/videos/{s.made()}").json()
    assert set(video) <= set(schemas["Video"]["properties"])
    assert described["paths"]["/api/v1/videos"]["post"]["requestBody"]["content"] == {
        "application/json": {"schema": {"$ref": "#/components/schemas/CreateVideoRequest"}}
    }
    text = s.http.get("/openapi.json").text
    references = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert references <= set(schemas)
    assert "HTTPValidationError" not in text


def test_an_internal_error_says_nothing_but_its_id(tmp_path: Path) -> None:
    with served(tmp_path) as running:
        with closing(sqlite3.connect(tmp_path / "gateway.db")) as database:
            database.execute("ALTER TABLE jobs RENAME TO lost")
        with capture_logs() as logs:
            answer = running.http.get("/api/v1/videos")
        (line,) = (line for line in logs if line["log_level"] == "error")
        assert answer.status_code == 500 and line["error_id"] in answer.text
        assert answer.json()["message"].startswith("internal error; the server's log has it")
        assert "sqlite" not in answer.text
        with capture_logs():
            openai_form = running.http.get("/v1/videos").json()["error"]
        assert openai_form["type"] == "server_error" and openai_form["code"] == "internal"
