"""The prompt enhancer service with the test engine, on a real port."""

from __future__ import annotations

import grpc
import pytest

from omnireel import errors
from omnireel.api.v1 import (
    capabilities_pb2,
    mvl_pb2,
    progress_pb2,
    prompt_enhancer_pb2,
    prompt_enhancer_pb2_grpc,
)
from omnireel.media import write_png
from omnireel.store import open_store
from omnireel.types import VideoFormat
from tests.support.engines.frames import base_frames
from tests.support.engines.requests import failure, take_apart
from tests.support.engines.servers import running_prompt_enhancer


@pytest.fixture
def stub(tmp_path):
    with (
        running_prompt_enhancer(f"file://{tmp_path}/store") as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        yield prompt_enhancer_pb2_grpc.PromptEnhancerServiceStub(channel)


def ask(text: str, **more) -> prompt_enhancer_pb2.EnhanceRequest:
    return prompt_enhancer_pb2.EnhanceRequest(prompt=mvl_pb2.Prompt(text=text), **more)


def test_the_result_is_exact(stub):
    progress, result = take_apart(stub.Enhance(ask("a ball")))
    assert [p.stage for p in progress] == [progress_pb2.STAGE_ENHANCING]
    made = result.enhancement
    assert made.text == "a ball, finely detailed"
    assert [p.text for p in made.prompt.parts] == ["a ball", ", finely detailed"]
    assert made.structured["description"] == "a ball, finely detailed"
    assert list(made.structured["subjects"]) == ["a subject"]
    assert made.fallback_reason == ""
    assert made.raw_output.startswith('{"subjects"')
    assert result.model_version == "test-1"
    assert result.elapsed.ToNanoseconds() > 0


def test_mentions_and_media_survive(stub, tmp_path):
    store = open_store(f"file://{tmp_path}/store")
    uri = store.put("a.png", write_png(base_frames(VideoFormat(64, 64, 1, 8.0), 0)))
    request = ask("see @A")
    request.prompt.inputs.add(name="A", kind=mvl_pb2.MEDIA_KIND_IMAGE, uri=uri)
    _, result = take_apart(stub.Enhance(request))
    assert result.enhancement.text == "see @A, finely detailed"
    assert result.enhancement.prompt.inputs[0].uri == uri


def test_output_that_does_not_parse_is_a_fall_back_with_a_reason(stub):
    _, result = take_apart(stub.Enhance(ask("an unparsable ball")))
    made = result.enhancement
    assert made.text == "an unparsable ball"
    assert made.fallback_reason == "the answer is not a JSON object"
    assert made.raw_output == "no JSON"
    assert not made.HasField("structured")


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("fail-unavailable", errors.Unavailable),
        ("fail-memory", errors.ResourceExhausted),
        ("fail-internal", errors.OmnireelError),
    ],
)
def test_a_failure_costs_one_call(stub, word, kind):
    assert type(failure(lambda: stub.Enhance(ask(word)))) is kind
    take_apart(stub.Enhance(ask("a ball")))


def test_wrong_requests_name_the_field(stub):
    error = failure(lambda: stub.Enhance(ask("see @A")))
    assert isinstance(error, errors.InvalidInput)
    assert error.violations[0].field == "prompt.text"
    error = failure(lambda: stub.Enhance(ask("a ball", model_version="other")))
    assert isinstance(error, errors.FailedPrecondition)


def test_cancel_frees_the_engine(stub, monkeypatch, tmp_path):
    monkeypatch.setenv("OMNIREEL_TEST_RELEASE_FILE", str(tmp_path / "never"))
    stream = stub.Enhance(ask("hold"))
    next(stream)
    stream.cancel()
    take_apart(stub.Enhance(ask("a ball")))


def test_the_deadline_is_not_a_cancellation(stub, monkeypatch, tmp_path):
    monkeypatch.setenv("OMNIREEL_TEST_RELEASE_FILE", str(tmp_path / "never"))
    request = ask("hold")
    request.job.deadline.FromSeconds(1)
    assert isinstance(failure(lambda: stub.Enhance(request)), errors.DeadlineExceeded)


def test_it_says_what_it_is(stub):
    info = stub.GetModelInfo(capabilities_pb2.GetModelInfoRequest())
    assert (info.kind, info.capabilities.can_enhance) == ("prompt_enhancer", True)
    assert info.capabilities.model_versions.prompt_enhancer == "test-1"
