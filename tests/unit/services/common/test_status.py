from __future__ import annotations

import pytest
from google.rpc import code_pb2, error_details_pb2

from omnireel import errors
from services.common.status import CODES, error_from_status, status_from_error

CASES = [
    (errors.InvalidInput("too wide", field="settings.format"), code_pb2.INVALID_ARGUMENT),
    (errors.PromptSyntaxError("no such name", position=7), code_pb2.INVALID_ARGUMENT),
    (errors.NotFound("no video 7"), code_pb2.NOT_FOUND),
    (errors.AlreadyExists("taken"), code_pb2.ALREADY_EXISTS),
    (errors.FailedPrecondition("wrong version"), code_pb2.FAILED_PRECONDITION),
    (errors.ResourceExhausted("queue full", retry_after_s=2.5), code_pb2.RESOURCE_EXHAUSTED),
    (errors.Unavailable("loading", retry_after_s=0.25), code_pb2.UNAVAILABLE),
    (errors.Cancelled("stopped"), code_pb2.CANCELLED),
    (errors.DeadlineExceeded("late"), code_pb2.DEADLINE_EXCEEDED),
    (errors.IntegrityError("hash"), code_pb2.DATA_LOSS),
]


def details(status, kind):
    found = []
    for detail in status.details:
        value = kind()
        if detail.Is(value.DESCRIPTOR):
            detail.Unpack(value)
            found.append(value)
    return found


@pytest.mark.parametrize(("error", "code"), CASES, ids=lambda v: type(v).__name__)
def test_each_exception_has_its_code_and_comes_back_as_itself(error, code):
    status = status_from_error(error)
    assert status.code == code
    (info,) = details(status, error_details_pb2.ErrorInfo)
    assert (info.domain, info.reason) == ("omnireel", error.reason)
    back = error_from_status(status)
    kind = errors.InvalidInput if isinstance(error, errors.InvalidInput) else type(error)
    assert type(back) is kind
    assert (back.message, back.reason) == (error.message, error.reason)
    assert getattr(back, "violations", ()) == getattr(error, "violations", ())
    assert getattr(back, "retry_after_s", None) == getattr(error, "retry_after_s", None)


def test_every_kind_of_error_has_a_code():
    direct = set(errors.OmnireelError.__subclasses__())
    assert direct == set(CODES)


def test_a_position_and_the_fields_are_on_the_wire():
    status = status_from_error(errors.PromptSyntaxError("no such name", position=7))
    (info,) = details(status, error_details_pb2.ErrorInfo)
    (bad,) = details(status, error_details_pb2.BadRequest)
    assert info.metadata["position"] == "7"
    assert bad.field_violations[0].field == "prompt"


def test_no_retry_hint_where_retrying_does_not_help():
    status = status_from_error(errors.ResourceExhausted("the disk is full"))
    assert details(status, error_details_pb2.RetryInfo) == []


@pytest.mark.parametrize("error", [RuntimeError("secret"), errors.OmnireelError("secret")])
def test_an_unknown_error_keeps_its_story_to_itself(error):
    status = status_from_error(error, error_id="abc123")
    assert status.code == code_pb2.INTERNAL
    assert b"secret" not in status.SerializeToString()
    (info,) = details(status, error_details_pb2.ErrorInfo)
    assert info.metadata["error_id"] == "abc123"
    assert "abc123" in status.message


def test_a_status_fits_into_http2_trailers():
    violations = tuple(errors.FieldViolation("f" * 300, "ü" * 4000) for _ in range(50))
    status = status_from_error(errors.InvalidInput("ü" * 9000, violations=violations))
    # The message travels twice, once percent-encoded (3 bytes per byte).
    assert len(status.SerializeToString()) * 4 / 3 + 3 * len(status.message.encode()) < 8192
    (bad,) = details(status, error_details_pb2.BadRequest)
    assert bad.field_violations
