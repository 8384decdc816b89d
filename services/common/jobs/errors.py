"""Exceptions as job errors, and job errors as ``google.rpc.Status`` for the caller."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2

from omnireel.errors import InvalidInput, OmnireelError
from services.common.jobs.job import JobError
from services.common.status import ERROR_DOMAIN, status_from_error

RETRY_DELAY_S = 30


def job_error(error: BaseException, *, retryable: bool, error_id: str = "") -> JobError:
    """What to keep of ``error``; ``retryable``: the same request may work later."""
    if type(error) is OmnireelError:
        # An internal error of another service: its message names the error id in that log.
        return JobError(code_pb2.INTERNAL, error.message, error.reason, retryable)
    status = status_from_error(error, error_id=error_id)
    return JobError(
        code=status.code,
        message=status.message,
        reason=error.reason if isinstance(error, OmnireelError) else "INTERNAL",
        retryable=retryable,
        violations=error.violations if isinstance(error, InvalidInput) else (),
    )


def status_of(error: JobError) -> status_pb2.Status:
    """The status of a failed job; RetryInfo stands in it exactly when a retry may help."""
    status = status_pb2.Status(code=error.code, message=error.message)
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=ERROR_DOMAIN)
    status.details.add().Pack(info)
    if error.violations:
        bad_request = error_details_pb2.BadRequest()
        for violation in error.violations:
            bad_request.field_violations.add(
                field=violation.field, description=violation.description
            )
        status.details.add().Pack(bad_request)
    if error.retryable:
        delay = Duration(seconds=RETRY_DELAY_S)
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    return status
