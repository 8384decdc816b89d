"""``/v1/videos`` with the client that it is made for: the real ``openai`` package."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import openai
import pytest

from omnireel.media import read_clip, write_mp4, write_png
from omnireel.types import Clip
from services.gateway.http.settings import HttpSettings
from tests.support.served import Served, served

PICTURE = write_png(np.full((64, 64, 3), 90, np.uint8))
CLIP = write_mp4(Clip(np.full((9, 64, 64, 3), 60, np.uint8), fps=8.0))
SETTINGS = HttpSettings(listen="127.0.0.1:0", model_names=["omnireel", "sora-2"])

pytestmark = pytest.mark.filterwarnings("ignore:The Sora API is scheduled:DeprecationWarning")


@pytest.fixture(scope="module")
def s(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("openai"), SETTINGS, max_queued_jobs=8) as running:
        yield running


@pytest.fixture
def client(s: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{s.url}/v1", api_key=s.key, max_retries=0) as made:
        yield made


def test_create_and_poll_then_everything_else(s: Served, client: openai.OpenAI) -> None:
    worker: threading.Thread | None = None

    def work_when_asked() -> None:
        while not (queued := client.videos.list().data):
            pass
        s.work(queued[0].id)

    worker = threading.Thread(target=work_when_asked)
    worker.start()
    video = client.videos.create_and_poll(
        prompt="a red ball", model="sora-2", seconds="1", size="128x128", poll_interval_ms=20
    )  # type: ignore[call-overload]
    worker.join()
    assert (video.status, video.progress, video.error) == ("completed", 100, None)
    assert (video.size, video.seconds, video.prompt) == ("128x128", "1.125", "a red ball")
    assert video.completed_at >= video.created_at
    content = client.videos.download_content(video.id).read()
    clip = read_clip(content)
    assert (clip.format.width, clip.format.num_frames) == (128, 9)
    assert client.videos.download_content(video.id, variant="thumbnail").read()[:4] == b"\x89PNG"
    remix = client.videos.remix(video.id, prompt="make it green")
    assert (remix.status, remix.remixed_from_video_id) == ("queued", video.id)
    s.work(remix.id)
    assert client.videos.retrieve(remix.id).status == "completed"
    deleted = client.videos.delete(video.id)
    assert deleted.deleted and deleted.id == video.id
    with pytest.raises(openai.NotFoundError):
        client.videos.retrieve(video.id)


def test_reference_in_every_form(s: Served, client: openai.OpenAI) -> None:
    url = "data:image/png;base64," + base64.b64encode(PICTURE).decode()
    uploaded = s.http.post("/api/v1/media", content=PICTURE).json()["uri"]
    references: list[dict[str, Any]] = [
        {"input_reference": ("start.png", PICTURE, "image/png")},
        # The client asks for these as plain arguments, yet takes files only there.
        {"extra_body": {"input_reference": {"image_url": url}}},
        {"extra_body": {"input_reference": {"file_id": uploaded}}},
    ]
    for reference in references:
        video = client.videos.create(prompt="a ball", **reference)
        (declared,) = s.http.get(f"/api/v1/videos/{video.id}").json()["prompt"]["inputs"]
        assert (declared["role"], declared["uri"]) == ("ROLE_FIRST_FRAME", uploaded)
    edit = client.videos.create(prompt="make it red", input_reference=("c.mp4", CLIP))
    (declared,) = s.http.get(f"/api/v1/videos/{edit.id}").json()["prompt"]["inputs"]
    assert declared["role"] == "ROLE_SOURCE"
    as_json = s.http.post(
        "/v1/videos", json={"prompt": "a", "input_reference": {"image_url": url}}
    ).json()
    assert as_json["status"] == "queued"
    for video_id in [video.id for video in client.videos.list(limit=100)]:
        client.videos.delete(video_id)


def test_pages_in_both_orders(s: Served, client: openai.OpenAI) -> None:
    made = [client.videos.create(prompt=f"ball {n}").id for n in range(5)]
    ours = set(made)
    for order, expected in (("asc", made), ("desc", made[::-1])):
        listed = [v.id for v in client.videos.list(limit=2, order=order) if v.id in ours]  # type: ignore[arg-type]
        assert listed == expected
    page = client.videos.list(limit=2, after=made[2])
    assert [video.id for video in page.data] == [made[1], made[0]]
    for video_id in made:
        client.videos.delete(video_id)


def test_parameters_of_other_video_servers(s: Served) -> None:
    body = {
        "prompt": "a ball @home",  # an @ is no name here
        "size": "64x64",
        "num_frames": 5,
        "fps": 8,
        "seed": 11,
        "num_inference_steps": 3,
        "guidance_scale": 2.5,
    }
    for answer in (s.http.post("/v1/videos", json=body), s.http.post("/v1/videos", data=body)):
        created = answer.json()
        assert (created["size"], created["seconds"]) == ("64x64", "0.625"), created
        ours = s.http.get(f"/api/v1/videos/{created['id']}").json()
        assert ours["settings"]["seed"] == "11" and not ours["upscale"]
        assert ours["settings"]["num_inference_steps"] == 3
        assert ours["settings"]["guidance"]["text"] == 2.5
        s.http.delete(f"/v1/videos/{created['id']}")


def test_a_repeated_request_makes_one_video(s: Served) -> None:
    headers = {"Idempotency-Key": "k1"}
    answers = [s.http.post("/v1/videos", json={"prompt": "a"}, headers=headers) for _ in range(2)]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    other = s.http.post("/v1/videos", json={"prompt": "b"}, headers=headers)
    assert (other.status_code, other.json()["error"]["code"]) == (409, "request_id_reused")
    s.http.delete(f"/v1/videos/{answers[0].json()['id']}")


def test_failures_and_cancellations_are_failed_with_a_reason(
    s: Served, client: openai.OpenAI
) -> None:
    failing, cancelled = (client.videos.create(prompt=text).id for text in ("fail-invalid", "x"))
    s.work(failing)
    s.http.post(f"/api/v1/videos/{cancelled}/cancel")
    error = client.videos.retrieve(failing).error
    assert error is not None and error.code == "invalid_input" and error.message
    stopped = client.videos.retrieve(cancelled)
    assert stopped.status == "failed" and stopped.error and stopped.error.code == "cancelled"


def test_mistakes_are_the_clients_exceptions(s: Served, client: openai.OpenAI) -> None:
    cases: list[tuple[dict[str, Any], type[openai.APIStatusError], str, str | None]] = [
        ({"size": "3x3"}, openai.BadRequestError, "invalid_input", "size"),
        ({"seconds": "999"}, openai.BadRequestError, "invalid_input", "seconds"),
        ({"seconds": "many"}, openai.BadRequestError, "invalid_input", "seconds"),
        ({"model": "gpt-9"}, openai.NotFoundError, "model_not_found", None),
        ({"extra_body": {"colour": 1}}, openai.BadRequestError, "invalid_input", "colour"),
        (
            {"input_reference": ("x.png", b"no picture")},
            openai.BadRequestError,
            "invalid_input",
            "input_reference",
        ),
        (
            {"extra_body": {"input_reference": {"image_url": "https://example.com/a.png"}}},
            openai.BadRequestError,
            "invalid_input",
            "input_reference.image_url",
        ),
    ]
    for fields, kind, code, param in cases:
        with pytest.raises(kind) as caught:
            client.videos.create(prompt="a", **fields)
        assert (caught.value.code, caught.value.param) == (code, param)
    queued = client.videos.create(prompt="a").id
    for call in (
        lambda: client.videos.download_content(queued),
        lambda: client.videos.remix(queued, prompt="b"),
    ):
        with pytest.raises(openai.BadRequestError) as caught:
            call()
        assert caught.value.code == "video_not_ready"
    assert [model.id for model in client.models.list()] == ["omnireel", "sora-2"]


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        (b"prompt=" + b"%41" * 400_000, 413, "body"),
        (b"&".join(b"a%d=1" % n for n in range(40)), 400, "body"),
        (b"prompt=%ff", 400, "body"),
        (b"prompt=a&prompt=", 400, "prompt"),
        (b"prompt=a&input_reference%5Bfile_id%5D=x&input_reference%5Bimage_url%5D=y", 400, None),
    ],
)
def test_forms_without_a_file_are_small_and_whole(
    s: Served, body: bytes, code: int, field: str | None
) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = s.http.post("/v1/videos", content=body, headers=headers)
    assert answer.status_code == code, answer.text
    assert answer.json()["error"]["param"] == (field or "input_reference")


def test_what_is_wrong_with_a_file_is_said_of_the_file(s: Served) -> None:
    for file, words in (
        (("a.png", b"", "image/png"), "empty"),
        (("a.mp4", PICTURE, "video/mp4"), "image/png"),
    ):
        sent = {"input_reference": file}
        error = s.http.post("/v1/videos", data={"prompt": "a"}, files=sent).json()["error"]
        assert error["param"] == "input_reference" and words in error["message"]
    mp4 = {"Content-Type": "video/mp4"}
    for content, words in ((b"", "empty"), (PICTURE, "image/png")):
        answer = s.http.post("/api/v1/media", content=content, headers=mp4).json()
        (wrong,) = answer["details"][1]["field_violations"]
        assert wrong["field"] == "body" and words in wrong["description"], answer
        assert "metadata" not in answer["message"]


def test_a_full_queue_says_when_to_come_back(s: Served, client: openai.OpenAI) -> None:
    with pytest.raises(openai.RateLimitError) as caught:
        for _ in range(20):
            client.videos.create(prompt="a")
    assert int(caught.value.response.headers["retry-after"]) > 0
    for video in client.videos.list(limit=100):
        client.videos.delete(video.id)


def test_content_has_the_hash_that_we_say(s: Served, client: openai.OpenAI) -> None:
    job_id = s.made()
    digest = s.http.get(f"/api/v1/videos/{job_id}").json()["outputs"]["video"]["sha256"]
    content = client.videos.download_content(job_id).read()
    assert hashlib.sha256(content).hexdigest() == digest
