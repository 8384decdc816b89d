"""The exception tree as ``google.rpc.Status`` and back.

One table decides which code an exception has on the wire; servers use it in their interceptor
and callers of internal services use it to get the same exception back.
"""

from __future__ import annotations

import uuid

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

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
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from services.common.device_errors import DEVICE_BROKEN, OUT_OF_MEMORY

ERROR_DOMAIN = "omnireel"
"""``ErrorInfo.domain`` of every error this product raises."""

CODES: dict[type[OmnireelError], int] = {
    InvalidInput: code_pb2.INVALID_ARGUMENT,
    Unauthenticated: code_pb2.UNAUTHENTICATED,
    PermissionDenied: code_pb2.PERMISSION_DENIED,
    NotFound: code_pb2.NOT_FOUND,
    AlreadyExists: code_pb2.ALREADY_EXISTS,
    FailedPrecondition: code_pb2.FAILED_PRECONDITION,
    ResourceExhausted: code_pb2.RESOURCE_EXHAUSTED,
    Unavailable: code_pb2.UNAVAILABLE,
    Cancelled: code_pb2.CANCELLED,
    DeadlineExceeded: code_pb2.DEADLINE_EXCEEDED,
    IntegrityError: code_pb2.DATA_LOSS,
}

# A status travels in HTTP/2 trailers, which peers cap at 8 KiB in all, and percent-encoding
# and base64 make it longer on the way.
MAX_MESSAGE_CHARACTERS = 500
MAX_DETAIL_BYTES = 3072

TAKES_NONE_NOW = ("LOADING", "STOPPING", "PREEMPTED")
"""Reasons with which a healthy service turns work away or hands it back; the work is blameless."""

_CANCELLED_HERE = "Locally cancelled by application!"


def new_error_id() -> str:
    """A short id that joins what a caller sees to the full story in the server's log."""
    return uuid.uuid4().hex[:12]


def status_from_error(error: BaseException, *, error_id: str = "") -> status_pb2.Status:
    """``error`` as a status. What is no :class:`OmnireelError` becomes INTERNAL and keeps its
    story to itself: the caller gets ``error_id`` and nothing else.
    """
    code = _code_of(error)
    if code is None or not isinstance(error, OmnireelError):
        error_id = error_id or new_error_id()
        message = f"internal error; the server's log has it under error id {error_id}"
        info = error_details_pb2.ErrorInfo(
            reason="INTERNAL", domain=ERROR_DOMAIN, metadata={"error_id": error_id}
        )
        return _status(code_pb2.INTERNAL, message, [info])
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=ERROR_DOMAIN)
    position = getattr(error, "position", None)
    if position is not None:
        info.metadata["position"] = str(position)
    details: list[Message] = [info]
    if isinstance(error, InvalidInput) and error.violations:
        details.append(_bad_request(error.violations))
    retry_after_s = getattr(error, "retry_after_s", None)
    if retry_after_s is not None:
        delay = Duration()
        delay.FromMilliseconds(round(retry_after_s * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    return _status(code, error.message, details)


def error_from_status(status: status_pb2.Status) -> OmnireelError:
    """The exception that :func:`status_from_error` wrote (plain base class for INTERNAL)."""
    info, bad_request, retry = _read_details(status)
    reason = info.reason or None
    error: OmnireelError
    if status.code == code_pb2.INVALID_ARGUMENT:
        violations = tuple(
            FieldViolation(v.field, v.description) for v in bad_request.field_violations
        )
        error = InvalidInput(status.message, violations=violations)
    elif status.code == code_pb2.RESOURCE_EXHAUSTED:
        error = ResourceExhausted(status.message, retry_after_s=retry)
    elif status.code == code_pb2.UNAVAILABLE:
        error = Unavailable(status.message, retry_after_s=1.0 if retry is None else retry)
    else:
        kinds = {code: kind for kind, code in CODES.items()}
        error = kinds.get(status.code, OmnireelError)(status.message)
    if reason is not None:
        error.reason = reason
    return error


def error_from_rpc(error: grpc.RpcError) -> OmnireelError:
    """The exception behind a failed call, also when no status details came with it.

    That is so when the peer is down, when the deadline passed on this side, and when a call was
    cut off: a server that stops says a bare CANCELLED, which means try again, and not that anybody
    cancelled the work.
    """
    status = rpc_status.from_call(error)
    if status is None:
        if error.code() is grpc.StatusCode.CANCELLED and error.details() != _CANCELLED_HERE:
            stopped = Unavailable("the service stopped during the call; try again")
            stopped.reason = "STOPPING"
            return stopped
        number, _ = error.code().value
        status = status_pb2.Status(code=number, message=error.details() or error.code().name)
    return error_from_status(status)


def blameless(error: grpc.RpcError, *, begun: bool) -> bool:
    """Whether a call failed for a reason that lies outside of its work.

    ``begun``: the service said that the work began. Before that, a service that cannot be reached
    or is full says nothing about the work; after that, the work itself may have ended the process
    or broken its device.
    """
    failure = error_from_rpc(error)
    if isinstance(failure, ResourceExhausted):
        return failure.reason != OUT_OF_MEMORY
    if not isinstance(failure, Unavailable):
        return False
    if failure.reason in TAKES_NONE_NOW:
        return True
    unreachable = rpc_status.from_call(error) is None
    return not begun and (unreachable or failure.reason == DEVICE_BROKEN)


def _code_of(error: BaseException) -> int | None:
    for kind in type(error).__mro__:
        if kind in CODES:
            return CODES[kind]
    return None


def _status(code: int, message: str, details: list[Message]) -> status_pb2.Status:
    status = status_pb2.Status(code=code, message=message[:MAX_MESSAGE_CHARACTERS])
    for detail in details:
        status.details.add().Pack(detail)
    return status


def _bad_request(violations: tuple[FieldViolation, ...]) -> error_details_pb2.BadRequest:
    bad_request = error_details_pb2.BadRequest()
    for violation in violations:
        bad_request.field_violations.add(
            field=violation.field[:200], description=violation.description[:MAX_MESSAGE_CHARACTERS]
        )
        if bad_request.ByteSize() > MAX_DETAIL_BYTES:
            del bad_request.field_violations[-1]
            break
    return bad_request


def _read_details(
    status: status_pb2.Status,
) -> tuple[error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, float | None]:
    info, bad_request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    retry: float | None = None
    detail: AnyMessage
    for detail in status.details:
        if detail.Is(info.DESCRIPTOR):
            detail.Unpack(info)
        elif detail.Is(bad_request.DESCRIPTOR):
            detail.Unpack(bad_request)
        elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            value = error_details_pb2.RetryInfo()
            detail.Unpack(value)
            retry = value.retry_delay.ToMilliseconds() / 1000
    return info, bad_request, retry
