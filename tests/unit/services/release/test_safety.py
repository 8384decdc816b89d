"""Requests and results that a policy refuses, and a policy that cannot answer."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from omnireel.api.v1 import mvl_pb2, video_pb2
from omnireel.errors import FailedPrecondition, InvalidInput, Unavailable
from omnireel.media import write_mp4, write_png
from omnireel.types import Clip
from services.common.jobs import Job, JobState, NewJob, Stage
from services.common.safety import SafetyPolicy, Subject, SubjectKind, Verdict, open_policy
from services.worker.release import ReleaseGate
from services.worker.release.provenance import SOURCE_TYPE
from services.worker.runner import JobRunner, RunnerConfig
from tests.support.classifiers import FailsOnOutput, RedClassifier, broken, hanging, sloppy
from tests.support.job_runs import Bench, bench

RED = np.zeros((32, 32, 3), np.uint8) + np.array([250, 0, 0], np.uint8)
GREY = np.full((32, 32, 3), 90, np.uint8)


def subject(kind: SubjectKind = SubjectKind.REQUEST, text: str = "", *frames: Any) -> Subject:
    return Subject(kind, "me", text, frames)


@pytest.fixture
def b(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as opened:
        yield opened


def run(b: Bench, job: Job, classifier: Callable[[Subject], Verdict], timeout_s: float = 10) -> Job:
    gate = ReleaseGate(b.store, SafetyPolicy(classifier, timeout_s))
    config = RunnerConfig("w", heartbeat_s=0.02, backoff_s=0.5, progress_interval_s=0.0)
    JobRunner(b.jobs, b.store, b.clients, config, gate=gate).run(job.id)
    gate.close()
    return b.jobs.get(job.id)


def test_off_is_said_and_nothing_else_passes_for_it() -> None:
    assert open_policy("off", 1.0) is None
    for named in ("", "on", "none", "OFF", "module", "os:nothing", "no.such.module:x", "ftp://x"):
        with pytest.raises(InvalidInput, match="safety"):
            open_policy(named, 1.0)
    with pytest.raises(InvalidInput, match="not callable"):
        open_policy("os:sep", 1.0)


def test_a_class_is_made_and_a_function_is_taken() -> None:
    made = open_policy("tests.support.classifiers:RedClassifier", 5.0)
    assert made is not None
    made.require(subject(text="a ball"))
    taken = open_policy("tests.support.classifiers:broken", 5.0)
    assert taken is not None
    with pytest.raises(Unavailable):
        taken.require(subject())


@pytest.mark.parametrize("classifier", [broken, hanging, sloppy])
def test_no_verdict_is_a_no(classifier: Callable[[Subject], Verdict]) -> None:
    with pytest.raises(Unavailable, match="nothing was released") as caught:
        SafetyPolicy(classifier, 0.05).require(subject())
    assert caught.value.reason == "SAFETY_UNAVAILABLE"


def test_refusals_say_why() -> None:
    policy = SafetyPolicy(RedClassifier())
    with pytest.raises(InvalidInput, match="the word 'forbidden'") as caught:
        policy.require(subject(text="Forbidden things"))
    assert caught.value.violations[0].field == "prompt"
    assert caught.value.reason == "SAFETY_REFUSED"
    with pytest.raises(FailedPrecondition, match="too red"):
        policy.require(subject(SubjectKind.OUTPUT, "x", GREY, RED))


def test_a_forbidden_prompt_makes_nothing(b: Bench) -> None:
    job = run(b, b.submit("a forbidden ball"), RedClassifier())
    assert job.state is JobState.FAILED and job.error is not None
    assert (job.error.reason, job.error.retryable) == ("SAFETY_REFUSED", False)
    assert b.generator.steps == [] and list(b.store.list("jobs/")) == []


@pytest.mark.parametrize("kind", ["image", "video", "element"])
def test_inputs_are_looked_at(b: Bench, kind: str) -> None:
    request = video_pb2.CreateVideoRequest(enhance=False, upscale=False)
    request.prompt.parts.add(mention="A")
    if kind == "element":
        request.prompt.elements.add(name="A", uris=[b.store.put("a.png", write_png(RED))])
    elif kind == "image":
        uri = b.store.put("a.png", write_png(RED))
        request.prompt.inputs.add(name="A", kind=mvl_pb2.MEDIA_KIND_IMAGE, uri=uri)
    else:
        uri = b.store.put("a.mp4", write_mp4(Clip(np.stack([GREY] * 8 + [RED]), 8.0)))
        request.prompt.inputs.add(name="A", kind=mvl_pb2.MEDIA_KIND_VIDEO, uri=uri)
    job, _ = b.jobs.submit(NewJob("me", request.SerializeToString()))
    after = run(b, job, RedClassifier())
    assert after.error is not None and "too red" in after.error.message
    assert b.generator.steps == []


def test_a_refused_result_is_not_released(b: Bench) -> None:
    class Refuses:
        def __call__(self, asked: Subject) -> Verdict:
            return Verdict(asked.kind is SubjectKind.REQUEST, "not this one")

    job = run(b, b.submit(preview_every_steps=1), Refuses())
    assert job.state is JobState.FAILED and job.error is not None
    assert "not this one" in job.error.message and not job.error.retryable
    assert list(b.store.list(f"jobs/{job.id}/")) == []
    assert Stage.GENERATE not in b.jobs.stage_outputs([job.id])[job.id]


def test_no_preview_leaves_before_it_was_looked_at(b: Bench) -> None:
    job = run(b, b.submit(preview_every_steps=1), RedClassifier(too_red=1e9))
    assert job.state is JobState.SUCCEEDED
    assert not [i for i in b.store.list(f"jobs/{job.id}/") if "preview" in i.key]
    assert not [e for e in b.jobs.events_after(job.id, 0) if e.progress and e.progress.preview_uri]


def test_a_classifier_that_is_away_costs_time_and_releases_nothing(b: Bench) -> None:
    classifier = FailsOnOutput(times=1)
    job = run(b, b.submit(), classifier)
    assert job.state is JobState.QUEUED
    assert list(b.store.list(f"jobs/{job.id}/")) == []
    b.clock.tick(10)
    assert run(b, job, classifier).state is JobState.SUCCEEDED


def test_a_classifier_that_stays_away_fails_the_job_retriably(b: Bench) -> None:
    job = b.submit(max_attempts=2)
    for _ in range(2):
        after = run(b, job, broken)
        b.clock.tick(100)
    assert after.state is JobState.FAILED and after.error is not None
    assert (after.error.reason, after.error.retryable) == ("SAFETY_UNAVAILABLE", True)


def test_everything_released_is_asked_about_and_marked(b: Bench) -> None:
    classifier = RedClassifier(too_red=1e9)
    job = run(b, b.submit("a ball"), classifier)
    assert job.state is JobState.SUCCEEDED
    kinds = [(asked.kind.value, len(asked.frames)) for asked in classifier.seen]
    # The request, the enhanced prompt, the base video and the upscaled one.
    assert kinds == [("request", 0), ("request", 0), ("output", 8), ("output", 8)]
    released = [i for i in b.store.list(f"jobs/{job.id}/") if i.key.endswith((".mp4", ".png"))]
    assert len(released) == 3
    for info in released:
        data = b.store.get(info.uri)
        assert SOURCE_TYPE.encode() in data and f'Job="{job.id}"'.encode() in data
        record = b.jobs.find_media("me", info.uri)
        assert record is not None and record.size_bytes == len(data)


@contextmanager
def endpoint(answer: Callable[[dict[str, Any]], tuple[int, bytes]]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, body = answer(asked)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/classify"
        server.shutdown()
        thread.join()


def looks(asked: dict[str, Any]) -> tuple[int, bytes]:
    """The same classifier behind HTTP."""
    frames = tuple(
        np.array(Image.open(io.BytesIO(base64.b64decode(data)))) for data in asked["images"]
    )
    said = RedClassifier()(
        Subject(SubjectKind(asked["kind"]), asked["tenant"], asked["text"], frames)
    )
    return 200, json.dumps({"allowed": said.allowed, "reason": said.reason}).encode()


def test_a_classifier_behind_http() -> None:
    with endpoint(looks) as url:
        policy = open_policy(url, 10.0)
        assert policy is not None
        policy.require(subject(SubjectKind.OUTPUT, "fine", GREY))
        with pytest.raises(FailedPrecondition, match="too red"):
            policy.require(subject(SubjectKind.OUTPUT, "x", RED))


@pytest.mark.parametrize(
    "answer",
    [(500, b'{"allowed": true}'), (200, b"yes"), (200, b'{"allowed": "yes"}'), (200, b"[true]"),
     (302, b'{"allowed": true}'), (200, b"")],
)  # fmt: skip
def test_an_answer_that_is_none_is_a_no(answer: tuple[int, bytes]) -> None:
    with endpoint(lambda _asked: answer) as url:
        policy = open_policy(url, 10.0)
        assert policy is not None
        with pytest.raises(Unavailable):
            policy.require(subject())


def test_nobody_listens() -> None:
    policy = open_policy("http://127.0.0.1:9/", 5.0)
    assert policy is not None
    with pytest.raises(Unavailable):
        policy.require(subject())
