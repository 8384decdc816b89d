"""What comes over the wire when a call fails, as the exceptions of `omnireel.errors`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc import code_pb2, error_details_pb2, status_pb2

from omnireel.api.v1 import video_pb2
from omnireel.errors import (
    AlreadyExists,
    Cancelled,
    DeadlineExceeded,
    FailedPrecondition,
    FieldViolation,
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

NO_ANSWER = "NO_ANSWER"
"""Reason of an `Unavailable` that no server sent: nothing (of ours) listens at the address."""

_BROKEN_WHILE_SENDING = "Internal error from Core"
"""What grpc.aio says, with code INTERNAL, when a connection breaks while a request is sent."""

_HTTP1 = "http1.x server"
"""In what gRPC says, with code UNAVAILABLE, when a server of HTTP/1 answers."""

_DETAILS_KEY = "grpc-status-details-bin"
_DEFAULT_RETRY_S = 1.0
_KINDS: dict[int, type[OmnireelError]] = {
    code_pb2.UNAUTHENTICATED: Unauthenticated,
    code_pb2.PERMISSION_DENIED: PermissionDenied,
    code_pb2.NOT_FOUND: NotFound,
    code_pb2.ALREADY_EXISTS: AlreadyExists,
    code_pb2.FAILED_PRECONDITION: FailedPrecondition,
    code_pb2.CANCELLED: Cancelled,
    code_pb2.DEADLINE_EXCEEDED: DeadlineExceeded,
    code_pb2.DATA_LOSS: IntegrityError,
}


@contextmanager
def translated(address: str) -> Iterator[None]:
    """Turn gRPC errors of the body, sync or async, into the exception tree."""
    try:
        yield
    except grpc.RpcError as error:
        raise error_from_rpc(error, address) from error


@contextmanager
def blamed_on(field: str) -> Iterator[None]:
    """Give wrong fields of the body's messages the caller's name for them.

    A server that refuses an upload speaks of its chunks; the caller knows it as ``field``.
    """
    try:
        yield
    except InvalidInput as error:
        causes = tuple(v.description for v in error.violations) or (error.message,)
        violations = tuple(FieldViolation(field, cause) for cause in causes)
        raise InvalidInput("; ".join(causes), violations=violations) from error


@contextmanager
def noted(text: str) -> Iterator[None]:
    """Add ``text`` to whatever ends the body, an interruption too."""
    try:
        yield
    except BaseException as error:
        error.add_note(text)
        raise


def error_from_rpc(error: grpc.RpcError, address: str) -> OmnireelError:
    """The exception for a failed call to ``address``, with or without details from the server."""
    status = _status_of(error)
    if status is not None:
        return error_from_status(status)
    code, text = error.code(), error.details() or ""
    if code is grpc.StatusCode.UNAVAILABLE and _HTTP1 in text:
        return FailedPrecondition(
            f"the server at {address} speaks HTTP, not gRPC; give the gateway's gRPC port, which "
            "is not that of its HTTP API"
        )
    if code is grpc.StatusCode.UNAVAILABLE or text == _BROKEN_WHILE_SENDING:
        gone = Unavailable(f"no gateway answers at {address} ({text})")
        gone.reason = NO_ANSWER
        return gone
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return FailedPrecondition(
            f"the server at {address} does not have this call; it is not an Omnireel gateway, or "
            "an older one"
        )
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return DeadlineExceeded(f"{address} did not answer in time")
    return error_from_status(status_pb2.Status(code=code.value[0], message=text or code.name))


def error_from_status(status: status_pb2.Status) -> OmnireelError:
    """The exception that ``status`` stands for; `OmnireelError` itself for internal errors."""
    info = error_details_pb2.ErrorInfo()
    bad_request = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    has_retry = False
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad_request)
        has_retry |= detail.Unpack(retry)
    retry_after_s = retry.retry_delay.ToMilliseconds() / 1000 if has_retry else None

    error: OmnireelError
    if status.code == code_pb2.INVALID_ARGUMENT:
        error = _invalid_input(status.message, info, bad_request)
    elif status.code == code_pb2.RESOURCE_EXHAUSTED:
        error = ResourceExhausted(status.message, retry_after_s=retry_after_s)
    elif status.code == code_pb2.UNAVAILABLE:
        error = Unavailable(status.message, retry_after_s=retry_after_s or _DEFAULT_RETRY_S)
    else:
        error = _KINDS.get(status.code, OmnireelError)(status.message)
    if info.reason:
        error.reason = info.reason
    return error


def finished(video: video_pb2.Video) -> video_pb2.Video:
    """``video``, when it succeeded.

    Raises:
        OmnireelError: why it failed, in the kind that the server recorded.
        Cancelled: it was cancelled.
        FailedPrecondition: it is not finished yet.

    """
    if video.state == video_pb2.VIDEO_STATE_SUCCEEDED:
        return video
    if video.state == video_pb2.VIDEO_STATE_FAILED:
        raise error_from_status(video.error)
    if video.state == video_pb2.VIDEO_STATE_CANCELLED:
        raise Cancelled(f"{video.name} was cancelled")
    raise FailedPrecondition(f"{video.name} is not finished; wait for it")


def _status_of(error: grpc.RpcError) -> status_pb2.Status | None:
    trailers: Any = error.trailing_metadata() or ()  # two types, sync and async; both give pairs
    details = dict(trailers).get(_DETAILS_KEY)
    if details is None:
        return None
    try:
        return status_pb2.Status.FromString(details)
    except DecodeError:
        return None  # a proxy's garbage: the plain code and text still say what happened


def _invalid_input(
    message: str, info: error_details_pb2.ErrorInfo, bad_request: error_details_pb2.BadRequest
) -> InvalidInput:
    violations = tuple(
        FieldViolation(violation.field, violation.description)
        for violation in bad_request.field_violations
    )
    position = info.metadata.get("position", "")
    if info.reason == PromptSyntaxError.reason and position.isdecimal():
        error = PromptSyntaxError("", position=int(position))
        error.message, error.args = message, (message,)  # the server's text has the position in it
        error.violations = violations or error.violations
        return error
    return InvalidInput(message, violations=violations)
