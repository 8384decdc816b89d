"""google.rpc.Status -> the exception tree."""

from __future__ import annotations

import grpc
import pytest
from google.rpc import code_pb2, error_details_pb2

from omnireel.api.v1 import video_pb2
from omnireel.client.errors import NO_ANSWER, error_from_rpc, error_from_status, finished
from omnireel.errors import (
    AlreadyExists,
    Cancelled,
    DeadlineExceeded,
    FailedPrecondition,
    IntegrityError,
    InvalidInput,
    NotFound,
    OmnireelError,
    PermissionDenied,
    PromptSyntaxError,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from tests.support.gateway import status


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (code_pb2.INVALID_ARGUMENT, InvalidInput),
        (code_pb2.NOT_FOUND, NotFound),
        (code_pb2.ALREADY_EXISTS, AlreadyExists),
        (code_pb2.FAILED_PRECONDITION, FailedPrecondition),
        (code_pb2.RESOURCE_EXHAUSTED, ResourceExhausted),
        (code_pb2.UNAVAILABLE, Unavailable),
        (code_pb2.CANCELLED, Cancelled),
        (code_pb2.DEADLINE_EXCEEDED, DeadlineExceeded),
        (code_pb2.DATA_LOSS, IntegrityError),
        (code_pb2.INTERNAL, OmnireelError),
        (code_pb2.UNAUTHENTICATED, Unauthenticated),
        (code_pb2.PERMISSION_DENIED, PermissionDenied),
    ],
)
def test_kind_and_reason(code: int, kind: type[OmnireelError]) -> None:
    info = error_details_pb2.ErrorInfo(reason="SPECIAL", domain="omnireel")
    error = error_from_status(status(code, "what happened", info))
    assert type(error) is kind
    assert (error.message, error.reason) == ("what happened", "SPECIAL")
    assert error_from_status(status(code, "x")).reason == kind.reason


def test_retry_info() -> None:
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.FromMilliseconds(2500)
    for code in (code_pb2.RESOURCE_EXHAUSTED, code_pb2.UNAVAILABLE):
        error = error_from_status(status(code, "full", retry))
        assert isinstance(error, ResourceExhausted | Unavailable)
        assert error.retry_after_s == 2.5
    full = error_from_status(status(code_pb2.RESOURCE_EXHAUSTED, "full"))
    assert isinstance(full, ResourceExhausted)
    assert full.retry_after_s is None


def test_a_mistake_in_the_prompt_keeps_its_position() -> None:
    info = error_details_pb2.ErrorInfo(reason="PROMPT_SYNTAX", metadata={"position": "12"})
    error = error_from_status(status(code_pb2.INVALID_ARGUMENT, "unknown (at character 12)", info))
    assert isinstance(error, PromptSyntaxError)
    assert error.position == 12
    assert str(error) == "unknown (at character 12)"


def test_finished() -> None:
    good = video_pb2.Video(state=video_pb2.VIDEO_STATE_SUCCEEDED)
    assert finished(good) is good
    with pytest.raises(Cancelled):
        finished(video_pb2.Video(state=video_pb2.VIDEO_STATE_CANCELLED))
    with pytest.raises(FailedPrecondition):
        finished(video_pb2.Video(state=video_pb2.VIDEO_STATE_RUNNING))


class _Broken(grpc.RpcError):
    """As grpc.aio raises it: no details of a server, only its own words."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.INTERNAL

    def details(self) -> str:
        return "Internal error from Core"

    def trailing_metadata(self) -> tuple[()]:
        return ()


def test_a_connection_that_breaks_while_a_request_is_sent_is_worth_a_retry() -> None:
    error = error_from_rpc(_Broken(), "127.0.0.1:1")
    assert isinstance(error, Unavailable)
    assert error.reason == NO_ANSWER
